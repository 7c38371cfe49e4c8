import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.evaluation import Scores

FINITE = st.floats(0, 1e6)


def test_the_scores_of_three_tokens_by_hand():
    """Probabilities of 1/2, 1/4 and 1/8 make 1 + 2 + 3 bits: two bits per token, a perplexity of 4."""
    scores = Scores(nats=-math.log(1 / 2) - math.log(1 / 4) - math.log(1 / 8), tokens=3)
    assert scores.loss == pytest.approx(2 * math.log(2))
    assert scores.perplexity == pytest.approx(4)
    assert scores.bits_per_character == pytest.approx(2)
    assert str(scores) == "loss 1.386, perplexity 4, 2.000 bits per character"


def test_a_word_model_is_measured_in_characters_too():
    """Ten bits per word of five characters make two bits per character, whatever the number of words."""
    scores = Scores(nats=40 * math.log(2), tokens=4, characters_per_token=5)
    assert scores.perplexity == pytest.approx(1024)
    assert scores.bits_per_character == pytest.approx(2)
    assert str(scores) == "loss 6.931, perplexity 1024, 2.000 bits per character"


def test_a_perfect_model():
    """A probability of 1 gives a loss of 0 and a perplexity of 1."""
    scores = Scores(nats=0.0, tokens=7)
    assert (scores.loss, scores.perplexity, scores.bits_per_character) == (0, 1, 0)


def test_a_uniform_guess_has_the_vocabularys_size_as_perplexity():
    """A uniform guess among 50 tokens has a perplexity of 50."""
    assert Scores(nats=1000 * math.log(50), tokens=1000).perplexity == pytest.approx(50)


@given(nats=st.lists(FINITE, min_size=1, max_size=20))
def test_perplexity_is_of_the_sum(nats):
    """Nats are summed first and exponentiated once: the perplexity is the geometric mean over the tokens."""
    scores = Scores(math.fsum(nats), len(nats))
    assert scores.loss == pytest.approx(sum(nats) / len(nats))
    assert math.log(scores.perplexity) == pytest.approx(scores.loss) or math.isinf(scores.perplexity)
    assert scores.bits_per_character * math.log(2) == pytest.approx(scores.loss)


def test_unknown_tokens_are_said():
    """If tokens are [UNK], the line has their share, and says that the bits are not comparable."""
    line = str(Scores(nats=10.0, tokens=10, characters_per_token=4.5, unknown_share=0.0482))
    assert line.endswith("0.321 bits per character (not comparable: 4.82% of the tokens are [UNK])")
    assert "UNK" not in str(Scores(nats=10.0, tokens=10, characters_per_token=4.5))


@given(share=st.floats(0, 1, exclude_min=True))
def test_however_few_unknown_tokens_are_not_said_to_be_none(share):
    """A share above 0 is never rounded to 0%."""
    said = str(Scores(nats=1.0, tokens=1, unknown_share=share)).partition("not comparable: ")[2].partition("%")[0]
    assert float(said) > 0
    assert float(said) == pytest.approx(100 * share, rel=0.01)


@pytest.mark.parametrize("nats", [710.0, 1e300, math.inf])
def test_beyond_a_float_the_perplexity_is_infinite(nats):
    """A very large loss gives scores, not an OverflowError."""
    scores = Scores(nats=nats, tokens=1)
    assert scores.perplexity == math.inf
    assert scores.bits_per_character == nats / math.log(2)
    assert "perplexity inf" in str(scores)


def test_what_is_no_number_stays_none():
    """The scores of a diverged model are NaN and can be printed."""
    scores = Scores(nats=math.nan, tokens=3)
    assert all(math.isnan(value) for value in (scores.loss, scores.perplexity, scores.bits_per_character))
    assert str(scores) == "loss nan, perplexity nan, nan bits per character"


def test_scores_are_immutable():
    """Scores are immutable."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Scores(1.0, 1).nats = 0.5  # type: ignore[misc]
