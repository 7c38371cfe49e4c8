"""Parses a JSON object that may be damaged or hostile."""

from __future__ import annotations

import json
from typing import Any


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in a text.

    Args:
        text: of a file that a user may have been given.

    Returns:
        The object; None where there is none, or one that is nested more deeply than Python can read.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
