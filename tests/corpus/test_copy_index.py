import random
import sys
import tracemalloc

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from textgen.corpus import copy_index
from textgen.corpus.copy_index import SPAN, CopyIndex, code_points, count_keys, hash_spans, longest_short_copy

ALPHABETS = ["ab", "a", "ab\n ", "e\u0301é🙂👋🏽"]


@st.composite
def texts(draw):
    """A training text, and a text made of pieces of it and other pieces, with copied runs of all lengths."""
    letters = st.text(st.sampled_from(draw(st.sampled_from(ALPHABETS))), max_size=60)
    training = draw(letters) * draw(st.integers(1, 2)) + draw(letters)
    places = st.integers(0, len(training))
    copied = st.tuples(places, places).map(lambda ends: training[min(ends) : max(ends)])
    return training, "".join(draw(st.lists(st.one_of(copied, copied, letters), max_size=4)))


def longest_by_trying(text, training):
    """Finds the longest passage of a text that a training text contains, by brute force; the first if there are several."""
    passages = (text[start : start + n] for n in range(len(text), 0, -1) for start in range(len(text) - n + 1))
    return next((passage for passage in passages if passage in training), "")


@pytest.fixture(params=[1, copy_index._CHARACTERS_PER_PLACE], ids=["compared", "searched"], autouse=True)
def _way(request, monkeypatch):
    """Runs a test with searching and with comparing at each position, and with many small chunks."""
    monkeypatch.setattr(copy_index, "_CHARACTERS_PER_PLACE", request.param)
    monkeypatch.setattr(copy_index, "_CHUNK_CHARACTERS", 6)
    monkeypatch.setattr(copy_index, "_SEARCHED_CHARACTERS", 5)


@given(pair=texts())
@example(("", ""))
@example(("", "a"))
@example(("a", ""))
@example(("a" * SPAN, "a" * SPAN))
@example(("a" * 40, "a" * 60))
@example(("ab" * 20, "ba" * 20))
@example(("b" * 16 + "a" * 17, "a" * 16 + "b" + "a" * 17))
def test_the_longest_copy_is_that_found_by_trying(pair):
    """For any texts, short, stitched or of one letter, the answer equals that of a brute-force search."""
    training, text = pair
    assert CopyIndex.build(training).longest_copy(text) == longest_by_trying(text, training)


@given(pair=texts())
def test_contains_is_what_python_says(pair):
    """A passage of any length is found if and only if `in` finds it, alone or as a part of a longer text."""
    training, text = pair
    index = CopyIndex.build(training)
    comparison = index.compare(text)
    assert index.contains(text) == (text in training)
    for start in range(len(text) + 1):
        for stop in range(start, len(text) + 1):
            assert comparison.is_copied(start, stop) == (text[start:stop] in training), (start, stop)


@given(pair=texts())
def test_the_copied_end_is_that_found_by_trying(pair):
    """The length of the longest suffix is exact from SPAN on; anything shorter counts as SPAN - 1."""
    training, text = pair
    longest = max(length for length in range(len(text) + 1) if text[len(text) - length :] in training)
    assert CopyIndex.build(training).compare(text).copied_end() == max(longest, SPAN - 1)


@given(pair=texts(), multiplier=st.sampled_from([0, 1 << 63, 0b11 << 62]))
def test_the_hash_is_never_trusted(pair, multiplier):
    """With a hash that has many collisions, the answers are the same."""
    training, text = pair
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy_index, "_MULTIPLIER", multiplier)
        index = CopyIndex.build(training)
        assert index.longest_copy(text) == longest_by_trying(text, training)
        assert index.contains(text) == (text in training)


def test_two_passages_of_different_places_are_no_passage():
    """Two copied passages that overlap by all but one character are not one copied passage."""
    rng = random.Random(1)  # noqa: S311 - not a secret
    first, middle, last = ("".join(rng.choices("abcdefgh", k=length)) for length in (5, 30, 5))
    index = CopyIndex.build(f"{first}{middle}......{middle}{last}")
    assert index.contains(first + middle)
    assert index.contains(middle + last)
    assert not index.contains(first + middle + last)
    assert not index.contains(first[-1] + middle + last[0])
    assert index.longest_copy(first + middle + last) == first + middle


def test_characters_are_code_points():
    """Accents, joiners and skin tones are characters of their own; another normal form is another text."""
    index = CopyIndex.build("a cafe\u0301 and a 👩\u200d👧 and a 👋🏽 and no more of it")
    assert index.contains("\u0301 and a 👩\u200d👧 and a 👋")
    assert not index.contains("a café and a 👩\u200d👧")
    assert index.longest_copy("xx\u0301 and a 👩\u200d👧 and a 👋🏾") == "\u0301 and a 👩\u200d👧 and a 👋"


def test_a_lone_surrogate_is_in_no_text():
    """A lone surrogate, which stands for an invalid byte, occurs in no training text."""
    assert CopyIndex.build("a" * 40).longest_copy("a" * 20 + "\udcff" + "a" * 18) == "a" * 20


@pytest.mark.parametrize("start", range(1, 9))
def test_a_passage_is_found_wherever_it_stands(start):
    """Only every second position has a key, yet a passage of SPAN characters is found at each position."""
    passage = "to be or not to b"
    assert len(passage) == SPAN
    assert CopyIndex.build("x" * start + passage).contains(passage)
    assert CopyIndex.build(passage + "x" * start).contains(passage)
    assert not CopyIndex.build("x" * start + passage[1:] + "x" * 20).contains(passage)


@pytest.mark.parametrize(("length", "keys"), [(0, 0), (15, 0), (16, 1), (17, 1), (18, 2), (19, 2), (20, 3)])
def test_there_is_a_key_for_every_second_place(length, keys):
    """A position has a key only if 16 characters start there."""
    assert count_keys("x" * length) == len(CopyIndex.build("x" * length).keys) == keys


@given(text=st.text(st.sampled_from(ALPHABETS[-1])), length=st.integers(1, 20))
def test_the_hash_is_the_polynomial(text, length):
    """The hash of a span equals c_1 M^n + ... + c_n M modulo 2**64, computed with Python's integers."""
    expected = [
        sum(ord(code) * copy_index._MULTIPLIER ** (length - n) for n, code in enumerate(text[start : start + length]))
        % 2**64
        for start in range(len(text) - length + 1)
    ]
    assert hash_spans(code_points(text), length).tolist() == expected


@given(pair=texts(), most=st.integers(1, 20))
def test_short_copies_alone(pair, most):
    """Without the index, the longest passage up to a maximum length equals that of a brute-force search."""
    training, text = pair
    longest = longest_by_trying(text, training)
    assume(len(longest) <= most)
    assert longest_short_copy(text, training, most) == longest


@pytest.mark.parametrize("character", ["a", "\u201c", "🙂"])
def test_memory(monkeypatch, character):
    """The index takes 4 bytes per character; building it takes less than 12, including the text at its widest."""
    monkeypatch.undo()
    size = 500_000
    text = "".join(random.Random(1).choices("abcd", k=size)) + character  # noqa: S311 - not a secret
    tracemalloc.start()
    try:
        index = CopyIndex.build(text)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert index.contains(text[-30:])
    assert held < 4.1 * size
    assert peak < 5.5 * size
    assert sys.getsizeof(text) + peak < 12 * size
