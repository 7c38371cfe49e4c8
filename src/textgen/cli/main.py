"""`textgen`: runs each of the other commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from textgen.cli.dispatch import Command, Commands

COMMANDS = Commands(
    "textgen",
    "Train an LSTM on your own text, and generate text with it.",
    {
        "train": Command("textgen.cli.train", "Train a model on text (textgen-train)."),
        "sample": Command("textgen.cli.sample", "Generate text with a trained model (textgen-sample)."),
        "export": Command("textgen.cli.export", "Export a trained model to another runtime."),
        "jobs": Command("textgen.cli.jobs", "List jobs with their state, score and size."),
        "inspect": Command("textgen.cli.inspect", "Verify the files of a job, and print what they contain."),
        "vertex": Command("textgen.cli.vertex.main", "Train on Google Cloud's Vertex AI."),
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen`.

    Args:
        arguments: the arguments after the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    return COMMANDS.run(list(sys.argv[1:] if arguments is None else arguments))
