"""A text that a user and a model write in turn, passage by passage."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from textgen.config import SamplingConfig, settings
from textgen.config.values import convert, find_setting
from textgen.errors import DataError, UsageError

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation.generator import TextGenerator

READ_AGAIN = 5000
"""The most characters of the text that the model reads before each passage.

Text further back does not change what an LSTM writes: word models use about 200 words of context (Khandelwal et al. 2018,
"Sharp Nearby, Fuzzy Far Away", section 4). 5000 characters are about 800 words, and reading them takes only a moment.
"""

# The end of a word: if a text is cut there, what follows has the same tokens as in the whole text.
_CUT = re.compile(r"(?<=\S)\s")


@dataclass
class Passage:
    """What the user added in one turn, and how the model continued it.

    Attributes:
        added: the user's text.
        pieces: the model's text, one piece per token.
        seed: the seed of the model's random numbers; None if the model has not continued this passage.
    """

    added: str
    pieces: list[str] = field(default_factory=list)
    seed: int | None = None

    @property
    def text(self) -> str:
        """The whole passage."""
        return self.added + "".join(self.pieces)


class Draft:
    """A text in passages, and the settings with which the model continues it.

    A passage grows as its pieces are consumed. If the consumer stops early, the passage keeps the pieces consumed so far.

    Args:
        generator: writes the model's part.
        config: the sampling settings. The first passage uses their seed, and each later one the next higher seed.
        open_copies: opens the copy index of the training text; called only when `max_copy` is set.

    Attributes:
        passages: the passages, in order.
        config: the settings for the next passage.
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

    def changes(self) -> tuple[str, ...]:
        """Lists how the model respells the user's part of the last passage, without what it respells in earlier passages.

        How a quote is read can depend on the text before it. `TextGenerator.changes` describes the words.
        """
        if not self.passages:
            return ()
        *before, last = self.passages
        earlier = self._changes_in(_join(before))
        return tuple(change for change in self._changes_in(_join(before) + last.added) if change not in earlier)

    def write(self, added: str = "") -> Iterator[str]:
        """Adds a passage.

        Args:
            added: the user's text, with which the passage starts.

        Returns:
            The pieces with which the model continues it, one per token.

        Raises:
            DataError: if the model does not know some of the user's text, and the config's `oov` is "error".
            TextgenError: as `TextGenerator.write`. No error changes the text.
        """
        self._refuse_unknown(self.text + added)
        return self._write(self.passages, added)

    def retry(self) -> Iterator[str]:
        """Writes the last passage again, with the next seed.

        Returns:
            The new pieces, as from `write`.

        Raises:
            UsageError: if there is no passage.
        """
        last = self._last()
        return self._write(self.passages[:-1], last.added)

    def undo(self) -> None:
        """Removes the last passage, including what the user added.

        Raises:
            UsageError: if there is no passage.
        """
        self._last()
        self.passages.pop()

    def replace_last(self, added: str) -> None:
        """Replaces the last passage by the user's text; if there is no passage, the text becomes the first one.

        Raises:
            DataError: as `write`.
        """
        self.replace(_join(self.passages[:-1]) + added)

    def replace(self, text: str) -> None:
        """Replaces the whole text; the passages before the first change stay as they are.

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
        """Changes a setting for the next passages.

        Args:
            name: the name of a setting of `SamplingConfig`.
            value: the value, as it is given to the flag; None for the default.

        Raises:
            UsageError: if there is no such setting, or the value is not valid.
            TextgenError: if the setting is `max_copy`, and the training text cannot be read.
        """
        setting = find_setting(name, settings(SamplingConfig))
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
            raise UsageError("there is no passage yet; write one first")
        return self.passages[-1]

    def _write(self, before: Sequence[Passage], added: str) -> Iterator[str]:
        """Makes the text end with a new passage after the given ones, and returns the pieces of the model's part."""
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

    def _changes_in(self, text: str) -> tuple[str, ...]:
        return self._generator.read(_end_of(text)).changes

    def _refuse_unknown(self, text: str) -> None:
        """Refuses a text with unknown tokens, except those that are already in the draft.

        The model's own text may contain unknown tokens: two words without a space between them are read as one.
        """
        if self.config.oov != "error":
            return
        vocabulary = self._generator.model.vocabulary
        before = vocabulary.unknown(self._generator.read(self.text).tokens)
        unknown = [token for token in vocabulary.unknown(self._generator.read(text).tokens) if token not in before]
        if unknown:
            raise DataError(
                f"the model does not know {vocabulary.listed(unknown)}; set oov to skip to leave them out, or to unk to read them as [UNK]"
            )


def _join(passages: Sequence[Passage]) -> str:
    return "".join(passage.text for passage in passages)


def _end_of(text: str) -> str:
    """Returns the end of a text, as much of it as the model reads."""
    end = text[-READ_AGAIN:]
    cut = _CUT.search(end)
    return end[cut.start() :] if cut is not None and len(end) < len(text) else end
