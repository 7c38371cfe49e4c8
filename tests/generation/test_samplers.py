from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import SamplingConfig
from textgen.generation.samplers import (
    Categorical,
    Greedy,
    MinP,
    RepetitionPenalty,
    Sampler,
    Temperature,
    TopK,
    TopP,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WORD = "sequentially"
LETTERS = string.ascii_lowercase


def spell(certainty: float, seed: int = 1, **settings: Any) -> str:
    """Writes a word from made-up logits, in which the letter that continues the word has the highest one."""
    sampler, rng = Sampler(SamplingConfig(**settings)), np.random.default_rng(seed)
    written = ""
    for letter in WORD:
        logits = np.zeros((1, len(LETTERS)), dtype=np.float32)
        logits[0, LETTERS.index(letter)] = certainty
        written += LETTERS[sampler(logits, sampler.noise(rng, logits.shape))[0]]
    return written


def logits_of(probabilities: Sequence[float], rows: int = 1) -> NDArray[np.float32]:
    """Returns the logits of some probabilities, repeated in each row; a probability of 0 becomes -inf."""
    with np.errstate(divide="ignore"):
        return np.tile(np.log(np.array(probabilities, dtype=np.float64)).astype(np.float32), (rows, 1))


def after(filter_: Any, probabilities: Sequence[float]) -> list[float]:
    """Returns the probabilities after a filter, not normalised."""
    logits = logits_of(probabilities)
    filter_(logits)
    return [round(float(probability), 6) for probability in np.exp(logits[0])]


def frequencies(sampler: Any, probabilities: Sequence[float], draws: int = 20_000) -> NDArray[np.float64]:
    """Returns the relative frequencies of the tokens that a sampler draws."""
    logits, rng = logits_of(probabilities, 100), np.random.default_rng(1)
    ids = np.concatenate([sampler(logits.copy(), sampler.noise(rng, logits.shape)) for _ in range(draws // 100)])
    counted: NDArray[np.float64] = np.bincount(ids, minlength=len(probabilities)) / draws
    return counted


def test_greedy_spells_the_word() -> None:
    """At temperature 0 the most likely letter is always taken, however small its lead."""
    assert spell(certainty=0.001, temperature=0) == WORD


def test_greedy_takes_the_lowest_id_of_equals() -> None:
    """Of several equally likely tokens, the one with the lowest id is taken."""
    logits = np.array([[0, 3, 3, 1], [5, 5, 5, 5]], np.float32)
    assert Greedy()(logits, np.zeros_like(logits)).tolist() == [1, 0]


@pytest.mark.parametrize("settings", [{"temperature": 0.01}, {"top_k": 1}, {"top_p": 0.01}, {"min_p": 1}])
def test_a_narrow_choice_spells_the_word(settings: dict[str, Any]) -> None:
    """Near temperature 0, or with only one token to choose from, the most likely token is drawn."""
    assert spell(certainty=1, **settings) == WORD


def test_a_high_temperature_does_not() -> None:
    """At a high temperature, even a confident model writes random letters."""
    assert spell(certainty=20, temperature=1000) != WORD


def test_seed_fixes_the_draws() -> None:
    """The same seed draws the same letters; another seed draws others."""
    assert spell(1, seed=3) == spell(1, seed=3) != spell(1, seed=4)


@pytest.mark.parametrize("temperature", [0.5, 1, 2])
def test_temperature_frequencies(temperature: float) -> None:
    """Tokens are drawn with the probabilities softmax(logits / temperature)."""
    probabilities = np.array([0.5, 0.3, 0.0, 0.2])
    expected = probabilities ** (1 / temperature)
    found = frequencies(Sampler(SamplingConfig(temperature=temperature)), probabilities.tolist())
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.012)


def test_rare_tokens_come_rarely() -> None:
    """Tokens with a probability of one in two thousand are drawn about that often."""
    probabilities = [1 / 2000] * 2000
    counts = frequencies(Categorical(), probabilities, draws=200_000) * 200_000
    assert 60 < counts.min() < counts.max() < 150
    assert counts.std() == pytest.approx(10, rel=0.15)  # of a Poisson distribution with mean 100


def test_noise_is_of_the_gumbel_distribution() -> None:
    """The noise has the mean, variance and quantiles of the Gumbel distribution."""
    noise = Categorical.noise(np.random.default_rng(1), (100_000,))
    assert noise.mean() == pytest.approx(0.5772, abs=0.02)  # Euler's constant
    assert noise.var() == pytest.approx(1.6449, rel=0.03)  # pi ** 2 / 6
    for quantile in (0.01, 0.5, 0.99):
        assert (noise < -np.log(-np.log(quantile))).mean() == pytest.approx(quantile, abs=0.005)


@pytest.mark.parametrize(
    ("k", "left"),
    [(1, [0, 0.5, 0, 0]), (2, [0.2, 0.5, 0.2, 0]), (3, [0.2, 0.5, 0.2, 0]), (4, [0.2, 0.5, 0.2, 0.1]), (9, [0.2, 0.5, 0.2, 0.1])],
)  # fmt: skip
def test_top_k(k: int, left: list[float]) -> None:
    """Top-k keeps the k most likely tokens and those as likely as the last one; a k above the vocabulary keeps all."""
    assert after(TopK(k), [0.2, 0.5, 0.2, 0.1]) == left


@pytest.mark.parametrize(
    ("p", "left"),
    [(0.01, [0, 0.5, 0, 0]), (0.49, [0, 0.5, 0, 0]), (0.51, [0, 0.5, 0.3, 0]), (0.79, [0, 0.5, 0.3, 0]), (0.81, [0.15, 0.5, 0.3, 0]), (0.99, [0.15, 0.5, 0.3, 0.05])],
)  # fmt: skip
def test_top_p(p: float, left: list[float]) -> None:
    """Top-p keeps the smallest number of most likely tokens that together have the probability p."""
    assert after(TopP(p), [0.15, 0.5, 0.3, 0.05]) == left


@pytest.mark.parametrize(
    ("fraction", "left"), [(0.05, [0.3, 0.5, 0.15, 0.05]), (0.2, [0.3, 0.5, 0.15, 0]), (0.5, [0.3, 0.5, 0, 0]), (1, [0, 0.5, 0, 0])]
)  # fmt: skip
def test_min_p(fraction: float, left: list[float]) -> None:
    """Min-p keeps tokens that have at least this fraction of the most likely one's probability."""
    assert after(MinP(fraction), [0.3, 0.5, 0.15, 0.05]) == left


@pytest.mark.parametrize("filter_", [TopK(2), TopP(0.6), MinP(0.3), Temperature(0.5)])
def test_filters_treat_each_row_by_itself(filter_: Any) -> None:
    """Each row is filtered as it is alone."""
    rows = [[0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.96, 0.02, 0.02]]
    together = np.concatenate([logits_of(row) for row in rows])
    filter_(together)
    for row, probabilities in zip(together, rows, strict=True):
        alone = logits_of(probabilities)
        filter_(alone)
        np.testing.assert_array_equal(row, alone[0])


def test_repetition_penalty() -> None:
    """The log-probability of a recent token is multiplied once, however often it occurred; 2 squares its probability."""
    logits = logits_of([0.5, 0.4, 0.1], rows=2) + 7  # adding a constant changes nothing
    RepetitionPenalty(2)(logits, [np.array([0, 0, 2]), np.array([], np.intp)])
    np.testing.assert_allclose(np.exp(logits), [[0.25, 0.4, 0.01], [0.5, 0.4, 0.1]], rtol=1e-5)


def test_repetition_penalty_applies_at_temperature_0() -> None:
    """At temperature 0, the most likely token after the penalty is taken."""
    sampler = Sampler(SamplingConfig(temperature=0, repetition_penalty=2))
    assert sampler.window == 64
    none = np.zeros((1, 3), np.float32)
    assert sampler(logits_of([0.5, 0.4, 0.1]), none, [np.array([0])]).tolist() == [1]
    assert sampler(logits_of([0.5, 0.4, 0.1]), none, [np.array([0, 1])]).tolist() == [0]


def test_the_order_is_fixed() -> None:
    """Top-p applies after temperature and top-k; with these settings, another order would keep other tokens."""
    probabilities = [0.4, 0.3, 0.2, 0.1]
    # At temperature 0.5: 0.533, 0.3, 0.133, 0.033. Of the two that top_k keeps, the first has 0.64 of the probability.
    found = frequencies(Sampler(SamplingConfig(temperature=0.5, top_k=2, top_p=0.6)), probabilities, 1000)
    assert found.tolist() == [1, 0, 0, 0]
    found = frequencies(Sampler(SamplingConfig(temperature=0.5, top_k=3, top_p=0.6)), probabilities, 1000)
    assert found[0] > found[1] > 0 == found[2] == found[3]


@given(
    logits=st.lists(st.floats(-1e4, 1e4, width=32) | st.just(-np.inf), min_size=1, max_size=8),
    best=st.floats(-1e4, 1e4, width=32),
    position=st.integers(0, 8),
    settings=st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0, 5e-324, 0.1, 1, 1e300]),
            "top_k": st.sampled_from([None, 1, 3]),
            "top_p": st.sampled_from([1e-300, 0.5, 1]),
            "min_p": st.sampled_from([0, 1e-300, 0.5, 1]),
            "repetition_penalty": st.sampled_from([1, 1.5, 100]),
        }
    ),
    seed=st.integers(0, 1000),
)
def test_forbidden_tokens_never_come(
    logits: list[float], best: float, position: int, settings: dict[str, Any], seed: int
) -> None:
    """A token with the logit -inf is never drawn, whatever the settings, and there is no warning."""
    logits.insert(position, best)
    array = np.array([logits], dtype=np.float32)
    recent = [np.array([0, len(logits) - 1])]
    sampler = Sampler(SamplingConfig(**settings))
    chosen = sampler(array.copy(), sampler.noise(np.random.default_rng(seed), array.shape), recent)
    assert np.isfinite(array[0, chosen[0]])
