"""Reads the log of a custom job from Cloud Logging, once or while it grows; knows nothing of how the job stands.

Lines can arrive late and out of order: so following asks for what Cloud Logging has received since the last look, not for
what was written since, with an overlap, and drops what was shown before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from textgen.cloud.rest import Services

_URL = "https://logging.googleapis.com/v2/entries:list"
_ROLE = "Logs Viewer"
_PAGE = 1000
"""Lines in an answer, the most that there can be (Cloud Logging's documentation, "entries.list")."""

_INTERVAL_SECONDS = 5.0
"""Between two looks: a fifth of the 60 a minute that Cloud Logging grants a project (its documentation, "Quotas")."""

_OVERLAP = timedelta(minutes=2)
"""How long a line may be received before it can be found."""

_QUIET_LOOKS = 4
"""Looks without a new line, after the end of a job, that show that none is on its way."""


@dataclass(frozen=True)
class Line:
    """A line of a job's log.

    Attributes:
        time: when it was written.
        severity: such as `INFO` or `ERROR`.
        message: what it says; can hold line breaks.
    """

    time: datetime
    severity: str
    message: str


def read_log(services: Services, project: str, job_id: str) -> Iterator[Line]:
    """The lines that there are, in the order of their times.

    Args:
        services: Google's, as the user may use them.
        project: the project's id.
        job_id: of the custom job.

    Raises:
        AccessError: when the credentials do not allow it.
        UnavailableError: when Cloud Logging is not enabled or cannot be reached.
    """
    for entry in _entries(services, project, job_id, None):
        yield _line(entry)


def follow_log(services: Services, project: str, job_id: str, has_ended: Callable[[], bool]) -> Iterator[Line]:
    """The lines that there are, then those that come, each once, until the job has ended and no line is on its way.

    Args:
        services: Google's, as the user may use them.
        project: the project's id.
        job_id: of the custom job.
        has_ended: asks whether the job has.

    Raises:
        AccessError: when the credentials do not allow it.
        UnavailableError: when Cloud Logging is not enabled or cannot be reached.
    """
    shown: dict[tuple[str, ...], datetime] = {}
    since: datetime | None = None
    ended, quiet = False, 0
    while quiet < _QUIET_LOOKS:
        ended = ended or has_ended()  # before the look, which so finds what was written before the end
        quiet += ended
        begin = time.monotonic()
        for entry in _entries(services, project, job_id, since):
            key = (str(entry.get("logName")), str(entry.get("timestamp")), str(entry.get("insertId")))
            if key not in shown:
                quiet = 0
                yield _line(entry)
            shown[key] = _time(entry.get("receiveTimestamp"))
        if shown:
            # A look takes many answers where the log is long, and the first say nothing of what comes meanwhile.
            since = max(shown.values()) - _OVERLAP - timedelta(seconds=time.monotonic() - begin)
            shown = {key: received for key, received in shown.items() if received >= since}
        if quiet < _QUIET_LOOKS:
            time.sleep(_INTERVAL_SECONDS)


def _entries(services: Services, project: str, job_id: str, since: datetime | None) -> Iterator[dict[str, Any]]:
    """The entries received since a time, page by page; a page can be empty and have a next one."""
    conditions = ['resource.type="ml_job"', f'resource.labels.job_id="{job_id}"']
    if since is not None:
        conditions.append(f'receiveTimestamp>="{since.isoformat()}"')
    body: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": " AND ".join(conditions),
        "orderBy": "timestamp asc",
        "pageSize": _PAGE,
    }
    while True:
        answer = services.ask(f"cannot read the log of job {job_id}", _ROLE, "POST", _URL, body=body)
        yield from answer.get("entries", [])
        if not answer.get("nextPageToken"):
            return
        body = {**body, "pageToken": answer["nextPageToken"]}


def _line(entry: dict[str, Any]) -> Line:
    return Line(_time(entry.get("timestamp")), str(entry.get("severity", "DEFAULT")), _message(entry))


def _message(entry: dict[str, Any]) -> str:
    """What an entry says: its text, the message of its JSON, or else the JSON itself."""
    if "textPayload" in entry:
        return str(entry["textPayload"]).rstrip("\n")
    payload = entry.get("jsonPayload", entry.get("protoPayload", {}))
    message = payload.get("message") if isinstance(payload, dict) else None
    return message.rstrip("\n") if isinstance(message, str) else json.dumps(payload, ensure_ascii=False)


def _time(text: Any) -> datetime:
    """A time as Google writes it, RFC 3339 with up to nine digits after the second; Python keeps six."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
