# ruff: noqa: RUF001 - quotes and dashes as in print
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation.prompt import read_prompt

LETTERS = f"{string.ascii_letters} \n,."


def vocabulary(text, name="char", lowercase=False):
    """The vocabulary of a text; that of characters has all letters, too."""
    tokenizer = make_tokenizer(name, lowercase)
    tokens = tokenizer.split(text + LETTERS if name == "char" else text)
    return Vocabulary(("", "[UNK]", *dict.fromkeys(tokens)), tokenizer)


@pytest.mark.parametrize(
    ("known", "typed", "read"),
    [
        pytest.param("“”‘’", "\"I don't,\" he said, \"'tis 'so'\"", "“I don’t,” he said, “‘tis ‘so’”", id="English"),
        pytest.param("“”’", "'no', it's \"so\" (\"so\")", "’no’, it’s “so” (“so”)", id="no opening single quote"),
        pytest.param("\"'", "“I don’t,” he said, „so“ «so» ‘so’", "\"I don't,\" he said, \"so\" \"so\" 'so'", id="straight"),
        pytest.param("„“‚‘", "\"Ich 'bin' es\"", "„Ich ‚bin‘ es“", id="German"),
        pytest.param("«»’", "\"J'ai\"", "«J’ai»", id="French"),
        pytest.param("`'", "‘so’ ´so´", "'so' 'so'", id="no grave accent for a quote"),
        pytest.param("’", "don´t donʼt don`t don′t", "don’t don’t don’t don’t", id="other apostrophes"),
        pytest.param("“”", 'So "', "So “", id="opening at the end"),
        pytest.param("“”—", '"But—" he "—so" "so"—"so"', "“But—” he “—so” “so”—“so”", id="beside a dash"),
        pytest.param("-", "so—so – so", "so--so - so", id="hyphens for dashes"),
        pytest.param("—", "so -- so--so", "so — so—so", id="dash for two hyphens"),
        pytest.param("–", "so — so", "so – so", id="en dash"),
        pytest.param("‐", "well-known", "well‐known", id="hyphen of Unicode"),
        pytest.param("éüが", unicodedata.normalize("NFD", "é ü が"), "é ü が", id="composed"),
        pytest.param(unicodedata.normalize("NFD", "éüが"), "é ü が", unicodedata.normalize("NFD", "é ü が"), id="decomposed"),
        pytest.param("é’", unicodedata.normalize("NFD", "l'été"), "l’été", id="both in a word"),
        pytest.param("", "a\t b\u00a0\n\tc", "a b \n c", id="white space"),
        pytest.param("’", "☃'☃", "☃’☃", id="beside what stays unknown"),
    ],
)  # fmt: skip
def test_a_prompt_is_read_in_the_spelling_of_the_text(known, typed, read):
    """A quote, a dash, an accent or white space that the vocabulary has only otherwise is read as it has it; the rest stays."""
    prompt = read_prompt(typed, vocabulary(known))
    assert prompt.text == read
    assert prompt.tokens == tuple(read)
    assert prompt.changes


@pytest.mark.parametrize(
    ("known", "typed"),
    [
        ("'’\"“”-—", "'so' “so” \"so\" it’s it's so--so so—so"),
        ("é" + unicodedata.normalize("NFD", "é"), "é" + unicodedata.normalize("NFD", "é")),
        ("’", '☃ é — "'),
        ("", "it's"),
        ("\u0300", "\u0400"),
    ],
)
def test_what_is_known_or_has_no_other_spelling_stays(known, typed):
    """Nothing changes where the vocabulary has what was typed, nor where it has nothing in its place."""
    prompt = read_prompt(typed, vocabulary(known))
    assert (prompt.text, prompt.tokens, prompt.changes) == (typed, tuple(typed), ())


@pytest.mark.parametrize(
    ("typed", "tokens", "changes"),
    [
        ("don't", ["don’t"], ["’ for '"]),
        ('"don\'t" -- I', ["“", "don’t", "”", " ", "—", " ", "I"], ['“ for "', "’ for '", '” for "', "— for --"]),
        ("can't", ["can't"], []),
        ("I   don’t \t", ["I", " ", "don’t", " "], ["single spaces"]),
        (unicodedata.normalize("NFD", "café"), ["café"], ["accents in the Unicode form NFC"]),
    ],
)
def test_words_are_found_in_another_spelling(typed, tokens, changes):
    """For a word model it is the word that must be known, and not the apostrophe in it."""
    prompt = read_prompt(typed, vocabulary("“I don’t,” — café it's", "word"))
    assert prompt.tokens == tuple(tokens)
    assert prompt.changes == tuple(changes)


def test_a_text_in_lower_case_keeps_its_rules():
    """A prompt in capitals is looked up as the text is."""
    assert read_prompt("DON'T", vocabulary("don’t", "word", lowercase=True)).tokens == ("don’t",)


def test_a_pre_tokenized_text_has_its_own_quotes():
    """The text between spaces is split first, and then respelled."""
    prompt = read_prompt('He said, "no"', vocabulary("he He said , “ no ”", "spaced"))
    assert prompt.tokens == ("He", "said", ",", "“", "no", "”")


def test_a_mark_that_is_known_only_alone_stays_next_to_a_word():
    """If a spelling would give tokens that are just as unknown, the prompt stays as it was typed."""
    prompt = read_prompt("a—", vocabulary("a --", "spaced"))
    assert (prompt.text, prompt.tokens, prompt.changes) == ("a—", ("a", "—"), ())


def test_a_prompt_is_read_as_a_file_is():
    """A byte order mark is dropped and CRLF is LF, whether anything else changes or not."""
    assert read_prompt("\ufeffa\r\nb\r", vocabulary("\r")).text == "a\nb\r"
    assert read_prompt("\ufeffa\r\n'b'", vocabulary("’")).text == "a\n’b’"


WRAPPED = """\
The brass plate was the only part of the Company at Port Skellan in good
working order. Up out of the cove, through a trench in the shingle, came the
shore end of the great northern cable, as thick as a man's wrist and
armoured like a crocodile."""


def test_a_wrapped_prompt_is_unwrapped_if_the_text_was():
    """Then it is one line, which counts as a change, next to those of the spelling; otherwise it stays."""
    line = WRAPPED.replace("\n", " ")
    prompt = read_prompt(WRAPPED, vocabulary("'"), unwraps=True)
    assert (prompt.text, prompt.tokens, prompt.changes) == (line, tuple(line), ("one line per paragraph",))
    prompt = read_prompt(WRAPPED.replace("\n", "\r\n"), vocabulary("’"), unwraps=True)
    assert prompt.text == line.replace("'", "’")
    assert prompt.changes == ("one line per paragraph", "’ for '")
    assert read_prompt(WRAPPED, vocabulary("'")).text == WRAPPED
    assert read_prompt("a\nb", vocabulary(""), unwraps=True).text == "a\nb"


@given(
    st.text(st.sampled_from("ab'’‘\"“”„«»-–—´`é\u0301\u0300☃ \n\t")), st.text(st.sampled_from("ab'’‘\"“”-—é\u0301 "))
)
@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_a_change_never_makes_a_token_unknown(name, typed, known):
    """Whatever is typed: what the model does not know afterwards, it did not know before; and nothing changes twice."""
    words = vocabulary(known, name)
    prompt = read_prompt(typed, words)
    assert set(words.unknown(prompt.tokens)) <= set(words.unknown(words.split_prompt(typed)))
    assert read_prompt(prompt.text, words).text == prompt.text
    assert bool(prompt.changes) == (prompt.text != typed)
