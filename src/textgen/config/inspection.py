"""What `textgen inspect` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings


@dataclass(frozen=True)
class InspectCommand:
    """Which job to verify. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    job: str | None = option(
        None,
        group="job",
        positional="one",
        metavar="JOB",
        help="A job: its directory, or its name below job/. Without it, the newest job below job/ is used.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
