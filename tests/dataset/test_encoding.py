from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.sections import write_section
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.corpus.vocabulary import keep_most_frequent
from textgen.dataset import encode, encoding
from textgen.errors import DataError, MissingError

TOKENIZERS = ["char", "word", "spaced"]
ODD = [
    "e\u0301",  # a combining accent
    "\u0301",
    "👩\u200d👧",  # a joined emoji
    "🏳️",
    "\u2003",  # an em space
    "\u0085",  # white space, which some programs take for a line end
    "\u2028",
    "\u00a0",
    "\x1c",
    "\x0b",
    "漢字",
    "한글",
    "<unk>",
    "[UNK]",
    "[unk]",
    "don't",
    "İ",  # two characters when lower-cased
    "ΑΣ",  # lower-cased differently if letters follow
    "ß",
    "\n",
    "  ",
    ".",
    "0",
]
ANY_TEXT = st.lists(
    st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    max_size=20,
).map("".join)


def in_file(text: str) -> str:
    """Removes what a file's text cannot contain: carriage returns and byte order marks."""
    return text.replace("\r", "").replace("\ufeff", "")


def vocabulary_of(text: str, name: str = "char", *, lowercase: bool = False, size: int | None = None) -> Vocabulary:
    tokenizer = make_tokenizer(name, lowercase)
    return keep_most_frequent(Counter(tokenizer.split(text)), tokenizer, size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("encoding")


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / "ids"
    path.mkdir()
    return path


@given(text=ANY_TEXT, other=ANY_TEXT, lowercase=st.booleans(), size=st.none() | st.integers(1, 12))
@pytest.mark.parametrize("name", TOKENIZERS)
def test_keras_and_the_corpus_give_the_same_ids(name, text, other, lowercase, size):
    """On any text, including unknown tokens, `TextVectorization` and `Vocabulary.encode` return the same ids."""
    vocabulary = vocabulary_of(text, name, lowercase=lowercase, size=size)
    tokens = vocabulary.tokenizer.split(text + other)
    assume(vocabulary.size > 2)
    layer = encoding.vectorization(vocabulary)
    assert layer("\0".join(tokens)).numpy().tolist() == vocabulary.encode(text + other)
    assert layer.get_vocabulary() == list(vocabulary.tokens)


@settings(max_examples=12)
@given(text=ANY_TEXT.map(in_file), size=st.none() | st.integers(1, 6), data=st.data())
@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_ids_on_disk_are_those_in_memory(folder, name, text, size, data):
    """However small the chunks in which a section is read, its ids are those of the whole section, in order."""
    lowercase = data.draw(st.booleans())
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    vocabulary = vocabulary_of(text, name, lowercase=lowercase, size=size)
    assume(vocabulary.size > 2)
    section = write_section(folder / "text.txt", text, start, stop)
    expected = vocabulary.encode(text[start:stop])
    with pytest.MonkeyPatch.context() as patch:
        for characters in (1, data.draw(st.integers(2, 9))):
            patch.setattr(encoding, "CHUNK_CHARACTERS", characters)
            for old in folder.glob("*.uint*"):
                old.unlink()
            if expected:
                assert encode(section, vocabulary, folder)[:].tolist() == expected
            else:
                with pytest.raises(DataError, match="has no tokens"):
                    encode(section, vocabulary, folder)


def test_a_long_text_keeps_the_order_of_its_chunks(tmp_path, cache, monkeypatch):
    """Chunks are encoded in parallel, but their ids are in the order of the text."""
    monkeypatch.setattr(encoding, "CHUNK_CHARACTERS", 50)
    text = "".join(f"line {number} of many\n" for number in range(1000))
    vocabulary = vocabulary_of(text)
    ids = encode(write_section(tmp_path / "a.txt", text), vocabulary, cache)
    assert vocabulary.decode(ids[:]) == text


@pytest.mark.parametrize(
    ("size", "dtype"), [(3, "uint8"), (256, "uint8"), (257, "uint16"), (65536, "uint16"), (65537, "uint32")]
)
def test_the_type_is_the_smallest_that_holds_the_vocabulary(tmp_path, cache, size, dtype):
    """The ids have the smallest unsigned type that fits the largest one."""
    tokens = [chr(0x10000 + number) for number in range(size - 2)]
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("char"))
    ids = encode(write_section(tmp_path / "a.txt", tokens[-1] + "?" + tokens[0]), vocabulary, cache)
    assert ids.dtype == np.dtype(dtype)
    assert ids[:].tolist() == [size - 1, 1, 2]
    assert [path.stat().st_size for path in cache.iterdir()] == [3 * ids.dtype.itemsize + 32]  # and a hash


