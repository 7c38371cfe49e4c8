"""Checks names in buckets: the URIs of objects, `gs://BUCKET/PATH`, and the objects that can be local files. Sends no request."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable

from textgen.config.cloud_names import BUCKET, SCHEME
from textgen.errors import UsageError

_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
"""The start of a URI (RFC 3986, section 3.1). A single letter is a Windows drive."""

_MOST_OBJECT_BYTES = 1024
"""The longest name of an object (Cloud Storage's documentation, "Object names")."""

_NEVER = re.compile(r"[\0-\x1f\x7f-\x9f\\]")
"""Control characters, which could steer a terminal, and the backslash, which is a separator on Windows and its shares."""

_NEVER_ON_WINDOWS = re.compile(r'[<>:"|?*]|[ .]$')
"""Microsoft's documentation, "Naming Files, Paths, and Namespaces"; a colon also begins a drive's path or a file's stream."""

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL)
"""A name that means a device in every directory of Windows, whatever follows a dot (the same page)."""

_IS_WINDOWS = os.name == "nt"
_FOLDS_CASE = sys.platform in {"win32", "darwin"}


def is_uri(place: str) -> bool:
    """Whether a place is a URI of any scheme, and not a local path."""
    return _ANY_SCHEME.match(place) is not None


def is_bucket(place: str) -> bool:
    """Whether a place is in a bucket, and not a local path.

    Raises:
        UsageError: for a URI of another scheme, which would otherwise be taken for a local path.
    """
    if place.startswith(SCHEME):
        return True
    if is_uri(place):
        raise UsageError(f"a place must be a local path or gs://BUCKET/PATH, got {place}; use one of these")
    return False


def split_directory(uri: str) -> tuple[str, str]:
    """Splits the URI of a directory into the bucket and the prefix of the names of its objects.

    Raises:
        UsageError: for an invalid URI.
    """
    if uri.removeprefix(SCHEME).rstrip("/").count("/"):
        bucket, name = split(uri.rstrip("/"))
        return bucket, f"{name}/"
    return split(f"{uri.rstrip('/')}/x")[0], ""


def split(uri: str) -> tuple[str, str]:
    """Splits the URI of an object into the bucket and the object's name.

    Raises:
        UsageError: for an invalid URI.
    """
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    if not is_bucket(uri) or not BUCKET.fullmatch(bucket):
        raise UsageError(
            f"a place in a bucket must be gs://BUCKET/PATH, the bucket in 3 or more of a-z, 0-9, '.', '_' and '-', got {uri}"
        )
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise UsageError(f"a place in a bucket must be UTF-8, got {uri!r}; name another") from None
    if not 0 < size <= _MOST_OBJECT_BYTES or re.search(r"[\0\r\n]", name) or name in {".", ".."}:
        raise UsageError(
            f"a place in a bucket must be gs://BUCKET/PATH, the path in one line of 1 to {_MOST_OBJECT_BYTES} bytes, "
            f"got {uri!r}"
        )
    return bucket, name


def below(directory: str, name: str) -> str:
    """Returns the URI of a file in a directory of a bucket."""
    return f"{directory.rstrip('/')}/{name}"


def can_be_local(name: str, *, is_windows: bool = _IS_WINDOWS) -> bool:
    """Whether an object's name is also the path of a file in or below a local directory.

    Args:
        name: the name, relative to the directory in the bucket.
        is_windows: whether the local directory is on Windows.
    """
    parts = name.split("/")
    if _NEVER.search(name) or any(part in {"", ".", ".."} for part in parts):
        return False
    return not is_windows or not any(_NEVER_ON_WINDOWS.search(part) or _DEVICE.fullmatch(part) for part in parts)


def check_local_name(name: str, uri: str) -> str:
    """Checks that the last part of a URI can be the name of a local file, and returns it.

    Args:
        name: the last part.
        uri: the URI, for the error.

    Raises:
        UsageError: if it cannot.
    """
    if not can_be_local(name):
        raise UsageError(f"{uri!r} ends in a name that no file here can have; rename it in the bucket")
    return name


def find_collision(names: Iterable[str], *, folds_case: bool = _FOLDS_CASE) -> tuple[str, str] | None:
    """Returns two names that would be one local file, or None.

    Args:
        names: the names of objects.
        folds_case: whether the disk ignores differences in case and in how accents are encoded.
    """
    seen: dict[str, str] = {}
    for name in names if folds_case else ():
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            return other, name
    return None
