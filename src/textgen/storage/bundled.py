"""Finds the files that come with textgen: presets, a story and the base model."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]


def bundled(name: str) -> Path:
    """Returns the path of a bundled file or directory.

    A wheel contains them inside the package (see `pyproject.toml`); in a checkout they are at its top.

    Args:
        name: the path relative to the top of the checkout, such as `"configs"` or `"data/story.txt"`.
    """
    in_wheel = _PACKAGE / "bundled" / name
    return in_wheel if in_wheel.exists() else _CHECKOUT / name
