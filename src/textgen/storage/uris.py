"""Parses URIs of buckets, `gs://BUCKET/PATH`, and checks them as far as possible without a request."""

from __future__ import annotations

import re

from textgen.config.cloud_names import BUCKET
from textgen.errors import UsageError

SCHEME = "gs://"

_ANY_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
"""The start of a URI (RFC 3986, section 3.1). A single letter is a Windows drive."""

_MOST_OBJECT_BYTES = 1024
"""The longest name of an object (Cloud Storage's documentation, "Object names")."""


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
