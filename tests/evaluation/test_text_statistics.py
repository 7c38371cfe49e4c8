# ruff: noqa: RUF001 - other scripts
import numpy as np
import pytest

from textgen.evaluation.text_statistics import LONGEST_WORD, SENTENCE_BINS, TextStatistics, words_in

TEXT = "The whale, the Whale! It was white.\n\nCHAPTER II\n\nDon't stop"


def test_words_and_sentences_by_hand():
    """Case and punctuation are no part of a word; a blank line ends a sentence, and so does a mark before white space."""
    found = TextStatistics.of(TEXT, frozenset(["the", "whale", "white", "don't"]))
    assert words_in(TEXT) == ["the", "whale", "the", "whale", "it", "was", "white", "chapter", "ii", "don't", "stop"]
    assert (found.words, found.sentences) == (11, 4)
    expected = dict.fromkeys(range(1, LONGEST_WORD + 1), 0) | {2: 2, 3: 3, 4: 1, 5: 4, 7: 1}
    assert found.word_lengths == pytest.approx(np.array(list(expected.values())) / 11)
    assert found.sentence_lengths == pytest.approx([1, *[0] * (len(SENTENCE_BINS) - 1)])
    assert found.known_words == pytest.approx(6 / 11)


def test_the_last_bins_have_no_end():
    """A very long word counts as one of the longest, and a very long sentence likewise."""
    found = TextStatistics.of("x" * 500 + " " + "y " * 499)
    assert found.word_lengths[[0, -1]] == pytest.approx([0.998, 0.002])
    assert found.sentence_lengths[-1] == 1


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It cost 3.14 dollars.", 1),
        ("“Stop!” he said. (Really.) Yes", 4),
        ("他来了。他看见了！他赢了？", 3),
        ("Wait... what?!", 2),
        ("a verse\nof two lines", 1),
        ("no end", 1),
    ],
)
def test_where_a_sentence_ends(text, sentences):
    """A mark ends a sentence before white space, with any quotes and brackets between them; a line break alone does not."""
    assert TextStatistics.of(text).sentences == sentences


def test_the_frequencies_are_those_of_logarithmically_spaced_ranks():
    """Of a text that follows Zipf's law, the frequency times the rank is constant; no rank is listed twice."""
    total = sum(1000 // rank for rank in range(1, 1001))
    text = " ".join(f"w{rank}" for rank in range(1, 1001) for _ in range(1000 // rank))
    ranks, frequencies = np.transpose(TextStatistics.of(text).zipf)
    assert ranks[0] == 1
    assert ranks[-1] == 1000
    assert (np.diff(ranks) > 0).all()
    assert len(ranks) < 25
    assert ranks[:10] * frequencies[:10] == pytest.approx(1000 * 1000 / total, rel=0.02)


@pytest.mark.parametrize("text", ["", " \n\n", "...", "—!?", "_ _", "\U0001f600"])
def test_a_text_without_words(text):
    """A text without a letter or a digit has no words, and no figure of it is anything but zero or missing."""
    found = TextStatistics.of(text, frozenset(["a"]))
    assert (found.words, found.sentences, list(found.zipf), found.known_words) == (0, 0, [], None)
    assert not found.word_lengths.any()
    assert not found.sentence_lengths.any()
    assert len(found.word_lengths) == LONGEST_WORD


def test_languages_without_spaces_have_words_between_punctuation():
    """Where nothing separates words, a word is whatever is between two marks."""
    assert words_in("我们看见了鲸鱼,它是白色的。") == ["我们看见了鲸鱼", "它是白色的"]
    assert TextStatistics.of("我们看见了鲸鱼,它是白色的。").word_lengths[[6, 4]].sum() == 1


def test_without_the_training_text_known_words_are_missing():
    """Without the words of the training text, nobody can tell which words it has."""
    assert TextStatistics.of("one two").known_words is None


@pytest.mark.parametrize("text", ["." * 300_000 + "a", "\n" * 300_000, ".\n" * 100_000, "!'" * 100_000])
def test_the_time_is_linear(text):
    """A long text of nothing but marks takes no longer than another one: quadratic time would take minutes."""
    assert TextStatistics.of(text).sentences <= 1
