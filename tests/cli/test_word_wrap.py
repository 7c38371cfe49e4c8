import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.cli.word_wrap import WordWrap

TEXTS = st.text("ab漢\u00a0\u3000 \n\t-", max_size=60)


def wrap(text, width, pieces=None):
    """Returns a text as it is shown after it was written in pieces, followed by a line end."""
    wrapping = WordWrap(lambda: width)
    return "".join(map(wrapping.add, [*(pieces or [text]), "\n"])).removesuffix("\n")


def columns(text, width=sys.maxsize, start=0):
    """Returns the cursor's column after a text of characters in `TEXTS`, on a terminal that breaks lines at a width."""
    column = start
    for character in text:
        size = 1 + (character in "漢\u3000")
        column = size if column + size > width and character != "\t" else column + size
        column = min(-(-column // 8) * 8, width) if character == "\t" else column
    return column


@pytest.mark.parametrize(
    ("text", "screen"),
    [
        ("One two three four", "One two\nthree four"),
        ("One two th four", "One two th\nfour"),
        ("Ten column next", "Ten column\nnext"),
        ("A line.\n\n  Another,   longer", "A line.\n\n  Another,\nlonger"),
        ("Once upon a_word_longer_than_this and off", "Once upon\na_word_longer_than_this and\noff"),
        ("at its end   \nnext", "at its end\nnext"),
        ("漢字 漢字 漢字", "漢字 漢字\n漢字"),
        ("漢字漢字 漢 字", "漢字漢字\n漢 字"),
        ("e\u0301e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301e\u0301e\u0301 a", "e\u0301" * 4 + " " + "e\u0301" * 5 + "\na"),
        ("one\u00a0two three", "one\u00a0two\nthree"),
        ("a\tb c", "a\tb\nc"),
        ("", ""),
        (" ", " "),
    ],
)  # fmt: skip
def test_a_word_that_does_not_fit_moves_to_the_next_line(text, screen):
    """At ten columns, a word that does not fit moves to the next line, with wide characters, tabs and line ends counted right."""
    assert wrap(text, 10) == screen


@given(TEXTS, st.integers(2, 30))
def test_a_line_is_broken_only_before_a_word_that_does_not_fit(text, width):
    """The output is the text with white space replaced by a line end where, and only where, the next word does not fit."""
    lines, place = wrap(text, width).split("\n"), 0
    for number, line in enumerate(lines):
        assert text.startswith(line, place)
        place += len(line)
        first = re.findall(r"^\s*[\S\u00a0]*", line)[0]
        end = columns(first, width)
        assert columns(line.removeprefix(first), start=end) <= width
        [(blanks, word)] = re.findall(r"^((?:(?![\n\u00a0])\s)*)([\S\u00a0]*)", text[place:])
        place += len(blanks)
        if number == len(lines) - 1:
            assert place == len(text)
        elif text.startswith("\n", place):
            place += 1
        else:
            assert blanks
            assert word
            assert columns(blanks + word, start=columns(line, width)) > width


@given(st.lists(TEXTS, max_size=8), st.integers(0, 30))
def test_the_output_does_not_depend_on_the_pieces(pieces, width):
    """A text is wrapped in the same way, however it is split into pieces."""
    text = "".join(pieces)
    assert wrap(text, width, pieces) == wrap(text, width) == wrap(text, width, list(text))


@given(TEXTS)
def test_without_a_width_nothing_changes(text):
    """A text is unchanged if the terminal's width is unknown, or if the terminal is wide enough."""
    assert wrap(text, 0) == wrap(text, sys.maxsize) == text


@given(TEXTS, st.lists(st.integers(0, 20), min_size=1))
def test_no_word_is_lost_when_the_width_changes(text, widths):
    """If the width changes within a text, no word is lost."""
    asked = iter(widths * (len(text) + 1))
    wrapping = WordWrap(lambda: next(asked))
    screen = "".join(map(wrapping.add, [*text, "\n"]))
    assert screen.split() == text.split()


def test_a_text_is_written_without_delay():
    """A word is held back only until its line is decided: not at all if it is the first of a line, or too long for one."""
    wrapping = WordWrap(lambda: 9)
    steps = [wrapping.add(character) for character in "One two three!\n"]
    assert steps == ["O", "n", "e", "", "", "", "", " two", "", "\nth", "r", "e", "e", "!", "\n"]
