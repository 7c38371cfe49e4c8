"""Formats figures as a line of JSON, for metrics.jsonl and `--json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def as_json(values: Mapping[str, Any]) -> str:
    """Formats figures as one line of JSON. JSON has neither infinity nor NaN, so these become null."""
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
    return json.dumps(known)
