"""Declares a setting as a dataclass field, whose metadata contains everything that flags, YAML, the job name and docs need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from textgen.errors import named

_KEY = "textgen"
_DEFAULT: Any = object()


@dataclass(frozen=True)
class Option:
    """Everything about a setting except its name, type and default.

    Attributes:
        help: one or two sentences: what the setting does, as an imperative, then when to change it.
        group: the heading under which `--help` lists it.
        kind: the type, which converts a flag's text to the value; `bool` makes a switch.
        unit: the unit of a number, such as `"tokens"`.
        choices: the allowed values; None allows any.
        words: the texts that are allowed in place of a number.
        least: the smallest allowed value.
        most: the largest allowed value.
        above: the limit that the value must exceed.
        below: the limit that the value must stay below.
        nullable: whether None is allowed although it is not the default.
        job_part: returns the part of the job name for a value that differs from the default; None if the setting does not
            shape the checkpoint.
        switch: the name of a flag that stands for one value of the setting, and this value, such as `use_fp16` for `mixed_float16`. If the
            setting has a `job_part`, only this value shapes the checkpoint.
        in_every_job_name: whether the job name contains this part for the default too.
        positional: `"one"` or `"many"` for an argument without a flag, None for a flag. `"one"` is optional unless the default is
            an empty text; the value of `"many"` is a tuple.
        repeatable: whether the flag may be given several times; the value is a tuple.
        metavar: the placeholder for the value in `--help`.
        required: whether the flag must be given; the default is then unused.
        default_in_words: what `--help` and the docs show as the default; None for the default itself. Given if a plain command uses a
            value that depends on another setting, the text or the time.
        in_older_jobs: the value in a job whose config.yaml lacks the setting, because an earlier version of textgen wrote it. Given if
            the default would change that job.
    """

    help: str
    group: str
    kind: Callable[[str], Any] = str
    unit: str | None = None
    choices: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    nullable: bool = False
    job_part: Callable[[Any], str] | None = None
    switch: tuple[str, str] | None = None
    in_every_job_name: bool = False
    positional: Literal["one", "many"] | None = None
    repeatable: bool = False
    metavar: str | None = None
    required: bool = False
    default_in_words: str | None = None
    in_older_jobs: Any = _DEFAULT

    @property
    def shapes_checkpoint(self) -> bool:
        """Whether changing the setting changes the model, and so starts a new job."""
        return self.job_part is not None


@dataclass(frozen=True)
class Setting:
    """A field of a config dataclass, with its name, default and `Option`."""

    name: str
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """The canonical spelling of the flag."""
        return f"--{self.name}"

    @property
    def label(self) -> str:
        """The name in the message of a `TextgenError`; for an argument without a flag, the one in `--help`."""
        return named(self.name) if self.option.positional is None else self.option.metavar or self.name.upper()

    def as_argument(self, value: Any) -> str:
        """Returns the command line argument for a value, such as `--layer_norm=true`."""
        text = str(value).lower() if isinstance(value, bool) else "none" if value is None else str(value)
        return f"{self.flag}={text}"

    @property
    def switch(self) -> Setting | None:
        """The flag that stands for one value of the setting, as a setting of its own; None if there is none."""
        if self.option.switch is None:
            return None
        name, value = self.option.switch
        option = Option(f"The same as {self.flag} {value}.", self.option.group, bool, job_part=self.option.job_part)
        return Setting(name, default=False, option=option)

    def job_part(self, value: Any) -> str:
        """Returns the part of the job name for a value; empty if the name does not depend on it."""
        part, switch = self.option.job_part, self.option.switch
        matters = value == switch[1] if switch else self.option.in_every_job_name or value != self.default
        return part(value) if part is not None and matters else ""

    @property
    def nullable(self) -> bool:
        """Whether None is allowed."""
        return self.default is None or self.option.nullable

    @property
    def value_in_older_jobs(self) -> Any:
        """The value in a job whose config.yaml lacks the setting."""
        return self.default if self.option.in_older_jobs is _DEFAULT else self.option.in_older_jobs


def option(default: Any, **known: Any) -> Any:
    """Makes a dataclass field with an `Option` in its metadata; the arguments are those of `Option`."""
    return dataclasses.field(default=default, metadata={_KEY: Option(**known)})


def settings(config: type[Any] | Any) -> Iterator[Setting]:
    """Yields the settings of a config dataclass, in the order of their declaration."""
    for field in dataclasses.fields(config):
        yield Setting(field.name, field.default, field.metadata[_KEY])
