# ruff: noqa: RUF001 - typographic apostrophes are tested, too
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sections import write_section
from textgen import errors
from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN, UNKNOWN_ID, Vocabulary, make_tokenizer
from textgen.corpus.tokenizers import LaterTokenizerError
from textgen.corpus.vocabulary import (
    PADDING,
    check_coverage,
    count_tokens,
    keep_most_frequent,
    read_vocabulary_file,
    unknown_share,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), min_size=1)
SMALL = Vocabulary((PADDING, UNKNOWN, "to", "be"), make_tokenizer("spaced"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vocabulary")


def section(folder, text, name="text.txt"):
    return write_section(folder / name, text)


def build_vocabulary(text, tokenizer, vocab_size=None):
    return keep_most_frequent(count_tokens([text], tokenizer), tokenizer, vocab_size)


def vocabulary_of(tokens, name="word"):
    return Vocabulary((PADDING, UNKNOWN, *tokens), make_tokenizer(name))


def test_ids():
    """Padding is 0, unknown is 1, and the tokens follow in order."""
    vocabulary = vocabulary_of(["the", " ", "sea"])
    assert vocabulary.size == 5
    assert vocabulary.encode("the sky sea") == [2, 3, 1, 3, 4]
    assert vocabulary.ids(["sea", UNKNOWN]) == [4, 1]
    assert vocabulary.decode([0, 2, 3, 1, 0]) == "the [UNK]"
    assert vocabulary.unknown(["big", "the", "bad", "big", UNKNOWN]) == ["big", "bad"]


def test_named_ids():
    """The named ids are those of `[UNK]` and of the first token proper."""
    vocabulary = vocabulary_of(["the"])
    assert vocabulary.tokens[UNKNOWN_ID] == UNKNOWN
    assert vocabulary.tokens[FIRST_TOKEN_ID] == "the"


def test_decode_spaced():
    """Pre-tokenized text is decoded with printed spacing."""
    vocabulary = vocabulary_of(["the", "sea", ","], "spaced")
    assert vocabulary.decode(vocabulary.encode("the sea , <unk>")) == "the sea, [UNK]"


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [
        ("the captain said,", ["the", "captain", "said", ","]),
        ("the captain , said <unk>", ["the", "captain", ",", "said", UNKNOWN]),
        ("Mr. Fogg.", ["Mr.", "Fogg", "."]),
        ("don't it's", ["don", "'", "t", "it's"]),
        ("(nautilus)", ["(", "nautilus", ")"]),
        ("हिन्दी, e\u0301te\u0301", ["हिन्दी", ",", "e\u0301te\u0301"]),
        ("l'e\u0301te\u0301", ["l", "'", "e\u0301te\u0301"]),
        ("", []),
    ],
)
def test_split_prompt_spaced(prompt, tokens):
    """With a pre-tokenized vocabulary, unknown tokens are split as words and punctuation, then at apostrophes; known ones stay whole."""
    words = ["the", "captain", "said", ",", "Mr.", "Fogg", ".", "don", "t", "'", "it's", "l"]
    vocabulary = vocabulary_of(words, "spaced")
    assert vocabulary.split_prompt(prompt) == tokens


@given(text=TEXTS)
@pytest.mark.parametrize("name", ["char", "word"])
def test_split_prompt(name, text):
    """With any other vocabulary, a prompt is split like any text."""
    vocabulary = vocabulary_of(["the"], name)
    assert vocabulary.split_prompt(text) == vocabulary.tokenizer.split(text)


@given(text=TEXTS, lowercase=st.booleans())
@pytest.mark.parametrize("name", ["char", "word"])
def test_encode_and_decode(folder, name, text, lowercase):
    """A vocabulary of a whole text encodes it without unknown tokens, and decodes it exactly."""
    tokenizer = make_tokenizer(name, lowercase)
    vocabulary = build_vocabulary(section(folder, text), tokenizer)
    ids = vocabulary.encode(text)
    assert min(ids) >= 2
    assert vocabulary.decode(ids) == (text.lower() if lowercase else text)
    assert vocabulary.unknown(tokenizer.split(text)) == []


@given(texts=st.lists(TEXTS, min_size=1, max_size=3), lowercase=st.booleans())
@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_counts(folder, name, texts, lowercase):
    """Tokens are counted over all sections, exactly."""
    tokenizer = make_tokenizer(name, lowercase)
    sections = [section(folder, text, f"{number}.txt") for number, text in enumerate(texts)]
    assert count_tokens(sections, tokenizer) == Counter(token for text in texts for token in tokenizer.split(text))


def test_order(folder):
    """The most frequent tokens come first, ties in the order of code points; vocab_size keeps the first N."""
    text = section(folder, "b b a a c\nZ")
    assert build_vocabulary(text, make_tokenizer("word")).tokens[2:] == (" ", "a", "b", "\n", "Z", "c")
    assert build_vocabulary(text, make_tokenizer("word"), 3).tokens[2:] == (" ", "a", "b")
    assert build_vocabulary(text, make_tokenizer("char"), 1).tokens == (PADDING, UNKNOWN, " ")
    assert build_vocabulary(section(folder, "x <unk> <unk>"), make_tokenizer("spaced")).tokens[2:] == ("x",)


def test_json_round_trip():
    """A vocabulary is read as it was written, including line breaks and other scripts."""
    vocabulary = vocabulary_of(["\n", "\u2028", "é", "🙂", '"'], "char")
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert again.sha256 == vocabulary.sha256


def test_sha256():
    """The hash differs with everything that changes ids: tokens, their order, the tokenizer, its case and version."""
    base = vocabulary_of(["a", "b"])
    others = [
        base,
        vocabulary_of(["b", "a"]),
        vocabulary_of(["ab"]),
        vocabulary_of(["a", "b"], "char"),
        replace(base, tokenizer=make_tokenizer("word", lowercase=True)),
        replace(base, tokenizer=make_tokenizer("word", version=1)),
    ]
    assert len({other.sha256 for other in others}) == 6
    assert base.sha256 == vocabulary_of(["a", "b"]).sha256


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("char", "27f3ad19e9391aa78c2172fa50c688c505ae02a2ce3973060795040cb9892bd1"),
        ("word", "a4965e3d8758076d52e50e525f73765cb39a001478a3dbba09d525220079248c"),
        ("spaced", "90ce5e848651e445d8b635205cf9ad13e1f17122ba14070f2464aa9de09ce7a7"),
    ],
)
def test_what_was_written_before_there_were_versions_is_the_first(name, sha256):
    """Without a version, the first version is meant; the hash, which jobs and caches contain, has not changed."""
    content = {"tokenizer": name, "lowercase": False, "sha256": sha256, "tokens": [PADDING, UNKNOWN, "a", "é"]}
    vocabulary = Vocabulary.from_json(content)
    assert vocabulary.tokenizer == make_tokenizer(name, version=1)
    assert vocabulary.to_json() == {**content, "tokenizer_version": 1}


