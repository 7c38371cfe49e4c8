"""Creates, reads, lists, cancels and watches custom jobs of Vertex AI. A job is a JSON object."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import TracebackType
from typing import Any, Self

from textgen.cloud.job_failures import explain
from textgen.cloud.rest import find_credentials
from textgen.config.vertex import VertexConfig
from textgen.errors import MissingError, UnavailableError
from textgen.formatting import shorten
from textgen.storage.service import confine, message_of, retry_for, translated

_ANSWER_SECONDS = 60.0

_MOST_LISTED = 100
_ROLE = "Vertex AI User"

_ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0


class JobService:
    """The job service of a project in a region; a context manager, for its connection.

    Each method also raises an `AccessError` when the credentials do not allow it, and an `UnavailableError` when there
    are none, a quota is used up, no machine is free, or the service cannot be reached.

    Args:
        config: with project and region.
    """

    def __init__(self, config: VertexConfig) -> None:
        config.require("project", "region")
        self._config = config
        self._parent = f"projects/{config.project}/locations/{config.region}"

    def __enter__(self) -> Self:
        from google.api_core.client_options import ClientOptions
        from google.cloud.aiplatform_v1 import JobServiceClient

        self._client: JobServiceClient = JobServiceClient(
            credentials=find_credentials(),
            transport="rest",
            client_options=ClientOptions(api_endpoint=self._config.endpoint),
        )
        session = self._client.transport._session  # type: ignore[attr-defined]  # noqa: SLF001 - nothing public gives it
        confine(session, self._config.endpoint)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.transport.close()  # type: ignore[no-untyped-call]

    def create(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Starts a job.

        Args:
            job: a CustomJob, as `textgen.cloud.job_spec` makes it.

        Returns:
            The job with the name and state that the service gave it.
        """
        from google.cloud.aiplatform_v1 import CustomJob
        from google.protobuf import json_format

        message = CustomJob()
        json_format.ParseDict(dict(job), CustomJob.pb(message))
        with self._translated("cannot start the job"):
            # Without retries: if an answer is lost, a second request would start and bill a second job.
            job = self._client.create_custom_job(parent=self._parent, custom_job=message, timeout=_ANSWER_SECONDS)
            return _as_json(job)

    def get(self, job_id: str) -> dict[str, Any]:
        """Returns a job in its current state.

        Raises:
            MissingError: if no job has this id.
        """
        with self._translated(f"cannot read job {job_id}"), self._found(job_id):
            return _as_json(self._client.get_custom_job(name=self._name(job_id), **_retried()))

    def list(self) -> list[dict[str, Any]]:
        """Returns the newest hundred jobs, newest first."""
        from google.cloud.aiplatform_v1 import ListCustomJobsRequest

        with self._translated("cannot list the jobs"):
            request = ListCustomJobsRequest(parent=self._parent, page_size=_MOST_LISTED)
            pages = islice(self._client.list_custom_jobs(request, **_retried()).pages, _MOST_LISTED)
            found = islice((job for page in pages for job in page.custom_jobs), _MOST_LISTED)
            return sorted(map(_as_json, found), key=lambda job: job.get("createTime", ""), reverse=True)

    def cancel(self, job_id: str) -> None:
        """Asks Vertex AI to end a job, which gets time to save.

        Raises:
            MissingError: if no job has this id.
        """
        with self._translated(f"cannot cancel job {job_id}"), self._found(job_id):
            self._client.cancel_custom_job(name=self._name(job_id), **_retried())

    def _name(self, job_id: str) -> str:
        return f"{self._parent}/customJobs/{job_id}"

    @contextlib.contextmanager
    def _found(self, job_id: str) -> Iterator[None]:
        from google.api_core.exceptions import NotFound

        try:
            yield
        except NotFound as error:
            raise MissingError(
                f"there is no job {job_id} in {self._config.region} of {self._config.project}; "
                "textgen vertex list shows the jobs of a --region"
            ) from error

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        from google.api_core import exceptions as api

        with translated(doing, _ROLE):
            try:
                yield
            except (api.TooManyRequests, api.Forbidden, api.BadRequest, api.NotFound) as error:
                if (known := explain(message_of(error), self._config)) is not None:
                    raise known from error
                if isinstance(error, api.BadRequest):
                    raise UnavailableError(
                        f"{doing}: Vertex AI refuses it: {shorten(message_of(error))}; correct it and try again"
                    ) from error
                raise


def get(config: VertexConfig, job_id: str) -> dict[str, Any]:
    """Calls `JobService.get` on a new connection."""
    with JobService(config) as service:
        return service.get(job_id)


def id_of(job: Mapping[str, Any]) -> str:
    """Returns a job's id, the number at the end of its name; empty if the name ends in anything else."""
    last = str(job.get("name")).rpartition("/")[2]
    return last if last.isascii() and last.isdecimal() else ""


def state_of(job: Mapping[str, Any]) -> str:
    """Returns a job's state without its prefix, such as `RUNNING`."""
    return str(job.get("state", "UNSPECIFIED")).removeprefix("JOB_STATE_")


def has_ended(job: Mapping[str, Any]) -> bool:
    """Whether a job's state is final."""
    return state_of(job) in _ENDS


def wait_for_end(get: Callable[[], Mapping[str, Any]], changed: Callable[[str], None]) -> Mapping[str, Any]:
    """Waits until a job has ended, asking less and less often while nothing changes.

    Args:
        get: returns the job in its current state.
        changed: called with each new state.

    Returns:
        The job in its final state.
    """
    state, pause = "", _FIRST_PAUSE_SECONDS
    while True:
        job = get()
        if state_of(job) != state:
            state, pause = state_of(job), _FIRST_PAUSE_SECONDS
            changed(state)
        if has_ended(job):
            return job
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


def directory_of(job: Mapping[str, Any]) -> str:
    """Returns the URI of a job's directory; empty if it has none, because textgen did not submit it."""
    return str(job.get("jobSpec", {}).get("baseOutputDirectory", {}).get("outputUriPrefix", ""))


def _retried() -> dict[str, Any]:
    """Returns the arguments for a request that can be retried."""
    return {"timeout": _ANSWER_SECONDS, "retry": retry_for(_ANSWER_SECONDS)}


def _as_json(job: Any) -> dict[str, Any]:
    from google.cloud.aiplatform_v1 import CustomJob
    from google.protobuf import json_format

    found: dict[str, Any] = json_format.MessageToDict(CustomJob.pb(job))
    return found
