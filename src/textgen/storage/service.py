"""Connects to Google Cloud Storage, and translates the errors of all of Google's services."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from textgen.config.cloud_names import is_googles_endpoint
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError
from textgen.formatting import shorten
from textgen.storage.files import parse_object

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.storage import Client
    from requests import PreparedRequest, Session

ANSWER_SECONDS = 20.0
"""How long a request may wait for a byte."""

_PATIENCE_SECONDS = 60.0
"""How long a request that fails because of the network or the service is repeated."""

_OTHER_SERVERS = ("https://www.googleapis.com", "https://storage.mtls.googleapis.com")
"""The other servers of Cloud Storage: the first can be in an object's address, the second takes client certificates."""

_KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

_ANSWER = re.compile(r"(\{.*\})\s*: \(.*\)", re.DOTALL)
"""The library's message for a refused upload: the service's whole answer, then the status that it expected."""

NEEDS_QUOTA_PROJECT = re.compile(r"quota project\b(?! ?\d)", re.IGNORECASE)
"""Occurs where Google asks for a quota project; a message about a quota can name a project too, by its number."""

NO_QUOTA_PROJECT = (
    "the credentials name no project to bill for the request; "
    "run `gcloud auth application-default set-quota-project {project}`"
)

_DISABLED = "SERVICE_DISABLED"
"""Google's reason for refusing a request to a service that the project has not enabled."""

_MAY_NOT_BILL = "USER_PROJECT_DENIED"
"""Google's reason for refusing a request that is billed to a project in which the user has no part."""

LOG_IN = f"log in with `gcloud auth application-default login`, or name a service account's key file in {_KEY_FILE}"


class DisabledError(UnavailableError):
    """A service that the project billed for the request has not enabled."""


def retry_for(seconds: float) -> Retry:
    """Returns the policy that repeats a request after failures that pass, such as an outage of the network, for some seconds."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry: Retry = DEFAULT_RETRY.with_timeout(seconds)
    return retry


def request_options() -> dict[str, Any]:
    """Returns the arguments of a request that set its timeout and how long it is repeated."""
    return {"timeout": ANSWER_SECONDS, "retry": retry_for(_PATIENCE_SECONDS)}


def make_client() -> Client:
    """Creates a client with the user's credentials, or an anonymous one if there are none; needs no project."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

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
    is_googles = client.api_endpoint.startswith("https://") and is_googles_endpoint(client.api_endpoint)
    if not is_anonymous and not is_googles:
        raise UnavailableError(
            f"API_ENDPOINT_OVERRIDE would send your credentials to {client.api_endpoint}; unset it in the environment"
        )
    confine(client._http, client.api_endpoint, *_OTHER_SERVERS)  # noqa: SLF001 - nothing public gives it
    return client


def confine(session: Session, *servers: str) -> None:
    """Makes a session refuse every other server, because an answer can contain a redirect, or the address to use next.

    Args:
        session: the session. Its adapters, such as one with a client certificate, are kept for the given servers.
        servers: URLs without a path.
    """
    from requests.adapters import HTTPAdapter

    class Refusal(HTTPAdapter):
        """Refuses each request instead of sending it."""

        def send(self, request: PreparedRequest, *_: Any, **__: Any) -> NoReturn:
            raise UnavailableError(
                f"an answer leads to {shorten(str(request.url))}, where your credentials and texts do not go; "
                "check the network and the address of the service"
            )

    allowed = {f"{server.rstrip('/')}/": session.get_adapter(server) for server in servers}
    refused = dict.fromkeys(("https://", "http://"), Refusal())
    for prefix, adapter in {**refused, **allowed}.items():
        session.mount(prefix, adapter)


@contextlib.contextmanager
def translated(doing: str, role: str) -> Iterator[None]:
    """Translates errors of Google's libraries and the network to those of `textgen.errors`.

    Args:
        doing: what failed, with the URI if there is one, such as `"cannot read gs://books/a.txt"`.
        role: Google's name for the role that allows it.
    """
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.protobuf.json_format import ParseError
    from requests.exceptions import JSONDecodeError

    try:
        yield
    except api.NotFound as error:
        raise MissingError(
            f"{doing}: it does not exist, or was replaced meanwhile; check its name and try again"
        ) from error
    except (api.Unauthorized, auth.InvalidOperation) as error:
        raise UnavailableError(f"{doing}: there are no valid credentials for it; {LOG_IN}") from error
    except api.Forbidden as error:
        raise _forbidden(doing, role, error) from error
    except (api.RetryError, auth.TransportError) as error:
        raise _unreachable(doing, getattr(error, "cause", None) or error) from error
    except auth.GoogleAuthError as error:
        raise UnavailableError(
            f"{doing}: the credentials cannot be used ({shorten(message_of(error))}); {LOG_IN}"
        ) from error
    except api.GoogleAPIError as error:
        raise UnavailableError(f"{doing}: Google refuses it: {shorten(message_of(error))}") from error
    except (JSONDecodeError, ParseError, AttributeError, TypeError) as error:  # the libraries expect Google's format
        raise UnavailableError(
            f"{doing}: the answer does not have Google's format ({shorten(str(error))}); check the network and the address"
        ) from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the network's
            raise
        raise _unreachable(doing, error) from error


def _forbidden(doing: str, role: str, error: Any) -> TextgenError:
    text = message_of(error)
    if NEEDS_QUOTA_PROJECT.search(text):
        return DisabledError(f"{doing}: {NO_QUOTA_PROJECT.format(project='PROJECT')}")
    if error.reason == _DISABLED:
        facts = error.metadata if isinstance(error.metadata, dict) else {}
        service = shlex.quote(str(facts.get("service", "SERVICE")))
        project = shlex.quote(str(facts.get("consumer", "projects/PROJECT")).split("/")[-1])
        return DisabledError(
            f"{doing}: {service} is not enabled; run `gcloud services enable {service} --project {project}` "
            "and wait a few minutes"
        )
    if error.reason == _MAY_NOT_BILL:
        role = "Service Usage Consumer on the project that your credentials bill"
    return AccessError(f"{doing}: {shorten(text)}; ask for the role {role}")


def _unreachable(doing: str, error: Exception) -> UnavailableError:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import TransportError

    has_cause = isinstance(error, TransportError) and error.args and isinstance(error.args[0], Exception)
    cause = error.args[0] if has_cause else error
    why = shorten(message_of(error)) if isinstance(error, GoogleAPICallError) else type(cause).__name__
    return UnavailableError(f"{doing}: Google cannot be reached ({why}); check the network and try again")


def message_of(error: Exception) -> str:
    """Returns the service's whole message, without the request and status that the library adds."""
    text = re.sub(r"^(\d+ )?[A-Z]+ \S+: ", "", str(error))
    answer = _ANSWER.fullmatch(text)
    found = parse_object(answer[1]) if answer else None
    message = found["error"].get("message") if found and isinstance(found.get("error"), dict) else None
    return message if isinstance(message, str) else text
