"""Refuses a vocabulary that is too large for a model file, before TensorFlow is loaded or any file is written."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from textgen.config import TrainingConfig
from textgen.corpus import FIRST_TOKEN_ID, Vocabulary
from textgen.errors import DataError
from textgen.planning import ModelShape


def check_model_file(config: TrainingConfig, vocabulary: Vocabulary) -> None:
    """Checks that the model file's header, which contains the vocabulary, will not be too long.

    Args:
        config: the settings of the run.
        vocabulary: the vocabulary of the model.

    Raises:
        DataError: if it will be.
    """
    from textgen.generation.model_file import longest_header
    from textgen.generation.model_header import MOST_BYTES

    def size_of(vocabulary: Vocabulary) -> int:
        """Returns the size with a vocabulary."""
        return longest_header(ModelShape.of(vars(config), vocabulary.size), vocabulary)

    def size_with(tokens: int) -> int:
        """Returns the size with only the first tokens."""
        return size_of(replace(vocabulary, tokens=vocabulary.tokens[: FIRST_TOKEN_ID + tokens]))

    size = size_of(vocabulary)
    if size > MOST_BYTES:
        tokens = vocabulary.size - FIRST_TOKEN_ID
        fitting = _round_down(bisect_right(range(tokens), MOST_BYTES, key=size_with) - 1)
        if vocabulary.tokenizer.name == "spaced":
            advice = f"list only the first {fitting} in the vocabulary file"
        else:
            advice = f"keep only the most frequent ones, with --vocab_size {fitting}"
        raise DataError(
            f"the vocabulary must take at most {MOST_BYTES:,} bytes in a model file, got {size:,} bytes for {tokens:,} tokens; {advice}"
        )


def _round_down(number: int) -> int:
    """Rounds a number to its first two digits."""
    digits = str(number)
    return int(digits[:2].ljust(len(digits), "0"))
