"""What `textgen-train` is asked to do with a config: settings of one call, which the job does not keep."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.config.option import option


@dataclass(frozen=True)
class TrainCommand:
    """The call's own settings; the hyperparameters stand in `TrainingConfig`."""

    config: str | None = option(
        None,
        group="this run",
        metavar="NAME|FILE",
        help="A preset's name or a YAML file of settings; flags given beside it win.",
    )
    fresh: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Begins anew: moves an existing job directory aside instead of going on with it.",
    )
    dry_run: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Prints the plan, with data, vocabulary, shape, memory and job directory, and trains nothing.",
    )
    json: bool = option(
        False,
        group="this run",
        kind=bool,
        help="Ends with one line of JSON on standard output, for scripts.",
    )
