"""Opens a model on the local disk or in a bucket."""

from __future__ import annotations

from pathlib import Path

from textgen.errors import MissingError
from textgen.generation.model_file import ModelFile, read_model
from textgen.jobs import JobDirectory
from textgen.storage import fetch, is_bucket


def open_model(place: str | Path) -> ModelFile:
    """Reads a model file from a path or a bucket.

    In a bucket, the URI is first taken as the model file, then as a job directory that contains `model.safetensors`. A
    URI that ends in a slash is always a job directory, because some tools create an empty object of that name.

    Args:
        place: a model file or a job directory: a path, or a string that starts with `gs://`.

    Returns:
        The model.

    Raises:
        TextgenError: see `read_model`, and `textgen.storage.fetch` for a bucket.
    """
    if isinstance(place, str) and is_bucket(place):
        uri, file = fetch_model(place)
        return read_model(file, uri)
    return read_model(Path(place))


def fetch_model(place: str) -> tuple[str, Path]:
    """Downloads a model file from a bucket, once for each content of it.

    Args:
        place: as in `open_model`; starts with `gs://`.

    Returns:
        The URI of the model file, and the path of its local copy, which is another one for other content.

    Raises:
        TextgenError: see `textgen.storage.fetch`.
    """
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
                f"there is no model at {place} or {inside}; check the name, or train a model with textgen-train"
            ) from missing


def model_name(place: str | Path) -> str:
    """Returns the name of a model for people: that of its job, or that of a model file anywhere else.

    Args:
        place: as in `open_model`.
    """
    path = Path(str(place).rstrip("/"))
    if path.name == JobDirectory(Path()).model.name and path.parent.name:
        path = path.parent
    if path.suffix == JobDirectory(Path()).model.suffix:
        path = path.with_suffix("")
    name = path.name or Path(place).resolve().name or "model"
    return name.encode(errors="replace").decode()  # the name of a file can have bytes that are not UTF-8
