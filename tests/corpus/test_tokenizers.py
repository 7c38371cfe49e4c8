# ruff: noqa: RUF001 - typographic apostrophes are tested, too
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import textgen
from textgen import errors
from textgen.config import TrainingConfig, settings
from textgen.corpus import Joiner, all_versions, make_tokenizer
from textgen.corpus.tokenizers import LaterTokenizerError, language_models, tokenizer_from_json

TEXTS = st.text(st.one_of(st.sampled_from("\r\n \t\u2003'’_-aé9\u0301🙂"), st.characters(exclude_categories=["Cs"])))


@given(text=TEXTS)
@example("")
@example("?")
@example("안녕하세요 👋🏽!")
@example("don't ’tis rock-'n'-roll\r\n\n  \t x")
@pytest.mark.parametrize("name", ["char", "word"])
def test_round_trip(name, text):
    """Joining the tokens of a text gives the text, in lower case if the tokenizer converts it, at once and token by token."""
    for lowercase in (False, True):
        tokenizer = make_tokenizer(name, lowercase)
        expected = text.lower() if lowercase else text
        tokens = tokenizer.split(text)
        assert tokenizer.join(tokens) == "".join(tokens) == expected
        assert all(tokens)
        joiner = tokenizer.joiner("before")
        assert "".join(map(joiner.add, tokens)) == expected


@given(before=TEXTS, after=TEXTS)
@pytest.mark.parametrize("version", [1, 2])
def test_words_may_be_cut_after_a_line_break(version, before, after):
    """A text that is cut after a line break has the same tokens."""
    tokenizer = make_tokenizer("word", version=version)
    assert tokenizer.split(before + "\n") + tokenizer.split(after) == tokenizer.split(f"{before}\n{after}")


@given(before=TEXTS, after=TEXTS, lowercase=st.booleans())
@pytest.mark.parametrize("version", [1, 2])
def test_words_may_be_cut_before_white_space(version, before, after, lowercase):
    """A text that is cut before white space after something else has the same tokens."""
    tokenizer = make_tokenizer("word", lowercase, version)
    before, after = f"{before}x", f" {after}"
    assert tokenizer.split(before) + tokenizer.split(after) == tokenizer.split(before + after)


@pytest.mark.parametrize("text", ["İstanbul", "I\u0307STANBUL"])
def test_a_lower_cased_word_stays_whole(text):
    """A letter that becomes a letter and a mark when it is lower-cased does not split its word."""
    assert make_tokenizer("word", lowercase=True).split(f"{text} ve") == ["i\u0307stanbul", " ", "ve"]


def test_characters():
    """A character is a code point: a combining accent and a skin tone are tokens of their own."""
    assert make_tokenizer("char").split("e\u0301👋🏽") == ["e", "\u0301", "👋", "🏽"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't go, Ned.", ["Don't", " ", "go", ",", " ", "Ned", "."]),
        ("we’d've", ["we’d've"]),
        ("'tis the dogs' bowl", ["'", "tis", " ", "the", " ", "dogs", "'", " ", "bowl"]),
        ("well-known --", ["well", "-", "known", " ", "-", "-"]),
        ("a  \n\n\t b", ["a", "  ", "\n", "\n", "\t ", "b"]),
        ("Жюль Верн, 1873", ["Жюль", " ", "Верн", ",", " ", "1873"]),
        ("...", [".", ".", "."]),
        ("हिन्दी में e\u0301te\u0301", ["हिन्दी", " ", "में", " ", "e\u0301te\u0301"]),
    ],
)
def test_words(text, tokens):
    """Words keep their apostrophes and accents; line breaks and punctuation are single tokens; other white space stays together."""
    assert make_tokenizer("word").split(text) == tokens


@given(text=TEXTS)
@example(text="<UNK>")
@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_the_plain_text_is_the_tokens_joined_plainly(name, text):
    """The plain text is the tokens joined by the separator, and has the same tokens again."""
    for lowercase in (False, True):
        tokenizer = make_tokenizer(name, lowercase)
        plain = tokenizer.plain(text)
        assert plain == tokenizer.separator.join(tokenizer.split(text))
        assert tokenizer.plain(plain) == plain


