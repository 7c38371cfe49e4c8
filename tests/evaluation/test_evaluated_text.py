from pathlib import Path

import numpy as np
import pytest

from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.sections import open_whole
from textgen.errors import DataError, MissingError, UsageError
from textgen.evaluation import evaluated_text
from textgen.evaluation.evaluated_text import count_text, open_files

LETTERS = Vocabulary(("", "[UNK]", *"\nabc "), make_tokenizer("char"))
WORDS = Vocabulary(("", "[UNK]", " ", "\n", "one", "two", "three"), make_tokenizer("word"))


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(text, vocabulary=LETTERS):
    Path("text.txt").write_text(text, encoding="utf-8")
    return count_text(open_whole([Path("text.txt")], unwrap="no"), vocabulary)


@pytest.mark.parametrize("size", [1, 2, 7, 29, 30, 100])
@pytest.mark.parametrize("overlap", [0, 1, 5, 50])
def test_blocks_cover_the_text_once(size, overlap, monkeypatch):
    """Without what they repeat, the blocks are the text, and they repeat exactly the end of what came before."""
    monkeypatch.setattr(evaluated_text, "_CHARACTERS_AT_ONCE", 6)
    text = opened("abc cab\nbca\na\nbb cc aa bca\nabc")
    ids = np.array(LETTERS.encode(Path("text.txt").read_text()))
    place = 0
    for block in text.blocks(size, overlap):
        assert block.overlap == min(overlap, place)
        new = len(block.ids) - block.overlap
        assert 0 < new <= size
        np.testing.assert_array_equal(block.ids, ids[place - block.overlap : place + new])
        assert len(block.lengths) == len(block.ids)
        place += new
    assert place == len(ids) == text.tokens == 30


def test_the_lengths_are_those_of_the_tokens():
    """The lengths of words, spaces and unknown words sum to the characters of the text."""
    text = opened("one two\nthirteen three ", WORDS)
    [block] = text.blocks(100, 0)
    assert block.lengths.tolist() == [3, 1, 3, 1, 8, 1, 5, 1]
    assert text.characters_per_token == 23 / 8


def test_unknown_tokens_are_counted_and_listed():
    """The share is that of all tokens, and the most frequent unknown token comes first."""
    text = opened("aayzzbbb\n")
    assert text.unknown == ("z", "y")
    assert text.unknown_share == pytest.approx(3 / 9)


@pytest.mark.parametrize("text", ["a", "\n"])
def test_a_text_of_one_token_is_refused(text):
    """The first token is not predicted, so nothing would be evaluated."""
    with pytest.raises(DataError, match=r"text\.txt is too short to evaluate"):
        opened(text)


def test_files_are_opened_as_one_text():
    """Several files and folders are one text, with a line break after each file."""
    Path("folder").mkdir()
    Path("folder/one.txt").write_text("ab")
    Path("two.txt").write_text("ca")
    section = open_files(["folder", "two.txt"], encoding="utf-8", unwrap="no")
    assert "".join(section.chunks()) == "ab\nca"


def test_files_that_cannot_be_evaluated_on_are_refused():
    """An empty file, a missing file and the folder of a split corpus are refused with what to do."""
    Path("empty.txt").touch()
    with pytest.raises(DataError, match=r"empty\.txt is empty"):
        open_files(["empty.txt"], encoding="utf-8", unwrap="no")
    with pytest.raises(MissingError, match=r"absent\.txt"):
        open_files(["absent.txt"], encoding="utf-8", unwrap="no")
    for part in ("train", "valid"):
        Path(f"x.{part}.txt").write_text("abc\n")
    with pytest.raises(UsageError, match=r"split into parts: name the file .*x\.valid\.txt"):
        open_files(["."], encoding="utf-8", unwrap="no")
