import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.evaluation.kneser_ney import KneserNey

VOCABULARY_SIZE = 5
IDS = st.integers(0, VOCABULARY_SIZE - 1)
TEXTS = st.lists(IDS, max_size=30)
ORDERS = st.integers(1, 4)


def make(ids, order, vocabulary_size=VOCABULARY_SIZE):
    return KneserNey(np.array(ids, np.uint8), order, vocabulary_size)


def slow_probability(text, order, context, token):
    """Returns a probability as the paper defines it, from tuples that are counted anew for each n-gram."""

    def grams(length):
        return [tuple(text[start : start + length]) for start in range(len(text) - length + 1)]

    def counts(length):
        if length == min(order, len(text)):
            return Counter(grams(length))
        return Counter(gram[1:] for gram in set(grams(length + 1)))

    def probability(length):
        if length == 0:
            return 1 / VOCABULARY_SIZE
        found, before = counts(length), tuple(context[len(context) - length + 1 :])
        of_context = {gram[-1]: count for gram, count in found.items() if gram[:-1] == before}
        if not of_context:
            return probability(length - 1)
        ones, twos = (sum(count == number for count in found.values()) for number in (1, 2))
        discount = ones / (ones + 2 * twos) if ones else 0.5
        total = sum(of_context.values())
        left = discount * len(of_context) / total
        return max(of_context.get(token, 0) - discount, 0) / total + left * probability(length - 1)

    return probability(min(order, len(text), len(context) + 1))


def test_the_probabilities_of_a_bigram_by_hand():
    """Discounts of 3/5 (three bigrams occur once, one twice) and 2/4 (two tokens follow one token, one follows two)."""
    model = make([0, 1, 0, 2, 0, 1], 2, vocabulary_size=4)
    uniform = 0.5 * 3 / 4 / 4
    unigram = np.array([1.5 / 4, 0.5 / 4, 0.5 / 4, 0]) + uniform
    assert model.probabilities([]) == pytest.approx(unigram)
    assert model.probabilities([0]) == pytest.approx(np.array([0, 1.4 / 3, 0.4 / 3, 0]) + 0.6 * 2 / 3 * unigram)
    assert model.probabilities([2]) == pytest.approx(np.array([0.4, 0, 0, 0]) + 0.6 * unigram)


def test_a_new_context_is_left_out():
    """After a token that the text lacks, and after its last token, the probabilities are those of the shorter context."""
    model = make([0, 1, 0, 2, 0, 1, 3], 3)
    assert model.probabilities([4, 1]) == pytest.approx(model.probabilities([1]))
    assert model.probabilities([4]) == pytest.approx(model.probabilities([]))
    assert model.probabilities([1, 3]) == pytest.approx(model.probabilities([]))


def test_only_the_last_tokens_of_a_context_count():
    """An n-gram of three tokens sees the two tokens before the predicted one."""
    model = make([0, 1, 2, 3, 0, 1, 2, 4], 3)
    assert model.probabilities([3, 3, 3, 1, 2]) == pytest.approx(model.probabilities([1, 2]))


@given(TEXTS, ORDERS, st.lists(IDS, max_size=5))
@settings(max_examples=300)
def test_the_probabilities_are_those_of_the_definition(text, order, context):
    """Each token has the probability that counting tuples gives it, and all of them make 1; even if the text is empty."""
    found = make(text, order).probabilities(context)
    assert found == pytest.approx([slow_probability(text, order, context, token) for token in range(VOCABULARY_SIZE)])
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found.min() > 0


@given(TEXTS, ORDERS, st.lists(IDS, min_size=1, max_size=12))
def test_the_loss_is_the_mean_of_minus_log_p(text, order, read):
    """A text is read from its start, so its first tokens have shorter contexts."""
    nats = [-math.log(slow_probability(text, order, read[:place], token)) for place, token in enumerate(read)]
    assert make(text, order).loss(np.array(read)) == pytest.approx(sum(nats) / len(nats))


@given(TEXTS, ORDERS, st.lists(IDS, min_size=1, max_size=12), st.integers(0, 11))
def test_a_text_can_be_read_in_pieces(text, order, read, cut):
    """A piece that starts with the `order - 1` tokens before it gives its tokens the same nats as the whole text."""
    cut = min(cut, len(read))
    model, begin = make(text, order), max(cut - order + 1, 0)
    rest = model.nats(np.array(read[begin:], np.int64))[cut - begin :]
    assert rest == pytest.approx(model.nats(np.array(read))[cut:])


def test_a_large_vocabulary_of_words_does_not_confuse_n_grams():
    """With 2**31 token ids, n-grams that differ in their first token only have their own counts."""
    large = 2**31
    text = np.array([large - 1, 5, 1, large - 2, 5, 2, large - 1, 5, 1], np.uint64)
    model = KneserNey(text, 3, large)
    assert model.loss(text[[0, 1, 2]]) < model.loss(text[[0, 1, 5]])
