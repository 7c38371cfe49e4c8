"""The results of `peers.py`: a file of all runs, and the table of their means."""

import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONTESTANTS = ("kneser-ney", "textgen", "torch-lstm", "tuned-gpt", "nanogpt", "textgen-base")
"""In the order in which they train."""
COSTS = {
    "seconds of training": ("seconds", ".0f"),
    "all seconds": ("wall_seconds", ".0f"),
    "CPU seconds": ("cpu_seconds", ".0f"),
    "taken by others": ("others", ".1%"),
}
"""The last columns of the table: names and formats. All seconds and CPU seconds include start-up and evaluation."""


class Results:
    """The results of all runs, in a file that is written after each of them.

    Args:
        path: the file.
        setting: what all runs have in common, and a file with other runs is refused; None to read a file as it is.
    """

    def __init__(self, path: Path, setting: Mapping[str, Any] | None) -> None:
        self._path = path
        if setting is None and not path.exists():
            sys.exit(f"there are no results in {path}; name their file with --results, or leave out --draw to train")
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"setting": setting, "runs": []}
        for name, value in (setting or {}).items():
            if (was := found["setting"][name]) != value:
                sys.exit(f"{path} contains runs with {name} {was}, not {value}; name another file with --results")
        self._setting: dict[str, Any] = found["setting"]
        self.runs: list[dict[str, Any]] = found["runs"]

    def of(self, contestant: str) -> list[dict[str, Any]]:
        """Returns the runs of a contestant, in the order of their seeds."""
        return sorted((run for run in self.runs if run["contestant"] == contestant), key=lambda run: run["seed"])

    def has(self, contestant: str, seed: int) -> bool:
        """Returns whether a run is there."""
        return any(run["seed"] == seed for run in self.of(contestant))

    def add(self, run: dict[str, Any]) -> None:
        """Adds a run, in place of an older one of the same contestant and seed."""
        same = {"contestant": run["contestant"], "seed": run["seed"]}
        self.runs = [other for other in self.runs if {name: other[name] for name in same} != same] + [run]
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps({"setting": self._setting, "runs": self.runs}, indent=1) + "\n", encoding="utf-8")
        written.replace(self._path)


def print_table(results: Results) -> None:
    """Prints a Markdown table with a row for each contestant: the best loss of each seed, and the means of everything."""
    columns = ("", "nats per character (bits)", "each seed", "weights", "steps", *COSTS)
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for contestant in CONTESTANTS:
        if runs := results.of(contestant):
            best = [min(loss for _, loss in run["points"]) for run in runs]
            nats = statistics.mean(best)
            cells = [contestant, f"{nats:.3f} ({nats / math.log(2):.3f})", ", ".join(f"{loss:.3f}" for loss in best)]
            cells += [average(runs, name, ",.0f") for name in ("parameters", "steps")]
            cells += [average(runs, name, pattern) for name, pattern in COSTS.values()]
            print(f"| {' | '.join(cells)} |")


def average(runs: Sequence[Mapping[str, Any]], name: str, pattern: str) -> str:
    """Returns the mean of a number over runs as text; empty if they do not have it."""
    values = [run[name] for run in runs if run.get(name) is not None]
    return format(statistics.mean(values), pattern) if values else ""
