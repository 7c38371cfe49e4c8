"""Finds the text that a model was trained on, through the job directory of the model, and opens it when it is first needed."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from textgen.corpus import open_sections
from textgen.corpus.find_text import find_text
from textgen.errors import DataError, MissingError, TextgenError, UsageError
from textgen.jobs import JobDirectory, read_config
from textgen.storage import base_path, cache_directory, is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textgen.config import TrainingConfig
    from textgen.corpus import Section, Sources
    from textgen.corpus.copy_index import CopyIndex
    from textgen.corpus.sections import Sections
    from textgen.generation import ModelFile


def why_without_text(place: str | Path) -> str:
    """Returns why the training text of a model is never at hand, for a message; empty if it may be.

    Args:
        place: as for `find_training_text`.
    """
    if str(place) == str(base_path()):
        return "the training text of the base model does not come with textgen"
    if isinstance(place, str) and is_bucket(place):
        return f"{place} is in a bucket, and only a local job directory names its training text"
    return ""


def training_text(place: str | Path, model: ModelFile) -> TrainingText | None:
    """Returns the training text of a model, or None if it is not at hand; see `find_training_text`."""
    with suppress(TextgenError):
        return find_training_text(place, model)
    return None


def find_training_text(place: str | Path, model: ModelFile) -> TrainingText:
    """Finds the files of the text that a model was trained on. They are not read yet.

    Args:
        place: the job directory, or the model file in it.
        model: the opened model file.

    Returns:
        The text.

    Raises:
        UsageError: if the text is never at hand; see `why_without_text`.
        MissingError: if there is no job directory, or the text is missing.
        FormatError: if the job's config is damaged.
        DataError: if the files no longer are a text that can be trained on.
        TextgenError: if they cannot be read.
    """
    if reason := why_without_text(place):
        raise UsageError(f"{reason}; name a local job")
    path = Path(place)
    job = JobDirectory.of_model(path)
    if not job.exists:
        raise MissingError(
            f"the training text of {path} is unknown: there is no {job.config} to name it; "
            "name the job directory that textgen-train made"
        )
    config = read_config(job.config, "train again")
    with _explaining(job):
        sources = find_text(config)
    return TrainingText(path, model, job, config, sources)


class TrainingText:
    """The text that a model was trained on. It is read when it is first needed. Threads may share it.

    Args:
        path: the job directory, or the model file in it.
        model: the opened model file.
        job: the job directory.
        config: the job's settings.
        sources: the files that they name.

    Attributes:
        config: likewise.
        sources: likewise.
    """

    def __init__(
        self, path: Path, model: ModelFile, job: JobDirectory, config: TrainingConfig, sources: Sources
    ) -> None:
        self._path, self._model, self._job, self.config, self.sources = path, model, job, config, sources
        self._lock = RLock()
        self._sections: Sections | None = None
        self._copies: CopyIndex | None = None

    @property
    def section(self) -> Section:
        """The training text, without the part for validation.

        Raises:
            TextgenError: as `sections`.
        """
        return self.sections.train

    @property
    def sections(self) -> Sections:
        """All sections of the text. At first, this reads the text once to verify its hash.

        Raises:
            DataError: if the text has changed.
            TextgenError: if it cannot be read.
        """
        with self._lock:
            if self._sections is None:
                self._sections = self._open()
            return self._sections

    @property
    def copies(self) -> CopyIndex:
        """The copy index of the training text. At first, this reads the text, and builds the index if the cache lacks it.

        Raises:
            TextgenError: as `section` and `open_copy_index`.
        """
        from textgen.corpus.copy_index import open_copy_index

        with self._lock:
            if self._copies is None:
                directory = cache_directory("copies", expires=True)
                self._copies = open_copy_index(self.section, self._model.vocabulary.tokenizer, directory)
            return self._copies

    def _open(self) -> Sections:
        config, job = self.config, self._job
        with _explaining(job):
            sections = open_sections(
                self.sources, valid_fraction=config.valid_fraction, encoding=config.encoding, unwrap=config.unwrap
            )
        if sections.sha256 != self._model.data_sha256:
            raise DataError(
                f"{sections.train.paths[0]} is not the text that {self._path} was trained on, or not all of it: "
                f"restore the text that {job.config} names, or train again; {_relative_to(job)}"
            )
        return sections


@contextmanager
def _explaining(job: JobDirectory) -> Iterator[None]:
    """Adds to an error about the text of a job that it is the training text, and where its path starts."""
    try:
        yield
    except MissingError as error:
        raise MissingError(f"cannot find the training text: {error}; {_relative_to(job)}") from error
    except (DataError, UsageError) as error:
        raise DataError(f"cannot read the training text: {error}; {_relative_to(job)}") from error


def _relative_to(job: JobDirectory) -> str:
    return f"paths in {job.config} are relative to the folder where textgen-train was run"
