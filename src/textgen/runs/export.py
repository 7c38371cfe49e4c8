"""Decides what an export writes: the model's name, and the place of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from textgen.errors import UsageError, named
from textgen.jobs import JobDirectory
from textgen.runs.places import find_output, refuse_bucket
from textgen.storage import base_path, is_bucket

if TYPE_CHECKING:
    from textgen.portable.writing import Exported


@dataclass(frozen=True)
class Export:
    """An export that can be written.

    Attributes:
        place: the model file or job directory: a path or a URI.
        format: the name of the format.
        output: the file to write.
        name: what a page calls the model.
    """

    place: str
    format: str
    output: Path
    name: str

    def write(self) -> Exported:
        """Reads the model and writes the file, as `export_model` does."""
        from textgen.generation.model_place import open_model
        from textgen.portable import export_model

        return export_model(open_model(self.place), self.format, self.output, self.name)


def plan_export(place: str, format_name: str, output: str | None, *, force: bool) -> Export:
    """Finds and checks the places of an export. Creates nothing.

    Args:
        place: the model file or job directory: a path or a URI, as `find_job` returns it.
        format_name: the name of the format.
        output: the file to write; None for the path of the model file, with the format's extension.
        force: whether to replace existing files.

    Returns:
        The export.

    Raises:
        TextgenError: if the file cannot be written, or exists without `force`, or is the model itself.
    """
    from textgen.generation.model_place import model_name
    from textgen.portable import FORMATS

    if output is not None:
        refuse_bucket(named("output"), output)
    source, known = _model_path(place), FORMATS[format_name]
    file = find_output(source.with_suffix(known.suffix) if output is None else Path(output), known.suffix)
    if file.exists() and source.exists() and file.samefile(source):
        raise UsageError(f"{named('output')} must not be the model file itself, got {file}; name another file")
    existing = [path for path in known.files(file) if path is not None and path.exists()]
    if existing and not force:
        raise UsageError(
            f"{existing[0]} already exists; replace it with {named('force')}, or name another file with {named('output')}"
        )
    return Export(place, format_name, file, model_name(place))


def _model_path(place: str) -> Path:
    """Returns the model file, next to which the exported one is written.

    For one in a bucket, and for the base model, this is its name in the current folder.
    """
    if is_bucket(place) or place == str(base_path()):
        return Path(PurePosixPath(place).name)
    return JobDirectory.model_at(Path(place))