def test_a_later_version_is_refused():
    """A later version of a split is refused with the advice to upgrade."""
    content = {**vocabulary_of(["a", "b"]).to_json(), "tokenizer_version": 3}
    with pytest.raises(LaterTokenizerError, match=r"^its word split has version 3, and textgen .*; upgrade textgen$"):
        Vocabulary.from_json(content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": None}, "not a list of strings"),
        ({"tokens": ["", "[UNK]", 3]}, "not a list of strings"),
        ({"tokens": ["a", "b"]}, "first tokens"),
        ({"tokens": []}, "first tokens"),
        ({"tokens": ["", "[UNK]", "a", "a"]}, "'a' twice"),
        ({"tokens": ["", "[UNK]", "b", "a"]}, "sha256"),
        ({"tokenizer": "bpe"}, "bpe"),
        ({"tokenizer": None}, "tokenizer"),
        ({"lowercase": True}, "sha256"),
        ({"lowercase": 0}, "lowercase"),
        ({"tokenizer_version": 1}, "sha256"),
        ({"tokenizer_version": 0}, "tokenizer_version"),
        ({"tokenizer_version": -1}, "tokenizer_version"),
        ({"tokenizer_version": None}, "tokenizer_version"),
        ({"tokenizer_version": True}, "tokenizer_version"),
        ({"tokenizer_version": 2.0}, "tokenizer_version"),
        ({"tokenizer_version": "2"}, "tokenizer_version"),
        ({"sha256": None}, "sha256"),
    ],
)
def test_damaged_json(changes, message):
    """A damaged vocabulary is refused with an error of one line."""
    with pytest.raises(errors.FormatError, match=message) as caught:
        Vocabulary.from_json({**vocabulary_of(["a", "b"]).to_json(), **changes})
    assert "\n" not in str(caught.value)


def test_vocabulary_file(folder):
    """The file lists one token per line, in order; empty lines, spellings of `[UNK]` and repeated tokens are skipped."""
    path = folder / "vocab.txt"
    path.write_bytes("the\r\n<unk>\n\n of \n[UNK]\nthe\nThe\n’".encode())
    vocabulary = read_vocabulary_file(path, make_tokenizer("spaced"))
    assert vocabulary.tokens == (PADDING, UNKNOWN, "the", "of", "The", "’")
    assert read_vocabulary_file(path, make_tokenizer("spaced", lowercase=True)).tokens[2:] == ("the", "of", "’")
    path.write_text("<unk>\n")
    with pytest.raises(errors.DataError, match="lists no token"):
        read_vocabulary_file(path, make_tokenizer("spaced"))


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({"to": 7, "be": 3}, 0.0),
        ({"to": 6, "or": 3, "not": 1}, 0.4),
        ({"or": 5}, 1.0),
        ({"to": 6, "or": 2, UNKNOWN: 92}, 0.25),
        ({UNKNOWN: 3}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_share_of_the_tokens_that_a_vocabulary_lacks(counts, share):
    """Each occurrence counts, except those of `[UNK]`."""
    assert unknown_share(Counter(counts), SMALL) == pytest.approx(share)


def test_a_twentieth_may_be_missing():
    """Exactly 5% is accepted and returned; more is refused with the share and examples."""
    assert check_coverage(Counter({"to": 95, "or": 5}), SMALL, Path("v"), "mend it") == 0.05
    with pytest.raises(errors.DataError) as caught:
        check_coverage(Counter({"to": 94, "or": 4, "not": 2}), SMALL, Path("v"), "mend it")
    assert str(caught.value) == (
        "v lacks 6.0% of the tokens of the training text, such as 'or', 'not'; at most 5% may be missing: mend it"
    )


def test_the_most_frequent_of_what_is_missing_are_named():
    """The error lists the five most frequent ones."""
    counts = Counter({letter: number for number, letter in enumerate("abcdefgh", start=1)})
    with pytest.raises(errors.DataError, match="such as 'h', 'g', 'f', 'e', 'd'; at most"):
        check_coverage(counts, SMALL, Path("v"), "mend it")


def test_an_allowed_share_may_be_missing_in_addition():
    """If 30% are `[UNK]` in any case, up to 35% may be missing."""
    assert check_coverage(Counter({"to": 66, "or": 34}), SMALL, Path("v"), "mend it", allowed=0.3) == 0.34
    with pytest.raises(errors.DataError, match=r"v lacks 36\.0% of .* at most 35% may be missing"):
        check_coverage(Counter({"to": 64, "or": 36}), SMALL, Path("v"), "mend it", allowed=0.3)
