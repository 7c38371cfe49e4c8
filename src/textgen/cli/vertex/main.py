"""`textgen vertex`: the commands for jobs of Vertex AI."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.cli.dispatch import Command, Commands

COMMANDS = Commands(
    "textgen vertex",
    "Train on Google Cloud's Vertex AI, and fetch the model.",
    {
        "submit": Command("textgen.cli.vertex.submit", "Start textgen-train as a job."),
        "status": Command("textgen.cli.vertex.status", "Show the state of a job."),
        "list": Command("textgen.cli.vertex.list", "List the jobs of a project."),
        "cancel": Command("textgen.cli.vertex.cancel", "End a job."),
        "logs": Command("textgen.cli.vertex.logs", "Show the log of a job."),
        "fetch": Command("textgen.cli.vertex.fetch", "Fetch a job's directory."),
        "build": Command("textgen.cli.vertex.build", "Show, or run, the commands that build and push the image."),
        "doctor": Command("textgen.cli.vertex.doctor", "Check everything a job needs."),
        "yaml": Command("textgen.cli.vertex.yaml", "Write a job as a file for gcloud."),
    },
)


def main(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex`.

    Args:
        arguments: the arguments after the name of the command.

    Returns:
        The exit code.
    """
    return COMMANDS.run(arguments)
