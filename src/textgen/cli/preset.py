"""Reads what `--config` names: a preset that travels with textgen, or a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textgen.config.validation import nearest
from textgen.config.yaml_text import from_yaml
from textgen.errors import MissingError, UsageError, from_os_error
from textgen.storage import bundled, fetch, is_bucket, read_text


def preset_names() -> list[str]:
    """The presets that `--config` knows by name."""
    return sorted(path.stem for path in bundled("configs").glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """The settings of a preset or a YAML file; a file of that name wins over a preset.

    Args:
        name: what `--config` was given.

    Raises:
        TextgenError: when there is neither, or it cannot be used.
    """
    if is_bucket(name):
        return from_yaml(read_text(fetch(name)), name)
    path, presets = Path(name), preset_names()
    try:
        if not path.exists() or (path.is_dir() and name in presets):
            if name not in presets:
                raise MissingError(
                    f"--config {name} is neither a file nor a preset{nearest(name, presets)}; "
                    f"the presets are {', '.join(presets)}"
                )
            path = bundled("configs") / f"{name}.yaml"
        elif not path.is_file() and not path.is_fifo():
            raise UsageError(f"--config must be a preset's name or a YAML file, and {name} is neither; name a file")
    except OSError as error:
        raise from_os_error(error, f"cannot read --config {name}") from error
    return from_yaml(read_text(path), str(path))
