"""Confines a session of Google's libraries to known servers. Importing it loads requests."""

from __future__ import annotations

from typing import Any, NoReturn

from requests import PreparedRequest, Session
from requests.adapters import HTTPAdapter

from textgen.errors import UnavailableError
from textgen.formatting import shorten


class _Refusal(HTTPAdapter):
    """Refuses each request instead of sending it."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> NoReturn:
        raise UnavailableError(
            f"an answer leads to {shorten(str(request.url))}, where your credentials and texts do not go; "
            "check the network and the address of the service"
        )


def confine(session: Session, *servers: str) -> None:
    """Makes a session refuse every other server, because an answer can contain a redirect, or the address to use next.

    Args:
        session: the session. Its adapters, such as one with a client certificate, are kept for the given servers.
        servers: URLs without a path.
    """
    kept = {f"{server.rstrip('/')}/": session.get_adapter(server) for server in servers}
    refused = dict.fromkeys(("https://", "http://"), _Refusal())
    for prefix, adapter in {**refused, **kept}.items():
        session.mount(prefix, adapter)
