import numpy as np

from textgen.dataset import count_tokens, counts


def test_every_id_is_counted_over_all_pieces(monkeypatch):
    """Pieces that do not divide the text evenly lose nothing, and an id that never occurs has 0."""
    monkeypatch.setattr(counts, "_PIECE", 7)
    ids = np.random.default_rng(0).integers(2, 9, 100).astype(np.uint8)
    found = count_tokens(ids, 12)
    assert found.tolist() == [int(np.sum(ids == number)) for number in range(12)]


def test_no_text_has_no_counts():
    """An empty array gives zeros."""
    assert count_tokens(np.zeros(0, np.uint8), 3).tolist() == [0, 0, 0]
