"""Decides whether a character model of a text starts from the base model or from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.corpus import Corpus, Section, Vocabulary
from textgen.planning import DeviceKind, base_pays
from textgen.runs.init_from import NONE, Start
from textgen.storage import BASE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ORDER = 3
"""The length of the n-grams: two characters to predict from, and the predicted one."""

_MOST_READ = 2_000_000
"""The maximum number of characters that are read of each section."""

_MOST_COUNTED = 100_000
"""The maximum number of characters that the n-grams are counted in. In a million characters of plays in verse, they come close to the
base model, although a model of these plays gets much better if it starts from it (docs/experiments.md)."""

_LEAST_PREDICTED = 2
"""The minimum number of characters of which one can be predicted. A shorter text is refused later."""

_MOST_PIECES, _PIECE = 64, 128
"""The number and the length of the pieces of the validation text that are predicted. The base model takes half a second for them."""


def choose_start(base: Start, corpus: Corpus, minutes: float, device: DeviceKind) -> Start:
    """Decides from the text, the time and the kind of device, so that the same command always starts in the same way.

    The base model must predict the validation text better than a trigram of the training text does. Otherwise, the text is in
    another language, or is not prose.

    Args:
        base: the base model.
        corpus: the text, of characters.
        minutes: the training time.
        device: the kind of device that trains.

    Returns:
        The base model or none, with the reason.
    """
    if not base_pays(minutes, corpus.train.characters, device):
        return Start(NONE, description="from scratch: with this much text and time, the base model would not help")
    if not _predicts_better(base, corpus):
        return Start(
            NONE,
            description="from scratch: this text differs too much from the English prose that the base model knows",
        )
    return Start(
        BASE,
        base.model,
        "from the base model: it knows English prose, and this text is similar enough",
    )


def _predicts_better(base: Start, corpus: Corpus) -> bool:
    """Returns whether the base model predicts the validation text better than a trigram of the training text."""
    import numpy as np

    from textgen.evaluation.kneser_ney import KneserNey
    from textgen.evaluation.prediction import mean_loss
    from textgen.generation.vocabulary_transfer import cut_pieces, with_vocabulary

    assert base.model is not None  # noqa: S101 - our own mistake
    vocabulary = corpus.vocabulary
    ids, valid_ids = (_read(section, vocabulary) for section in (corpus.train, corpus.valid))
    if len(valid_ids) < _LEAST_PREDICTED:
        return False
    counts = np.bincount(ids, minlength=vocabulary.size)
    length = min(_PIECE, len(valid_ids))
    pieces = cut_pieces(valid_ids, min(_MOST_PIECES, len(valid_ids) // length), length)
    trigram = KneserNey(ids[:_MOST_COUNTED], _ORDER, vocabulary.size)
    expected = np.mean([trigram.loss(piece) for piece in pieces])
    return mean_loss(with_vocabulary(base.model, vocabulary, counts, ids), pieces) < float(expected)


def _read(section: Section, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Returns the ids of a section, or of its start if it is long."""
    import numpy as np

    ids: list[int] = []
    for chunk in section.chunks(1 << 16):
        ids += vocabulary.encode(chunk)
        if len(ids) >= _MOST_READ:
            break
    return np.array(ids[:_MOST_READ])
