"""How much of a text a vocabulary lacks, and when that is too much; knows nothing of where either comes from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from textgen.corpus.tokenizers import UNKNOWN
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import DataError

MAX_UNKNOWN_SHARE = 0.05
"""The share of the tokens that a vocabulary which comes with a text may lack: beyond it, it is that of another text."""

_EXAMPLES = 5


def share_lacking(counts: Counter[str], vocabulary: Vocabulary) -> float:
    """The share of a text's tokens that a vocabulary lacks, from 0 to 1; what is `[UNK]` in the text does not count.

    Args:
        counts: how often each token occurs.
        vocabulary: of the same tokenizer.
    """
    return sum(counts[token] for token in vocabulary.unknown(counts)) / max(counts.total() - counts[UNKNOWN], 1)


def check_coverage(
    counts: Counter[str], vocabulary: Vocabulary, path: Path, advice: str, *, spared: float = 0.0
) -> float:
    """Checks that a vocabulary goes with a text.

    Args:
        counts: how often each token of the training text occurs.
        vocabulary: of the same tokenizer.
        path: where it stands, for the error.
        advice: what to do about it, likewise.
        spared: the share of the tokens that is to be `[UNK]` in any case.

    Returns:
        The share of the tokens that it lacks.

    Raises:
        DataError: when it lacks more than `MAX_UNKNOWN_SHARE` beyond what is spared.
    """
    share, most = share_lacking(counts, vocabulary), MAX_UNKNOWN_SHARE + spared
    if share > most:
        missing = vocabulary.unknown(token for token, _ in counts.most_common())
        raise DataError(
            f"{path} lacks {share:.1%} of the tokens of the training text, such as "
            f"{', '.join(map(repr, missing[:_EXAMPLES]))}; at most {100 * most:.3g}% may be missing: {advice}"
        )
    return share
