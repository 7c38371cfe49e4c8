"""Converts the values of settings, and checks them against their `Option`."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any

from textgen.config.option import Setting, settings
from textgen.errors import UsageError, named
from textgen.formatting import nearest, shown

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def convert(setting: Setting, raw: Any) -> Any:
    """Converts the text of a flag, or a value from a YAML file, to the value of a setting.

    Args:
        setting: the setting.
        raw: the text or YAML value. "none" and null mean None if the setting allows it.

    Raises:
        UsageError: if it has the wrong type.
    """
    option = setting.option
    if option.positional == "many":
        values = [raw] if isinstance(raw, str) else raw
        if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
            raise UsageError(f"{setting.name} must be a list of paths, got {shown(raw)}")
        return tuple(values)
    if raw is None or (isinstance(raw, str) and raw.lower() == "none" and setting.nullable):
        if setting.nullable:
            return None
        default = setting.option.default_in_words or setting.default
        raise UsageError(f"{setting.label} needs a value, got none; leave it out for the default, {default}")
    if option.kind is bool:
        return _convert_switch(setting, raw)
    if option.kind is str:
        if isinstance(raw, str):
            return raw
        if isinstance(raw, bool) and "yes" in (option.choices or ()):  # YAML reads yes and no without quotes as these
            return "yes" if raw else "no"
        raise UsageError(f"{setting.label} must be text, got {shown(raw)}; put it in quotes")
    return raw if raw in option.words else _convert_number(setting, raw)


def find_setting(
    name: str, known: Iterable[Setting], *, others: Iterable[str] = (), listed_by: str | None = None
) -> Setting:
    """Finds a setting by its name.

    Args:
        name: the given name.
        known: the settings.
        others: other names to suggest.
        listed_by: what lists the settings, for the error message; None to list them there.

    Raises:
        UsageError: if there is no such setting; for a flag that stands for one value of a setting, the message names that setting.
    """
    by_name = {setting.name: setting for setting in known}
    if name in by_name:
        return by_name[name]
    absent = f"there is no setting {named(name) if name.isidentifier() else shown(name)}"
    for setting in by_name.values():
        if setting.option.switch is not None and setting.option.switch[0] == name:
            raise UsageError(f"{absent}; {named(setting.name)} {setting.option.switch[1]} replaces it")
    lists = f"the settings are {', '.join(by_name)}" if listed_by is None else f"{listed_by} lists them"
    raise UsageError(f"{absent}{nearest(name, [*by_name, *others]) or f'; {lists}'}")


def plain(value: Any) -> Any:
    """Returns the value of a keyword as a flag would give it: a path as a text, and a NumPy scalar as a number."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def replace_switches(known: Iterable[Setting], values: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces each switch by the value that it stands for.

    Args:
        known: the settings, some of which have a switch.
        values: the values of settings and switches, by name.

    Returns:
        The values of settings alone. A switch that is off stands for the default, unless there is a value.

    Raises:
        UsageError: if a switch is on, and the setting has another value.
    """
    found = dict(values)
    for setting in known:
        if setting.option.switch is None or setting.option.switch[0] not in found:
            continue
        switch, value = setting.option.switch
        is_on, given = found.pop(switch), found.get(setting.name)
        if is_on and given not in {None, value}:
            raise UsageError(
                f"{named(switch)} means {setting.label} {value}, got {setting.label} {given} too; leave one out"
            )
        found[setting.name] = value if is_on else given or setting.default
    return found


class Settings:
    """The base of a dataclass of settings, which checks each value.

    Raises:
        UsageError: if a value is out of range.
    """

    def __post_init__(self) -> None:
        check_settings(self)


def check_settings(config: Any) -> None:
    """Checks each value of a config dataclass against its limits.

    Raises:
        UsageError: if one is out of range.
    """
    for setting in settings(config):
        value = getattr(config, setting.name)
        if value is not None or not setting.nullable:
            check_value(setting, value)


def check_value(setting: Setting, value: Any) -> None:
    """Checks a converted value against the limits of its setting.

    Raises:
        UsageError: if it is out of range.
    """
    option = setting.option
    if option.choices is not None and value not in option.choices:
        raise UsageError(
            f"{setting.label} must be one of {', '.join(option.choices)}, "
            f"got {shown(value)}{nearest(str(value), option.choices)}"
        )
    if option.kind is str:
        for text in value if isinstance(value, tuple) else (value,):
            _check_text(setting, text)
    elif option.kind is not bool and value not in option.words:
        _check_number(setting, value)


def _convert_switch(setting: Setting, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = raw.lower() if isinstance(raw, str) else shown(raw)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UsageError(f"{setting.label} must be true or false, got {shown(raw)}")


def _convert_number(setting: Setting, raw: Any) -> Any:
    whole = setting.option.kind is int
    try:
        if isinstance(raw, bool):
            raise TypeError
        value = setting.option.kind(raw)
        if whole and isinstance(raw, float) and raw != value:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{setting.label} must be {_wanted(setting)}, got {shown(raw)}") from None
    return value


def _check_text(setting: Setting, text: str) -> None:
    """Refuses characters that neither a file name nor a prompt can contain, and an empty text unless it is the default of a flag."""
    if not text and (setting.option.positional is not None or setting.default != ""):
        raise UsageError(f"{setting.label} must not be empty; give it a value or leave it out")
    try:
        text.encode(errors="surrogateescape")  # bytes of the command line that are not UTF-8 become such surrogates
    except UnicodeEncodeError as error:
        raise UsageError(f"{setting.label} must be text, got a lone surrogate in {shown(text)}; remove it") from error
    if "\0" in text:
        raise UsageError(f"{setting.label} must be text, got NUL in {shown(text)}; remove it")


def _check_number(setting: Setting, value: Any) -> None:
    option = setting.option
    kinds = (int,) if option.kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise UsageError(f"{setting.label} must be {_wanted(setting)}, got {shown(value)}")
    limits = (
        ("at least", option.least, operator.ge),
        ("above", option.above, operator.gt),
        ("at most", option.most, operator.le),
        ("below", option.below, operator.lt),
    )
    rules = [(rule, limit, holds) for rule, limit, holds in limits if limit is not None]
    is_finite = isinstance(value, int) or math.isfinite(value)
    if not is_finite or not all(holds(value, limit) for _, limit, holds in rules):
        wanted = " and ".join(f"{rule} {limit:,}" for rule, limit, _ in rules) or "finite"
        raise UsageError(f"{setting.label} must be {wanted}, got {shown(value).removesuffix('.0')}")


def _wanted(setting: Setting) -> str:
    """Returns what the value of a number may be, in words."""
    return " or ".join(("a whole number" if setting.option.kind is int else "a number", *setting.option.words))
