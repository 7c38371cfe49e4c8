"""Runs a program's commands by name, and lists them."""

from __future__ import annotations

import importlib
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
        module: the module whose `main` runs the command; imported only then.
        summary: one line for the help page: what the command does.
    """

    module: str
    summary: str


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
            module = importlib.import_module(self.known[arguments[0]].module)
            code: int = module.main(arguments[1:])
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
