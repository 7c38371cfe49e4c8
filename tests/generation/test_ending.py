from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.generation.ending import Ending


def read(ending: Ending, pieces: list[str]) -> tuple[str, str | None]:
    """Cuts all pieces, and returns the text and the reason why it ends."""
    written = ""
    for piece in pieces:
        part, reason = ending.cut(piece)
        written += part
        if reason:
            return written, reason
    return written, None


@pytest.mark.parametrize(
    "pieces", [["The end. More"], list("The end. More"), ["The e", "nd", ". More"], ["Th", "e en", "d. More"]]
)
def test_until(pieces: list[str]) -> None:
    """The generated text ends with the text of `until`, even if that spans several pieces."""
    assert read(Ending(until=["end."]), pieces) == ("The end.", "until")


def test_the_first_of_several() -> None:
    """Of several texts of `until`, the one that is complete first ends the generated text, even within a word."""
    assert read(Ending(until=["fast", "as", "xyz"]), ["breakfast at"]) == ("breakfas", "until")


@pytest.mark.parametrize("pieces", [["a\nb\nc\nd\n"], list("a\nb\nc\nd\n"), ["a\nb", "\n", "c\nd\n"]])
@pytest.mark.parametrize(("lines", "text"), [(1, "a"), (2, "a\nb"), (4, "a\nb\nc\nd")])
def test_lines(pieces: list[str], lines: int, text: str) -> None:
    """The text has `lines` lines, and ends before the last line break."""
    assert read(Ending(lines=lines), pieces) == (text, "lines")


def test_empty_lines_count() -> None:
    """An empty line counts as a line."""
    assert read(Ending(lines=3), ["\n\n\n\n"]) == ("\n\n", "lines")


def test_too_few_lines() -> None:
    """A text continues while it has too few lines and no text of `until`."""
    assert read(Ending(until=["z"], lines=3), list("a\nb\nc")) == ("a\nb\nc", None)


def test_whichever_comes_first() -> None:
    """If both `until` and `lines` apply, the first one ends the text."""
    assert read(Ending(until=["b"], lines=1), ["a\nb"]) == ("a", "lines")
    assert read(Ending(until=["a"], lines=1), ["a\nb"]) == ("a", "until")


@given(
    st.lists(st.text("ab\n", max_size=5), max_size=8),
    st.lists(st.text("ab\n", min_size=1, max_size=3), min_size=1, max_size=3),
)
def test_pieces_make_no_difference(pieces: list[str], until: list[str]) -> None:
    """However the text is split into pieces, it ends where the first text of `until` is complete."""
    whole = "".join(pieces)
    ends = [whole.index(text) + len(text) for text in until if text in whole]
    expected = (whole[: min(ends)], "until") if ends else (whole, None)
    assert read(Ending(until=until), pieces) == expected
