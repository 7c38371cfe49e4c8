import numpy as np
import pytest

from tests import markov
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.evaluation import matching_temperature
from textgen.evaluation.matching_temperature import Shares, TemperatureMatch, match_temperatures
from textgen.evaluation.real_text import RealText
from textgen.evaluation.text_statistics import TextStatistics, words_in
from textgen.generation import TextGenerator

CHARACTERS = "abcdefghijklmnopqrst "
VOCABULARY = Vocabulary(("", "[UNK]", *CHARACTERS), make_tokenizer("char"))


def make_chain():
    """Returns the probability of each of `CHARACTERS` after each of them: falling for a few, small for the others."""
    rng = np.random.default_rng(3)
    size = len(CHARACTERS)
    chain = np.full((size, size), 2e-3)
    for row in chain:
        row[rng.choice(size - 1, 4, replace=False)] = [0.5, 0.2, 0.1, 0.05]
    chain[:-1, -1] = 0.25
    return chain / chain.sum(axis=1, keepdims=True)


def real_text(chain, length=120_000):
    rng = np.random.default_rng(1)
    limits, number, text = chain.cumsum(axis=1), len(chain) - 1, []
    for draw in rng.random(length):
        number = min(int(np.searchsorted(limits[number], draw)), len(chain) - 1)
        text.append(CHARACTERS[number])
    words = words_in("".join(text))
    cut = len(words) * 9 // 10
    return RealText(words[:cut], TextStatistics.of(" ".join(words[cut:]), frozenset(words[:cut])))


@pytest.mark.parametrize("best", [0.6, 0.8, 1.0])
def test_the_best_temperature_undoes_that_of_the_model(best):
    """A model that would write the real text at one temperature is found to write most like it at that temperature."""
    chain = make_chain()
    model = TextGenerator(markov.make_model(chain**best, VOCABULARY))
    match = match_temperatures(model, real_text(chain))
    assert match is not None
    assert match.best == pytest.approx(best, abs=0.101)
    assert match.distance(best) < 0.1
    assert match.distance(0.5 if best > 0.6 else 1.0) > 0.15


def test_the_shares_by_hand():
    """Known words, distinct words, and runs of three words that are repetitions; no run goes from one text to the next."""
    texts = [["a", "b", "c", "a", "b", "c"], ["a", "b", "x", "y", "a", "b"]]
    found = matching_temperature._measure(texts, {"a", "b", "x"})
    assert found == pytest.approx((9 / 12, 5 / 12, 1 / 8))
    assert found.distance(Shares(0.5, 5 / 12, 0)) == pytest.approx(0.25 + 1 / 8)


def test_the_best_is_the_closest():
    """The best temperature is the one with the smallest distance."""
    match = TemperatureMatch(Shares(0.9, 0.5, 0.0), {0.5: Shares(0.9, 0.3, 0.1), 0.8: Shares(0.8, 0.5, 0.1)})
    assert match.best == 0.8
    assert match.distance(0.8) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "real",
    [
        RealText([], TextStatistics.of("...", frozenset())),
        RealText(["abc"] * 100, TextStatistics.of("abc", frozenset(["abc"]))),
    ],
)
def test_texts_with_too_few_words_are_not_compared(real):
    """Without words, or with fewer than a sample needs, there is no match."""
    assert match_temperatures(TextGenerator(markov.make_model(make_chain(), VOCABULARY)), real) is None


def test_models_that_write_no_words_are_not_compared():
    """A model of punctuation writes no words, so there is nothing to compare."""
    marks = Vocabulary(("", "[UNK]", *",.;:!?()[]{}<>+-*/=&%"), make_tokenizer("char"))
    model = TextGenerator(markov.make_model(make_chain(), marks))
    assert match_temperatures(model, real_text(make_chain())) is None
