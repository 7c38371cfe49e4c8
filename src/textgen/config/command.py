"""What `textgen-train` is asked to do with a config: settings of one call, which the job does not keep."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option
from textgen.config.validation import check_settings


@dataclass(frozen=True)
class TrainCommand:
    """The call's own settings; the hyperparameters stand in `TrainingConfig`.

    Raises:
        UsageError: for a value that cannot be.
    """

    config: str | None = option(
        None,
        group="this run",
        metavar="NAME|FILE",
        help="A preset's name or a YAML file of settings. Flags win over what it says.",
    )
    fresh: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Begins anew: moves the job that is there aside, instead of going on with it.",
    )
    dry_run: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Prints the plan, with text, vocabulary, model, memory and job directory, and trains nothing.",
    )
    json: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Ends with one line of JSON on standard output: job directory, steps, losses, speed. For scripts.",
    )

    def __post_init__(self) -> None:
        check_settings(self)
