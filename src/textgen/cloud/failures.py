"""What Vertex AI says when it refuses a job or ends one badly, in one line with what to do; asks nobody."""

from __future__ import annotations

import re

from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError, UsageError
from textgen.storage.service import shorten

_LONGEST = 300

_METRIC = re.compile(r"[a-z.]+googleapis\.com/[a-z0-9_]+")

_KNOWN: tuple[tuple[str, type[TextgenError], str], ...] = (
    (
        r"quota",
        UnavailableError,
        (
            "the quota {metric} of {region} is used up or zero: {said}; ask for more under IAM & Admin, Quotas, "
            "or name another --region or --machine"
        ),
    ),
    (
        r"out of stock|stockout|insufficient resources|resources are insufficient",
        UnavailableError,
        (
            "{region} has no such machine free now; try again later, name another --region or --machine, "
            "or wait for one with --flex_start"
        ),
    ),
    (
        r"image.*(not found|failed to pull|pull access|does not exist)|(not found|failed to pull).*image",
        MissingError,
        (
            "the image {image} cannot be pulled: {said}; build and push it with textgen vertex build --run, "
            "and let Vertex AI's service agent read its registry"
        ),
    ),
    (
        r"iam\.serviceaccounts\.actas|act as",
        AccessError,
        "you may not run jobs as {account}: ask for the role Service Account User on it",
    ),
    (
        r"permission.*denied",
        AccessError,
        "Vertex AI refuses: {said}; ask for the role Vertex AI User in {project}",
    ),
    (
        r"unsupported|not supported|invalid machine",
        UsageError,
        "{region} cannot run this: {said}; name another --region, --machine or --accelerator",
    ),
)
"""What such a message says, its class, and the line for it; the first that fits."""


def explain(said: str, config: VertexConfig) -> TextgenError | None:
    """The failure behind a message of Vertex AI's.

    Args:
        said: the message, of a refused request or of a job that failed.
        config: what was asked for.

    Returns:
        The error; None for a message that is not known.
    """
    metric = _METRIC.search(said)
    facts = {
        "said": shorten(said, _LONGEST),
        "metric": metric[0] if metric else "(see the message)",
        "region": config.region,
        "project": config.project,
        "image": config.image,
        "account": config.service_account or "the service account",
    }
    for pattern, kind, line in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE | re.DOTALL):
            return kind(line.format(**facts))
    return None
