"""Appends evaluations to metrics.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textgen.errors import from_os_error


def append_metrics(path: Path, values: Mapping[str, Any]) -> None:
    """Adds one line.

    Args:
        path: the file.
        values: numbers and texts by name.

    Raises:
        TextgenError: when the operating system refuses.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(as_json(values) + "\n")
    except OSError as error:
        raise from_os_error(error, f"cannot write {path}") from error


def as_json(values: Mapping[str, Any]) -> str:
    """Figures as one line of JSON, which has neither infinity nor NaN: they become null."""
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
    return json.dumps(known)
