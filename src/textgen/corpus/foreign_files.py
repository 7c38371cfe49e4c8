"""Recognises documents, images and archives by their first bytes, whatever their names."""

from __future__ import annotations

import re

_ADVICE = "open it and save it as plain text (.txt, UTF-8), then give that file"

_ZIPPED = (
    (re.compile(rb"mimetypeapplication/epub"), "an EPUB book"),
    (re.compile(rb"mimetypeapplication/vnd\.oasis\.opendocument"), "an OpenDocument file"),
    (re.compile(rb"\bword/"), "a Word document"),
    (re.compile(rb"\bxl/"), "an Excel workbook"),
    (re.compile(rb"\bppt/"), "a PowerPoint presentation"),
    (re.compile(rb""), "a ZIP archive, as Word, OpenDocument and EPUB files are"),
)
"""Kinds of ZIP archive, by the names of their files. In EPUB and OpenDocument, the first file is `mimetype`."""

_DOCUMENTS = (
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"\{\\rtf"), "an RTF document"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "a Word document or another file of old Microsoft Office"),
    (re.compile(rb".{60}BOOKMOBI", re.DOTALL), "a Kindle book"),
)

_IMAGES = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|II\*\0|MM\0\*|RIFF.{4}WEBP|....ftyp(?:avif|heic|mif1)"
    # A text can begin with these letters, but an image has NUL after them.
    rb"|GIF8[79]a.{0,6}\0|BM.{4}\0{4}",
    re.DOTALL,
)

_PACKED = re.compile(rb"7z\xbc\xaf\x27\x1c|BZh[1-9]1AY&SY|\xfd7zXZ\0|\x28\xb5\x2f\xfd|Rar!\x1a\x07|PK\x05\x06")
"""7-Zip, bzip2, xz, Zstandard, RAR, and a ZIP archive without files; gzip is unpacked before."""


def describe_foreign(start: bytes) -> str | None:
    """Recognises a document, an image or an archive.

    Args:
        start: the first bytes of the file. A few thousand are enough to distinguish kinds of ZIP archives.

    Returns:
        The rest of a message that begins with `f"{path} is "`: what it is and what to do. None if it may be text.
    """
    if _IMAGES.match(start):
        return "an image, not text: give a plain text file"
    if _PACKED.match(start):
        return "packed in a format that is not read: unpack it, then give the plain text file"
    kinds = _ZIPPED if start.startswith(b"PK\x03\x04") else _DOCUMENTS
    for pattern, kind in kinds:
        if pattern.search(start) if kinds is _ZIPPED else pattern.match(start):
            return f"{kind}, not plain text: {_ADVICE}"
    return None
