"""`textgen`: one command for all others."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from textgen.cli.dispatch import Command, Commands

COMMANDS = Commands(
    "textgen",
    "Train an LSTM on your own text, and let it write.",
    {
        "train": Command("textgen.cli.train", "Trains a model on text (textgen-train)."),
        "sample": Command("textgen.cli.sample", "Lets a trained model write (textgen-sample)."),
        "export": Command("textgen.cli.export", "Writes a trained model for other runtimes."),
        "jobs": Command("textgen.cli.jobs", "Lists jobs: how far each is, how good, how large."),
        "inspect": Command("textgen.cli.inspect", "Verifies what a job holds, and tells it."),
        "vertex": Command("textgen.cli.vertex.main", "Trains on Google Cloud's Vertex AI."),
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen`.

    Args:
        arguments: without the program's name; None for the process' own.

    Returns:
        The exit code.
    """
    return COMMANDS.run(list(sys.argv[1:] if arguments is None else arguments))
