"""Decides which objects of a bucket can be local files. A bucket accepts any name, also one that points elsewhere."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable

from textgen.errors import UsageError

_NEVER = re.compile(r"[\0-\x1f\x7f-\x9f\\]")
"""Control characters, which could steer a terminal, and the backslash, which is a separator on Windows and its shares."""

_NEVER_ON_WINDOWS = re.compile(r'[<>:"|?*]|[ .]$')
"""Microsoft's documentation, "Naming Files, Paths, and Namespaces"; a colon also begins a drive's path or a file's stream."""

_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *([.:].*)?", re.IGNORECASE | re.DOTALL)
"""A name that means a device in every directory of Windows, whatever follows a dot (the same page)."""

_IS_WINDOWS = os.name == "nt"
_FOLDS_CASE = sys.platform in {"win32", "darwin"}


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


def find_twins(names: Iterable[str], *, folds_case: bool = _FOLDS_CASE) -> tuple[str, str] | None:
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
