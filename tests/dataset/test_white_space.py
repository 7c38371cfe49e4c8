import numpy as np
import pytest

from textgen.corpus import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.dataset import find_after_white_space, white_space

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
    """Each white-space token has the white space and punctuation that come directly after it, and nothing else."""
    assert find(text) == found


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_pieces_lose_no_pair(monkeypatch, piece):
    """A pair that lies in two pieces counts, so the result does not depend on where they end."""
    monkeypatch.setattr(white_space, "_PIECE", piece)
    assert find("a \n\n ,b ,\n.") == {" ": ["\n", ","], "\n": ["\n", " ", "."]}


@pytest.mark.parametrize("name", ["char", "spaced"])
def test_only_words_are_looked_at(name):
    """For the other tokens nothing is recorded, which is not the same as nothing found."""
    assert find("a , b", make_tokenizer(name)) is None


def test_an_empty_text_has_nothing():
    """A text without a pair of tokens is no failure."""
    assert find("") == {}
