"""Reads the log of a custom job from Cloud Logging, once or while it grows.

Lines can arrive late and out of order. Following a log therefore asks for the lines received, not written, since the last
request. The periods overlap, and lines that were shown before are dropped.
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
"""The most lines per answer (Cloud Logging's documentation, "entries.list")."""

_INTERVAL_SECONDS = 5.0
"""Between two requests. 12 per minute is a fifth of a project's quota (Cloud Logging's documentation, "Quotas")."""

_OVERLAP = timedelta(minutes=2)
"""How long it can take until a request finds a received line."""

_QUIET_REQUESTS = 4
"""Requests without a new line, after the end of a job, until following stops."""


@dataclass(frozen=True)
class Line:
    """A line of a job's log.

    Attributes:
        time: when it was written.
        severity: such as `INFO` or `ERROR`.
        message: the text, which can contain line breaks.
    """

    time: datetime
    severity: str
    message: str


def read_log(services: Services, project: str, job_id: str) -> Iterator[Line]:
    """Yields the lines so far, in the order of their times.

    Args:
        services: Google's services with the user's credentials.
        project: the project's id.
        job_id: of the custom job.

    Raises:
        AccessError: if the credentials do not allow it.
        UnavailableError: if Cloud Logging is not enabled or cannot be reached.
    """
    for entry in _entries(services, project, job_id, None):
        yield _line(entry)


def follow_log(services: Services, project: str, job_id: str, has_ended: Callable[[], bool]) -> Iterator[Line]:
    """Yields the lines so far, then new ones, each once, until the job has ended and no more will come.

    Args:
        services: Google's services with the user's credentials.
        project: the project's id.
        job_id: of the custom job.
        has_ended: asks whether the job has ended.

    Raises:
        AccessError: if the credentials do not allow it.
        UnavailableError: if Cloud Logging is not enabled or cannot be reached.
    """
    shown: dict[tuple[str, ...], datetime] = {}
    since: datetime | None = None
    ended, quiet = False, 0
    while quiet < _QUIET_REQUESTS:
        ended = ended or has_ended()  # before the request, which then finds all lines written before the end
        quiet += ended
        begin = time.monotonic()
        for entry in _entries(services, project, job_id, since):
            key = (str(entry.get("logName")), str(entry.get("timestamp")), str(entry.get("insertId")))
            if key not in shown:
                quiet = 0
                yield _line(entry)
            shown[key] = _time(entry.get("receiveTimestamp"))
        if shown:
            # A long log takes many answers, and the first ones miss the lines that arrive meanwhile.
            since = max(shown.values()) - _OVERLAP - timedelta(seconds=time.monotonic() - begin)
            shown = {key: received for key, received in shown.items() if received >= since}
        if quiet < _QUIET_REQUESTS:
            time.sleep(_INTERVAL_SECONDS)


def _entries(services: Services, project: str, job_id: str, since: datetime | None) -> Iterator[dict[str, Any]]:
    """The entries received since a time, page by page; an empty page can be followed by another."""
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
        entries = answer.get("entries", [])
        yield from (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
        if not answer.get("nextPageToken"):
            return
        body = {**body, "pageToken": answer["nextPageToken"]}


def _line(entry: dict[str, Any]) -> Line:
    message, severity = _message(entry), str(entry.get("severity", "DEFAULT"))
    if (own := _own_entry(message)) is not None:
        message, severity = own["message"], str(own.get("severity", severity))
    return Line(_time(entry.get("timestamp")), severity, message.rstrip("\n"))


def _message(entry: dict[str, Any]) -> str:
    """An entry's text, the message of its JSON, or else the JSON itself."""
    if "textPayload" in entry:
        return str(entry["textPayload"])
    payload = entry.get("jsonPayload", entry.get("protoPayload", {}))
    message = payload.get("message") if isinstance(payload, dict) else None
    return message if isinstance(message, str) else json.dumps(payload, ensure_ascii=False)


def _own_entry(message: str) -> dict[str, Any] | None:
    """The entry in a message, because Vertex AI sometimes takes a whole line of JSON from the job for the message."""
    if not message.startswith("{"):
        return None
    try:
        entry = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("message"), str) else None


def _time(text: Any) -> datetime:
    """A time of Google's: RFC 3339 with up to nine digits after the second, of which Python keeps six."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
