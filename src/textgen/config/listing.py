"""What `textgen jobs` is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings


@dataclass(frozen=True)
class JobsCommand:
    """Which jobs to list, and how. Immutable, and valid once it exists.

    Raises:
        UsageError: for a value that cannot be.
    """

    directory: str = option(
        "job", group="jobs", positional="one", metavar="DIR", help="Look for jobs in and below this directory."
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Write one line of JSON per job: job_dir, state, steps, epochs, minutes, valid_loss, valid_bits_per_character, valid_unknown_share, bytes, changed, problem. For scripts.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
