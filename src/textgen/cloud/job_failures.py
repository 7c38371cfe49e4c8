"""Explains in one line why Vertex AI refuses a job or has ended one, and what to do. Sends no request."""

from __future__ import annotations

import re

from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError, UsageError
from textgen.formatting import shorten
from textgen.storage.service import NEEDS_QUOTA_PROJECT, NO_QUOTA_PROJECT

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
        "there is no project with the id {project}, or you have no part in it: {message}; check --project",
    ),
    # The accounts that the job needs, before the user's.
    (
        (
            r"(does not have permission to access|denied).*artifact ?registry|artifactregistry.*denied"
            r"|(failed to pull|cannot pull|pull access).*(denied|permission|forbidden|unauthorized)"
        ),
        AccessError,
        (
            "Vertex AI may not pull the image {image}: {message}; give the role Artifact Registry Reader on its repository "
            "to the project's Vertex AI service agents"
        ),
    ),
    (
        r"iam\.serviceaccounts\.actas|\bact as\b",
        AccessError,
        "you may not run jobs as {account}, or it does not exist: {message}; ask for the role Service Account User on it",
    ),
    (
        r"does not have.*storage\.|storage\.(objects|buckets)\.\w+.*denied|denied.*storage\.(objects|buckets)\.",
        AccessError,
        "an account of the job may not use {bucket}: {message}; give it the role Storage Object User on the bucket",
    ),
    (
        r"permission.*aiplatform\.\w+\.\w+.*denied|aiplatform\.\w+\.\w+.*permission.*denied",
        AccessError,
        "Vertex AI refuses: {message}; ask for the role Vertex AI User (roles/aiplatform.user) in {project}",
    ),
    # Machines and images.
    (
        r"quota[^.]*exceed|exceed[^.]*quota|(insufficient|out of) quota|quota[^.]*exhausted",
        UnavailableError,
        (
            "the quota {metric} of {region} is used up or zero: {message}; ask for more under IAM & Admin, Quotas, "
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
        "the image {image} cannot be pulled: {message}; build and push it with textgen vertex build --run",
    ),
    (
        (
            r"(machine type|accelerator|gpu).*(unsupported|not supported)|(unsupported|not supported|invalid).*"
            r"(machine|accelerator|gpu)"
        ),
        UsageError,
        "{region} cannot run this: {message}; name another --region, --machine or --accelerator",
    ),
    # Whatever else is not allowed: the message names the permission, and perhaps the account.
    (
        r"permission.*denied|does not have.*permission|permission_denied",
        AccessError,
        "Vertex AI refuses: {message}; ask an owner of {project} for what is missing",
    ),
)
"""Patterns of messages, each with the error and its line. The specific ones come first, and the first match counts."""


def explain(message: str, config: VertexConfig) -> TextgenError | None:
    """Returns the error for a message of Vertex AI.

    Args:
        message: that of a refused request or of a failed job.
        config: the settings of the job.

    Returns:
        The error; None for an unknown message.
    """
    message = message[:_MOST_READ]
    if _OWN_EXIT.search(message):
        return None
    metric = _METRIC.search(message)
    facts = {
        "message": shorten(message, _LONGEST),
        "metric": metric[0] if metric else "(see the message)",
        "region": config.region,
        "project": config.project,
        "image": config.image,
        "bucket": config.bucket_uri,
        "account": config.service_account or "the service account",
    }
    for pattern, kind, line in _KNOWN:
        if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
            return kind(line.format(**facts))
    return None
