import codecs
import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen import errors
from textgen.corpus.decoding import detect_encoding, read_chunks

TEXTS = st.text(st.one_of(st.sampled_from("\r\nab é"), st.characters(codec="utf-8", exclude_characters="\0\ufeff")))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("decoding") / "book.txt"


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
    with pytest.raises(errors.DataError, match=rf"not valid utf-8 at byte {start} \(line {line}\).*encoding auto"):
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


@pytest.mark.parametrize(
    ("content", "text", "decided"),
    [
        ("café — 12 £\n".encode(), "café — 12 £\n", ("utf-8", "")),
        ("café — “12 £”\n".encode("cp1252"), "café — “12 £”\n", ("cp1252", "not UTF-8 at byte 3 (line 1)")),
        (b"one\r\ntwo \x85", "one\ntwo …", ("cp1252", "not UTF-8 at byte 9 (line 2)")),
        (codecs.BOM_UTF8 + "é".encode(), "é", ("utf-8", "")),
        ("Я здесь".encode("utf-16"), "Я здесь", ("utf-16", "it begins with that byte order mark")),
        (b"", "", ("utf-8", "")),
    ],
)
def test_auto_decides_by_the_content(file, content, text, decided):
    """A file is UTF-8 where it is valid UTF-8; else what its byte order mark says, or cp1252; the reason is given."""
    assert read(file, content, encoding="auto", characters=1) == text
    assert detect_encoding(file) == decided


def test_auto_reads_to_the_end_before_it_decides(file):
    """One invalid byte at the end of a long file decides."""
    content = b"e\n" * (1 << 20) + b"\xfc"
    assert read(file, content, encoding="auto") == content.decode("cp1252")


@given(text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_auto_reads_all_of_unicode(file, text, encoding):
    """Any text in UTF-8, or in UTF-16 or UTF-32 with a mark, comes back."""
    assert read(file, text.encode(encoding), encoding="auto", characters=3) == text.replace("\r\n", "\n")


def test_auto_reads_gzip(tmp_path):
    """The decision is made on the unpacked bytes."""
    assert read(tmp_path / "old.txt.gz", gzip.compress("thé".encode("latin-1")), encoding="auto") == "thé"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"caf\xe9\n\x81",
            r"is not UTF-8 at byte 3 \(line 1\), nor cp1252 at byte 5 \(line 2\): save it as UTF-8, or name its encoding",
        ),
        (
            "Ein Ümläut\nund “noch einer”\n".encode() + b"f\xfcr",
            r"is UTF-8 except at byte 35 \(line 3\) and perhaps after it: repair the file",
        ),
        (b"abc\n\0", r"it has NUL at byte 4 \(line 2\): give a plain text file$"),
        (b"\xff\n\0", r"it has NUL at byte 2 \(line 2\): give a plain text file$"),
    ],
)
def test_auto_refuses_what_is_no_text(file, content, message):
    """What is not text in either encoding is refused, and neither is suggested again."""
    with pytest.raises(errors.DataError, match=message):
        read(file, content, encoding="auto")


@pytest.mark.parametrize("text", ["The sea was calm.\n", "Море было спокойно, и мы шли.\n"])  # noqa: RUF001 - Cyrillic
@pytest.mark.parametrize(
    ("encoding", "guess"), [("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-32-le", None)]
)
def test_nul_suggests_utf_16_only_where_it_looks_like_it(file, text, encoding, guess):
    """NUL as the same byte of each pair is UTF-16; other binary data gets no suggestion that would be tried in vain."""
    with pytest.raises(errors.DataError, match="it has NUL at byte") as caught:
        read(file, text.encode(encoding))
    assert str(caught.value).endswith(f"such as encoding {guess}" if guess else "give a plain text file")
