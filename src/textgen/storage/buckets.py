"""Brings files of Google Cloud Storage to the local disk; knows nothing of what is in them.

Every failure of the network or of Google leaves here as a `TextgenError` that names the URI.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.errors import (
    AccessError,
    InputOutputError,
    MissingError,
    TextgenError,
    UnavailableError,
    UsageError,
)
from textgen.storage.cache import cache_directory
from textgen.storage.files import open_atomic, remove

if TYPE_CHECKING:
    from google.cloud.storage import Client

SCHEME = "gs://"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
"""What Cloud Storage takes for a bucket: 3 to 63 characters, and with dots up to 222 (its documentation, "Bucket names")."""

_MOST_OBJECT_BYTES = 1024
"""What Cloud Storage takes for an object's name (its documentation, "Object names")."""

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}$")

_ANSWER_SECONDS = 20.0
"""How long a single request may stay without a byte."""

_PATIENCE_SECONDS = 60.0
"""How long a request is repeated that the network or the service let down."""

_KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

_LOG_IN = f"log in with `gcloud auth application-default login`, or name a service account's key file in {_KEY_FILE}"


def is_bucket(place: str) -> bool:
    """Whether a place is meant to lie in a bucket."""
    return place.startswith(SCHEME)


def fetch(uri: str) -> Path:
    """Brings an object to the local disk, once for each of its generations.

    The service is asked each time which generation is current, so an object that was replaced is fetched anew; of each
    URI the cache keeps the last one fetched. What arrives is checked against the checksum that the service names. Without
    credentials the object is asked for anonymously, which is enough for a public one. No project is needed.

    Args:
        uri: `gs://BUCKET/OBJECT`.

    Returns:
        The file, in the cache; its name ends as the object's does. It is to be read, not changed.

    Raises:
        UsageError: for a URI that cannot be.
        MissingError: when there is no such bucket or object.
        AccessError: when the credentials do not allow it.
        UnavailableError: when there are no credentials and the object is not public, or the service cannot be reached;
            the latter shows within about a minute, or two when it happens in the middle.
        InputOutputError: when what arrived is damaged, or the disk fails.
    """
    bucket, name = _split(uri)
    key = hashlib.sha256(uri.encode()).hexdigest()[:32]
    ending = _SUFFIX.search(name)
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(_PATIENCE_SECONDS)
    with _translated(uri), _make_client() as client:
        blob = client.bucket(bucket).get_blob(name, timeout=_ANSWER_SECONDS, retry=retry)
        if blob is None:
            raise MissingError(f"there is no {uri}; check the names of the bucket and of the file")
        directory = cache_directory("buckets")
        path = directory / f"{key}-{blob.generation}{ending[0] if ending else ''}"
        if path.exists():
            return path
        # Translated inside, too: open_atomic takes every OSError for one of the disk, and some of the network are such.
        with open_atomic(path) as file, _translated(uri):
            blob.download_to_file(file, timeout=_ANSWER_SECONDS, retry=retry)
    for old in directory.glob(f"{key}-*"):
        if old != path:
            with contextlib.suppress(TextgenError):  # Windows keeps what another process reads
                remove(old)
    return path


def _split(uri: str) -> tuple[str, str]:
    """The bucket and the object that a URI names, checked as far as that goes without asking."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    if not is_bucket(uri) or not _BUCKET.fullmatch(bucket):
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


def _make_client() -> Client:
    """A client with the user's credentials, or without any when there are none; a project is not asked for."""
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

    # Otherwise a thread asks for the bucket's properties too, for traces that nobody collects.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        return Client(project=None)
    except DefaultCredentialsError:
        if os.environ.get(_KEY_FILE):
            raise
        return Client.create_anonymous_client()
    except (AttributeError, OSError, TypeError, ValueError) as error:  # a key file that holds something else altogether
        raise DefaultCredentialsError(str(error)) from error  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _translated(uri: str) -> Iterator[None]:
    """Translates what Google's libraries and the network raise into the tree of `textgen.errors`."""
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import DataCorruption

    doing = f"cannot read {uri}"
    try:
        yield
    except api.NotFound as error:
        raise MissingError(f"{doing}: it was replaced meanwhile; run the same command again") from error
    except (api.Unauthorized, auth.InvalidOperation) as error:
        raise UnavailableError(f"{doing}: it is not public, and there are no valid credentials; {_LOG_IN}") from error
    except api.Forbidden as error:
        raise AccessError(f"{doing}: {_said(error)}; ask for the role Storage Object Viewer") from error
    except DataCorruption as error:
        raise InputOutputError(f"{doing}: it arrived damaged; run the same command again") from error
    except (api.RetryError, auth.TransportError) as error:
        raise _unreachable(doing, error) from error
    except auth.GoogleAuthError as error:
        raise UnavailableError(f"{doing}: the credentials cannot be used ({_said(error)}); {_LOG_IN}") from error
    except api.GoogleAPIError as error:
        raise UnavailableError(f"{doing}: Google Cloud Storage refuses it: {_said(error)}") from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the network's
            raise
        raise _unreachable(doing, error) from error


def _unreachable(doing: str, error: Exception) -> UnavailableError:
    cause = getattr(error, "cause", None) or error
    return UnavailableError(
        f"{doing}: Google Cloud Storage cannot be reached ({type(cause).__name__}); "
        "check the network and run the same command again"
    )


def _said(error: Exception) -> str:
    """What an error says, on one line of reasonable length."""
    return textwrap.shorten(re.sub(r"^(\d+ )?GET \S+: ", "", str(error)), 200)
