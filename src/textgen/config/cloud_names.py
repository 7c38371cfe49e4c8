"""Checks the names of Google Cloud's resources: projects, buckets, images, hosts, jobs. Sends no request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from textgen.errors import UsageError, named
from textgen.formatting import shown

PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
"""A project's id (Resource Manager's documentation, "Project identifiers"); those of old customers begin with a domain."""

BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
"""A bucket's name: 3 to 63 characters, or up to 222 with dots (Cloud Storage's documentation, "Bucket names")."""

SCHEME = "gs://"
"""The start of the URI of a bucket, an object or a directory."""

REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
ACCOUNT = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?@(?:[a-z0-9-]+\.)+gserviceaccount\.com")
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}")
TENSORBOARD = re.compile(rf"projects/(?:{PROJECT.pattern}|[0-9]+)/locations/{REGION.pattern}/tensorboards/[0-9]+")
MACHINE_TYPE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
NETWORK = re.compile(r"projects/[0-9]+/global/networks/[a-z]([a-z0-9-]*[a-z0-9])?")

_JOB = re.compile(r"(projects/[^/]+/locations/[^/]+/customJobs/)?([0-9]{1,20})", re.ASCII)

_IMAGE = re.compile(
    r"(?P<host>[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?)/(?P<path>[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""The grammar of Docker's documentation, "docker image tag", for names that start with a registry."""

_GOOGLES_REGISTRY = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io")

EXAMPLE_IMAGE = "europe-west4-docker.pkg.dev/my-project/textgen/textgen:1"

_HOST_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ADDRESS = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?P<host>{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?/?",
    re.ASCII,
)
"""A host, with nothing around it that a URL parser could take for the host: no user, path, query or trailing dot."""

_GOOGLES_DOMAIN = ".googleapis.com"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def job_id(job: str) -> str:
    """Returns the id of a custom job, from the id or the whole name of the resource.

    Raises:
        UsageError: for anything else.
    """
    found = _JOB.fullmatch(job)
    if found is None:
        raise UsageError(
            f"JOB must be a custom job's id, a number such as 1234567890123456789, got {shown(job)}; "
            "textgen vertex list shows the jobs"
        )
    return found.group(2)


def is_googles_endpoint(address: str) -> bool:
    """Whether an address, with or without `https://`, is that of a service of Google's."""
    found = _ADDRESS.fullmatch(address)
    return (
        found is not None
        and found["scheme"] in {None, "https"}
        and found["host"].endswith(_GOOGLES_DOMAIN)
        and found["port"] in {None, "443"}
    )


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
    if not trusted and not is_googles_endpoint(address):
        raise UsageError(
            f"--api_endpoint must be a host of Google's, *{_GOOGLES_DOMAIN}, got {shown(address)}; "
            "add --trust_endpoint if your credentials may go there"
        )
    return f"{scheme}://{host}" + (f":{port}" if port else "")


@dataclass(frozen=True)
class Image:
    """A container image's name.

    Attributes:
        host: the registry.
        path: the image's path in the registry.
        tag: None for none, which means `latest`.
        digest: the hash of the image's content; None where the tag identifies it.
    """

    host: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, name: str) -> Self:
        """Parses a name.

        Raises:
            UsageError: for an invalid name, or one without a registry.
        """
        found = _IMAGE.fullmatch(name)
        if found is None:
            raise UsageError(
                f"{named('image')} must be REGISTRY/PATH:TAG, such as {EXAMPLE_IMAGE}, got {shown(name)}; "
                "textgen vertex build shows how to make one"
            )
        return cls(found["host"], found["path"], found["tag"], found["digest"])

    @property
    def is_googles(self) -> bool:
        """Whether the registry is one of Google's. No other registry may see Google's credentials."""
        return _GOOGLES_REGISTRY.fullmatch(self.host) is not None

    @property
    def manifest_url(self) -> str:
        """The URL of the image's manifest (OCI Distribution Specification, "Pulling manifests")."""
        return f"https://{self.host}/v2/{self.path}/manifests/{self.digest or self.tag or 'latest'}"
