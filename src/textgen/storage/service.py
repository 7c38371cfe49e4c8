"""Connects to Google Cloud Storage: credentials, timeouts, retries, and errors as a `TextgenError`."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from textgen.errors import AccessError, InputOutputError, MissingError, UnavailableError
from textgen.formatting import shorten
from textgen.storage.json_object import parse_object

if TYPE_CHECKING:
    from google.cloud.storage import Client

ANSWER_SECONDS = 20.0
"""How long a request may wait for a byte."""

_PATIENCE_SECONDS = 60.0
"""How long a request that fails because of the network or the service is repeated."""

_GOOGLE = re.compile(r"https://[a-z0-9.-]+\.googleapis\.com/?")
_OTHER_SERVERS = ("https://www.googleapis.com", "https://storage.mtls.googleapis.com")
"""The other servers of Cloud Storage: the first can be in an object's address, the second takes client certificates."""

_KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

_ANSWER = re.compile(r"(\{.*\})\s*: \(.*\)", re.DOTALL)
"""The library's message for a refused upload: the service's whole answer, then the status that it expected."""

LOG_IN = f"log in with `gcloud auth application-default login`, or name a service account's key file in {_KEY_FILE}"


def patience() -> dict[str, Any]:
    """Returns the arguments of a request that set its timeout and how long it is repeated."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": ANSWER_SECONDS, "retry": DEFAULT_RETRY.with_timeout(_PATIENCE_SECONDS)}


def make_client() -> Client:
    """Creates a client with the user's credentials, or an anonymous one if there are none; needs no project."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

    from textgen.storage.confinement import confine

    # Without this, a thread also requests the bucket's properties, for traces that nobody collects.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        client = Client(project=None)
    except DefaultCredentialsError:
        if os.environ.get(_KEY_FILE):
            raise
        client = Client.create_anonymous_client()
    except (AttributeError, OSError, TypeError, ValueError) as error:  # a key file with unexpected content
        raise DefaultCredentialsError(str(error)) from error  # type: ignore[no-untyped-call]
    # The library takes the endpoint from the environment, from a variable that can be meant for another program.
    is_anonymous = isinstance(client._credentials, AnonymousCredentials)  # noqa: SLF001 - nothing public gives them
    if not is_anonymous and not _GOOGLE.fullmatch(client.api_endpoint):
        raise UnavailableError(
            f"API_ENDPOINT_OVERRIDE would send your credentials to {client.api_endpoint}; unset it in the environment"
        )
    confine(client._http, client.api_endpoint, *_OTHER_SERVERS)  # noqa: SLF001 - nothing public gives it
    return client


@contextlib.contextmanager
def translated(doing: str, role: str) -> Iterator[None]:
    """Translates errors of Google's libraries and the network to those of `textgen.errors`.

    Args:
        doing: what failed, with the URI, such as `"cannot read gs://books/a.txt"`.
        role: Google's name for the role that allows it.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.cloud.storage.exceptions import DataCorruption

    try:
        yield
    except api.NotFound as error:
        raise MissingError(
            f"{doing}: it is not there, or was replaced meanwhile; check its name and run the same command again"
        ) from error
    except (api.Unauthorized, auth.InvalidOperation) as error:
        raise UnavailableError(f"{doing}: it is not public, and there are no valid credentials; {LOG_IN}") from error
    except api.Forbidden as error:
        raise AccessError(f"{doing}: {shorten(said(error))}; ask for the role {role}") from error
    except DataCorruption as error:
        raise InputOutputError(f"{doing}: it arrived damaged; run the same command again") from error
    # The last two come from an answer in another format than the libraries take for granted, such as a proxy's.
    except (api.RetryError, auth.TransportError, AttributeError, TypeError) as error:
        raise _unreachable(doing, error) from error
    except auth.GoogleAuthError as error:
        raise UnavailableError(f"{doing}: the credentials cannot be used ({shorten(said(error))}); {LOG_IN}") from error
    except api.GoogleAPIError as error:
        raise UnavailableError(f"{doing}: Google Cloud Storage refuses it: {shorten(said(error))}") from error
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


def said(error: Exception) -> str:
    """Returns the service's whole message, without the request and status that the library adds."""
    text = re.sub(r"^(\d+ )?[A-Z]+ \S+: ", "", str(error))
    answer = _ANSWER.fullmatch(text)
    found = parse_object(answer[1]) if answer else None
    message = found["error"].get("message") if found and isinstance(found.get("error"), dict) else None
    return message if isinstance(message, str) else text
