import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import longest_after_white_space, make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.dataset import count_tokens, encoded_text, find_after_white_space

WORDS = make_tokenizer("word")


def find(text, tokenizer=WORDS):
    tokens = tokenizer.split(text)
    vocabulary = Vocabulary(("", "[UNK]", *dict.fromkeys(tokens)), tokenizer)
    return find_after_white_space(np.array(vocabulary.ids(tokens), np.uint8), vocabulary)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Well, he said: no.\nNo!", {}),
        ("« Non ; non ! »", {" ": ["!", ";"]}),
        ("Non\u00a0! Oui.\u00a0", {"\u00a0": ["!"]}),
        ("One.\n\n    Two. \n...", {" ": ["\n"], "\n": ["\n", "    ", "."]}),
        ("a - b (c) 'd'", {}),
        ("\n", {}),
    ],
)
def test_what_follows_white_space_is_found(text, found):
    """For each white-space token, the white space and punctuation directly after it are found, and nothing else."""
    assert find(text) == found


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_pieces_lose_no_pair(monkeypatch, piece):
    """A pair of tokens that spans two pieces counts, so the result does not depend on the size of the pieces."""
    monkeypatch.setattr(encoded_text, "_PIECE", piece)
    assert find("a \n\n ,b ,\n.") == {" ": ["\n", ","], "\n": ["\n", " ", "."]}


@pytest.mark.parametrize("name", ["char", "spaced"])
def test_only_for_words(name):
    """For characters and pre-tokenized text the result is None, which differs from an empty one."""
    assert find("a , b", make_tokenizer(name)) is None


@given(st.text(st.sampled_from("a \t\n,.")))
def test_no_text_has_more_than_the_estimate(text):
    """The size of a model file's header is estimated with everything that may follow white space in any text."""
    most = longest_after_white_space(WORDS.split(text))
    for space, followers in find(text).items():
        assert set(followers) <= set(most[space])


def test_an_empty_text_has_nothing():
    """An empty text gives an empty result."""
    assert find("") == {}


def test_every_id_is_counted_over_all_pieces(monkeypatch):
    """Pieces that do not divide the text evenly lose nothing, and an id that never occurs has 0."""
    monkeypatch.setattr(encoded_text, "_PIECE", 7)
    ids = np.random.default_rng(0).integers(2, 9, 100).astype(np.uint8)
    found = count_tokens(ids, 12)
    assert found.tolist() == [int(np.sum(ids == number)) for number in range(12)]


def test_no_text_has_no_counts():
    """An empty array gives zeros."""
    assert count_tokens(np.zeros(0, np.uint8), 3).tolist() == [0, 0, 0]
