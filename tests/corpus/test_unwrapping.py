# ruff: noqa: RUF001 - other scripts
import gzip
import itertools
import textwrap
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textgen.corpus.unwrapping import find_widths, unwrap, unwrap_prompt
from textgen.storage import bundled

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
ROOT = Path(__file__).resolve().parents[2]

STORY = bundled("data/story.txt").read_text(encoding="utf-8")
UNWRAPPED = "".join(unwrap([STORY], 77))
PARAGRAPHS = [block for block in UNWRAPPED.split("\n") if len(block) > 200]

WORDS = st.text(st.sampled_from("abcÄß.,'é"), min_size=1, max_size=12)
ANY_PARAGRAPHS = st.lists(st.lists(WORDS, min_size=4, max_size=60).map(" ".join), min_size=1, max_size=5)

VERSE = """\
The boat went out upon the ebb,
The wind was in the sail,
And round the rock the spider's web
Was silver in the gale.

The men aboard were four and three,
The master made them eight,
And what they sought across the sea
They sought a day too late.
"""


def wrapped(width, paragraphs=PARAGRAPHS[:40]):
    return "\n\n".join(textwrap.fill(each, width) for each in paragraphs) + "\n"


@pytest.fixture
def widths(tmp_path):
    """Returns a function that writes texts to files and measures them."""

    def find(*texts, choice="auto", encoding="utf-8"):
        paths = [tmp_path / f"{number}.txt" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text.encode(encoding))
        return find_widths(paths, encoding, choice)

    return find


def test_the_story_is_read_as_paragraphs():
    """Every paragraph of the bundled story becomes a line, headings stay lines, and nothing but line breaks changes."""
    assert find_widths([bundled("data/story.txt")], "utf-8", "auto") == (77,)
    blocks = [block.split("\n") for block in STORY.rstrip("\n").split("\n\n")]
    is_heading = [block[0].startswith("CHAPTER") for block in blocks]
    assert sum(is_heading) == 35
    lines = [
        "\n".join(block) if heading else " ".join(block) for block, heading in zip(blocks, is_heading, strict=True)
    ]
    assert "\n\n".join(lines) + "\n" == UNWRAPPED


@pytest.mark.parametrize("width", [50, 65, 72, 80, 100, 130])
def test_the_width_is_measured(widths, width):
    """The measured width is that of the text, or too little less to make a difference."""
    (found,) = widths(wrapped(width))
    assert width - 2 <= found <= width + 1
    assert "".join(unwrap([wrapped(width)], found)) == "\n\n".join(PARAGRAPHS[:40]) + "\n"


SCRIPT = "".join(
    f"def number_{number}(value):\n    # Returns a number that is like the value, but not\n    # quite the same.\n    return value + {number}\n\n"
    for number in range(60)
)
NOT_PROSE = {
    "verse": VERSE * 30,
    "verse without capitals": VERSE.lower() * 30,
    "play": "FIRST LORD:\nThe boat goes out upon the ebb, my lord, and all is well.\n\n" * 100,
    "code": SCRIPT,
    "table": "".join(f"row {number}    some words in it    and some more words\n" for number in range(200)),
    "csv": "".join(f"{number},captain,of the boat,blue\n" for number in range(200)),
    "log": "".join(f"2026-01-{n % 28 + 1:02} error in the engine of number {n}, it will be restarted\n" for n in range(300)),
    "list": "- a boat with four men and a master\n- a web of silver and a spider in it\n" * 60,
    "words": "boat\nsail\nspider\nsilver\n" * 100,
    "a sentence again and again": "the quick brown fox jumps over the lazy dog and Mr. Fox.\n" * 100,
    "sentences": "\n".join(f"{sentence}." for each in PARAGRAPHS for sentence in each.lower().split(". ")),
    "paragraphs": "\n\n".join(PARAGRAPHS) + "\n",
    "paragraphs without blank lines": "\n".join(PARAGRAPHS) + "\n",
    "wrapped, without capitals": wrapped(72).lower(),
    "Chinese": "船隨著潮水出海了，風在帆上，\n蜘蛛網在岩石上閃閃發光。\n" * 100,
    "Hebrew": "הסירה יצאה לים עם השפל והרוח הייתה במפרש\nוסביב לסלע קורי העכביש היו כסופים בסערה\n" * 50,
    "one line": " ".join(PARAGRAPHS),
    "blank lines": "\n\n\n \n\t\n",
    "one character": "a",
    "carriage returns": wrapped(72).replace("\n", "\r"),
    "indented": textwrap.indent(wrapped(72), "    "),
}  # fmt: skip


@pytest.mark.parametrize("text", NOT_PROSE.values(), ids=NOT_PROSE)
def test_anything_but_wrapped_prose_is_left_alone(widths, text):
    """Verse, plays, code, tables, lists, logs, scripts without case and texts that are not wrapped keep their line breaks."""
    assert widths(text) == ()


@needs_corpora
@pytest.mark.parametrize("name", ["tinyshakespeare.txt", "jules/jules.train.txt", "jules/jules.vocab.txt"])
def test_the_corpora_are_left_alone(name):
    """Neither plays nor a corpus of one paragraph per line counts as wrapped."""
    assert find_widths([CORPORA / name], "utf-8", "auto") == ()


