import math

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.generation.samplers import MinP, RepetitionPenalty, Temperature, TopK, TopP
from textgen.generation.samplers.sampler import Filter

pytestmark = pytest.mark.browser

SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 1e-6},
    {"temperature": 1e40},
    {"top_k": 1},
    {"top_k": 5, "temperature": 2.0},
    {"top_k": 1000},
    {"top_p": 0.3},
    {"top_p": 0.9, "temperature": 0.7},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"repetition_penalty": 1.5},
    {"repetition_penalty": 3.0, "temperature": 0.8, "top_k": 20, "top_p": 0.8, "min_p": 0.02},
    {"temperature": 0.0},
    {"temperature": 0.0, "repetition_penalty": 5.0},
]
RUN = """([cases]) => cases.map(([logits, settings]) =>
  Array.from(chosenDistribution(Float64Array.from(logits, (x) => x ?? -Infinity), settings)))"""


def chosen(logits, config, recent):
    """The probabilities with which Python's samplers choose, in double precision."""
    row = logits.astype(np.float64)[np.newaxis]
    if config.repetition_penalty != 1:
        RepetitionPenalty(config.repetition_penalty)(row, [np.array(recent)])
    if config.temperature == 0:
        return (np.arange(len(logits)) == row.argmax()).astype(float)
    filters: list[Filter | None] = [
        Temperature(config.temperature),
        None if config.top_k is None else TopK(config.top_k),
        TopP(config.top_p) if config.top_p < 1 else None,
        MinP(config.min_p) if config.min_p > 0 else None,
    ]
    for apply in filter(None, filters):
        apply(row)
    weights = np.exp(row[0] - row.max())
    return weights / weights.sum()


@pytest.mark.parametrize("values", SETTINGS, ids=str)
def test_the_settings_choose_as_in_python(values, scripts):
    """Each setting, and all together, give the probabilities of Python's samplers, also with ties and forbidden tokens."""
    config, rng = SamplingConfig(**{"temperature": 1.0, **values}), np.random.default_rng(3)
    cases = []
    for size in (1, 3, 50, 300):
        for scale in (0.01, 1, 10):
            logits = rng.normal(scale=scale, size=size).astype(np.float32)
            logits[: size // 3] = logits[0]
            logits[rng.random(size) < 0.2] = -np.inf
            logits[-1] = 1
            cases.append((logits, rng.integers(size, size=64).tolist()))
    settings = {
        "temperature": config.temperature,
        "topK": config.top_k,
        "topP": config.top_p,
        "minP": config.min_p,
        "repetitionPenalty": config.repetition_penalty,
    }
    given = [
        ([float(x) if np.isfinite(x) else None for x in logits], {**settings, "recent": recent})
        for logits, recent in cases
    ]
    for found, (logits, recent) in zip(scripts.evaluate(RUN, [given]), cases, strict=True):
        np.testing.assert_allclose(found, chosen(logits, config, recent), rtol=1e-4, atol=1e-12)


def sfc32(seed):
    """The numbers of the generator, in Python's unbounded integers."""
    a, b, c, counter, most = 0, seed % 2**32, seed // 2**32, 1, 2**32 - 1
    for number in range(2**30):
        bits = (a + b + counter) & most
        a, b, c = b ^ (b >> 9), (c + (c << 3)) & most, (((c << 21) | (c >> 11)) + bits) & most
        counter += 1
        if number >= 12:
            yield bits


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**32 - 1, 2**32, 2**53 - 1])
def test_the_random_numbers_are_those_of_sfc32(seed, scripts):
    """Every seed that JavaScript can represent gives the published generator's numbers, with 53 bits each."""
    found = scripts.evaluate(
        "(seed) => { const r = new RandomNumbers(seed); return Array.from({length: 100}, () => r.next()) }", seed
    )
    bits = sfc32(seed)
    assert found == [((next(bits) >> 5) * 2**26 + (next(bits) >> 6)) / 2**53 for _ in found]


def test_tokens_are_drawn_with_their_probabilities(scripts):
    """The draws pass a chi-square test, and nothing of probability 0 is drawn."""
    probabilities = [0.5, 0.0, 0.3, 0.15, 0.05, 0.0]
    count = 200_000
    found = scripts.evaluate(
        "([p, n]) => { const r = new RandomNumbers(5); const c = p.map(() => 0); for (let i = 0; i < n; i++) c[r.draw(p)]++; return c }",
        [probabilities, count],
    )
    assert [found[1], found[5]] == [0, 0]
    chi_square = sum((n - p * count) ** 2 / (p * count) for n, p in zip(found, probabilities, strict=True) if p)
    assert chi_square < 16.3  # three degrees of freedom, one in a thousand
    assert math.fsum(found) == count
