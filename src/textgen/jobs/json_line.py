"""Figures as a line of JSON, as metrics.jsonl and `--json` have them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def as_json(values: Mapping[str, Any]) -> str:
    """Figures as one line of JSON, which has neither infinity nor NaN: they become null."""
    known = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
    return json.dumps(known)
