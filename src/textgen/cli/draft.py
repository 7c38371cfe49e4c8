"""A text that a user and a model write in turn, passage by passage; knows nothing of terminals and of commands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from textgen.config import SamplingConfig, settings
from textgen.config.validation import convert, nearest, shown
from textgen.errors import DataError, UsageError
from textgen.generation.prompt import read_prompt

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import TextGenerator

READ_AGAIN = 5000
"""How many characters of the text, at most, the model reads before each passage.

What stands further back no longer changes what an LSTM writes: word models make use of about 200 words (Khandelwal et al.
2018, "Sharp Nearby, Fuzzy Far Away", section 4). This is some 800 words, and read in a moment, however long the text.
"""

# Where a text can be cut so that the tokens of the rest are those of the whole: before white space behind something else.
_CUT = re.compile(r"(?<=\S)\s")


@dataclass
class Passage:
    """A turn: what the user added, and how the model went on.

    Attributes:
        added: the user's words.
        pieces: the model's, a piece a token.
        seed: of the model's random numbers; None where it has not written yet.
    """

    added: str
    pieces: list[str] = field(default_factory=list)
    seed: int | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return self.added + "".join(self.pieces)


class Draft:
    """The text, and how it is written.

    A passage grows while its pieces are taken; it keeps those it has when nobody takes more.

    Args:
        generator: writes the model's part.
        config: how. Its seed is that of the first passage, and one more of each that follows.
        open_copies: opens the copy index of the training text; called where `max_copy` is set.

    Attributes:
        passages: the text in its parts.
        config: how the next passage is written.
    """

    def __init__(self, generator: TextGenerator, config: SamplingConfig, open_copies: Callable[[], CopyIndex]) -> None:
        self.passages: list[Passage] = []
        self._generator = generator
        self._open_copies = open_copies
        self._copies: CopyIndex | None = None
        self._configure(config)
        self._seed = int.from_bytes(os.urandom(4), "little") if config.seed is None else config.seed

    @property
    def text(self) -> str:
        """The whole text."""
        return _join(self.passages)

    def changes(self, added: str) -> tuple[str, ...]:
        """Lists how the model respells the user's words to read them; see `TextGenerator.changes`."""
        return self._generator.changes(added)

    def write(self, added: str = "") -> Iterator[str]:
        """Adds a passage.

        Args:
            added: the user's words, with which it begins.

        Returns:
            The pieces with which the model continues, one per token.

        Raises:
            DataError: when the model does not know the user's words, and the config's `oov` is "error".
            TextgenError: as `TextGenerator.write`. After either the text is as it was.
        """
        self._refuse_unknown(self.text + added)
        return self._write(self.passages, added)

    def retry(self) -> Iterator[str]:
        """Writes the last passage again, with another seed.

        Returns:
            As `write`.

        Raises:
            UsageError: when there is no passage.
        """
        last = self._last()
        return self._write(self.passages[:-1], last.added)

    def undo(self) -> None:
        """Takes the last passage back, with what the user added.

        Raises:
            UsageError: when there is no passage.
        """
        self._last()
        self.passages.pop()

    def replace_last(self, added: str) -> None:
        """Puts the user's words in the place of the last passage, or at the beginning.

        Raises:
            DataError: as `write`.
        """
        self.replace(_join(self.passages[:-1]) + added)

    def replace(self, text: str) -> None:
        """Puts another text in the place of this one; the passages before the first change stay as they are.

        Raises:
            DataError: as `write`.
        """
        self._refuse_unknown(text)
        kept, start = [], 0
        for passage in self.passages:
            if not text.startswith(passage.text, start):
                break
            kept.append(passage)
            start += len(passage.text)
        self.passages = [*kept, Passage(text[start:])] if start < len(text) else kept

    def set(self, name: str, value: str | None) -> None:
        """Changes how the next passages are written.

        Args:
            name: of a setting of `SamplingConfig`.
            value: as a flag takes it; None for the default.

        Raises:
            UsageError: when there is no such setting, or it cannot have this value.
            TextgenError: when it is `max_copy`, and the training text cannot be read.
        """
        known = {setting.name: setting for setting in settings(SamplingConfig)}
        if name not in known:
            raise UsageError(f"there is no setting {shown(name)}{nearest(name, known)}; there are {', '.join(known)}")
        setting = known[name]
        converted = setting.default if value is None else convert(setting, value)
        several = setting.option.repeatable and value is not None
        changed: dict[str, Any] = {name: (converted,) if several else converted}
        self._configure(replace(self.config, **changed))
        if name == "seed" and self.config.seed is not None:
            self._seed = self.config.seed

    def _configure(self, config: SamplingConfig) -> None:
        if config.max_copy is not None and self._copies is None:
            self._copies = self._open_copies()
        self.config = config

    def _last(self) -> Passage:
        if not self.passages:
            raise UsageError("there is no passage yet; type a line, or an empty one")
        return self.passages[-1]

    def _write(self, before: Sequence[Passage], added: str) -> Iterator[str]:
        """Puts a new passage behind some others, and there the text ends."""
        config = replace(self.config, seed=self._seed, oov="unk" if self.config.oov == "unk" else "skip")
        prompt = _end_of(_join(before) + added)
        pieces = self._generator.write(prompt, config, copies=self._copies)
        passage = Passage(added, seed=self._seed)
        self.passages = [*before, passage]
        self._seed += 1

        def take() -> Iterator[str]:
            for _, piece in pieces:
                passage.pieces.append(piece)
                yield piece

        return take()

    def _refuse_unknown(self, text: str) -> None:
        """Refuses a text with tokens that neither the model knows nor the text so far has.

        What the model wrote may have some: two words that it wrote without a space are one to whoever reads them again.
        """
        if self.config.oov != "error":
            return
        vocabulary = self._generator.model.vocabulary
        before = vocabulary.unknown(read_prompt(self.text, vocabulary).tokens)
        unknown = [token for token in vocabulary.unknown(read_prompt(text, vocabulary).tokens) if token not in before]
        if unknown:
            raise DataError(
                f"the model does not know {vocabulary.listed(unknown)}; set oov to skip to leave them out, or to unk to let it read [UNK] in their place"
            )


def _join(passages: Sequence[Passage]) -> str:
    return "".join(passage.text for passage in passages)


def _end_of(text: str) -> str:
    """As much of a text's end as the model reads."""
    end = text[-READ_AGAIN:]
    cut = _CUT.search(end)
    return end[cut.start() :] if cut is not None and len(end) < len(text) else end
