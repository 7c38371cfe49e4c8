import bz2
import io
import lzma
import zipfile

import pytest

from textgen import errors
from textgen.corpus.decoding import read_chunks
from textgen.corpus.foreign_files import describe_foreign


def zipped(*names):
    """A ZIP archive with files of these names; what is in them is packed, but for one called mimetype."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in names:
            name, _, content = entry.partition("=")
            packed = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(name, content or "words " * 99, packed)
    return file.getvalue()


FOREIGN = {
    "docx": (zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "a Word document"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
    "pptx": (zipped("[Content_Types].xml", "ppt/presentation.xml"), "a PowerPoint presentation"),
    "odt": (zipped("mimetype=application/vnd.oasis.opendocument.text", "content.xml"), "an OpenDocument file"),
    "epub": (zipped("mimetype=application/epub+zip", "META-INF/container.xml"), "an EPUB book"),
    "zip": (zipped("book.txt"), "a ZIP archive"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document"),
    "rtf": (rb"{\rtf1\ansi\deff0 The sea was calm.\par}", "an RTF document"),
    "doc": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        "a Word document or another file of old Microsoft Office",
    ),
    "mobi": (b"The_Sea".ljust(60, b"\0") + b"BOOKMOBI" + bytes(99), "a Kindle book"),
}
IMAGES = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "gif": b"GIF89a\x20\x03\x58\x02\xf7\0\0",
    "tiff": b"II*\0\x08\0\0\0",
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "bmp": b"BM\x36\x10\x0e\0\0\0\0\0\x36\0",
    "heic": b"\0\0\0\x18ftypheic",
}
PACKED = {
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04",
    "bz2": bz2.compress(b"The sea was calm."),
    "xz": lzma.compress(b"The sea was calm."),
    "zst": b"\x28\xb5\x2f\xfd\x04\x58",
    "rar": b"Rar!\x1a\x07\x01\0",
    "empty zip": zipped(),
}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "auto", "utf-16-le"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_documents_are_refused_by_their_content(tmp_path, kind, encoding):
    """Whatever its name, a document is named and to be saved as plain text; no encoding is suggested."""
    content, name = FOREIGN[kind]
    for file in (tmp_path / f"book.{kind}", tmp_path / "book.txt"):
        file.write_bytes(content)
        with pytest.raises(errors.DataError, match=f"{file} is {name}.* save it as plain text") as caught:
            list(read_chunks(file, encoding, 1))
        assert "--encoding" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", IMAGES)
def test_images_are_refused_by_their_content(tmp_path, kind):
    """An image is named, and no encoding is suggested."""
    file = tmp_path / "book.txt"
    file.write_bytes(IMAGES[kind] + bytes(range(256)))
    with pytest.raises(errors.DataError, match=f"{file} is an image, not text: give a plain text file$"):
        list(read_chunks(file))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "auto"])
@pytest.mark.parametrize("kind", PACKED)
def test_archives_are_refused_by_their_content(tmp_path, kind, encoding):
    """For a file that is packed with anything but gzip, the advice is to unpack it, never an encoding."""
    file = tmp_path / "book.txt"
    file.write_bytes(PACKED[kind] + bytes(range(1, 256)))
    with pytest.raises(errors.DataError, match=f"{file} is packed .*: unpack it, then give the plain text file$"):
        list(read_chunks(file, encoding))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7z",
        "BZh",
        "Rar!",
        "PK",
        "PKZIP packed files.",
        "GIF89a is a format of images",
        "BM, he said",
        "%PDF is a magic number",
        "{rtf}",
        "II*",
        "RIFF",
    ],
)
def test_texts_that_begin_alike_are_read(tmp_path, text):
    """Letters with which a format begins, and a text may too, are no proof."""
    assert describe_foreign(text.encode()) is None
    assert describe_foreign(text.encode("utf-16-le")) is None
    file = tmp_path / "book.txt"
    file.write_text(text)
    assert "".join(read_chunks(file)) == text
