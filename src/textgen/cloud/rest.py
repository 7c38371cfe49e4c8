"""Sends requests to those of Google's services for which textgen installs no client library.

Credentials, connections and retries come from Google's libraries.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from textgen.errors import UnavailableError
from textgen.formatting import shorten
from textgen.storage.service import LOG_IN, retry_for, translated

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

_ANSWER_SECONDS = 20.0
"""How long to wait for the next byte of an answer."""

_PATIENCE_SECONDS = 90.0
"""How long a failed request is retried. Cloud Logging's quota is per minute."""


def find_credentials() -> Credentials:
    """Finds the user's credentials, as Google's libraries do.

    Raises:
        UnavailableError: if there are none, or they are unusable.
    """
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    try:
        with warnings.catch_warnings():
            # Google's library warns of a missing quota project; an error reports it where it matters.
            warnings.simplefilter("ignore", UserWarning)
            credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise UnavailableError(f"there are no credentials ({shorten(str(error))}); {LOG_IN}") from error
    # The other exceptions come from a key file with unexpected content.
    except (GoogleAuthError, AttributeError, OSError, TypeError, ValueError) as error:
        raise UnavailableError(f"the credentials cannot be used ({shorten(str(error))}); {LOG_IN}") from error
    return credentials


def check_credentials(credentials: Credentials) -> None:
    """Checks that credentials are valid, by fetching a token.

    Raises:
        UnavailableError: if they are invalid, or Google cannot be reached.
    """
    import requests
    from google.auth.transport.requests import Request

    with translated("cannot log in", role=""), requests.Session() as session:
        credentials.refresh(Request(session))  # type: ignore[no-untyped-call]


class Services:
    """Google's services with the user's credentials. A context manager, which closes the connections.

    Args:
        credentials: the user's.
    """

    def __init__(self, credentials: Credentials) -> None:
        from google.auth.transport.requests import AuthorizedSession

        self._session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()  # type: ignore[no-untyped-call]

    def ask(
        self,
        doing: str,
        role: str,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Sends a request, and retries it. Redirects are not followed, so the credentials stay with the host in the URL.

        Args:
            doing: the failure, for messages, such as `"cannot read the log"`.
            role: Google's name of the role that allows the request.
            method: HTTP's method.
            url: the URL without a query.
            query: the query's parameters.
            body: the request's JSON object.
            accept: the media types of the answer.

        Returns:
            The answer's JSON object; an empty one for an answer to HEAD, which has no body.

        Raises:
            MissingError: if the resource does not exist.
            DisabledError: if the service is not enabled.
            AccessError: if the credentials do not allow it.
            UnavailableError: if the credentials are unusable, or the service cannot be reached or refuses.
        """
        from google.api_core.exceptions import from_http_response

        def send() -> dict[str, Any]:
            response = self._session.request(  # type: ignore[no-untyped-call]
                method,
                url,
                params=query,
                json=body,
                headers={"Accept": accept},
                timeout=_ANSWER_SECONDS,
                allow_redirects=False,
            )
            if HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST:
                where = shorten(response.headers.get("Location", "nowhere"))
                raise UnavailableError(
                    f"{doing}: the answer redirects to {where}, where your credentials do not go; check the address"
                )
            if not response.ok:
                raise from_http_response(response)  # type: ignore[no-untyped-call]
            answer = {} if method == "HEAD" else response.json()
            if not isinstance(answer, dict):
                raise TypeError(type(answer).__name__)
            return answer

        with translated(doing, role):
            answer: dict[str, Any] = retry_for(_PATIENCE_SECONDS)(send)()
            return answer
