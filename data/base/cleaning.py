"""Reduces the text of a book to its prose: ASCII, one line per paragraph, nothing by the publisher, no notes and no verse."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

_TO_ASCII = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u02bc\u00b4`", "'"),
        **dict.fromkeys("\u2010\u2011\u2012", "-"),
        **dict.fromkeys("\u2013\u2014\u2015", "--"),
        "\u2026": "...",
        "\u00c6": "Ae",
        "\u00e6": "ae",
        "\u0152": "Oe",
        "\u0153": "oe",
        "_": None,
    }
)

_PUBLISHER = [
    re.compile(r"\A.*\*\*\* ?START OF TH[^\n]*\n", re.DOTALL),
    re.compile(r"\n[^\n]*Project Gutenberg Etext of(?:(?!\*END\*).)*\*END\*[^\n]*\*END\*", re.DOTALL),
    re.compile(r"\n[^\n]*(\*\*\* ?END OF TH|End of (the |this )?Project Gutenberg).*\Z", re.DOTALL | re.IGNORECASE),
]
_FOOTNOTE = re.compile(r"(?<=\n\n)[ \t]*(\*|\[\d+\]|\{\d+\})[^\n]*(\n[^\n]+)*")
_NOTE = re.compile(r" ?(\[[^\[\]]{,3000}\]|\{[^{}]*\}|\*)+")
_NOTE_NUMBER = re.compile(r"(?<=[a-z])([,.;:!?]?[\"']*)\d{1,3}(?!\w|[.,]\d)")
_NO_PROSE = re.compile(
    r"\W*|(this etext was )?(produced|prepared) by .*|.*transcriber.*|(table of )?contents\W*|(the )?(end|finis)\W*",
    re.IGNORECASE,
)
_EPIGRAPH = re.compile(r".*(--|[.\"'] )[A-Z][A-Z. ]{3,}[.\"']*|--[A-Z].{,40}|.*['\"]s Calendar\W*")
"""A paragraph that ends with the name of its author in capitals, or is only that name."""

_MOST_LINE = 200
"""If a tenth of the lines are longer than this, each line is a paragraph; otherwise, each block of lines is one."""
_SPARE = 12
"""A line ends early if the next word and this many further characters would have fitted."""
_PROSE_BY_CHANCE = 5
"""Up to this many lines may all begin with a capital letter by chance. More of them are verse, even if no line ends early."""

_BROKEN = re.compile(r"([A-Za-z]+)-\n(?!or |and |to )([A-Za-z]+)")
_STYLE = [
    (re.compile(r"-\n-|- -"), "--"),
    (re.compile(r"(?<=\w)\s?-{2,}\s?(?=\w)|-{3,}"), "--"),
    (re.compile(r"\s*\.(?:\s?\.){2,}"), "..."),
    (re.compile(r"''(?!\w)"), '"'),
    (re.compile(r"(?<=\d)\s\d/\d+"), ""),
    (re.compile(r"/"), "-"),
    (re.compile(r"%"), " percent"),
    (re.compile(r"&c\b"), "etc"),
    (re.compile(r"&"), "and"),
    (re.compile(r"[^A-Za-z0-9\s!\"$'(),.:;?-]"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" (?=[,.;:!?][ \"']|[,.;:!?]$)"), ""),
]
"""Rare characters and variant spellings, and their replacements."""


def clean(text: str, *, start: str | None = None, end: str | None = None, drop: Sequence[str] = ()) -> str:
    """Returns the prose of a book.

    Args:
        text: its text.
        start: a regular expression that its first paragraph begins with; None for the first one in the text.
        end: a regular expression that the first paragraph after it begins with; None to keep all.
        drop: regular expressions that paragraphs to drop begin with.

    Returns:
        The paragraphs, each on one line, with blank lines between them.

    Raises:
        ValueError: if no paragraph begins with one of the expressions.
    """
    text = re.sub(r"\r*\n|\r", "\n", text)
    for pattern in _PUBLISHER:
        text = pattern.sub("", text)
    text = re.sub(r"[^\S\n]+\n", "\n", html.unescape(text)).translate(_TO_ASCII)
    text = _NOTE.sub("", _FOOTNOTE.sub("", text))
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    paragraphs = [part for part in _paragraphs(text) if not (_NO_PROSE.fullmatch(part) or _EPIGRAPH.fullmatch(part))]
    first = 0 if start is None else _find(paragraphs, start)[0]
    last = len(paragraphs) if end is None else _find(paragraphs, end)[0]
    dropped = {at for expression in drop for at in _find(paragraphs, expression)}
    return "\n\n".join(part for at, part in enumerate(paragraphs) if first <= at < last and at not in dropped)


def _find(paragraphs: Sequence[str], expression: str) -> list[int]:
    """Returns the places of the paragraphs that begin with an expression."""
    found = [at for at, part in enumerate(paragraphs) if re.match(expression, part)]
    if not found:
        raise ValueError(f"no paragraph begins with {expression!r}")
    return found


def _paragraphs(text: str) -> Iterator[str]:
    """Yields the paragraphs of prose in a text, each on one line."""
    blocks = [[line for line in block.split("\n") if line.strip()] for block in text.split("\n\n")]
    lengths = sorted(len(line) for block in blocks for line in block)
    margin = lengths[len(lengths) * 9 // 10] if lengths else 0
    if margin > _MOST_LINE:
        blocks = [[line] for block in blocks for line in block]
    words = set(re.findall("[a-z]+", _BROKEN.sub(" ", text)))
    for block in blocks:
        if block and not _is_verse(block, margin):
            yield _join(block, words)


def _is_verse(lines: Sequence[str], margin: int) -> bool:
    """Returns whether lines are verse, a list or an address: most begin with a capital letter, and end before the margin."""
    early = sum(len(line) + 1 + len(following.split()[0]) + _SPARE <= margin for line, following in pairwise(lines))
    capitals = sum(line.lstrip(" \"'(")[:1].isupper() for line in lines)
    if early * 2 >= len(lines) - 1 > 0:
        return capitals * 2 > len(lines)
    return capitals == len(lines) > _PROSE_BY_CHANCE


def _join(lines: Sequence[str], words: set[str]) -> str:
    """Joins the lines of a paragraph, and the two halves of a word that is hyphenated at the end of a line.

    Args:
        lines: the lines.
        words: the words of the book; where both halves are words and the whole is not, the hyphen stays.
    """

    def join_word(match: re.Match[str]) -> str:
        first, second = match.groups()
        whole = first + second
        is_compound = {first.lower(), second} <= words and whole.lower() not in words
        return f"{first}-{second}" if is_compound or not second.islower() else whole

    text = _BROKEN.sub(join_word, "\n".join(line.strip() for line in lines))
    for pattern, kept in _STYLE:
        text = pattern.sub(kept, text)
    return _NOTE_NUMBER.sub(r"\1", text).strip()
