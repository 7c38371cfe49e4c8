"""The models that are served, each with its worker; a model file that changes is loaded again."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from textgen.errors import MissingError, TextgenError
from textgen.evaluation.training_text import training_text
from textgen.formatting import nearest, one_line, shown
from textgen.generation import TextGenerator, read_model
from textgen.generation.model_place import fetch_model, model_name, open_model
from textgen.jobs import JobDirectory
from textgen.portable.details import details_of
from textgen.serving.failures import RequestError
from textgen.serving.worker import Worker
from textgen.storage import is_bucket

if TYPE_CHECKING:
    from textgen.evaluation.training_text import TrainingText

_FINGERPRINT = 16
"""The characters of a model file's hash that name it in answers."""

_SECONDS_BETWEEN_DOWNLOADS = 60.0
"""The least time after which a bucket is asked again whether a model has changed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One version of a model that is served.

    Attributes:
        name: what requests call it.
        created: when its file was written, in seconds since 1970.
        generator: writes texts with it.
        worker: writes the texts of all requests.
        path: its file or job directory on this machine; None for one in a bucket.
        text: the text that it was trained on; None if it is not at hand.
    """

    name: str
    created: int
    generator: TextGenerator
    worker: Worker
    path: Path | None
    text: TrainingText | None

    @property
    def fingerprint(self) -> str:
        """The start of the hash of its file."""
        return self.generator.model.sha256[:_FINGERPRINT]

    def describe(self) -> dict[str, Any]:
        """Returns the object that describes it in GET /v1/models."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created,
            "owned_by": "textgen",
            "details": details_of(self.generator.model, has_text=self.text is not None),
        }


class Models:
    """All models that are served.

    Args:
        places: a model file or a job directory of each: a path, or a string that starts with `gs://`. The first is the one that
            requests get which name none.

    Raises:
        TextgenError: if a model cannot be read; see `open_model`.
    """

    def __init__(self, places: Sequence[str | Path]) -> None:
        self._models: dict[str, _Kept] = {}
        self._is_ending = False
        for place in places:
            name = _unique(model_name(place), self._models)
            self._models[name] = _Kept(name, place)

    def __iter__(self) -> Iterator[ServedModel]:
        """Yields the models as they are now."""
        return (kept.current for kept in self._models.values())

    def find(self, name: str | None = None) -> ServedModel:
        """Returns the model for a request. If its file may have changed, a thread starts to load it for later requests.

        Args:
            name: the name; None for the first model.

        Raises:
            RequestError: with 404 if there is no model of this name.
        """
        names = list(self._models)
        if name is None:
            name = names[0]
        if name not in self._models:
            raise RequestError(
                404,
                f"there is no model {shown(name)}; GET /v1/models lists all{nearest(name, names)}",
                param="model",
                code="model_not_found",
            )
        kept = self._models[name]
        if not self._is_ending:
            kept.load_again_if_changed()
        return kept.current

    def drain(self) -> None:
        """Refuses further texts; those that were admitted are still written."""
        self._is_ending = True
        for worker in self._workers():
            worker.drain()

    def close(self) -> None:
        """Ends all texts that are being written with an error."""
        for worker in self._workers():
            worker.close()

    def _workers(self) -> list[Worker]:
        return [worker for kept in self._models.values() for worker in kept.workers]


class _Kept:
    """A model in its newest version that could be read.

    Args:
        name: its name.
        place: its file or job directory.
    """

    def __init__(self, name: str, place: str | Path) -> None:
        self._name = name
        self._place = place if isinstance(place, str) and is_bucket(place) else Path(place)
        self._looked = monotonic()
        self._seen = self._look()
        self._warning = ""
        self._lock = Lock()
        self.workers: WeakSet[Worker] = WeakSet()  # also of earlier versions that still write
        self.current = self._load()

    def load_again_if_changed(self) -> None:
        """Starts to load the model in a thread if its file has changed since it was last loaded or found to be damaged.

        The thread also asks a bucket for changes, which takes too long for a request, once a minute.
        """
        if isinstance(self._place, Path):
            may_have_changed = self._look() not in {None, self._seen}
        else:
            may_have_changed = monotonic() - self._looked >= _SECONDS_BETWEEN_DOWNLOADS
        if may_have_changed and self._lock.acquire(blocking=False):
            Thread(target=self._load_again, name="textgen-loader", daemon=True).start()

    def _load_again(self) -> None:
        try:
            seen = self._look()
            if seen not in {None, self._seen}:
                self._seen = seen
                self.current = self._load()
                _log.info("The model %s has changed and was loaded again", self._name)
            self._warning = ""
        except TextgenError as error:
            warning = one_line(error)
            if warning != self._warning:
                _log.warning(
                    "the model %s cannot be loaded again, so its earlier version stays in use: %s", self._name, warning
                )
            self._warning = warning
        finally:
            self._looked = monotonic()
            self._lock.release()

    def _load(self) -> ServedModel:
        seen = self._seen
        model = read_model(seen, str(self._place)) if isinstance(seen, Path) else open_model(self._place)
        generator = TextGenerator(model)
        worker = Worker(generator.engine)
        self.workers.add(worker)
        path = self._place if isinstance(self._place, Path) else None
        return ServedModel(
            name=self._name,
            created=seen[0] // 1_000_000_000 if isinstance(seen, tuple) else int(time()),
            generator=generator,
            worker=worker,
            path=path,
            text=training_text(self._place, model),
        )

    def _look(self) -> Path | tuple[int, int, int] | None:
        """Returns what differs when the file is written again: of one in a bucket, its local copy. None if there is no file."""
        if not isinstance(self._place, Path):
            with suppress(MissingError):
                return fetch_model(self._place)[1]
            return None
        try:
            status = JobDirectory.model_at(self._place).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _unique(name: str, taken: Container[str]) -> str:
    """Returns a name that is not taken: the name itself, or with -2, -3 and so on."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(other for other in itertools.chain([name], numbered) if other not in taken)


async def answer(request: Request) -> Response:
    """Answers GET /v1/models."""
    models: Models = request.app.state.models
    return JSONResponse({"object": "list", "data": [model.describe() for model in models]})
