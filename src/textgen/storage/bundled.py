"""Finds the presets and the story that travel with textgen; knows nothing of what is in them."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def bundled(name: str) -> Path:
    """The path of a bundled file or directory.

    A wheel carries them inside the package (`pyproject.toml` puts them there); in a checkout they stand at the top.

    Args:
        name: relative to the top of the checkout, such as `"configs"` or `"data/story.txt"`.
    """
    in_wheel = _PACKAGE / "bundled" / name
    return in_wheel if in_wheel.exists() else _CHECKOUT / name
