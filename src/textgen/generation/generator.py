"""Continues a prompt: yields pieces of text, one per token, to a terminal, a web page or any other reader."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textgen.config import OutOfVocabulary, SamplingConfig
from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN_ID
from textgen.errors import DataError, UsageError, named
from textgen.generation.copy_guard import CopyGuard
from textgen.generation.model_file import ModelFile
from textgen.generation.model_place import open_model
from textgen.generation.prompt import read_prompt
from textgen.generation.sample import Sample, Writing
from textgen.generation.samplers import Sampler
from textgen.generation.side_by_side import SideBySide
from textgen.generation.spacing import Spacing
from textgen.generation.step import LSTMStep

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex

MOST_SIDE_BY_SIDE = 64
"""The number of texts written at the same time: with more, the states no longer fit in a core's cache."""


def load(path: str | Path) -> TextGenerator:
    """Opens a trained model to write text with.

    Args:
        path: a model file, or a job directory that contains one; a string that begins with `gs://` names one in a bucket.

    Returns:
        The generator.

    Raises:
        TextgenError: as `open_model`.
    """
    return TextGenerator(open_model(path))


class TextGenerator:
    """Continues texts in the style of the training text.

    It keeps no state between texts, so several can be written at the same time.

    Args:
        model: the model file.

    Example:
        >>> generator = load("job/story-384-states-1-layers-384-embed")
        >>> text = "".join(generator.generate("Once upon", length=100, seed=7))
    """

    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self._vocabulary = model.vocabulary
        self._step = LSTMStep(model)
        known = model.after_white_space
        self._spacing = None if known is None else Spacing(model.vocabulary.tokens, known)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = SamplingConfig.length,
        until: str | Sequence[str] = SamplingConfig.until,
        lines: int | None = SamplingConfig.lines,
        temperature: float = SamplingConfig.temperature,
        top_k: int | None = SamplingConfig.top_k,
        top_p: float = SamplingConfig.top_p,
        min_p: float = SamplingConfig.min_p,
        repetition_penalty: float = SamplingConfig.repetition_penalty,
        seed: int | None = SamplingConfig.seed,
        oov: OutOfVocabulary = SamplingConfig.oov,
    ) -> Iterator[str]:
        """Writes a text, piece by piece.

        Args:
            prompt: the text to continue; without one the text starts as after a blank line. It is read like a file:
                without a byte order mark, CRLF as LF. A quote, a dash or an accent that the vocabulary lacks as typed is
                read as the vocabulary has it.
            length: the most tokens to write.
            until: a text, or several; the first one that appears ends the text, and is included.
            lines: the number of lines after which the text ends.
            temperature: below 1 the text is safer, above wilder; 0 always takes the likeliest token.
            top_k: the number of likeliest tokens to choose among.
            top_p: the total probability of the likeliest tokens to choose among; 1 is all.
            min_p: the least probability of a token to choose, as a share of the likeliest one's.
            repetition_penalty: above 1, recent tokens become less likely.
            seed: fixes the random numbers: the same seed gives the same text. None: another text every time.
            oov: what to do with tokens of the prompt that the vocabulary lacks: refuse ("error"), leave them out ("skip"),
                or read `[UNK]` instead ("unk"). A prompt of which nothing is left counts as none.

        Returns:
            The pieces, one for each of at most `length` tokens, without the prompt.

        Raises:
            UsageError: when an argument is invalid.
            DataError: when the vocabulary lacks tokens of the prompt and `oov` is "error". Both are raised here, before
                the first piece is asked for.
        """
        config = SamplingConfig(
            length=length,
            until=(until,) if isinstance(until, str) else tuple(until),
            lines=lines,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            oov=oov,
        )
        return (piece for sample, piece in self.write(prompt, config) if sample.pieces)

    def changes(self, prompt: str) -> tuple[str, ...]:
        """Lists how the model respells a prompt to read it, in words such as `’ for '`; see `generate`."""  # noqa: RUF002 - as in print
        return read_prompt(prompt, self._vocabulary).changes

    def write(
        self,
        prompt: str,
        config: SamplingConfig,
        *,
        samples: int = 1,
        scored: bool = False,
        copies: CopyIndex | None = None,
    ) -> Iterator[tuple[Sample, str]]:
        """Writes texts side by side.

        Args:
            prompt: the text that each of them continues; see `generate`.
            config: the settings; the first text has their seed, and each other one more than the one before.
            samples: the number of texts.
            scored: whether to sum up the texts' `nats`, which takes some time.
            copies: the copy index of the training text; needed for the config's `max_copy`.

        Returns:
            Pieces, each with the text that it was added to, which has ended when its `finish_reason` is not None. There is
            at least one piece for each text, an empty one if the length is 0.

        Raises:
            UsageError: when an argument is invalid.
            DataError: when the vocabulary lacks tokens of the prompt and `oov` is "error". Both are raised here, before
                the first piece is asked for.
        """
        if config.max_copy is not None and copies is None:
            raise UsageError(
                f"{named('max_copy')} needs the training text to compare with; leave it out, or name the job directory"
            )
        read = read_prompt(prompt, self._vocabulary)
        text, ids = read.text, self._prompt_ids(read.tokens, config.oov)
        if not ids:
            text, ids = "", self._start_ids()
        seed = int.from_bytes(os.urandom(4), "little") if config.seed is None else config.seed

        def begin(sample: Sample) -> Writing:
            guard = None
            if config.max_copy is not None and copies is not None:
                # The tokens that the model does not know are among them: a copy can begin there.
                guard = CopyGuard(copies, config.max_copy, self._vocabulary.tokenizer, read.tokens)
            return Writing(sample, config, self._vocabulary.tokenizer.joiner(text), guard)

        def write_all() -> Iterator[tuple[Sample, str]]:
            run = self._step.start()
            for known in ids[:-1]:
                run(np.array([known]))
            for first in range(0, samples, MOST_SIDE_BY_SIDE):
                block = range(first, min(first + MOST_SIDE_BY_SIDE, samples))
                writings = [begin(Sample(prompt, seed + number)) for number in block]
                yield from SideBySide(
                    run, ids, self._vocabulary.tokens, Sampler(config), writings, spacing=self._spacing, scored=scored
                )

        if config.length == 0:
            return ((Sample(prompt, seed + number, finish_reason="length"), "") for number in range(samples))
        return write_all()

    def _prompt_ids(self, tokens: Sequence[str], oov: OutOfVocabulary) -> list[int]:
        """The ids of the prompt's tokens, without those that are skipped."""
        unknown = self._vocabulary.unknown(tokens)
        if unknown and oov == "error":
            raise DataError(
                f"the prompt must consist of tokens that the model knows, and it does not know {self._vocabulary.listed(unknown)}; "
                f"leave them out with {named('oov')} skip, or let the model read [UNK] in their place with {named('oov')} unk"
            )
        if oov == "skip":
            tokens = [token for token in tokens if token not in unknown]
        return self._vocabulary.ids(tokens)

    def _start_ids(self) -> list[int]:
        """The ids that the model reads when there is no prompt."""
        ids = self._vocabulary.ids(self._vocabulary.tokenizer.start)
        return [FIRST_TOKEN_ID if token_id == UNKNOWN_ID else token_id for token_id in ids]
