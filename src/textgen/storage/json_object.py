"""Parses a JSON object that may be damaged or hostile."""

from __future__ import annotations

import json
from typing import Any


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """Parses a text that should be a JSON object.

    Args:
        text: the content of a file, which may come from anywhere.

    Returns:
        The object, or None if the text is something else, or is nested too deeply for Python.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
