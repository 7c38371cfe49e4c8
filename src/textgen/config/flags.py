"""Makes command line flags from the settings of a config dataclass, and parses an argument list into their values."""

from __future__ import annotations

import argparse
import itertools
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from textgen.config.option import Setting, settings
from textgen.config.values import convert, replace_switches
from textgen.errors import UsageError
from textgen.formatting import described, nearest

Config = TypeVar("Config")


def build(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Makes a config from the values of its settings; all other values are ignored, because they belong to another config."""
    names = {setting.name for setting in settings(config)}
    return config(**{name: value for name, value in values.items() if name in names})


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`, suggests the nearest flag, and accepts - for _ in flags.

    Args:
        prog: the command's name.
        usage: the line after "usage:".
        description: what the command does, in a sentence or two.
        epilog: the text below the flags.
    """

    def __init__(self, prog: str, usage: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_HelpFormatter,
        )
        self._settings: list[Setting] = []
        self._switches: set[str] = set()
        self._converters: dict[str, Callable[[str], Any]] = {}
        self._groups: dict[str, argparse._ArgumentGroup] = {}

    def add_settings(self, config: type[Any], names: Collection[str] | None = None) -> None:
        """Adds a flag for each setting, under the heading of its group.

        Args:
            config: the dataclass of the settings.
            names: the settings to add; None for all.
        """
        for setting in settings(config):
            if names is not None and setting.name not in names:
                continue
            heading = setting.option.group
            if heading not in self._groups:
                self._groups[heading] = self.add_argument_group(heading)
            for each in filter(None, (setting, setting.switch)):
                self._add(self._groups[heading], each)
            self._settings.append(setting)

    def add_help_and_version(self) -> None:
        """Adds `--version` and `--help`."""
        from textgen.version import __version__

        group = self.add_argument_group("about")
        group.add_argument(
            "--version", action="version", version=f"textgen {__version__}", help="Print the version and exit."
        )
        group.add_argument("--help", "-h", action="help", help="Print this page and exit.")

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Parses a command line. The argument after a flag is its value, even if it begins with a dash; `--` ends the flags.

        Args:
            arguments: the command line without the program's name.

        Returns:
            The values of the given flags and arguments, by the name of the setting.

        Raises:
            UsageError: if a flag is unknown, there are too many arguments, a value has the wrong type, or a switch contradicts a value.
        """
        flags: list[str] = []
        others: list[str] = []
        remaining = iter(arguments)
        for argument in remaining:
            if argument == "--":
                others.extend(remaining)
            elif argument == "-" or not argument.startswith("-"):
                others.append(argument)
            else:
                flags.append(self._with_value(argument, remaining))
        declared = self._get_positional_actions()
        if len(others) > len(declared) and not any(action.nargs == "*" for action in declared):
            raise UsageError(f"unknown argument {others[len(declared)]}; see {self.prog} --help")
        values = vars(self.parse_args([*flags, "--", *others] if others else flags))
        for name in self._converters.keys() & values.keys():
            if values[name] == []:  # Python before 3.13 drops the value of --prompt=--
                values[name] = self._converters[name]("--")
            elif isinstance(values[name], list):
                values[name] = [self._converters[name]("--") if value == [] else value for value in values[name]]
        given = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value != []
        }
        return replace_switches(self._settings, given)

    def error(self, message: str) -> NoReturn:
        """Raises the message of argparse as a `UsageError`."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def _add(self, group: argparse._ArgumentGroup, setting: Setting) -> None:
        option = setting.option
        text = _help_text(setting).replace("%", "%%")
        if option.positional is not None:
            many = option.positional == "many"
            metavar = option.metavar or setting.name.upper()
            nargs = "*" if many else None if setting.default == "" else "?"
            # Otherwise argparse would return the default of an optional argument that was not given.
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

    def _with_value(self, argument: str, remaining: Iterator[str]) -> str:
        """Returns a flag in its declared spelling, `=` and its value, which is taken from the remaining arguments if needed."""
        typed, equals, value = argument.partition("=")
        name = _with_underscores(typed)
        switched_off = name.removeprefix("--no_")
        if name not in self._option_string_actions:
            if switched_off != name and switched_off in self._switches and not equals:
                return f"--{switched_off}=false"
            raise UsageError(self._describe_unknown(typed))
        if not equals:
            if self._option_string_actions[name].nargs == 0:
                return name
            value = "true" if name.removeprefix("--") in self._switches else self._next_value(name, remaining)
        return f"{name}={value}"

    def _next_value(self, name: str, remaining: Iterator[str]) -> str:
        value = next(remaining, None)
        if value is None:
            raise UsageError(f"{name} needs a value; see {self.prog} --help")
        if _with_underscores(value.partition("=")[0]) in self._option_string_actions:
            raise UsageError(f"{name} needs a value, got the flag {value}; if that is its value, write {name}={value}")
        return value

    def _describe_unknown(self, flag: str) -> str:
        known = (known[2:] for known in self._option_string_actions if known.startswith("--"))
        suggestion = nearest(_with_underscores(flag).lstrip("-"), known, dashes="--")
        if not suggestion and not flag.startswith("--") and self._get_positional_actions():
            suggestion = "; a name that begins with a dash must come after --"
        return f"unknown argument {flag}{suggestion or f'; see {self.prog} --help'}"


class _HelpFormatter(argparse.HelpFormatter):
    """Wraps the text above and below the flags to the terminal, except for indented lines, such as examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for is_prose, block in itertools.groupby(text.splitlines(), lambda line: line[:1] not in {"", " "}):
            if is_prose:
                lines += textwrap.wrap(" ".join(block), width, break_long_words=False, break_on_hyphens=False)
            else:
                lines += block
        return "\n".join(indent + line for line in lines)


def _with_underscores(flag: str) -> str:
    """Returns a flag in its declared spelling, with _ for each - of its name."""
    return "--" + flag[2:].replace("-", "_") if flag.startswith("--") else flag


_METAVARS: dict[Any, str] = {int: "N", float: "X", str: "TEXT"}


def _help_text(setting: Setting) -> str:
    notes = []
    if setting.option.unit is not None:
        notes.append(f"in {setting.option.unit}")
    if setting.option.required:
        notes.append("required")
    elif setting.option.positional is None or setting.default:
        notes.append(f"default: {described_default(setting)}")
    if setting.option.shapes_checkpoint:
        notes.append(f"{setting.option.switch[1]} shapes the model" if setting.option.switch else "shapes the model")
    return f"{setting.option.help} ({'; '.join(notes)})" if notes else setting.option.help


def described_default(setting: Setting) -> str:
    """Returns what a command uses if the setting is not given, in words."""
    return setting.option.default_in_words or described(setting.default)


def _converter(setting: Setting) -> Callable[[str], Any]:
    """Returns a converter for argparse; it raises `UsageError`, which argparse does not catch."""
    return lambda text: convert(setting, text)
