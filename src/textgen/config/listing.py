"""The settings of `textgen jobs`."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.values import check_settings


@dataclass(frozen=True)
class JobsCommand:
    """The jobs to list, and the output format. Immutable, and valid once it exists.

    Raises:
        UsageError: if a value is invalid.
    """

    directory: str = option(
        "job", group="jobs", positional="one", metavar="DIR", help="List the jobs in and below this directory."
    )
    json: bool = option(
        False,
        group="output",
        kind=bool,
        help="Print one line of JSON per job: job_dir, state, steps, epochs, minutes, valid_loss, valid_bits_per_character, valid_unknown_share, bytes, changed, problem. Use it in scripts.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