def test_plain_texts():
    """The plain text differs from the text only in case and, if it is pre-tokenized, by single spaces between tokens."""
    assert make_tokenizer("word").plain("It 's\n  late .") == "It 's\n  late ."
    assert make_tokenizer("char", lowercase=True).plain("It 's\n  late .") == "it 's\n  late ."
    assert make_tokenizer("spaced", lowercase=True).plain(" It 's\n  <unk> .\n") == "it 's [UNK] ."


@pytest.mark.parametrize(("name", "start"), [("char", "\n\n"), ("word", "\n\n"), ("spaced", ".")])
def test_start_is_tokens_of_the_tokenizer(name, start):
    """The tokens that replace a missing prompt are tokens of that tokenizer; equal settings make equal tokenizers."""
    tokenizer = make_tokenizer(name)
    assert (tokenizer.name, tokenizer.lowercase) == (name, False)
    assert tokenizer.split(start) == list(tokenizer.start)
    assert tokenizer == make_tokenizer(name) != make_tokenizer(name, lowercase=True)


def test_a_tokenizer_has_versions():
    """New models use the latest version, older models keep theirs, and a later version is refused with the advice to upgrade."""
    first, latest = make_tokenizer("word", version=1), make_tokenizer("word")
    assert (first.version, latest.version) == (1, 2)
    assert latest == make_tokenizer("word", version=2) != first == make_tokenizer("word", version=1)
    assert (first.split("ही"), latest.split("ही")) == (["ह", "ी"], ["ही"])
    for name, known in {"char": 1, "word": 2, "spaced": 1}.items():
        with pytest.raises(errors.FormatError, match=rf"its {name} split has version {known + 1}, .*upgrade textgen$"):
            make_tokenizer(name, version=known + 1)


def test_plain_joiner():
    """The joiner of char and word adds tokens as they are."""
    assert Joiner().add(" ") == " "


def test_unknown_tokenizer():
    """The error lists the known names."""
    with pytest.raises(errors.UsageError, match=r"'bpe': choose one of char, word, spaced"):
        make_tokenizer("bpe")


def test_the_tokenizers_of_a_setting_need_no_vocabulary_file():
    """These are the values of `language_model`; the tokenizer for a vocabulary file comes with that file."""
    assert tuple(language_models()) == next(
        setting.option.choices for setting in settings(TrainingConfig) if setting.name == "language_model"
    )
    for name in language_models():
        other = make_tokenizer(name).tokenizer_for_files
        assert not other or make_tokenizer(other).vocabulary_from_file


def test_what_tells_tokenizers_apart():
    """Case and version make other tokenizers of the same kind of tokens, and all versions of one can be made."""
    words = make_tokenizer("word", lowercase=True)
    assert words.is_like(make_tokenizer("word", version=1))
    assert not words.is_like(make_tokenizer("char", lowercase=True))
    assert all_versions(words) == [words, make_tokenizer("word", lowercase=True, version=1)]
    assert [make_tokenizer(name).one_character for name in ("char", "word", "spaced")] == [True, False, False]
    assert words.description == "words, punctuation and spaces"
    assert make_tokenizer("char").description == make_tokenizer("char").noun == "characters"


def test_no_code_compares_the_name_of_a_tokenizer():
    """Code asks a tokenizer what it needs to know, so that it works with other kinds of tokens."""
    package = Path(textgen.__file__).parent
    compares = re.compile(r"tokenizer\.name\b(?![\],])|\blanguage_model (?:[!=]=|in) ")
    found = [str(path) for path in package.rglob("*.py") if compares.search(path.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize("name", ["char", "word", "spaced"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_every_version_is_read_as_it_was_written(name, lowercase):
    """A tokenizer comes back from its JSON with its case and version."""
    for tokenizer in all_versions(make_tokenizer(name, lowercase)):
        assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("bytes", LaterTokenizerError, r"its tokenizer is 'bytes', which textgen \S+ does not know; upgrade textgen"),
        ("x" * 65, errors.FormatError, "its tokenizer has no name that a tokenizer can have"),
        ("a\nb", errors.FormatError, "its tokenizer has no name that a tokenizer can have"),
    ],
)
def test_a_tokenizer_that_is_not_known_is_a_later_one(name, error, message):
    """A name that a tokenizer could have is that of a later one; anything else is damage, and is not quoted."""
    with pytest.raises(errors.FormatError, match=f"^{message}$") as caught:
        tokenizer_from_json({"tokenizer": name, "lowercase": False})
    assert type(caught.value) is error
