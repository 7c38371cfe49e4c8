"""The arguments of `textgen vertex`, without those of `VertexConfig` and those of textgen-train."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.values import check_settings
from textgen.errors import UsageError
from textgen.formatting import shown

_JOB = re.compile(r"(projects/[^/]+/locations/[^/]+/customJobs/)?([0-9]{1,20})", re.ASCII)


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


@dataclass(frozen=True)
class VertexFile:
    """The file with the constants of a project.

    Raises:
        UsageError: for an invalid value.
    """

    vertex_config: str | None = option(
        None,
        group="Google Cloud",
        metavar="FILE",
        help="A YAML file with settings of this group and of the machine, which flags override. none is vertex.yaml in this folder, if it exists.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SubmitCommand:
    """How a job is started.

    Raises:
        UsageError: for an invalid value.
    """

    wait: bool = option(
        False,
        group="this job",
        kind=bool,
        help="Wait for the end of the job and show its states. Ctrl-C ends the waiting, not the job.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class JobCommand:
    """The job that a command is for.

    Raises:
        UsageError: for an invalid job id.
    """

    job: str = option("", group="job", positional="one", metavar="JOB", help="The id of a custom job.")

    def __post_init__(self) -> None:
        check_settings(self)
        job_id(self.job)


@dataclass(frozen=True)
class LogsCommand:
    """How a job's log is shown. Immutable, and valid once it exists.

    Raises:
        UsageError: for an invalid value.
    """

    follow: bool = option(
        False,
        group="output",
        kind=bool,
        help="Show new lines until the job ends.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class FetchCommand:
    """The job to fetch, and where to put it. Immutable, and valid once it exists.

    Raises:
        UsageError: for an invalid value.
    """

    job: str = option(
        "",
        group="job",
        positional="one",
        metavar="JOB",
        help="The id of a custom job, or the job directory: gs://BUCKET/PATH.",
    )
    output: str | None = option(
        None,
        group="files",
        metavar="DIR",
        help="Put it here. An earlier copy of the same job is brought up to date; anything else is refused. none is job/NAME, with its name in the bucket.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.job.startswith("gs://"):
            job_id(self.job)


@dataclass(frozen=True)
class BuildCommand:
    """Whether to run what builds the image, or to print it. Immutable, and valid once it exists.

    Raises:
        UsageError: for an invalid value.
    """

    run: bool = option(
        False,
        group="build",
        kind=bool,
        help="Run the commands instead of printing them.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
