"""What is asked of a job of Vertex AI, but for where it runs, which stands in `VertexConfig`, and what it trains."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings
from textgen.config.vertex_tools import job_id


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
