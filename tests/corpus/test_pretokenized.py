# ruff: noqa: RUF001 - typographic apostrophes are tested, too
import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import UNKNOWN, make_tokenizer, pretokenized

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
TEXTS = st.text(st.one_of(st.sampled_from("\r\n \t\u2003'’_-aé9\u0301🙂"), st.characters(exclude_categories=["Cs"])))


def test_spaced_splits_at_white_space():
    """The text is split at any white space, including line breaks, and its `<unk>` is `[UNK]`."""
    assert make_tokenizer("spaced").split(" the <unk>\n. ") == ["the", UNKNOWN, "."]


@pytest.mark.parametrize(
    ("spaced", "printed"),
    [
        ("he came , saw ; and : ran !", "he came, saw; and: ran!"),
        ("the club - all ( of it ) [ 5 ] - left .", "the club - all (of it) [5] - left."),
        ('" very well , " said he . " and you ? "', '"very well," said he. "and you?"'),
        ("it ' s eight o ' clock , don ' t we ' ll see", "it's eight o'clock, don't we'll see"),
        ("i do n't , he 's n't 'll ca n’t", "i don't, he'sn't'll can’t"),
        ("the sailors ' hats ; m ' nicholl and d ' avezac", "the sailors' hats; m'nicholl and d'avezac"),
        ("\" ' here , ' \" said he", "\"'here,'\" said he"),
        ("he said : ' why ? ' ' because . '", "he said: 'why?' 'because.'"),
        ("“ it ’ s ‘ here ’ , ” he said", "“it’s ‘here’,” he said"),
        ("`` well '' , $ 5 and 10 % … yes", "``well'', $5 and 10%… yes"),
        ("the <unk> ' s <unk> , <unk>", "the [UNK]'s [UNK], [UNK]"),
        ("\ntwo \n lines", "two lines"),
    ],
)
def test_spaced_joins_as_in_print(spaced, printed):
    """Punctuation, quotes and apostrophes get the spacing of printed English."""
    tokenizer = make_tokenizer("spaced")
    assert tokenizer.join(tokenizer.split(spaced)) == printed


@pytest.mark.parametrize(
    ("before", "token", "text"),
    [
        ("", "the", "the"),
        ("the captain", "said", " said"),
        ("the captain", ",", ","),
        ("the captain ", "said", "said"),
        ("the captain\n", "said", "said"),
        ("the captain", '"', ' "'),
        ('"come', '"', '"'),
        ('" come , " he said , "', "go", "go"),
        ('" come , " he said , "go', '"', '"'),
        ('"', "come", "come"),
        ("(", "see", "see"),
        ("the captain '", "s", "s"),
        ("the captain'", "s", "s"),
        ("don't", "go", " go"),
        ("café '", "s", "s"),
        ("cafe\u0301 '", "s", "s"),
        ("'why?", "'", "'"),
        ("he asked,", "'", " '"),
    ],
)
def test_spaced_continues_a_prompt(before, token, text):
    """The spacing of the first token depends on the last character of the prompt, and on the quotations that are open in it."""
    assert make_tokenizer("spaced").joiner(before).add(token) == text


@given(text=TEXTS, data=st.data())
def test_spaced_joins_token_by_token_as_at_once(text, data):
    """Joining token by token gives the same text as joining all at once; no token is lost or changed."""
    tokenizer = make_tokenizer("spaced")
    tokens = data.draw(st.lists(st.sampled_from([*tokenizer.split(text), *"\"'’,.([a", "s", "o"]), max_size=20))
    joiner = tokenizer.joiner()
    pieces = [joiner.add(token) for token in tokens]
    assert "".join(pieces) == tokenizer.join(tokens)
    assert [piece.strip(" ") for piece in pieces] == tokens


def test_spaced_prints_jules():
    """A real corpus is printed like a book: no space before a comma or full stop, and no space inside quotes."""
    path = CORPORA / "jules" / "jules.train.txt"
    if not path.is_file():
        pytest.skip("the corpora are not here")
    tokenizer = make_tokenizer("spaced")
    lines = [tokenizer.join(tokenizer.split(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    assert not [line for line in lines if " ," in line or " ." in line]
    assert '"be so good as to play, mr. stuart," said phileas fogg.' in lines
    assert [line for line in lines if line.startswith('"it\'s absurd!" cried stuart, who')]


def test_examples_in_docstrings():
    """The example in the docstring is correct."""
    assert doctest.testmod(pretokenized).failed == 0
