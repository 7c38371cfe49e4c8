"""Checks the address of Vertex AI's API, to which the user's credentials go. Sends no request."""

from __future__ import annotations

import re

from textgen.errors import UsageError
from textgen.formatting import shown

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ADDRESS = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?P<host>{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?/?", re.ASCII
)
"""A host, with nothing around it that a URL parser could take for the host: no user, path, query or trailing dot."""

_GOOGLE = ".googleapis.com"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def endpoint_url(address: str, *, trusted: bool) -> str:
    """Returns the URL of an API endpoint, without a path.

    Args:
        address: such as `europe-west4-aiplatform.googleapis.com`, with or without `https://`.
        trusted: whether the user has agreed to send credentials to a host that is not Google's.

    Returns:
        The scheme, the host and, if given, the port.

    Raises:
        UsageError: for anything but a host, a host that is not Google's unless it is trusted, and plain HTTP to
            another machine.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise UsageError(
            "--api_endpoint must be a host in lower case, such as europe-west4-aiplatform.googleapis.com, "
            f"got {shown(address)}; leave out everything else"
        )
    scheme, host, port = found["scheme"] or "https", found["host"], found["port"]
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(
            f"--api_endpoint must use https, got {shown(address)}; your credentials would cross the network unencrypted"
        )
    is_googles = host.endswith(_GOOGLE) and port in {None, "443"}
    if not is_googles and not trusted:
        raise UsageError(
            f"--api_endpoint must be a host of Google's, *{_GOOGLE}, got {shown(address)}; "
            "add --trust_endpoint if your credentials may go there"
        )
    return f"{scheme}://{host}" + (f":{port}" if port else "")
