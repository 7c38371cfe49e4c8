"""Reads the settings that `--config` names: a preset that comes with textgen, or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.config.validation import nearest
from textgen.config.yaml_text import from_yaml
from textgen.errors import MissingError, UsageError, from_os_error, named
from textgen.storage import bundled, fetch, is_bucket, read_text

_TEXTS = ("texts", "data_dir")
_PLACES = ("job_dir", "summary_dir")


def preset_names() -> list[str]:
    """Returns the names of the presets."""
    return sorted(path.stem for path in bundled("configs").glob("*.yaml"))


def read_preset(name: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Reads a preset or a YAML file; a file wins over a preset of the same name.

    If the flags name a text, the text in the file is ignored. So is the file's prefix, if the flags name the text by its
    files. A preset's directories, which are meant for the bundled story, are ignored too.

    Args:
        name: the value of `--config`.
        flags: the settings that were given as flags.

    Returns:
        The settings, by name.

    Raises:
        TextgenError: if there is no such file or preset, or it is not valid.
    """
    values, is_preset = _read(name)
    if not any(flags.get(text) for text in _TEXTS):
        return values
    ignored = {*_TEXTS, *(_PLACES if is_preset else ())}
    if flags.get("texts") and any(values.get(text) for text in _TEXTS):
        ignored.add("data_prefix")
    return {setting: value for setting, value in values.items() if setting not in ignored}


def _read(name: str) -> tuple[dict[str, Any], bool]:
    """Returns the settings, and whether they come from a preset."""
    if is_bucket(name):
        return from_yaml(read_text(fetch(name)), name), False
    path, presets = Path(name), preset_names()
    try:
        if not path.exists() or (path.is_dir() and name in presets):
            if name not in presets:
                raise MissingError(
                    f"{named('config')} {name} is neither a file nor a preset{nearest(name, presets)}; "
                    f"the presets are {', '.join(presets)}"
                )
            preset = bundled("configs") / f"{name}.yaml"
            return from_yaml(read_text(preset), str(preset)), True
        if not path.is_file() and not path.is_fifo():
            raise UsageError(
                f"{named('config')} must be a preset or a YAML file, got {name}, which is neither; name a file"
            )
    except OSError as error:
        raise from_os_error(error, f"cannot read {named('config')} {name}") from error
    return from_yaml(read_text(path), str(path)), False