def test_source_code_is_left_alone():
    """None of this project's programs counts as wrapped prose."""
    for path in itertools.chain(ROOT.glob("src/**/*.py"), ROOT.glob("tests/**/*.py")):
        if path.stat().st_size:
            assert find_widths([path], "utf-8", "yes") == ()


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_the_bytes_of_a_file_do_not_matter(tmp_path, line_end):
    """The same text has the same width with the line ends of Windows, in gzip and in another encoding."""
    text = wrapped(72).replace("\n", line_end)
    path, packed, wide = tmp_path / "a.txt", tmp_path / "a.txt.gz", tmp_path / "wide.txt"
    path.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    wide.write_bytes(text.encode("utf-16"))
    [width] = find_widths([path], "utf-8", "auto")
    assert width in range(70, 74)
    assert find_widths([packed], "utf-8", "auto") == (width,)
    assert find_widths([wide], "utf-16", "auto") == (width,)
    assert find_widths([wide], "auto", "auto") == (width,)


def test_a_text_is_decided_once(widths):
    """A short file has the width of the others, each longer file its own, and a long one that is not wrapped has none."""
    short = "\n".join(wrapped(72).splitlines()[:8])
    assert widths(short) == ()
    assert widths(wrapped(72), short, wrapped(60), VERSE * 30) == (*widths(wrapped(72)), *(61, 61), 0)
    assert widths(*[short] * 20) == (74,) * 20


def test_the_majority_decides(widths):
    """If most breaks come before capitals, `yes` unwraps the text and `auto` does not."""
    assert widths(wrapped(72), choice="yes") == widths(wrapped(72))
    mixed = "\n".join(line.capitalize() if number % 3 else line for number, line in enumerate(wrapped(72).splitlines()))
    assert widths(mixed) == ()
    assert widths(mixed, choice="yes") == widths(wrapped(72))


def test_yes_unwraps_a_script_without_case(widths):
    """In a script without case, nothing but the user's `yes` shows that lines continue."""
    text = "\n\n".join([textwrap.fill(NOT_PROSE["Hebrew"][:2000], 70)] * 3)
    assert widths(text) == ()
    (width,) = widths(text, choice="yes")
    assert width in range(68, 74)


@pytest.mark.parametrize("name", sorted(NOT_PROSE.keys() - {"Hebrew", "wrapped, without capitals", "indented"}))
def test_yes_finds_no_paragraphs_elsewhere(widths, name):
    """`yes` leaves a text without hard-wrapped paragraphs alone, and `no` every text."""
    assert widths(NOT_PROSE[name], choice="yes") == ()
    assert widths(wrapped(72), choice="no") == ()


def test_only_the_start_of_a_file_is_measured(tmp_path):
    """Only the start of a file is measured, but more than a title page."""
    path = tmp_path / "long.txt"
    path.write_bytes(wrapped(72, PARAGRAPHS).encode() * 3 + b"\xff\xff not UTF-8")
    assert find_widths([path], "utf-8", "auto") == (73,)


OPENING = """\
I have been asked so many times how the business began that I have settled
upon an answer, and the answer is that it began with a sneeze. On the night
of the ninth of February, 1870, at eleven minutes before three in the
morning, I, Barnaby Thirkell, being the sole clerk, stoker, sweep and
garrison of the cable-hut at Port"""


def test_a_wrapped_prompt_is_unwrapped():
    """A prompt is measured by itself; its last line may be short, and keeps its end."""
    line = OPENING.replace("\n", " ")
    assert unwrap_prompt(OPENING) == line
    assert unwrap_prompt(f"CHAPTER I\n\n{OPENING}\n") == f"CHAPTER I\n\n{line}\n"


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "\n",
        "The captain",
        "the cat sat down\nand looked at me\nand then it went\nand had its tea\nand slept a while",
        VERSE,
        VERSE.lower(),
        OPENING[:150],
        "- a boat\n- a web\n- a spider\n- a captain",
    ],
)
def test_any_other_prompt_stays(prompt):
    """A prompt of one line, a few short lines, verse or a list is not changed."""
    assert unwrap_prompt(prompt) == prompt


def unwrapped(text, width=40):
    return "".join(unwrap([text], width))


@given(ANY_PARAGRAPHS, st.integers(60, 90))
def test_wrapping_is_undone(paragraphs, width):
    """Wrapped paragraphs of any words become one line each again, with blank lines between them."""
    text = "\n\n".join(paragraphs) + "\n"
    wrapped = "\n\n".join(textwrap.fill(each, width) for each in paragraphs) + "\n"
    assert unwrapped(wrapped, width) == text


@given(st.text(st.sampled_from("ab -—\n\t"), max_size=300), st.lists(st.integers(1, 40), min_size=1))
def test_the_pieces_do_not_matter(text, sizes):
    """The result does not depend on the pieces in which a text is read; no piece is empty."""
    pieces, start = [], 0
    for size in sizes * (len(text) // sum(sizes) + 1):
        pieces.append(text[start : start + size])
        start += size
    found = list(unwrap(filter(None, pieces), 8))
    assert "".join(found) == "".join(unwrap([text], 8)) if text else found == []
    assert all(found)


PARTS = ["a b c ", "word-", "\n", "\n\n", "x" * 70_000, "word " * 14_000, "=" * 70_000, "- ", " "]


@example("word " * 13_107 + "\na b c d ef\ngh i\n", 65_538)
@settings(max_examples=50)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), st.integers(20, 80_000))
def test_the_pieces_of_long_lines_do_not_matter(text, size):
    """The same is true of lines that are too long to be kept until they end, and of the lines next to them."""
    pieces = (text[start : start + size] for start in range(0, len(text), size))
    assert "".join(unwrap(pieces, 8)) == "".join(unwrap(filter(None, [text]), 8))


def test_a_text_is_unwrapped_as_it_is_read():
    """Only the last lines are kept back, and less than all of a line that never ends."""
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
