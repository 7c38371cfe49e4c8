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
    """The texts of which an index is built from here on."""
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
    """Texts are compared as the tokenizer has them: in its case, and a spaced one with one blank between tokens."""
    index = open_copy_index(section, make_tokenizer(name, lowercase), cache)
    assert index.text == text
    assert index.contains(text[3:40])
    assert same(index, CopyIndex.build(text))


@pytest.mark.parametrize("name", ["char", "word", "spaced"])
def test_a_long_text_is_put_together(tmp_path, cache, name):
    """A text that is read in many pieces is the same text, blank lines and all."""
    text = "".join(f"line {number} of many\n{' ' * (number % 7)}\n" for number in range(4000))
    index = open_copy_index(write_section(tmp_path / "long.txt", text), make_tokenizer(name), cache)
    assert index.text == (" ".join(text.split()) if name == "spaced" else text)


def test_only_the_section_counts(tmp_path, cache):
    """What is outside the section is not in the index."""
    index = open_copy_index(write_section(tmp_path / "book.txt", TEXT, 3, 30), CHAR, cache)
    assert index.text == TEXT[3:30]


def test_the_second_call_takes_the_cache(section, cache, built):
    """What is built once is not built again, whichever model asks, and cannot be written to."""
    first = open_copy_index(section, CHAR, cache)
    second = open_copy_index(section, make_tokenizer("word"), cache)
    assert built == [TEXT]
    assert same(first, second)
    assert not second.keys.flags.writeable
    assert len(list(cache.iterdir())) == 1


def test_another_text_has_another_index(tmp_path, cache, built):
    """A text that has changed, by one letter or in its case, is never answered for from the old index."""
    texts = [TEXT, TEXT.replace("wisdom", "Wisdom"), TEXT[:-1], TEXT.lower()]
    for text in texts:
        assert open_copy_index(write_section(tmp_path / "book.txt", text), CHAR, cache).text == text
    assert built == texts
    assert len(list(cache.iterdir())) == len(texts)


def test_a_damaged_index_is_built_again(section, cache, built):
    """A file that is not as it was written is noticed, and replaced by a good one."""
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
    """A section with hardly a key, or none, is kept and found again like any other."""
    section = write_section(tmp_path / "a.txt", text or "abc", 0, len(text))
    for _ in range(2):
        assert open_copy_index(section, CHAR, cache).longest_copy("a short text") == longest
    assert built == [text]


def test_a_text_that_cannot_be_read_is_its_own_error(section, cache):
    """The error is that of reading the text, and nothing is kept."""
    section.paths[0].write_bytes(b"It was\n\xff")
    with pytest.raises(DataError, match=r"book\.txt is not valid utf-8 at byte 7 \(line 2\)"):
        open_copy_index(section, CHAR, cache)
    section.paths[0].unlink()
    with pytest.raises(MissingError, match=r"cannot read .*book\.txt"):
        open_copy_index(section, CHAR, cache)
    assert not list(cache.iterdir())


def test_a_text_that_changed_has_no_index(section, cache):
    """A text that is rewritten after it was hashed, when it was known to be the training text, is refused."""
    section.paths[0].write_text(TEXT.replace("best", "rest"))
    with pytest.raises(DataError, match="the text changed while it was read"):
        open_copy_index(section, CHAR, cache)
    assert not list(cache.iterdir())
