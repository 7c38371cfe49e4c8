"""Turns the settings of a config dataclass into command line flags, and an argument list into values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from textgen.config.option import Setting, settings
from textgen.config.validation import convert, nearest
from textgen.errors import UsageError

Config = TypeVar("Config")


def build(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Makes a config from those of the values that are settings of it; the others are another config's."""
    names = {setting.name for setting in settings(config)}
    return config(**{name: value for name, value in values.items() if name in names})


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `UsageError`s that name the nearest flag, and whose flags take - for _.

    Args:
        prog: the command's name.
        usage: the line after "usage:".
        description: what the command does, in a sentence or two.
        epilog: what stands below the flags.
    """

    def __init__(self, prog: str, usage: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            add_help=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._switches: set[str] = set()
        self._converters: dict[str, Callable[[str], Any]] = {}
        self._groups: dict[str, argparse._ArgumentGroup] = {}

    def add_settings(self, config: type[Any]) -> None:
        """Adds a flag for each setting, under the heading of its group."""
        for setting in settings(config):
            heading = setting.option.group
            if heading not in self._groups:
                self._groups[heading] = self.add_argument_group(heading)
            self._add(self._groups[heading], setting)

    def add_help_and_version(self) -> None:
        """Adds what every command has."""
        from textgen.version import __version__

        group = self.add_argument_group("about")
        group.add_argument(
            "--version", action="version", version=f"textgen {__version__}", help="Prints the version and ends."
        )
        group.add_argument("--help", "-h", action="help", help="Prints this page and ends.")

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the flags that were given, by name.

        Args:
            arguments: the command line without the program's name.

        Raises:
            UsageError: for an unknown flag or a value of the wrong kind.
        """
        namespace, unknown = self.parse_known_intermixed_args(self._normalise(arguments))
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            name = unknown[0].split("=")[0]
            raise UsageError(f"unknown argument {name}{nearest(name, flags)}; see {self.prog} --help")
        values = vars(namespace)
        for name in self._converters.keys() & values.keys():
            if values[name] == []:  # Python before 3.13 drops the value of --prompt=--
                values[name] = self._converters[name]("--")
            elif isinstance(values[name], list):
                values[name] = [self._converters[name]("--") if value == [] else value for value in values[name]]
        return {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value != []
        }

    def error(self, message: str) -> NoReturn:
        """Raises argparse's own complaint as a `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def _add(self, group: argparse._ArgumentGroup, setting: Setting) -> None:
        option = setting.option
        text = _help_text(setting).replace("%", "%%")
        if option.positional is not None:
            many = option.positional == "many"
            metavar = option.metavar or setting.name.upper()
            nargs = "*" if many else None if setting.default == "" else "?"
            # Only what may be left out has a default that argparse would fill in.
            default = argparse.SUPPRESS if nargs == "?" else None
            group.add_argument(setting.name, nargs=nargs, default=default, metavar=metavar, help=text)
            return
        is_switch = option.kind is bool
        if is_switch:
            self._switches.add(setting.name)
        metavar = "" if is_switch else option.metavar or ("|".join(option.choices or ()) or _METAVARS[option.kind])
        self._converters[setting.name] = _converter(setting)
        group.add_argument(
            setting.flag,
            action="append" if option.repeatable else "store",
            type=_converter(setting),
            default=argparse.SUPPRESS,
            required=option.required,
            metavar=metavar,
            help=text,
        )

    def _normalise(self, arguments: Sequence[str]) -> list[str]:
        """Spells flags as they are declared: _ for -, and a switch always with its value."""
        result: list[str] = []
        for index, argument in enumerate(arguments):
            if argument == "--":
                return result + list(arguments[index:])
            if not argument.startswith("--"):
                result.append(argument)
                continue
            name, equals, value = argument[2:].partition("=")
            name = name.replace("-", "_")
            if f"--{name}" not in self._option_string_actions and name.removeprefix("no_") not in self._switches:
                result.append(argument)  # a prompt can begin with two dashes, and keeps its others
            elif not equals and name in self._switches:
                result.append(f"--{name}=true")
            elif not equals and name.startswith("no_") and name[3:] in self._switches:
                result.append(f"--{name[3:]}=false")
            else:
                result.append(f"--{name}{equals}{value}")
        return result


_METAVARS: dict[Any, str] = {int: "N", float: "X", str: "TEXT"}


def _help_text(setting: Setting) -> str:
    notes = []
    if setting.option.unit is not None:
        notes.append(f"in {setting.option.unit}")
    if setting.option.required:
        notes.append("must be given")
    elif setting.option.positional is None or setting.default:
        notes.append(f"default: {described(setting.default)}")
    if setting.option.shapes_checkpoint:
        notes.append("shapes the model")
    return f"{setting.option.help} ({'; '.join(notes)})" if notes else setting.option.help


def described(value: Any) -> str:
    """A setting's value as people would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple) and value:
        return " ".join(map(repr, value))
    return "none" if value in {None, "", ()} else str(value)


def _converter(setting: Setting) -> Callable[[str], Any]:
    """A function for argparse that reports through `UsageError`, which argparse lets through."""
    return lambda text: convert(setting, text)
