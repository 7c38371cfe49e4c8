"""What `textgen vertex` is asked to do, but for where a job runs, which stands in `VertexConfig`, and what it trains."""

from __future__ import annotations

import re
from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings, shown
from textgen.errors import UsageError

_JOB = re.compile(r"(projects/[^/]+/locations/[^/]+/customJobs/)?([0-9]{1,20})", re.ASCII)


def job_id(job: str) -> str:
    """The id of a custom job, from the id or the resource's whole name.

    Raises:
        UsageError: for anything else.
    """
    found = _JOB.fullmatch(job)
    if found is None:
        raise UsageError(
            f"JOB must be a custom job's id, a number such as 1234567890123456789, got {shown(job)}; "
            "textgen vertex list shows those there are"
        )
    return found.group(2)


@dataclass(frozen=True)
class VertexFile:
    """Where the constants of a project are read from.

    Raises:
        UsageError: for a value that cannot be.
    """

    vertex_config: str | None = option(
        None,
        group="Google Cloud",
        metavar="FILE",
        help="A YAML file with settings of this group and of the machine; flags win over it. none is vertex.yaml in this folder, where there is one.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SubmitCommand:
    """How a job is started.

    Raises:
        UsageError: for a value that cannot be.
    """

    wait: bool = option(
        False,
        group="this job",
        kind=bool,
        help="Waits for the end of the job and shows how its state changes. Ctrl-C ends the waiting, not the job.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class JobCommand:
    """Which job is meant.

    Raises:
        UsageError: for what is no job's id.
    """

    job: str = option("", group="job", positional="one", metavar="JOB", help="The id of a custom job.")

    def __post_init__(self) -> None:
        check_settings(self)
        job_id(self.job)


@dataclass(frozen=True)
class LogsCommand:
    """How a job's log is shown. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    follow: bool = option(
        False,
        group="output",
        kind=bool,
        help="Goes on with what comes, until the job ends.",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class FetchCommand:
    """Which job to bring home, and where to. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    job: str = option(
        "",
        group="job",
        positional="one",
        metavar="JOB",
        help="The id of a custom job, or the place of a job directory: gs://BUCKET/PATH.",
    )
    output: str | None = option(
        None,
        group="files",
        metavar="DIR",
        help="Where to put it. An earlier state of the same job there is brought up to date; anything else is refused. none is job/NAME, with the name that it has in the bucket.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.job.startswith("gs://"):
            job_id(self.job)


@dataclass(frozen=True)
class BuildCommand:
    """Whether to run what builds the image, or to print it. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    run: bool = option(
        False,
        group="build",
        kind=bool,
        help="Runs the commands in place of printing them.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
