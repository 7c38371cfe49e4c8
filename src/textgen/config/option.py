"""Declares one setting: a dataclass field whose metadata has all that flags, YAML, job name and docs need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from textgen.errors import named

_KEY = "textgen"


@dataclass(frozen=True)
class Option:
    """Everything about a setting except its name, type and default.

    Attributes:
        help: what it does and when to change it; one or two sentences.
        group: the heading under which `--help` lists it.
        kind: converts a flag's text to the value; `bool` makes a switch.
        unit: what a number counts, such as `"tokens"`.
        choices: the values allowed; None allows any.
        least: the smallest value allowed.
        most: the largest value allowed.
        above: the value must be larger than this.
        below: the value must be smaller than this.
        nullable: whether None is a value, although not the default.
        job_part: given a value that differs from the default, its part of the job name; None when it does not shape the
            checkpoint.
        in_every_job_name: whether the part is in the job name even for the default.
        positional: an argument without a flag: `"one"`, which is optional if it has a default, or `"many"` for a tuple
            of them.
        repeatable: whether the flag may be given several times; the value is a tuple.
        metavar: how `--help` shows the value.
        required: whether the flag must be given; its default then means nothing.
    """

    help: str
    group: str
    kind: Callable[[str], Any] = str
    unit: str | None = None
    choices: tuple[str, ...] | None = None
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    nullable: bool = False
    job_part: Callable[[Any], str] | None = None
    in_every_job_name: bool = False
    positional: Literal["one", "many"] | None = None
    repeatable: bool = False
    metavar: str | None = None
    required: bool = False

    @property
    def shapes_checkpoint(self) -> bool:
        """Whether changing it changes the model, and so starts a new job."""
        return self.job_part is not None


@dataclass(frozen=True)
class Setting:
    """A field of a config dataclass: name, default and `Option` together."""

    name: str
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """The flag's canonical spelling."""
        return f"--{self.name}"

    @property
    def label(self) -> str:
        """Its name in the message of a `TextgenError`; for an argument without a flag, what `--help` shows."""
        return named(self.name) if self.option.positional is None else self.option.metavar or self.name.upper()

    def as_argument(self, value: Any) -> str:
        """The argument that sets it on a command line, such as `--layer_norm=true`."""
        text = str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)
        return f"{self.flag}={text}"

    @property
    def nullable(self) -> bool:
        """Whether None is a value of it."""
        return self.default is None or self.option.nullable


def option(default: Any, **known: Any) -> Any:
    """A dataclass field with an `Option` in its metadata; arguments as `Option`'s."""
    return dataclasses.field(default=default, metadata={_KEY: Option(**known)})


def settings(config: type[Any] | Any) -> Iterator[Setting]:
    """The settings of a config dataclass, in the order in which they are declared."""
    for field in dataclasses.fields(config):
        yield Setting(field.name, field.default, field.metadata[_KEY])
