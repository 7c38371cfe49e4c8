"""Refuses a vocabulary that is too large for a model file, before TensorFlow is loaded or any file is written."""

from __future__ import annotations

from textgen.config import TrainingConfig, shape
from textgen.corpus import FIRST_TOKEN_ID, Vocabulary
from textgen.errors import DataError


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

    size = longest_header(shape(config), vocabulary)
    if size > MOST_BYTES:
        tokens = vocabulary.size - FIRST_TOKEN_ID
        fitting = max(1, int(float(f"{0.9 * tokens * MOST_BYTES / size:.2g}")))
        if vocabulary.tokenizer.name == "spaced":
            advice = f"list only the first {fitting} in the vocabulary file"
        else:
            advice = f"keep only the most frequent ones, with --vocab_size {fitting}"
        raise DataError(
            f"the vocabulary must take at most {MOST_BYTES:,} bytes in a model file, got {size:,} bytes for {tokens:,} tokens; {advice}"
        )
