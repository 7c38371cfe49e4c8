# ruff: noqa: RUF001 - typographic apostrophes are tested, too
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textgen.corpus.words import combining_marks, split_at_apostrophes, split_words, split_words_without_marks

MARKS = {"Mn", "Mc", "Me"}
JOINERS = "\u200c\u200d"
SENTENCES = {
    "Hindi": "हिन्दी में ज़्यादा शब्द क्‍या हैं",
    "Tamil": "தமிழ் மொழியில் சொற்கள் உள்ளன கொடு",
    "Thai": "ภาษาไทย นี้ น้ำ ที่อยู่",
    "Arabic": "الْعَرَبِيَّةُ لُغَةٌ جَمِيلَةٌ مُؤْمِنٌ",
    "Hebrew": "שָׁלוֹם עִבְרִית מְנֻקֶּדֶת וּכְתִיב",
    "Persian": "می‌خواهم کتاب‌ها را",
    "Turkish": "İstanbul ığdır İğne çürük güneş".lower(),
    "French": "été déçue où l’élève s'éveille",
    "Vietnamese": "Tiếng Việt được nghĩa",
    "Brahmi": "𑀩𑁆𑀭𑀸𑀳𑁆𑀫𑀻 𑀮𑀺𑀧𑀺",
    "keycap": "1️⃣ 2️⃣",
}
CHARACTERS = "".join(SENTENCES.values()) + "'’aéZ9_-—“” \t\n\u2003🙂👩\U000e0101\U0001d165\u0301\u0488ẍ"
TEXTS = st.text(st.one_of(st.sampled_from(CHARACTERS), st.characters(exclude_categories=["Cs"])))
PLAIN = st.text(st.sampled_from("aéÉΣж漢한9_'’-—“”🙂 \t\n\u2003"))


def split_one_by_one(text):
    """The words of a text and what is between them, found one character after the other."""
    kinds = []
    for character in text:
        if re.match(r"\w", character):
            kind = "letter"
        elif unicodedata.category(character) in MARKS or character in JOINERS:
            kind = "mark"
        elif character in "'’":
            kind = "apostrophe"
        else:
            kind = "space" if character.isspace() and character != "\n" else "other"
        kinds.append(kind)
    tokens, place = [], 0
    while place < len(text):
        end = place + 1
        if kinds[place] == "space":
            while kinds[end : end + 1] == ["space"]:
                end += 1
        elif kinds[place] == "letter":
            while kinds[end : end + 1] in (["letter"], ["mark"]) or kinds[end : end + 2] == ["apostrophe", "letter"]:
                end += 1
        tokens.append(text[place:end])
        place = end
    return tokens


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("language", SENTENCES)
def test_words_keep_their_marks(language, form):
    """What a reader takes for a word is one token, whether its marks are composed or not."""
    words = unicodedata.normalize(form, SENTENCES[language]).split(" ")
    tokens = split_words(" ".join(words))
    assert tokens[::2] == words
    assert set(tokens[1::2]) == {" "}
    assert [unicodedata.normalize("NFC", token) for token in tokens] == split_words(
        unicodedata.normalize("NFC", SENTENCES[language])
    )


@given(data=st.data())
@pytest.mark.parametrize("language", SENTENCES)
def test_no_word_of_a_script_falls_apart(language, data):
    """Any letters of a script with any of its marks between them are one token."""
    characters = sorted(set(SENTENCES[language]) - set("'’ "))
    letters = [character for character in characters if character.isalnum()]
    parts = st.tuples(st.sampled_from(letters), st.text(st.sampled_from(characters))).map("".join)
    words = data.draw(st.lists(parts, min_size=1, max_size=4))
    for form in ("NFC", "NFD"):
        expected = [unicodedata.normalize(form, word) for word in words]
        assert split_words(" ".join(expected))[::2] == expected


@given(text=TEXTS)
@example("e\u0301'e\u0301’\u0301 \u0301e \u200da\u200d'b")
@example("a'b’c''d 'e f'")
def test_the_split_is_that_of_its_rule(text):
    """Letters and marks after a letter, and an apostrophe before a letter, are a word; all else is as it ever was."""
    assert split_words(text) == split_one_by_one(text)


@given(text=PLAIN)
def test_without_marks_both_versions_split_alike(text):
    """Most texts have the same tokens as with the first version."""
    assert split_words(text) == split_words_without_marks(text)


def test_the_first_version():
    """Models of the first version read their text as they learned it: a mark ends a word."""
    assert split_words_without_marks("हिन्दी, e\u0301te\u0301 don't") == [
        *("ह", "ि", "न", "्", "द", "ी", ",", " ", "e", "\u0301", "te", "\u0301", " ", "don't")
    ]


def test_the_marks_are_those_of_unicode():
    """The blocks that are looked through have all the combining marks that this Python's Unicode has."""
    characters = map(chr, range(sys.maxunicode + 1))
    assert list(combining_marks()) == [one for one in characters if unicodedata.category(one) in MARKS]


def test_apostrophes_can_be_tokens():
    """Words keep their marks where apostrophes are split off, too."""
    assert split_at_apostrophes("l'e\u0301te\u0301, हिन्दी") == ["l", "'", "e\u0301te\u0301", ",", "हिन्दी"]


@pytest.mark.parametrize("part", ["e\u0301", "क्‍", "e'", "𑀩𑁆"])
def test_a_word_may_be_as_long_as_a_text(part):
    """A million marks are one word, or as many as their apostrophes make."""
    text = part * 500_000
    tokens = split_words(text)
    assert "".join(tokens) == text
    assert len(tokens) <= 2
