"""`textgen` and `textgen vertex`: run each of the other commands, and list them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textgen.cli.entry import run_command
from textgen.config.flags import Parser
from textgen.errors import UsageError
from textgen.formatting import nearest, shown


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        module: the module of the command; imported only when the command runs.
        summary: one line for the help page: what the command does.
        function: the function that runs the command, from its arguments to its exit code.
    """

    module: str
    summary: str
    function: str = "main"


@dataclass(frozen=True)
class Commands:
    """The commands of a program.

    Attributes:
        program: the program's name.
        description: one line for the help page: what the program does.
        known: the commands by name.
    """

    program: str
    description: str
    known: Mapping[str, Command]

    def run(self, arguments: Sequence[str]) -> int:
        """Runs the command that the first argument names.

        Args:
            arguments: the arguments after the program's name.

        Returns:
            The exit code.
        """
        if arguments and arguments[0] in self.known:
            command = self.known[arguments[0]]
            code: int = getattr(importlib.import_module(command.module), command.function)(arguments[1:])
            return code
        return run_command(self.program, self._without_command, arguments)

    def make_parser(self) -> Parser:
        """Returns the parser of the program itself, which prints its help page."""
        width = max(map(len, self.known))
        commands = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in self.known.items())
        parser = Parser(
            self.program,
            f"{self.program} COMMAND ...",
            f"{self.description}\n\ncommands:\n{commands}",
            f"{self.program} COMMAND --help describes a command.",
        )
        parser.add_help_and_version()
        return parser

    def _without_command(self, arguments: Sequence[str]) -> None:
        """Handles --help and --version, and refuses anything else."""
        if arguments and not arguments[0].startswith("-"):
            raise UsageError(
                f"there is no command {shown(arguments[0])}{nearest(arguments[0], self.known)}; see {self.program} --help"
            )
        self.make_parser().parse(arguments or ["--help"])


COMMANDS = Commands(
    "textgen",
    "Train an LSTM on your own text, and generate text with it.",
    {
        "train": Command("textgen.cli.train", "Train a model on text (textgen-train)."),
        "sample": Command("textgen.cli.sample", "Generate text with a trained model (textgen-sample)."),
        "score": Command("textgen.cli.score", "Show how surprised a model is by a text, token by token."),
        "serve": Command("textgen.cli.serve", "Serve trained models over HTTP: a playground and an API."),
        "export": Command("textgen.cli.export", "Export a trained model to another runtime."),
        "jobs": Command("textgen.cli.jobs", "List jobs with their state, score and size."),
        "eval": Command("textgen.cli.eval", "Measure how well a model predicts a text, next to simple baselines."),
        "compare": Command("textgen.cli.compare", "Compare and rank jobs, and list the settings that differ."),
        "curve": Command("textgen.cli.curve", "Draw the loss of a job on the terminal."),
        "report": Command("textgen.cli.report", "Write a page about a job: how good it is, and how it learned."),
        "inspect": Command("textgen.cli.inspect", "Verify the files of a job, and print what they contain."),
        "vertex": Command("textgen.cli.main", "Train on Google Cloud's Vertex AI.", "vertex"),
    },
)

VERTEX_COMMANDS = Commands(
    "textgen vertex",
    "Train on Google Cloud's Vertex AI, and fetch the model.",
    {
        "submit": Command("textgen.cli.vertex.submit", "Start textgen-train as a job.", "submit"),
        "status": Command("textgen.cli.vertex.existing_jobs", "Show the state of a job.", "status"),
        "list": Command("textgen.cli.vertex.existing_jobs", "List the jobs of a project.", "list_jobs"),
        "cancel": Command("textgen.cli.vertex.existing_jobs", "End a job.", "cancel"),
        "logs": Command("textgen.cli.vertex.existing_jobs", "Show the log of a job.", "logs"),
        "fetch": Command("textgen.cli.vertex.existing_jobs", "Fetch a job's directory.", "fetch"),
        "build": Command(
            "textgen.cli.vertex.prepare", "Show, or run, the commands that build and push the image.", "build_image"
        ),
        "doctor": Command("textgen.cli.vertex.prepare", "Check everything a job needs.", "doctor"),
        "yaml": Command("textgen.cli.vertex.submit", "Write a job as a file for gcloud.", "write_yaml"),
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


def vertex(arguments: Sequence[str]) -> int:
    """Runs `textgen vertex`.

    Args:
        arguments: the arguments after the name of the command.

    Returns:
        The exit code.
    """
    return VERTEX_COMMANDS.run(arguments)
