import codecs
import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen import errors
from textgen.corpus.reading import read_chunks

TEXTS = st.text(st.one_of(st.sampled_from("\r\nab é"), st.characters(codec="utf-8", exclude_characters="\0\ufeff")))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("reading") / "book.txt"


def read(path, content, **options):
    path.write_bytes(content)
    return "".join(read_chunks(path, **options))


@given(text=TEXTS, characters=st.integers(1, 9), encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-16-be"]))
def test_any_text_comes_back(file, text, characters, encoding):
    """Whatever the size of the pieces, the text is the decoded file with LF for CRLF."""
    assert read(file, text.encode(encoding), encoding=encoding, characters=characters) == text.replace("\r\n", "\n")


@given(text=st.text(st.sampled_from("\r\nx"), max_size=12), characters=st.integers(1, 6))
def test_line_ends_survive_any_cut(file, text, characters):
    """CRLF becomes LF also where it is cut in two, and a lone CR stays."""
    assert read(file, text.encode(), characters=characters) == text.replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "cp1252", "utf-7"])
def test_other_encodings(file, encoding):
    """Encodings other than Unicode's are read in pieces as well."""
    text = "café, 12 £\n" if encoding == "cp1252" else "日本語\n"
    assert read(file, text.encode(encoding), encoding=encoding, characters=1) == text


def test_byte_order_mark_is_dropped(file):
    """The mark of UTF-8 is no part of the text; the same character further on is."""
    assert read(file, codecs.BOM_UTF8 + "a\ufeffb".encode(), characters=1) == "a\ufeffb"


def test_pieces_are_bounded(file):
    """No piece is much longer than asked for."""
    file.write_bytes(b"x" * 1000)
    assert max(map(len, read_chunks(file, characters=100))) <= 101


@pytest.mark.parametrize("name", ["book.txt.gz", "book.txt"])
def test_gzip_by_name_or_by_first_bytes(tmp_path, name):
    """A gzip file is unpacked whatever its name."""
    assert read(tmp_path / name, gzip.compress(b"one\r\ntwo"), characters=3) == "one\ntwo"


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda _: b"plain text", lambda data: data[:12] + b"!" * 20]
)
def test_broken_gzip(tmp_path, damage):
    """A gzip file that is cut short, is none or is garbled is refused by name."""
    with pytest.raises(errors.DataError, match=r"book\.txt\.gz is not a whole gzip file"):
        read(tmp_path / "book.txt.gz", damage(gzip.compress(bytes(range(32, 120)) * 50)))


@given(
    before=TEXTS, after=TEXTS, characters=st.integers(1, 9), bad=st.sampled_from([b"\xff", b"\xc3(", b"\xed\xa0\x80"])
)
def test_invalid_bytes_are_located(file, before, after, characters, bad):
    """The byte offset and the line of the first invalid byte are exact, wherever the pieces are cut."""
    start, line = len(before.encode()), before.count("\n") + 1
    with pytest.raises(errors.DataError, match=rf"not valid utf-8 at byte {start} \(line {line}\).*encoding latin-1"):
        read(file, before.encode() + bad + after.encode(), characters=characters)


def test_invalid_byte_far_into_a_file(file):
    """Offsets count from the start of the file, also in a late piece and behind longer characters."""
    good = "Zeile mit Ümläuten\r\n".encode() * 100_000
    with pytest.raises(errors.DataError, match=rf"at byte {len(good) + 2} \(line 100001\)"):
        read(file, good + b"ab\xfc")


def test_a_file_that_ends_inside_a_character(file):
    """A cut character at the end is located at its first byte."""
    with pytest.raises(errors.DataError, match=r"at byte 3 \(line 2\)"):
        read(file, b"ab\n\xe2\x82")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("characters", [1, 4, 1000])
def test_nul_is_located(file, encoding, characters):
    """NUL marks binary data; its byte offset and its line are exact."""
    before = "é\nbc"
    with pytest.raises(errors.DataError, match=rf"NUL at byte {len(before.encode(encoding))} \(line 2\)"):
        read(file, (before + "\0d").encode(encoding), encoding=encoding, characters=characters)


@pytest.mark.parametrize("wide", ["utf-16", "utf-32"])
def test_wide_text_names_its_encoding(file, wide):
    """UTF-16 and UTF-32 are recognised by their mark, the encoding to give is named, and with it the file reads."""
    content = "Я здесь".encode(wide)
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(errors.DataError, match=f"add encoding {wide}"):
            read(file, content, encoding=encoding)
    assert read(file, content, encoding=wide) == "Я здесь"


def test_utf_16_without_a_mark(file):
    """UTF-16 that does not say its byte order leads to utf-16-le."""
    with pytest.raises(errors.DataError, match="encoding utf-16-le"):
        read(file, "hello".encode("utf-16-le"), encoding="utf-16")


def test_lone_surrogates_are_refused(file):
    """UTF-7 can spell half a surrogate pair; that is no character."""
    with pytest.raises(errors.DataError, match="not valid utf-7 at byte"):
        read(file, b"ab+2AA-", encoding="utf-7")


@pytest.mark.parametrize("encoding", ["klingon", "base64", "", "a\0b"])
def test_unknown_encoding(file, encoding):
    """What is not the name of a text encoding is a wrong argument."""
    with pytest.raises(errors.UsageError, match="encoding"):
        read(file, b"a", encoding=encoding)


def test_missing_file(tmp_path):
    """A file that is not there is missing."""
    with pytest.raises(errors.MissingError, match=re.escape(str(tmp_path / "no.txt"))):
        list(read_chunks(tmp_path / "no.txt"))
