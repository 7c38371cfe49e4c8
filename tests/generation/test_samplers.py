from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import UsageError
from textgen.generation.samplers import Greedy, Sampler, Temperature, make_sampler

WORD = "sequentially"
LETTERS = string.ascii_lowercase


def next_letter(written: str, certainty: float) -> np.ndarray:
    """The fake next step: of all the letters, the one that continues the word has a higher logit."""
    logits = np.zeros(len(LETTERS), dtype=np.float32)
    logits[LETTERS.index(WORD[len(written)])] = certainty
    return logits


def spell(sampler: Sampler, certainty: float, seed: int = 1) -> str:
    rng = np.random.default_rng(seed)
    written = ""
    while len(written) < len(WORD):
        written += LETTERS[sampler(next_letter(written, certainty), rng)]
    return written


def frequencies(sampler: Sampler, logits: np.ndarray, draws: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(seed=1)
    return np.bincount([sampler(logits, rng) for _ in range(draws)], minlength=len(logits)) / draws


class Fixed(np.random.Generator):
    """A generator whose random numbers are all the same."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(1))
        self.number = number

    def random(self, *_args: object, **_kwargs: object) -> float:  # type: ignore[override]
        return self.number


def test_greedy_spells_the_word() -> None:
    """The likeliest letter is taken each time, by however little it leads."""
    assert spell(Greedy(), certainty=0.001) == WORD


def test_greedy_takes_the_lowest_id_of_equals() -> None:
    """Where several tokens are equally likely, the one with the lowest id wins."""
    assert Greedy()(np.array([0.0, 3.0, 3.0, 1.0]), np.random.default_rng(1)) == 1


def test_cold_spells_the_word() -> None:
    """Near temperature 0, drawing is as good as taking the likeliest."""
    assert spell(Temperature(0.01), certainty=1) == WORD


def test_hot_does_not() -> None:
    """At a high temperature even a sure model babbles."""
    assert spell(Temperature(1000), certainty=20) != WORD


def test_seed_fixes_the_draws() -> None:
    """The same seed draws the same letters, another seed others."""
    assert spell(Temperature(1), 1, seed=3) == spell(Temperature(1), 1, seed=3) != spell(Temperature(1), 1, seed=4)


@pytest.mark.parametrize("temperature", [0.5, 1, 2])
def test_temperature_frequencies(temperature: float) -> None:
    """Tokens come as often as softmax(logits / temperature) says."""
    probabilities = np.array([0.5, 0.3, 0.0, 0.2])
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities).astype(np.float32)
    expected = probabilities ** (1 / temperature)
    np.testing.assert_allclose(frequencies(Temperature(temperature), logits), expected / expected.sum(), atol=0.012)


@given(
    logits=st.lists(st.floats(-1e4, 1e4, width=32) | st.just(-np.inf), min_size=1, max_size=8),
    best=st.floats(-1e4, 1e4, width=32),
    position=st.integers(0, 8),
    temperature=st.sampled_from([5e-324, 0.1, 1, 1e300]),
    number=st.sampled_from([0.0, 0.5, 1 - 2**-53]),
)
def test_forbidden_tokens_never_come(
    logits: list[float], best: float, position: int, temperature: float, number: float
) -> None:
    """A token with the logit -inf is not drawn, wherever it stands and whatever the random number."""
    logits.insert(position, best)
    array = np.array(logits, dtype=np.float32)
    for sampler in (Greedy(), Temperature(temperature)):
        assert np.isfinite(array[sampler(array, Fixed(number))])


def test_logits_are_not_modified() -> None:
    """A sampler leaves the logits as they were."""
    logits = np.array([1.0, 2.0, -np.inf], dtype=np.float32)
    for sampler in (Greedy(), Temperature(0.5)):
        sampler(logits, np.random.default_rng(1))
        np.testing.assert_array_equal(logits, [1.0, 2.0, -np.inf])


def test_make_sampler_chooses() -> None:
    """Temperature 0 is greedy, any other is drawn at."""
    assert isinstance(make_sampler(0), Greedy)
    assert isinstance(make_sampler(0.8), Temperature)


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_impossible_temperatures(temperature: float) -> None:
    """A negative or endless temperature is refused by name."""
    for make in (make_sampler, Temperature):
        with pytest.raises(UsageError, match="temperature must be"):
            make(temperature)


def test_temperature_of_zero_is_greedy_only() -> None:
    """The class itself, which divides by it, refuses temperature 0."""
    with pytest.raises(UsageError, match="above 0"):
        Temperature(0)
