"""Reads what `--config` names: a preset that comes with textgen, or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.config.validation import nearest
from textgen.config.yaml_text import from_yaml
from textgen.errors import MissingError, UsageError, from_os_error
from textgen.storage import bundled, fetch, is_bucket, read_text

_TEXTS = ("texts", "data_dir")
_PLACES = ("job_dir", "summary_dir")


def preset_names() -> list[str]:
    """The presets that `--config` knows by name."""
    return sorted(path.stem for path in bundled("configs").glob("*.yaml"))


def read_preset(name: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a preset or a YAML file; a file of that name wins over a preset.

    Where the command line names a text, the text that a file names is neither read nor does it name the job. A preset's
    places are for the bundled story, and ignored too.

    Args:
        name: what `--config` was given.
        flags: the settings that the command line gives.

    Raises:
        TextgenError: when there is neither, or it cannot be used.
    """
    values, is_preset = _read(name)
    if not any(flags.get(text) for text in _TEXTS):
        return values
    ignored = {*_TEXTS, *(_PLACES if is_preset else ())}
    if flags.get("texts") and any(values.get(text) for text in _TEXTS):
        ignored.add("data_prefix")
    return {setting: value for setting, value in values.items() if setting not in ignored}


def _read(name: str) -> tuple[dict[str, Any], bool]:
    """The settings, and whether they are a preset's."""
    if is_bucket(name):
        return from_yaml(read_text(fetch(name)), name), False
    path, presets = Path(name), preset_names()
    try:
        if not path.exists() or (path.is_dir() and name in presets):
            if name not in presets:
                raise MissingError(
                    f"--config {name} is neither a file nor a preset{nearest(name, presets)}; "
                    f"the presets are {', '.join(presets)}"
                )
            preset = bundled("configs") / f"{name}.yaml"
            return from_yaml(read_text(preset), str(preset)), True
        if not path.is_file() and not path.is_fifo():
            raise UsageError(f"--config must be a preset's name or a YAML file, and {name} is neither; name a file")
    except OSError as error:
        raise from_os_error(error, f"cannot read --config {name}") from error
    return from_yaml(read_text(path), str(path)), False
