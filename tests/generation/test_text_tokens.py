from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import UNKNOWN, UNKNOWN_ID, Vocabulary, make_tokenizer
from textgen.errors import UsageError
from textgen.generation.text_tokens import split_text

WORDS = ("he", "said", ",", ".", "don't", "don", "t", "'", " ", "\n", "a", "b", "i", "ß", "café", "new york", "ned")


def vocabulary(name: str, *, lowercase: bool = False) -> Vocabulary:
    return Vocabulary(("", "[UNK]", *WORDS), make_tokenizer(name, lowercase))


def places(text: str, name: str, *, lowercase: bool = False) -> list[tuple[str, str]]:
    """Returns each token with its piece of the text."""
    found = split_text(text, vocabulary(name, lowercase=lowercase))
    return list(zip(found.tokens, found.pieces, strict=True))


def test_tokens_with_their_spaces_are_the_text() -> None:
    """A word model's spaces are tokens."""
    found = split_text("he said,  Ned.", vocabulary("word"))
    assert found.pieces == ["he", " ", "said", ",", "  ", "Ned", "."]
    assert found.offsets == list(found.starts) == [0, 2, 3, 7, 8, 10, 13]
    assert [number == UNKNOWN_ID for number in found.ids] == [False, False, False, False, True, True, False]


def test_tokens_without_spaces_take_those_before_them() -> None:
    """A piece of a pre-tokenized text includes the white space before its token, and the last one what follows it."""
    text = "  he said , <unk> don't\n"
    found = split_text(text, vocabulary("spaced"))
    assert found.tokens == ["he", "said", ",", "[UNK]", "don't"]
    assert found.pieces == ["  he", " said", " ,", " <unk>", " don't\n"]
    assert found.offsets == [0, 4, 9, 11, 17]
    assert [text[start:stop] for start, stop in zip(found.starts, found.stops, strict=True)] == [
        "he",
        "said",
        ",",
        "<unk>",
        "don't",
    ]


def test_printed_text_is_split_as_in_a_prompt() -> None:
    """A token that the vocabulary of a pre-tokenized text lacks is split further, and nothing is respelled."""
    assert places("he said, don’t.", "spaced") == [  # noqa: RUF001
        ("he", "he"), ("said", " said"), (",", ","), ("don", " don"), ("’", "’"), ("t", "t"), (".", "."),  # noqa: RUF001
    ]  # fmt: skip


def test_case_changes_no_place() -> None:
    """Pieces have the case of the text, even where its lower case has more characters."""
    assert places("He\nİ ß", "word", lowercase=True) == [("he", "He"), ("\n", "\n"), ("i̇", "İ"), (" ", " "), ("ß", "ß")]
    assert places("aİb", "char", lowercase=True) == [("a", "a"), ("i", "İ"), ("\u0307", ""), ("b", "b")]


def test_marks_of_a_file_count_in_places() -> None:
    """A byte order mark and the CR of CRLF are not read, but are part of the text."""
    found = split_text("\ufeffa\r\n\rb", vocabulary("char"))
    assert found.tokens == ["a", "\n", "\r", "b"]
    assert found.pieces == ["\ufeffa", "\r\n", "\r", "b"]
    assert found.offsets == [0, 2, 4, 5]
    assert places("\ufeffİa", "char", lowercase=True) == [("i", "\ufeffİ"), ("\u0307", ""), ("a", "a")]


@pytest.mark.parametrize("text", ["", " \n ", "\ufeff"])
def test_a_text_without_tokens(text: str) -> None:
    """A text of nothing, or of white space that the tokenizer drops, has no tokens."""
    assert places(text, "spaced") == []
    assert places("", "char") == []


@pytest.mark.parametrize("text", [None, b"he", 3])
def test_only_a_text_is_split(text: object) -> None:
    """Anything but a string is refused."""
    with pytest.raises(UsageError, match="text must be a text, got"):
        split_text(text, vocabulary("char"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["char", "word", "spaced"])
@pytest.mark.parametrize("lowercase", [False, True])
@given(text=st.text(st.one_of(st.sampled_from("heHEİSßΣ \r\n\t,.'’<>[]\ufeff\u0301"), st.characters())))  # noqa: RUF001
def test_pieces_are_the_text(name: str, lowercase: bool, text: str) -> None:
    """Whatever the text, its pieces together are the text, and each contains its token."""
    found = split_text(text, vocabulary(name, lowercase=lowercase))
    assert "".join(found.pieces) == (text if found.tokens else "")
    ends = [end for both in zip(found.starts, found.stops, strict=True) for end in both]
    assert ends == sorted(ends)
    for each, start, stop in zip(found.tokens, found.starts, found.stops, strict=True):
        there = text[start:stop].replace("\r\n", "\n")
        if each != UNKNOWN and len(there) == len(each):
            assert there == each or (lowercase and there.casefold() == each.casefold())
