"""Reads and writes a config as YAML text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textgen.config.option import Setting, settings
from textgen.config.training import TrainingConfig
from textgen.config.values import check_value, convert, replace_switches
from textgen.errors import FormatError, UsageError
from textgen.formatting import nearest, one_line, shown

if TYPE_CHECKING:
    from yaml import MappingNode


def from_yaml(text: str, source: str, config: type[Any] = TrainingConfig) -> dict[str, Any]:
    """Reads settings from a YAML text, and converts and checks each.

    Args:
        text: a YAML mapping from names of settings to values. Dashes are accepted for underscores.
        source: the name of the text in an error.
        config: the dataclass of the settings.

    Returns:
        The values, by the name of the setting.

    Raises:
        FormatError: if it is not YAML or not a mapping, or has an unknown or repeated key or an invalid value.
    """
    import yaml

    # PyYAML does not catch the errors that Python raises for a tagged value such as !!int '' or for deep nesting.
    faults = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
    try:
        loader = yaml.SafeLoader(text)
        document = loader.get_single_node()
        if isinstance(document, yaml.MappingNode):
            _check_keys(document, source)
        mapping = None if document is None else loader.construct_document(document)
    except faults as error:
        raise FormatError(f"{source} is not valid YAML{_describe(error)}") from error
    if mapping is None:
        return {}
    if not isinstance(mapping, dict):
        raise FormatError(f"{source} must contain lines such as 'layers: 2', got {shown(mapping)}")
    known = {each.name: each for setting in settings(config) for each in filter(None, (setting, setting.switch))}
    values = {}
    for key, raw in mapping.items():
        name = _with_underscores(key) if isinstance(key, str) else shown(key)
        if name not in known:
            advice = (
                nearest(name, known) or "; correct its name, or remove it, because some flags cannot be set in a file"
            )
            raise FormatError(f"{source} has the unknown key {shown(key)}{advice}")
        try:
            value = _convert(known[name], raw)
            if value is not None:
                check_value(known[name], value)
            values[name] = value
        except UsageError as error:
            raise FormatError(f"{source}: {error}") from error
    try:
        return replace_switches(settings(config), values)
    except UsageError as error:
        raise FormatError(f"{source}: {error}") from error


def _describe(error: Exception) -> str:
    """Returns the place and the reason of a fault in one line."""
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    parts = filter(None, (getattr(error, "context", None), getattr(error, "problem", None)))
    reason = one_line(", ".join(parts) or error).replace(' in "<unicode string>",', " at")
    return f"{place}: {reason}"


def _check_keys(document: MappingNode, source: str) -> None:
    """Refuses a repeated key, because PyYAML would silently keep the last."""
    lines: dict[str, int] = {}
    for key in (key for key, _ in document.value if isinstance(key.value, str)):
        name, line = _with_underscores(key.value), key.start_mark.line + 1
        if name in lines:
            raise FormatError(
                f"{source} sets {shown(name)} in line {lines[name]} and again in line {line}; remove one of them"
            )
        lines[name] = line


def _with_underscores(key: str) -> str:
    return key.replace("-", "_")


def _convert(setting: Setting, raw: Any) -> Any:
    """Converts the value of a setting. A repeatable one is a list or a single item."""
    if not setting.option.repeatable:
        return convert(setting, raw)
    return tuple(convert(setting, item) for item in (raw if isinstance(raw, list) else [raw]))


def to_yaml(config: TrainingConfig) -> str:
    """Returns every setting as YAML text, in the order of their declaration."""
    import yaml

    return yaml.safe_dump(config.to_mapping(), sort_keys=False, allow_unicode=True)
