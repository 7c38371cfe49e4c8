"""Computes the share of a text's tokens that a vocabulary lacks, and refuses too large a share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from textgen.corpus.tokenizers import UNKNOWN
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import DataError
from textgen.formatting import percent

MAX_UNKNOWN_SHARE = 0.05
"""The maximum share of a text's tokens that its vocabulary may lack. With more, it must belong to another text."""

_EXAMPLES = 5


def share_lacking(counts: Counter[str], vocabulary: Vocabulary) -> float:
    """Returns the share of a text's tokens that a vocabulary lacks, from 0 to 1, not counting `[UNK]` in the text.

    Args:
        counts: how often each token occurs.
        vocabulary: a vocabulary of the same tokenizer.
    """
    return sum(counts[token] for token in vocabulary.unknown(counts)) / max(counts.total() - counts[UNKNOWN], 1)


def check_coverage(
    counts: Counter[str], vocabulary: Vocabulary, path: Path, advice: str, *, spared: float = 0.0
) -> float:
    """Checks that a vocabulary belongs to a text.

    Args:
        counts: how often each token of the training text occurs.
        vocabulary: a vocabulary of the same tokenizer.
        path: the vocabulary's file, for the error.
        advice: the end of the error, which explains what to do.
        spared: a share of the tokens that is `[UNK]` in any case, and allowed in addition.

    Returns:
        The share of the tokens that the vocabulary lacks.

    Raises:
        DataError: if the share is above `MAX_UNKNOWN_SHARE + spared`.
    """
    share, most = share_lacking(counts, vocabulary), MAX_UNKNOWN_SHARE + spared
    if share > most:
        missing = vocabulary.unknown(token for token, _ in counts.most_common())
        raise DataError(
            f"{path} lacks {share:.1%} of the tokens of the training text, such as "
            f"{', '.join(map(repr, missing[:_EXAMPLES]))}; at most {percent(most)} may be missing: {advice}"
        )
    return share
