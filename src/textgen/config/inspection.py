"""The settings of `textgen inspect`."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.values import check_settings


@dataclass(frozen=True)
class InspectCommand:
    """The job to verify. Immutable, and valid once it exists.

    Raises:
        UsageError: if a value is invalid.
    """

    job: str | None = option(
        None,
        group="job",
        positional="one",
        metavar="JOB",
        help="Verify this job: a directory, or a name below job/. The default is the newest job below job/.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
