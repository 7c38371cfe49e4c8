# ruff: noqa: RUF001 - typographic apostrophes are tested, too
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sections import write_section
from textgen import errors
from textgen.corpus import Section, make_tokenizer, sections
from textgen.corpus.sections import read_files

PLAIN = st.characters(codec="utf-8", exclude_characters="\0\r\ufeff")
LINES = st.text(st.one_of(st.sampled_from("\n\n  \t\u2003'’aΣ.İ-"), PLAIN), min_size=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("section")


@given(text=LINES, data=st.data(), characters=st.integers(1, 12))
def test_chunks_make_up_the_section(folder, text, data, characters):
    """The pieces of a section, of any size, make up its text."""
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    section = write_section(folder / "a.txt", text, start, stop)
    assert "".join(section.chunks(characters)) == text[start:stop]
    assert section.characters == stop - start


@given(text=LINES, characters=st.integers(1, 12), lowercase=st.booleans())
@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_chunks_can_be_tokenised_one_by_one(folder, name, text, characters, lowercase):
    """Every tokenizer splits the pieces into the same tokens as the whole text."""
    tokenizer = make_tokenizer(name, lowercase)
    section = write_section(folder / "b.txt", text)
    pieces = [token for chunk in section.chunks(characters) for token in tokenizer.split(chunk)]
    assert pieces == tokenizer.split(text)


def test_chunks_end_after_a_line_break(folder):
    """If the text has lines, every piece except the last ends with a line break."""
    text = "a line of words\n" * 100
    chunks = list(write_section(folder / "c.txt", text).chunks(50))
    assert len(chunks) > 30
    assert all(chunk.endswith("\n") for chunk in chunks)


def test_chunks_of_a_single_line_end_before_spaces(folder):
    """Without line breaks, a piece ends before white space, and never inside a run of it."""
    text = "some  words   " * 100
    chunks = list(write_section(folder / "d.txt", text).chunks(50))
    assert len(chunks) > 20
    assert all(chunk[0] == " " and not chunk[-1].isspace() for chunk in chunks[1:-1])


def test_chunks_of_an_endless_word_are_bounded(folder, monkeypatch):
    """A text without a good place to cut is cut anywhere, so that memory stays bounded."""
    monkeypatch.setattr(sections, "_REACH", 100)
    text = "x" * 1000
    chunks = list(write_section(folder / "e.txt", text).chunks(50))
    assert "".join(chunks) == text
    assert max(map(len, chunks)) <= 200


def test_the_first_characters_are_a_section(folder):
    """They end after a line break, can be read on their own, and are as long as asked for, about; a short section is returned whole."""
    text = "a line of words\n" * 100
    section = write_section(folder / "f.txt", text, 16, 1600)
    first = section.first(50)
    assert "".join(first.chunks(20)) == text[16 : first.stop]
    assert (first.start, first.stop % 16) == (16, 0)
    assert 50 <= first.characters < 100
    assert section.first(1584) is section
    assert write_section(folder / "g.txt", "x" * 5000).first(50).characters == 50


def test_files_are_joined_at_line_breaks(tmp_path):
    """A file without a last line break gets one before the next; the last file does not."""
    texts = ["one", "two\n", "three\r\n", "four"]
    paths = [write_section(tmp_path / f"{number}.txt", text).paths[0] for number, text in enumerate(texts)]
    assert "".join(read_files(paths, "utf-8")) == "one\ntwo\nthree\nfour"
    inner = "e\ntwo\nthree\nfo"
    section = Section(tuple(paths), "utf-8", 2, 16, hashlib.sha256(inner.encode()).hexdigest())
    assert "".join(section.chunks(3)) == inner


def test_each_file_is_unwrapped_to_its_own_width(tmp_path):
    """Only files with a width are unwrapped, and no line is joined to a line of the next file."""
    texts = ["a line of several words\nand more of them", "and more\n", "a line of several words\nand more of them\n"]
    paths = tuple(write_section(tmp_path / f"{number}.txt", text).paths[0] for number, text in enumerate(texts))
    text = f"{texts[0]}\n{texts[1]}a line of several words and more of them\n"
    assert "".join(read_files(paths, "utf-8", 3, (0, 0, 24))) == text
    text = "a line of several words and more of them\nand more\n" * 2
    assert "".join(read_files([*paths[:2], *paths[:2]], "utf-8", 3, (24, 0, 24, 24))) == text
    inner = text[10:60]
    section = Section(paths[:2] * 2, "utf-8", 10, 60, hashlib.sha256(inner.encode()).hexdigest(), (24, 0, 24, 24))
    assert "".join(section.chunks(7)) == inner


def test_an_empty_file_is_refused_by_name(tmp_path):
    """The error names the one empty file."""
    paths = [write_section(tmp_path / name, text).paths[0] for name, text in (("full.txt", "x"), ("void.txt", ""))]
    with pytest.raises(errors.DataError, match=r"void\.txt is empty"):
        list(read_files(paths, "utf-8"))


@pytest.mark.parametrize(
    "change",
    [lambda text: text[:-1], lambda text: text[1:], lambda text: text.replace("middle", "muddle"), lambda _: "x"],
    ids=["cut off", "moved", "a letter", "another text"],
)
def test_a_text_that_changed_is_refused(tmp_path, change):
    """If the text is no longer the one that was hashed, reading it to the end raises an error."""
    text = "the beginning\n" * 100 + "the middle\n" + "the end\n" * 100
    section = write_section(tmp_path / "a.txt", text)
    (tmp_path / "a.txt").write_text(change(text))
    with pytest.raises(errors.DataError, match=r"^the text changed while it was read \([^\n]*a\.txt\)[^\n]*$"):
        list(section.chunks(50))


def test_what_changed_outside_a_section_does_not_matter(tmp_path):
    """Changes after the end of a section, or of the same length before its start, do not matter."""
    section = write_section(tmp_path / "a.txt", "one\ntwo\nthree\n", 4, 8)
    (tmp_path / "a.txt").write_text("ONE\ntwo\nthree\nfour\n")
    assert list(section.chunks()) == ["two\n"]