def test_texts_of_equal_length_have_their_own_ids(tmp_path, cache):
    """Two texts with the same start and length, such as a validation and a test text, have separate arrays."""
    vocabulary = vocabulary_of("abc")
    texts = {name: write_section(tmp_path / name, text) for name, text in (("valid", "abcab"), ("test", "ccccc"))}
    assert encode(texts["valid"], vocabulary, cache)[:].tolist() == vocabulary.encode("abcab")
    assert encode(texts["test"], vocabulary, cache)[:].tolist() == vocabulary.encode("ccccc")


def test_equal_texts_share_their_ids(tmp_path, cache):
    """Equal texts share an array, whatever file they are in and wherever they start."""
    vocabulary = vocabulary_of("abc")
    for section in (write_section(tmp_path / "a", "abc"), write_section(tmp_path / "b", "ccabcb", 2, 5)):
        assert encode(section, vocabulary, cache)[:].tolist() == vocabulary.encode("abc")
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("changed", ["abcab\n" * 99, "abcab\n" * 50 + "abcba\n" + "abcab\n" * 49, "a"])
def test_a_text_that_changes_leaves_no_array(tmp_path, cache, changed):
    """A text that has changed since it was hashed is an error, and leaves nothing in the cache for the original text."""
    text = "abcab\n" * 100
    section, vocabulary = write_section(tmp_path / "a.txt", text), vocabulary_of(text)
    section.paths[0].write_text(changed)
    with pytest.raises(DataError, match="the text changed while it was read"):
        encode(section, vocabulary, cache)
    assert not list(cache.iterdir())
    section.paths[0].write_text(text)
    assert encode(section, vocabulary, cache)[:].tolist() == vocabulary.encode(text)


def test_a_damaged_array_is_made_again(tmp_path, cache):
    """A cached array that differs in any way from what was written is replaced."""
    tokens = [chr(0x4E00 + number) for number in range(300)]
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("char"))
    section = write_section(tmp_path / "a.txt", "".join(tokens))
    encode(section, vocabulary, cache)
    (path,) = cache.iterdir()
    good = path.read_bytes()
    path.write_bytes(bytes(len(good)))
    assert encode(section, vocabulary, cache)[:].tolist() == list(range(2, 302))
    assert path.read_bytes() == good


def test_the_second_call_reads_the_cache_alone(tmp_path, cache):
    """An encoded text is not read again, and may even have been deleted."""
    section, vocabulary = write_section(tmp_path / "a.txt", "abcab"), vocabulary_of("abc")
    first = encode(section, vocabulary, cache)
    section.paths[0].unlink()
    second = encode(section, vocabulary, cache)
    assert first[:].tolist() == second[:].tolist() == vocabulary.encode("abcab")


def test_whatever_decides_the_ids_names_the_file(tmp_path, cache):
    """Each combination of section, vocabulary and tokenizer has its own array."""
    section, vocabulary = write_section(tmp_path / "a.txt", "abcab"), vocabulary_of("abc")
    cases = [
        (section, vocabulary),
        (write_section(tmp_path / "a.txt", "abcab", 1, 5), vocabulary),
        (write_section(tmp_path / "a.txt", "abcab", 0, 4), vocabulary),
        (section, vocabulary_of("ab")),
        (section, vocabulary_of("cba", size=3)),  # the same as the first
        (section, Vocabulary(("", "[UNK]", "c", "b", "a"), vocabulary.tokenizer)),
        (section, vocabulary_of("abc", lowercase=True)),
        (section, vocabulary_of("a b c", "spaced")),
    ]
    for case in cases:
        assert encode(*case, cache)[:].tolist() == case[1].encode("abcab"[case[0].start : case[0].stop])
    assert len(list(cache.iterdir())) == len(cases) - 1


@pytest.mark.parametrize("text", ["", " \n \n"])
def test_a_section_without_tokens_is_refused(tmp_path, cache, text):
    """A section that is empty, or only contains what the tokenizer drops, is an error."""
    section = write_section(tmp_path / "a.txt", text or "abc", 0, len(text))
    with pytest.raises(DataError, match=r"a\.txt has no tokens; give more text"):
        encode(section, vocabulary_of("a b c", "spaced"), cache)
    assert not list(cache.iterdir())


def test_a_text_that_cannot_be_read_is_its_own_error(tmp_path, cache, capfd):
    """If the text cannot be read, the error is the reader's own, without TensorFlow's traceback, and no array is left."""
    vocabulary = vocabulary_of("abc")
    section = write_section(tmp_path / "bad.txt", "abc\n" * 100)
    section.paths[0].write_bytes(b"abc\n" * 99 + b"\xff\n")
    with pytest.raises(DataError, match=r"bad\.txt is not valid utf-8 at byte 396 \(line 100\)"):
        encode(section, vocabulary, cache)
    section.paths[0].unlink()
    with pytest.raises(MissingError, match=r"cannot read .*bad\.txt"):
        encode(section, vocabulary, cache)
    assert not list(cache.iterdir())
    assert "Traceback" not in capfd.readouterr().err
