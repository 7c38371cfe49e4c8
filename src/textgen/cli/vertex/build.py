"""`textgen vertex build`: prints, or runs, the commands that build and push the image that jobs run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from textgen.cli.entry import run_command
from textgen.cli.sample_output import encode_output, put
from textgen.cli.vertex.settings import add_vertex_settings, read_vertex_config
from textgen.config.commands import BuildCommand
from textgen.config.flags import Parser, build
from textgen.console import Console

PROGRAM = "textgen vertex build"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `textgen vertex build`.

    Args:
        arguments: the arguments after the command's name; None for those of the process.

    Returns:
        The exit code.
    """
    return run_command(PROGRAM, _build, arguments)


def make_parser() -> Parser:
    """Returns the parser of `textgen vertex build`."""
    parser = Parser(
        PROGRAM,
        f"{PROGRAM} [--run] [FLAGS]",
        "Print the commands that build the image --image from a clone of textgen's repository, the current directory,\n"
        "and push it. --run runs them, for which docker is needed.",
    )
    parser.add_settings(BuildCommand)
    add_vertex_settings(parser)
    parser.add_help_and_version()
    return parser


def _build(arguments: Sequence[str]) -> None:
    values = make_parser().parse(arguments)
    command = build(BuildCommand, values)
    config = read_vertex_config(values)
    config.require("image")
    image = str(config.image)

    from textgen.cloud.image import build_commands, login_hint, run_commands

    checkout = Path()
    commands = build_commands(image, checkout)
    console = Console()
    if hint := login_hint(image):
        console.say(f"Before the first push, let docker log in there: {hint}")
    if command.run:
        run_commands(commands, checkout, console.say)
        console.say(f"{image} is pushed.")
        return
    encode_output("surrogateescape")
    for words in commands:
        put(shlex.join(words) + "\n")
