import dataclasses
from math import log

import numpy as np
import pytest

from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.evaluation.ranking import Pair, rank
from textgen.evaluation.surprise import Part, common_parts, lines_of, parts_of, total
from textgen.generation import TextGenerator

TEXT = "a bb, a\n\nbb  a.\nxx"


@pytest.fixture
def readers(random_model):
    """Models of the characters and of the words of `TEXT`, except for x."""
    found = {}
    for kind in ("char", "word", "spaced"):
        tokens = {
            "char": "a b,.\n",
            "word": ["a", "bb", " ", ",", ".", "\n", "\n\n"],
            "spaced": ["a", "bb,", "bb", "a."],
        }
        vocabulary = Vocabulary(("", "[UNK]", *dict.fromkeys(tokens[kind])), make_tokenizer(kind))
        model = random_model()
        shape = dataclasses.replace(model.shape, vocabulary_size=vocabulary.size)
        rng = np.random.default_rng(2)
        tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
        model = dataclasses.replace(model, vocabulary=vocabulary, shape=shape, tensors=tensors)
        found[kind] = TextGenerator(model)
    return found


@pytest.mark.parametrize("kind", ["char", "word", "spaced"])
def test_parts_and_lines_are_the_text(readers, kind):
    """The parts of all lines are the text, in order, and their sum is the score of the text."""
    scored = readers[kind].score(TEXT)
    parts = list(parts_of(scored))
    lines = list(lines_of(parts))
    assert "".join(part.text for line in lines for part in line.parts) == TEXT
    assert [line.text for line in lines if line.text] == ["a bb, a", "bb  a.", "xx"]
    assert [line.number for line in lines if line.text] == [1, 3, 4]
    assert total(parts).bits_per_character == pytest.approx(scored.bits_per_character)
    assert sum(total(line.parts).bits for line in lines) == pytest.approx(total(parts).bits)


@pytest.mark.parametrize("other", ["char", "word", "spaced"])
@pytest.mark.parametrize("kind", ["char", "word", "spaced"])
def test_two_models_with_different_tokens(readers, kind, other):
    """The common parts are the shortest ones that begin where both models have a token, with the nats of all tokens in them."""
    scored, scored_by_other = readers[kind].score(TEXT), readers[other].score(TEXT)
    parts = list(common_parts(scored, scored_by_other))
    assert "".join(part.text for part in parts) == TEXT
    starts = {*scored.text.offsets} & {*scored_by_other.text.offsets}
    assert [part.offset for part in parts] == sorted(starts)
    assert parts[0].nats is None or parts[0].other_nats is None
    assert sum(part.nats or 0 for part in parts) <= scored.nats + 1e-3
    sums = total(parts, of_two=True)
    assert sums.characters == len(TEXT) - len(parts[0].text)
    if kind == other:
        assert [part.nats for part in parts] == [part.nats for part in parts_of(scored)]
        assert {part.more_bits for part in parts[1:]} == {0}
        assert sums.bits_per_character == pytest.approx(scored.bits_per_character)


def test_the_bits_of_parts_by_hand():
    """Bits are nats / ln 2; a part that one model did not predict counts for neither."""
    parts = [Part("ab", 0, None, 1.0), Part("c", 2, log(2), log(8)), Part("de", 3, log(4), log(2))]
    assert [part.more_bits for part in parts] == [None, pytest.approx(-2), pytest.approx(1)]
    assert total(parts, of_two=True) == pytest.approx((3, 3, 4))
    assert total(parts[:1]).bits_per_character is None


def test_a_line_ends_at_its_line_break():
    """White space beyond a line break belongs to another line; that inside a line, and blank lines, stay as they are."""
    pieces = ["a", " b  c", " \t\n\n", "  ", "\n"]
    lines = list(lines_of(Part(piece, 0, 1.0) for piece in pieces))
    assert [(line.number, line.text) for line in lines] == [(1, "a b  c \t"), (3, "  ")]
    lines = list(lines_of(Part(piece, 0, 1.0) for piece in ["a", " \n b", "\n"]))
    assert [(line.number, line.text) for line in lines] == [(1, "a"), (2, " b")]


def test_ranks():
    """Equal scores share a rank, and a score with `[UNK]` has none and comes last."""
    pairs = [
        Pair(model, "t", bits, 9, share)
        for model, bits, share in (("a", 2, 0), ("b", 1, 0.1), ("c", 2, 0), ("d", 3, 0))
    ]
    assert [(place, pair.model) for place, pair in rank(pairs)] == [(1, "a"), (1, "c"), (3, "d"), (None, "b")]
