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
        "logs": Command("textgen.cli.vertex.logs", "Shows what a job has written."),
        "fetch": Command("textgen.cli.vertex.fetch", "Brings a job's directory home."),
        "build": Command("textgen.cli.vertex.build", "Shows, or runs, what builds and pushes the image."),
        "doctor": Command("textgen.cli.vertex.doctor", "Looks whether all is there that a job needs."),
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
