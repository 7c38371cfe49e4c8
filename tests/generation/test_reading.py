from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.corpus import FIRST_TOKEN_ID, Vocabulary, make_tokenizer
from textgen.generation import LSTMStep
from textgen.generation.alternatives import likeliest
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


@pytest.mark.parametrize("top", [0, 2, 9])
def test_ranks_and_alternatives(make_model: Callable[..., ModelFile], kind: dict[str, Any], top: int) -> None:
    """Each token's rank and alternatives are those of the logits before it, without padding and `[UNK]`."""
    network = LSTMStep(make_model(kind))
    texts = some_texts([5, 1, 0, 12, 300])
    for text, scores in zip(texts, score(network, texts, top=top), strict=True):
        assert scores.ranks is not None
        assert scores.top_ids is not None
        assert scores.top_nats is not None
        run = network.start()
        for place, (token_id, following) in enumerate(pairwise(text)):
            logits = run(np.array([token_id]))[0].astype(np.float64)
            order = FIRST_TOKEN_ID + np.argsort(-logits[FIRST_TOKEN_ID:])
            rank = order.tolist().index(following) + 1 if following >= FIRST_TOKEN_ID else 0
            assert scores.ranks[place] == rank
            assert scores.top_ids[place].tolist() == order[:top].tolist()
            nats = np.log(np.exp(logits).sum()) - logits[order[:top]]
            np.testing.assert_allclose(scores.top_nats[place], nats, rtol=1e-3, atol=1e-4)
        assert len(scores.top_ids) == max(len(text) - 1, 0)


def test_one_alternative_is_the_first_of_several(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """The only alternative in a place is the first of a longer list; of equally likely ones, it is that with the lower id."""
    network = LSTMStep(make_model(kind))
    texts = some_texts([5, 1, 12, 40])
    for one, several in zip(score(network, texts, top=1), score(network, texts, top=3), strict=True):
        assert one.top_ids is not None
        assert several.top_ids is not None
        np.testing.assert_array_equal(one.top_ids, several.top_ids[:, :1])
    logits = np.array([[9, 8, 1, 2, 2], [0, 0, 0, 0, 0]], np.float32)
    assert likeliest(logits, 1).tolist() == [[3], [2]]


def test_what_follows_a_text(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """The probabilities after the end of a text are those of its last logits, and change none of its scores."""
    network = LSTMStep(make_model(kind))
    texts = some_texts([5, 1, 0, 12, 300])
    without = score(network, texts)
    for text, scores, other in zip(texts, score(network, texts, after=True), without, strict=True):
        np.testing.assert_allclose(scores.nats, other.nats, rtol=1e-4, atol=1e-5)
        assert other.after is None
        if not text:
            assert scores.after is None
            continue
        *_, logits = (run(np.array([token_id]))[0] for run in [network.start()] for token_id in text)
        expected = np.log(np.exp(logits.astype(np.float64)).sum()) - logits
        assert scores.after is not None
        np.testing.assert_allclose(scores.after, expected, rtol=1e-3, atol=1e-4)


def test_ranks_by_hand(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """Equally likely tokens share a rank, in the order of their ids; padding and `[UNK]` count only in the probabilities."""
    model = make_model(plain)
    tensors = {name: np.zeros_like(tensor) for name, tensor in model.tensors.items()}
    weights = np.array([9, 8, 1, 4, 4, 2])  # of the padding, [UNK], the line break, a, b and c
    tensors["output.bias"] = np.log(weights).astype(np.float32)
    [scores] = score(LSTMStep(make_model(plain, tensors)), [[2, 1, 2, 3, 4, 5]], top=3, after=True)
    np.testing.assert_allclose(scores.nats, np.log(28 / weights[[1, 2, 3, 4, 5]]), rtol=1e-5)
    assert scores.ranks is not None
    assert scores.ranks.tolist() == [0, 4, 1, 1, 3]
    assert scores.top_ids is not None
    assert scores.top_nats is not None
    assert scores.after is not None
    assert scores.top_ids.tolist() == [[3, 4, 5]] * 5
    np.testing.assert_allclose(scores.top_nats, [np.log(28 / weights[[3, 4, 5]])] * 5, rtol=1e-5)
    np.testing.assert_allclose(scores.after, np.log(28 / weights), rtol=1e-5)


def test_a_long_text_takes_little_memory(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """The logits of a long text are never in memory together."""
    words = Vocabulary(("", "[UNK]", *(f"w{number}" for number in range(1000))), make_tokenizer("word"))
    network = LSTMStep(make_model(plain, vocabulary=words))
    text = np.random.default_rng(1).integers(2, words.size, 20_000).tolist()
    score(network, [text[:10]], top=20)
    tracemalloc.start()
    [scores] = score(network, [text], top=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scores.top_ids is not None
    assert scores.top_ids.nbytes * 2 < peak < scores.top_ids.nbytes * 2 + (12 << 20)  # all logits have 80 MB
