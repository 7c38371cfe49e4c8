import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textgen.corpus.unwrapping import unwrap

WORDS = st.text(st.sampled_from("abcÄß.,'é"), min_size=1, max_size=12)
PARAGRAPHS = st.lists(st.lists(WORDS, min_size=4, max_size=60).map(" ".join), min_size=1, max_size=5)


def unwrapped(text, width=40):
    return "".join(unwrap([text], width))


@given(PARAGRAPHS, st.integers(60, 90))
def test_wrapping_is_undone(paragraphs, width):
    """Paragraphs that were wrapped, whatever their words, come back as one line each, with the blank lines between them."""
    text = "\n\n".join(paragraphs) + "\n"
    wrapped = "\n\n".join(textwrap.fill(each, width) for each in paragraphs) + "\n"
    assert unwrapped(wrapped, width) == text


@given(st.text(st.sampled_from("ab -—\n\t"), max_size=300), st.lists(st.integers(1, 40), min_size=1))
def test_the_pieces_do_not_matter(text, sizes):
    """A text is unwrapped in the same way in whatever pieces it is read; no piece is empty."""
    pieces, start = [], 0
    for size in sizes * (len(text) // sum(sizes) + 1):
        pieces.append(text[start : start + size])
        start += size
    found = list(unwrap(filter(None, pieces), 8))
    assert "".join(found) == "".join(unwrap([text], 8)) if text else found == []
    assert all(found)


LONG_PARTS = ["a b c ", "word-", "\n", "\n\n", "x" * 70_000, "word " * 14_000, "=" * 70_000, "- ", " "]


@example("word " * 13_107 + "\na b c d ef\ngh i\n", 65_538)
@settings(max_examples=50)
@given(st.lists(st.sampled_from(LONG_PARTS), max_size=12).map("".join), st.integers(20, 80_000))
def test_the_pieces_of_long_lines_do_not_matter(text, size):
    """That holds for lines of which the start is not held back, too, and for the lines before and after them."""
    pieces = (text[start : start + size] for start in range(0, len(text), size))
    assert "".join(unwrap(pieces, 8)) == "".join(unwrap(filter(None, [text]), 8))


def test_a_text_is_unwrapped_as_it_is_read():
    """No more than the last lines are held back, even of a line that never ends."""
    read = 0

    def pieces():
        nonlocal read
        for piece in ["a few words of prose\n", *["word " * 10_000] * 40, "end\nof the last line\n"]:
            read += len(piece)
            yield piece

    written = 0
    for piece in unwrap(pieces(), 20):
        written += len(piece)
        assert read - written < 120_000
    assert written == read > 2_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one long line of some words that is well-\nknown to all", "one long line of some words that is well-known to all"),
        ("one long line of some words ends here--\nand goes on", "one long line of some words ends here--and goes on"),
        ("one long line of some words ends here----\nand on", "one long line of some words ends here----and on"),
        ("one long line of some words ends so—\nand goes on", "one long line of some words ends so—and goes on"),
        ("one long line of some words ends so\n--and goes on", "one long line of some words ends so--and goes on"),
        ("one long line of some words ends so --\nand goes on", "one long line of some words ends so -- and goes on"),
        ("one long line of some words ends so\n-- and goes on", "one long line of some words ends so -- and goes on"),
        ("one long line of the words LAT 6-\n-- N LONG 3", "one long line of the words LAT 6- -- N LONG 3"),
        ("one long line of some words with spaces  \nafter it", "one long line of some words with spaces after it"),
    ],
)  # fmt: skip
def test_hyphens_and_dashes(text, expected):
    """A hyphen stays and joins its word, a dash has spaces only if it has one on its own line, and other spaces become one."""
    assert unwrapped(text, 36) == expected


LONG = "These are the words of a long line of text"


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG}\n\n{LONG}",
        f"{LONG}\n    The paragraph has an indented first line",
        f"{LONG}\n\tand so has this one",
        "CHAPTER THE FIRST\nIn which we meet the captain and his cat",
        "I am, dear sir, your servant,\nElias Trewhitt\nMaster of the Leofric",
        "The king was in the house\nAnd counted all his money",
        f"- {LONG}\n- and of the next item of the list",
        f"1. {LONG}\n2. and of the second item of it",
        f"| {LONG} |\n| and those of the next row |",
        f"{LONG}\n```\ntextgen-train",
        f"{LONG}\n=======",
        f"> {LONG}\n> and of more that somebody wrote",
        "name         size    colour of the whole line\nword         12      blue",
        "1868-09-16,Leofric,Arctic,94,lost\n1869-01-01,Corncrake,Skellan,12,found",
    ],
)
def test_other_line_breaks_stay(text):
    """Blank lines, indented lines, headings, signatures, verse, lists, tables, code and quotations are not joined to anything."""
    assert unwrapped(text) == text


def test_a_break_before_a_capital_needs_a_fuller_line():
    """After a shorter line, a lower-case letter continues a sentence, and a capital may start another paragraph."""
    line = "a line with thirty characters."
    assert unwrapped(f"{line}\nand more") == f"{line} and more"
    assert unwrapped(f"{line}\nA word") == f"{line}\nA word"
    assert unwrapped(f"{line}\nAntidisestablishmentarianism") == f"{line} Antidisestablishmentarianism"
