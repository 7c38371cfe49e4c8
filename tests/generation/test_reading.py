from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.generation import LSTMStep
from textgen.generation.reading import MOST_ROWS, read_states, score

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile


def some_texts(lengths: list[int]) -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(6, size=length).tolist() for length in lengths]


def test_states_of_texts_of_all_lengths(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """The state behind a text, in whatever batch it is read, continues it as if it had been read alone, token by token."""
    network = LSTMStep(make_model(kind))
    texts = some_texts([3, 0, 17, 1, 17, 8, *range(1, MOST_ROWS)])
    for text, state in zip(texts, read_states(network, texts, [None] * len(texts)), strict=True):
        alone, continued = network.start(), network.start(2)
        for token_id in text:
            alone(np.array([token_id]))
        if state is None:
            assert not text
        else:
            continued.restore(1, state)
            np.testing.assert_allclose(continued(np.array([3, 4]))[1], alone(np.array([4]))[0], rtol=1e-4, atol=1e-5)


def test_reading_in_two_parts(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """A text that is read from the state behind its first part has the same state at its end, to the bit if read alone."""
    network = LSTMStep(make_model(kind))
    [text] = some_texts([30])
    [whole] = read_states(network, [text], [None])
    [first] = read_states(network, [text[:11]], [None])
    [second] = read_states(network, [text[11:]], [first])
    np.testing.assert_array_equal(whole, second)


def test_scores_of_texts_of_all_lengths(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """Each token but a text's first costs minus its log-probability after those before it, computed one step at a time."""
    network = LSTMStep(make_model(kind))
    texts = some_texts([5, 1, 0, 12, 5, *range(2, MOST_ROWS)])
    for text, scores in zip(texts, score(network, texts), strict=True):
        run, expected = network.start(), []
        for token_id, following in pairwise(text):
            logits = run(np.array([token_id]))[0].astype(np.float64)
            expected.append(np.log(np.exp(logits - logits[following]).sum()))
        assert scores.nats.dtype == np.float32
        np.testing.assert_allclose(scores.nats, expected, rtol=1e-3, atol=1e-4)
