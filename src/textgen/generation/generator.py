"""A prompt in, pieces of text out, one a token; knows nothing of who reads them, a terminal or a web page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN_ID
from textgen.errors import DataError, UsageError
from textgen.generation.model_file import ModelFile, read_model
from textgen.generation.samplers import make_sampler
from textgen.generation.step import LSTMStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textgen.generation.samplers import Sampler

OutOfVocabulary: TypeAlias = Literal["error", "skip", "unk"]
"""What to do with a prompt's tokens that the vocabulary lacks: refuse, leave them out, or read `[UNK]` instead."""

_MOST_LISTED = 10


def load(path: str | Path) -> TextGenerator:
    """Opens a trained model to write text with.

    Args:
        path: a model file, or a job directory that holds one.

    Returns:
        The generator.

    Raises:
        TextgenError: as `read_model`.
    """
    return TextGenerator(read_model(Path(path)))


class TextGenerator:
    """Continues texts in the manner of those that the model was trained on.

    It keeps no state between texts, so that several can be written at the same time.

    Args:
        model: the model file.

    Example:
        >>> generator = load("job/story-128-states-2-layers")
        >>> text = "".join(generator.generate("Once upon", length=100, seed=7))
    """

    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self._vocabulary = model.vocabulary
        self._step = LSTMStep(model)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 400,
        temperature: float = 0.8,
        seed: int | None = None,
        oov: OutOfVocabulary = "error",
    ) -> Iterator[str]:
        """Writes a text, piece by piece.

        Args:
            prompt: the text to continue; without one the text starts as after a blank line. It is read as a file is:
                without a byte order mark, CRLF as LF.
            length: how much to write, in tokens.
            temperature: below 1 the text is safer, above wilder; 0 always takes the likeliest token.
            seed: fixes the random numbers: the same seed gives the same text. None: another text every time.
            oov: what to do with tokens of the prompt that the vocabulary lacks, see `OutOfVocabulary`. A prompt of
                which nothing is left is as none.

        Returns:
            The pieces, one for each of `length` tokens; the prompt is not among them.

        Raises:
            UsageError: when an argument makes no sense.
            DataError: when the vocabulary lacks tokens of the prompt and `oov` is "error". Both are raised here, before
                the first piece is asked for.
        """
        if length < 0:
            raise UsageError(f"length must be at least 0 tokens, not {length}")
        if seed is not None and seed < 0:
            raise UsageError(f"seed must be at least 0, not {seed}; leave it out for another text every time")
        sampler = make_sampler(temperature)
        prompt = prompt.removeprefix("\ufeff").replace("\r\n", "\n")
        ids = self._read_prompt(prompt, oov)
        if not ids:
            prompt, ids = "", self._start_ids()
        return self._write(prompt, ids, length, sampler, np.random.default_rng(seed))

    def _write(
        self, prompt: str, ids: list[int], length: int, sampler: Sampler, rng: np.random.Generator
    ) -> Iterator[str]:
        """Reads the ids, at least one, and yields the pieces that follow."""
        joiner = self._vocabulary.tokenizer.joiner(prompt)
        state = self._step.initial_state()
        *before, token_id = ids
        for known in before:
            _, state = self._step(np.array([known]), state)
        for _ in range(length):
            logits, state = self._step(np.array([token_id]), state)
            logits[:, :FIRST_TOKEN_ID] = -np.inf  # the padding and [UNK] are never written
            token_id = sampler(logits[0], rng)
            yield joiner.add(self._vocabulary.tokens[token_id])

    def _read_prompt(self, prompt: str, oov: OutOfVocabulary) -> list[int]:
        """The ids of a prompt's tokens."""
        if oov not in get_args(OutOfVocabulary):
            raise UsageError(f"oov must be one of {', '.join(get_args(OutOfVocabulary))}, not {oov}")
        tokens = self._vocabulary.split_prompt(prompt)
        unknown = self._vocabulary.unknown(tokens)
        if unknown and oov == "error":
            listed = ", ".join(map(repr, unknown[:_MOST_LISTED]))
            more = f" and {len(unknown) - _MOST_LISTED} more" if len(unknown) > _MOST_LISTED else ""
            raise DataError(
                f"the prompt must consist of tokens that the model knows, and it does not know {listed}{more}; "
                "leave them out with --oov skip, or let the model read [UNK] in their place with --oov unk"
            )
        if oov == "skip":
            tokens = [token for token in tokens if token not in unknown]
        return self._vocabulary.ids(tokens)

    def _start_ids(self) -> list[int]:
        """The ids of what the model reads when there is no prompt."""
        ids = self._vocabulary.ids(self._vocabulary.tokenizer.start)
        return [FIRST_TOKEN_ID if token_id == UNKNOWN_ID else token_id for token_id in ids]
