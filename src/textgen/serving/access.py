"""Decides who may use the service: by the name under which it is reached, the website that asks, and a token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers

from textgen.errors import DataError, UsageError, from_os_error, named
from textgen.formatting import shown
from textgen.serving.failures import RequestError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/?#@\s]+)", re.IGNORECASE)
_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class Access:
    """The rules.

    Attributes:
        hosts: the names and addresses under which the service may be reached; None for any, behind a gateway that checks its own.
        any_address: whether it may be reached under any IP address. A website cannot make a browser send one that is not its own.
        origins: the websites that may use the service from a browser.
        tokens: the SHA-256 digests of the tokens, one of which each request needs; none if it needs none.
    """

    hosts: frozenset[str] | None = _LOOPBACK
    any_address: bool = False
    origins: frozenset[str] = frozenset()
    tokens: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, host: str, allow_host: Iterable[str], cors: Iterable[str], tokens: Iterable[str]) -> Access:
        """Makes the rules of a server.

        Args:
            host: the name or address that it listens on.
            allow_host: more names under which it may be reached.
            cors: the websites that may use it.
            tokens: the tokens.

        Raises:
            UsageError: if a name or a website is not written as one.
        """
        names = {_allowed_name(name) for name in allow_host}
        return cls(
            hosts=_LOOPBACK | {host.lower()} | names,
            any_address=not is_loopback(host),
            origins=frozenset(_allowed_origin(origin) for origin in cors),
            tokens=tuple(_digest(token) for token in tokens),
        )

    def behind_gateway(self) -> Access:
        """Returns the rules for a server that only a gateway reaches, which decides itself who may use it under which name."""
        return replace(self, hosts=None)

    def check_host(self, headers: Headers) -> None:
        """Refuses a request under a foreign name, such as a website's that resolves to this machine (DNS rebinding).

        Raises:
            RequestError: with 403.
        """
        if self.hosts is None:
            return
        host = _host(headers.get("host", ""))
        if host in self.hosts or (self.any_address and _is_address(host)):
            return
        given = shown(headers["host"]) if "host" in headers else "none"
        raise RequestError(
            HTTPStatus.FORBIDDEN,
            f"the Host header must be a name that this server allows, got {given}; start the server with --allow_host NAME to allow another",
            code="host_not_allowed",
        )

    def check_origin(self, headers: Headers) -> None:
        """Refuses a request that another website makes in a user's browser.

        Raises:
            RequestError: with 403.
        """
        origin = headers.get("origin")
        if self.hosts is None or origin is None or origin.lower() in self.origins:
            return
        parts = _ORIGIN.fullmatch(origin)
        if parts is not None:
            port = _PORTS.get(parts["scheme"].lower(), "")
            if _with_port(parts["host"], port) == _with_port(headers.get("host", ""), port):
                return
        raise RequestError(
            HTTPStatus.FORBIDDEN,
            f"the website {shown(origin)} may not use this server; start the server with --cors ORIGIN to allow it",
            code="origin_not_allowed",
        )

    def check_token(self, headers: Headers) -> None:
        """Refuses a request without one of the tokens, in a time that does not depend on them.

        Raises:
            RequestError: with 401.
        """
        if not self.tokens:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = _digest(token.strip())
        matches = [hmac.compare_digest(given, known) for known in self.tokens]
        if scheme.lower() != "bearer" or not any(matches):
            raise RequestError(
                HTTPStatus.UNAUTHORIZED,
                "this server needs an access token; send the header Authorization: Bearer TOKEN",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach a server that listens on a host."""
    if host.lower() == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _allowed_name(name: str) -> str:
    """Returns a name of `--allow_host` as `_host` returns it."""
    found = name.lower().removesuffix(".")
    if not _NAME.fullmatch(found) and not _is_address(found):
        raise UsageError(
            f"{named('allow_host')} must be a name without a port, such as text.example.org, got {shown(name)}"
        )
    return found


def _allowed_origin(origin: str) -> str:
    """Returns a website of `--cors` as a browser writes it: in lower case, without the usual port."""
    found = origin.lower().removesuffix("/")
    parts = _ORIGIN.fullmatch(found)
    if parts is None or _HOST.fullmatch(parts["host"]) is None:
        raise UsageError(f"{named('cors')} must be an origin, such as https://example.org, got {shown(origin)}")
    port = _PORTS.get(parts["scheme"])
    return found if port is None else found.removesuffix(f":{port}")


def _host(header: str) -> str:
    """Returns the name or address in a Host header: in lower case, without port, brackets or the dot of a full name."""
    parts = _HOST.fullmatch(header)
    return "" if parts is None else (parts["v6"] or parts["name"].removesuffix(".")).lower()


def _with_port(host: str, usual: str) -> tuple[str, str] | None:
    """Returns the name and the port of a Host header or an origin; None if it is not valid."""
    parts = _HOST.fullmatch(host)
    return None if parts is None else (_host(host), parts["port"] or usual)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def read_tokens(path: Path) -> tuple[str, ...]:
    """Reads the tokens of a file, one per line.

    Raises:
        TextgenError: if the file cannot be read, has no token, or one that cannot be sent in a header.
    """
    try:
        # An editor of Windows may begin the file with a byte order mark.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} must contain one token per line, got bytes that are not UTF-8; check the path"
        ) from error
    tokens = []
    for number, line in enumerate(lines, 1):
        token = line.strip()
        if not re.fullmatch(r"[!-~]*", token):  # printable ASCII
            raise DataError(
                f"{path} must contain one token per line, of letters, digits and punctuation, got another character in line {number}; change that token"
            )
        if token:
            tokens.append(token)
    if not tokens:
        raise DataError(f"{path} must contain one token per line, got none; add a token")
    return tuple(tokens)


def is_readable_by_others(path: Path) -> bool:
    """Returns whether other users of this machine may read a file."""
    return os.name != "nt" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
