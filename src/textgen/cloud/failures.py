"""Explains in one line why Vertex AI refuses a job or has ended one, and what to do. Sends no request."""

from __future__ import annotations

import re

from textgen.cloud.rest import NEEDS_QUOTA_PROJECT, NO_QUOTA_PROJECT
from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError, UsageError
from textgen.formatting import shorten

_MOST_READ = 5000
"""Characters of a message. Google's are shorter, and the patterns take time that grows with the square of the length."""

_LONGEST = 300
"""Characters of a message that an error quotes."""

_METRIC = re.compile(r"[a-z.]+googleapis\.com/[a-z0-9_]+")

_OWN_EXIT = re.compile(r"exited with a non-zero status")
"""The container ended by itself. The message can quote its output, but only the log explains the failure."""

_KNOWN: tuple[tuple[str, type[TextgenError], str], ...] = (
    # The account that asks, before its permissions.
    (NEEDS_QUOTA_PROJECT.pattern, UnavailableError, NO_QUOTA_PROJECT),
    (
        r"permission denied on resource project|consumer_invalid",
        AccessError,
        "there is no project with the id {project}, or you have no part in it: {said}; check --project",
    ),
    # The accounts that the job needs, before the user's.
    (
        (
            r"(does not have permission to access|denied).*artifact ?registry|artifactregistry.*denied"
            r"|(failed to pull|cannot pull|pull access).*(denied|permission|forbidden|unauthorized)"
        ),
        AccessError,
        (
            "Vertex AI may not pull the image {image}: {said}; give the role Artifact Registry Reader on its repository "
            "to the project's Vertex AI service agents"
        ),
    ),
    (
        r"iam\.serviceaccounts\.actas|\bact as\b",
        AccessError,
        "you may not run jobs as {account}, or it does not exist: {said}; ask for the role Service Account User on it",
    ),
    (
        r"does not have.*storage\.|storage\.(objects|buckets)\.\w+.*denied|denied.*storage\.(objects|buckets)\.",
        AccessError,
        "an account of the job may not use {bucket}: {said}; give it the role Storage Object User on the bucket",
    ),
    (
        r"permission.*aiplatform\.\w+\.\w+.*denied|aiplatform\.\w+\.\w+.*permission.*denied",
        AccessError,
        "Vertex AI refuses: {said}; ask for the role Vertex AI User (roles/aiplatform.user) in {project}",
    ),
    # Machines and images.
    (
        r"quota[^.]*exceed|exceed[^.]*quota|(insufficient|out of) quota|quota[^.]*exhausted",
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
        (
            r"image.*(not found|failed to pull|pull access|does not exist)|(not found|failed to pull).*image"
            r"|(manifest|name)[ _]unknown"
        ),
        MissingError,
        "the image {image} cannot be pulled: {said}; build and push it with textgen vertex build --run",
    ),
    (
        (
            r"(machine type|accelerator|gpu).*(unsupported|not supported)|(unsupported|not supported|invalid).*"
            r"(machine|accelerator|gpu)"
        ),
        UsageError,
        "{region} cannot run this: {said}; name another --region, --machine or --accelerator",
    ),
    # Whatever else is not allowed: the message names the permission, and perhaps the account.
    (
        r"permission.*denied|does not have.*permission|permission_denied",
        AccessError,
        "Vertex AI refuses: {said}; ask an owner of {project} for what is missing",
    ),
)
"""Patterns of messages, each with the error and its line. The specific ones come first, and the first match counts."""


def explain(said: str, config: VertexConfig) -> TextgenError | None:
    """Returns the error for a message of Vertex AI.

    Args:
        said: the message of a refused request or of a failed job.
        config: the settings of the job.

    Returns:
        The error; None for an unknown message.
    """
    said = said[:_MOST_READ]
    if _OWN_EXIT.search(said):
        return None
    metric = _METRIC.search(said)
    facts = {
        "said": shorten(said, _LONGEST),
        "metric": metric[0] if metric else "(see the message)",
        "region": config.region,
        "project": config.project,
        "image": config.image,
        "bucket": config.bucket_uri,
        "account": config.service_account or "the service account",
    }
    for pattern, kind, line in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE | re.DOTALL):
            return kind(line.format(**facts))
    return None
