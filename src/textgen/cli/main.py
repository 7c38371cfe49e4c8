"""`textgen`: one command for all others."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from textgen.cli import export, inspect, jobs, sample, train
from textgen.cli.entry import run_command
from textgen.config.flags import Parser
from textgen.config.validation import nearest, shown
from textgen.errors import UsageError

COMMANDS = {
    "train": (train.main, "Trains a model on text (textgen-train)."),
    "sample": (sample.main, "Lets a trained model write (textgen-sample)."),
    "export": (export.main, "Writes a trained model for other runtimes."),
    "jobs": (jobs.main, "Lists jobs: how far each is, how good, how large."),
    "inspect": (inspect.main, "Verifies what a job holds, and tells it."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen`.

    Args:
        arguments: without the program's name; None for the process' own.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]][0](given[1:])
    return run_command("textgen", _without_command, given)


def make_parser() -> Parser:
    """The parser of `textgen` itself, for its help page."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = Parser(
        "textgen",
        "textgen COMMAND ...",
        f"Train an LSTM on your own text, and let it write.\n\ncommands:\n{commands}",
        "textgen COMMAND --help tells more of a command.",
    )
    parser.add_help_and_version()
    return parser


def _without_command(arguments: Sequence[str]) -> None:
    """Answers --help and --version, and refuses all else."""
    if arguments and not arguments[0].startswith("-"):
        raise UsageError(
            f"there is no command {shown(arguments[0])}{nearest(arguments[0], COMMANDS)}; see textgen --help"
        )
    make_parser().parse(arguments or ["--help"])
