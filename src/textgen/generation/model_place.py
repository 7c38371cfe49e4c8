"""Opens the model that a place names, on the local disk or in a bucket; knows nothing of what a model file holds."""

from __future__ import annotations

from pathlib import Path

from textgen.errors import MissingError
from textgen.generation.model_file import ModelFile, read_model
from textgen.jobs import JobDirectory
from textgen.storage import fetch, is_bucket


def open_model(place: str | Path) -> ModelFile:
    """Reads a model file from wherever it lies.

    In a bucket, `URI` itself is the model file; if there is no such object, `URI/model.safetensors` is. A URI that ends in
    a slash is a job directory without asking, because some tools leave an empty object of that name.

    Args:
        place: a model file or a job directory: a path, or a string that begins with `gs://`.

    Returns:
        The model.

    Raises:
        TextgenError: as `read_model`, and as `textgen.storage.fetch` for a bucket.
    """
    if isinstance(place, str) and is_bucket(place):
        uri, file = _fetch_model(place)
        return read_model(file, uri)
    return read_model(Path(place))


def _fetch_model(place: str) -> tuple[str, Path]:
    """The URI of the model file, and where it lies on the local disk."""
    name = JobDirectory(Path()).model.name
    if place.endswith("/") and place != "gs://":
        return f"{place}{name}", fetch(f"{place}{name}")
    try:
        return place, fetch(place)
    except MissingError as missing:
        inside = f"{place}/{name}"
        try:
            return inside, fetch(inside)
        except MissingError:
            raise MissingError(
                f"there is neither a model file {place} nor a {inside}; check the name, or train a model with textgen-train"
            ) from missing
