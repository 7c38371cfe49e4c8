"""`textgen vertex`: one command for all that has to do with jobs of Vertex AI."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.cli.dispatch import Command, Commands

COMMANDS = Commands(
    "textgen vertex",
    "Trains on Google Cloud's Vertex AI, and brings the model home.",
    {
        "submit": Command("textgen.cli.vertex.submit", "Starts textgen-train as a job."),
        "status": Command("textgen.cli.vertex.status", "Tells how a job stands."),
        "list": Command("textgen.cli.vertex.list", "Lists the jobs of a project."),
        "cancel": Command("textgen.cli.vertex.cancel", "Ends a job."),
        "yaml": Command("textgen.cli.vertex.yaml", "Writes a job as a file for gcloud."),
    },
)


def main(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex`.

    Args:
        arguments: without the names of the program and of the command.

    Returns:
        The exit code.
    """
    return COMMANDS.run(arguments)
