"""Parses the names of container images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from textgen.errors import UsageError, named
from textgen.formatting import shown

_IMAGE = re.compile(
    r"(?P<host>[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?)/(?P<path>[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""The grammar of Docker's documentation, "docker image tag", for names that start with a registry."""

_GOOGLE = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io")

EXAMPLE = "europe-west4-docker.pkg.dev/my-project/textgen/textgen-train:1"


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
                f"{named('image')} must be REGISTRY/PATH:TAG, such as {EXAMPLE}, got {shown(name)}; "
                "textgen vertex build shows how to make one"
            )
        return cls(found["host"], found["path"], found["tag"], found["digest"])

    @property
    def is_googles(self) -> bool:
        """Whether the registry is one of Google's. No other registry may see Google's credentials."""
        return _GOOGLE.fullmatch(self.host) is not None

    @property
    def manifest_url(self) -> str:
        """The URL of the image's manifest (OCI Distribution Specification, "Pulling manifests")."""
        return f"https://{self.host}/v2/{self.path}/manifests/{self.digest or self.tag or 'latest'}"
