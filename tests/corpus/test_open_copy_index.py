import numpy as np
import pytest

from tests.sections import write_section
from textgen.corpus import make_tokenizer
from textgen.corpus.copy_index import CopyIndex, open_copy_index
from textgen.errors import DataError, MissingError

TEXT = "It was the best of times, it was the Worst of times,\nit was the age of wisdom ...\n"
CHAR = make_tokenizer("char")


@pytest.fixture
def section(tmp_path):
    return write_section(tmp_path / "book.txt", TEXT)


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / "copies"
    path.mkdir()
    return path


@pytest.fixture
def built(monkeypatch):
    """Records the texts for which an index is built."""
    texts: list[str] = []
    build = CopyIndex.build

    def note(text):
        texts.append(text)
        return build(text)

    monkeypatch.setattr(CopyIndex, "build", note)
    return texts


def same(first, second):
    return first.text == second.text and np.array_equal(first.keys, second.keys)


@pytest.mark.parametrize(
    ("name", "lowercase", "text"),
    [
        ("char", False, TEXT),
        ("char", True, TEXT.lower()),
        ("word", False, TEXT),
        ("word", True, TEXT.lower()),
        ("spaced", False, "It was the best of times, it was the Worst of times, it was the age of wisdom ..."),
        ("spaced", True, "it was the best of times, it was the worst of times, it was the age of wisdom ..."),
    ],
)
def test_the_text_is_that_of_the_tokens(section, cache, name, lowercase, text):
    """The indexed text has the tokenizer's case and, if it is pre-tokenized, one space between tokens."""
    index = open_copy_index(section, make_tokenizer(name, lowercase), cache)
    assert index.text == text
    assert index.contains(text[3:40])
    assert same(index, CopyIndex.build(text))


@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_a_long_text_is_put_together(tmp_path, cache, name):
    """A text that is read in many pieces is indexed whole, including blank lines."""
    text = "".join(f"line {number} of many\n{' ' * (number % 7)}\n" for number in range(4000))
    index = open_copy_index(write_section(tmp_path / "long.txt", text), make_tokenizer(name), cache)
    assert index.text == (" ".join(text.split()) if name == "spaced" else text)


def test_only_the_section_counts(tmp_path, cache):
    """The index contains the section only."""
    index = open_copy_index(write_section(tmp_path / "book.txt", TEXT, 3, 30), CHAR, cache)
    assert index.text == TEXT[3:30]


def test_the_second_call_takes_the_cache(section, cache, built):
    """An index is built once for all models of a text, and is read-only."""
    first = open_copy_index(section, CHAR, cache)
    second = open_copy_index(section, make_tokenizer("word"), cache)
    assert built == [TEXT]
    assert same(first, second)
    assert not second.keys.flags.writeable
    assert len(list(cache.iterdir())) == 1


def test_another_text_has_another_index(tmp_path, cache, built):
    """A text that has changed, even by one letter or only in case, gets a new index."""
    texts = [TEXT, TEXT.replace("wisdom", "Wisdom"), TEXT[:-1], TEXT.lower()]
    for text in texts:
        assert open_copy_index(write_section(tmp_path / "book.txt", text), CHAR, cache).text == text
    assert built == texts
    assert len(list(cache.iterdir())) == len(texts)


def test_a_damaged_index_is_built_again(section, cache, built):
    """A damaged file is replaced."""
    open_copy_index(section, CHAR, cache)
    (path,) = cache.iterdir()
    good = path.read_bytes()
    path.write_bytes(bytes(len(good)))
    index = open_copy_index(section, CHAR, cache)
    assert built == [TEXT, TEXT]
    assert index.longest_copy("in the age of wisdom") == " the age of wisdom"
    assert path.read_bytes() == good


@pytest.mark.parametrize(("text", "longest"), [("", ""), ("a short", "a short"), ("sixteen letters.", "te")])
def test_a_text_of_few_characters_has_an_index(tmp_path, cache, built, text, longest):
    """An index of few keys, or none, is cached like any other."""
    section = write_section(tmp_path / "a.txt", text or "abc", 0, len(text))
    for _ in range(2):
        assert open_copy_index(section, CHAR, cache).longest_copy("a short text") == longest
    assert built == [text]


def test_a_text_that_cannot_be_read_is_its_own_error(section, cache):
    """The error is the reader's own, and nothing is cached."""
    section.paths[0].write_bytes(b"It was\n\xff")
    with pytest.raises(DataError, match=r"book\.txt is not valid utf-8 at byte 7 \(line 2\)"):
        open_copy_index(section, CHAR, cache)
    section.paths[0].unlink()
    with pytest.raises(MissingError, match=r"cannot read .*book\.txt"):
        open_copy_index(section, CHAR, cache)
    assert not list(cache.iterdir())


def test_a_text_that_changed_has_no_index(section, cache):
    """A text that has changed since it was hashed is refused."""
    section.paths[0].write_text(TEXT.replace("best", "rest"))
    with pytest.raises(DataError, match="the text changed while it was read"):
        open_copy_index(section, CHAR, cache)
    assert not list(cache.iterdir())
