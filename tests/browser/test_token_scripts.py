import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation.prompt import read_prompt
from textgen.generation.spacing import Spacing
from textgen.generation.text_tokens import split_text

pytestmark = pytest.mark.browser

TOKENS = {
    "char": list("\n abcdeghilmnorstu.,;:!?\u2019\u201c\u201d\u2014-\u00e9\u00df\u03c3\u03c2i\u0307k"),
    "word": [
        "\n",
        " ",
        "don\u2019t",
        "caf\u00e9",
        "the",
        "a",
        ",",
        ".",
        "\u201c",
        "\u201d",
        "\u2014",
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u03c3\u03bf\u03c6\u03cc\u03c2",
        "x",
    ],
    "spaced": [".", ",", "do", "n't", "the", "don", "'", "t", '"', "``", "cafe\u0301", "--", "x", "o'clock", "\u2019s"],
}
"""A small vocabulary for each kind of model, so that prompts have known and unknown tokens."""

VOCABULARIES = {
    f"{name} {version} {'lower' if lowercase else 'as it is'}": Vocabulary(
        ("", "[UNK]", *dict.fromkeys(TOKENS[name])), make_tokenizer(name, lowercase, version)
    )
    for name, versions in {"char": [1], "word": [1, 2], "spaced": [1]}.items()
    for version in versions
    for lowercase in (False, True)
}
VOCABULARIES["German quotes"] = Vocabulary(
    ("", "[UNK]", *"\n aeinrst.,\u201e\u201c\u201a\u2018-"), make_tokenizer("char")
)
"""A language that closes with the quotes that English opens with."""

NASTY = [
    *TOKENS["word"], *TOKENS["spaced"], *TOKENS["char"], "\r\n", "\r", "\ufeff", "\t", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028",
    "\u200b", "\u200c", "\u200d", "\u3000", "_", "\u00b2", "\u00bd", "\u2167", "\u4e00", "\u0660", "\u0130", "\u03a3", "\u1e9e", "\ufb01",
    "\u0301", "\u20dd", "\u0903", "\u0489", "\U0001f600", "\U0001d7d8", "\U000e0100", "\U00016fe4", "'", "`", "\u2032", "\u2033", "\u00ab",
    "\u203a", "--", "---", "\u2012", "\u2212", "<unk>", "[UNK]", "[unk]", "e\u0301", "\uac00", "\u1100\u1161", "\u24d0", "\u2139", "\u216f", "<", "$5",
]  # fmt: skip
"""Pieces where JavaScript's ideas of letters, spaces and cases differ from Python's, or nearly."""

texts = st.lists(
    st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=3)), max_size=12
).map("".join)
"""Texts without lone surrogates, and without characters that this Python does not know yet."""

START = (
    "(all) => { window.vocabularies = Object.fromEntries(Object.entries(all).map(([k, v]) => [k, new Vocabulary(v)])) }"
)
READ = """([name, texts]) => texts.map((text) => {
  const vocabulary = vocabularies[name];
  const prompt = vocabulary.readPrompt(text);
  return [prompt.text, prompt.ids, [...vocabulary.unknown(prompt.text)], vocabulary.splitText(text).map(({text, id}) => [text, id])];
})"""


@pytest.fixture(scope="module")
def vocabularies(scripts):
    scripts.evaluate(START, {name: vocabulary.to_json() for name, vocabulary in VOCABULARIES.items()})
    return scripts


@pytest.mark.parametrize("name", VOCABULARIES)
def test_texts_are_split_as_in_python(name, vocabularies):
    """Prompts are respelled and split into the same tokens, and texts into the same pieces, for every kind of model."""
    vocabulary = VOCABULARIES[name]

    def in_python(text):
        prompt = read_prompt(text, vocabulary)
        unknown = vocabulary.unknown(prompt.tokens)
        ids = vocabulary.ids(token for token in prompt.tokens if token not in unknown)
        split = split_text(text, vocabulary)
        return [prompt.text, ids, unknown, [list(pair) for pair in zip(split.pieces, split.ids, strict=True)]]

    @given(st.lists(texts, min_size=20, max_size=60))
    @settings(max_examples=10)
    def check(some):
        for text, found in zip(some, vocabularies.evaluate(READ, [name, some]), strict=True):
            assert found == in_python(text), text

    check()


def test_every_character_is_of_the_same_class(vocabularies):
    """Every character that this Python knows ends a word, continues it or separates it in both languages."""
    characters = [
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in {"Cs", "Cn"}
    ]
    for name in ("word 1 as it is", "word 2 as it is", "spaced 1 as it is"):
        vocabulary = VOCABULARIES[name]
        texts = [f"a{character}b" for character in characters]
        found = vocabularies.evaluate(
            "([name, texts]) => texts.map((text) => vocabularies[name].splitText(text).map(({text}) => text.length).join())",
            [name, texts],
        )
        for text, lengths in zip(texts, found, strict=True):
            pieces = split_text(text, vocabulary).pieces
            assert lengths == ",".join(str(len(piece.encode("utf-16-le")) // 2) for piece in pieces), ascii(text)


def test_every_character_has_the_same_lower_case(vocabularies):
    """Every character that this Python knows has the same lower case."""
    characters = [
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in {"Cs", "Cn"}
    ]
    found = vocabularies.evaluate("(all) => all.map((each) => each.toLowerCase())", characters)
    assert found == [character.lower() for character in characters]


@given(st.text(max_size=20) | texts, st.lists(st.sampled_from(NASTY) | st.text(min_size=1, max_size=3), max_size=20))
@settings(max_examples=60)
def test_pretokenized_text_is_joined_as_in_python(vocabularies, before, tokens):
    """The joiner of printed English gives the same text, and looking ahead does not change it."""
    before, tokens = (text.encode(errors="ignore").decode() for text in (before, "\0".join(tokens)))
    tokens = tokens.split("\0")
    joiner = make_tokenizer("spaced").joiner(before)
    found = vocabularies.evaluate(
        """([before, tokens]) => {
          const joiner = vocabularies["spaced 1 as it is"].joiner(before);
          return tokens.map((token) => [joiner.copy().add(token), joiner.add(token)]);
        }""",
        [before, tokens],
    )
    assert found == [[text, text] for text in map(joiner.add, tokens)]


@pytest.mark.parametrize("after", [{}, {" ": [","], "\n": ["\n", " "]}, {"\u2003": []}])
@pytest.mark.parametrize("tokens", [[" ", "\n", "\u2003", ",", ".", "a", "?!"], [" ", "\n", "\u2003", ",", "."]])
def test_spacing_is_guarded_as_in_python(tokens, after, vocabularies):
    """After each token, the same punctuation and white space is forbidden."""
    vocabulary = ["", "[UNK]", *tokens]
    logits = np.arange(len(vocabulary), dtype=np.float32)[np.newaxis].repeat(len(vocabulary), axis=0)
    Spacing(vocabulary, after)(logits, np.arange(len(vocabulary)))
    found = vocabularies.evaluate(
        """([tokens, after]) => tokens.map((_, previous) => {
          const logits = tokens.map((_, id) => id);
          new Spacing(tokens, after).apply(logits, previous);
          return logits.map((x) => x === -Infinity ? null : x);
        })""",
        [vocabulary, after],
    )
    assert found == [[None if np.isneginf(x) else x for x in row] for row in logits.tolist()]
