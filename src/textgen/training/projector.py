"""Writes the token embedding for the projector of TensorBoard, which draws it in three dimensions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from textgen.console import Console, visible
from textgen.corpus import FIRST_TOKEN_ID, PROJECTOR_FILES
from textgen.errors import TextgenError
from textgen.generation import ModelFile
from textgen.planning.model_shape import EMBEDDING
from textgen.storage import remove_abandoned, write_atomic
from textgen.training.control_callback import ControlCallback

_VECTORS, _LABELS, _CONFIG = PROJECTOR_FILES
_MOST_NUMBERS = 500_000
"""The most numbers that are written, in less than a second. TensorBoard can draw 100,000 tokens, but is slow with that many."""


class Projector(keras.callbacks.Callback):
    """Writes the embedding with each checkpoint, and nothing for a model without one.

    Args:
        directory: where the files go; it must have event files, by which TensorBoard finds it.
        control: has the decision to save, and the tensors to save.
        to_file: builds a model file from these tensors and the step.
        console: receives a warning when a file cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        control: ControlCallback,
        to_file: Callable[[Mapping[str, np.ndarray], int, None], ModelFile],
        console: Console,
    ) -> None:
        super().__init__()
        self._directory = directory
        self._control = control
        self._to_file = to_file
        self._console = console
        self._fails = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Removes the incomplete files of a killed trainer."""
        del logs
        with self._warning():
            for name in PROJECTOR_FILES:
                remove_abandoned(self._directory, name)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes the files if a checkpoint is saved."""
        del batch, logs
        control = self._control
        if not control.decision.save:
            return
        model = self._to_file(control.tensors, control.progress.step, None)
        if EMBEDDING not in model.tensors:
            return
        with self._warning():
            write_embedding(self._directory, model.tensors[EMBEDDING], model.vocabulary.tokens)
            self._fails = False

    @contextlib.contextmanager
    def _warning(self) -> Iterator[None]:
        """Turns errors into a single warning, because training must not end over a picture."""
        try:
            yield
        except TextgenError as error:
            if not self._fails:
                self._console.warn(f"the embedding for TensorBoard is not up to date; training continues: {error}")
            self._fails = True


def write_embedding(directory: Path, vectors: np.ndarray, tokens: tuple[str, ...]) -> None:
    """Writes the vectors of tokens, their labels, and the file by which TensorBoard finds both.

    Args:
        directory: where the files go.
        vectors: `(vocabulary_size, embedding_size)`.
        tokens: the tokens in id order, the most frequent first. Those beyond `_MOST_NUMBERS` are left out.

    Raises:
        TextgenError: if the operating system refuses.
    """
    stop = FIRST_TOKEN_ID + max(1, _MOST_NUMBERS // vectors.shape[1])
    table = io.BytesIO()
    np.savetxt(table, vectors[FIRST_TOKEN_ID:stop], fmt="%.4g", delimiter="\t")
    write_atomic(directory / _VECTORS, table.getvalue())
    write_atomic(directory / _LABELS, "".join(f"{_label(token)}\n" for token in tokens[FIRST_TOKEN_ID:stop]))
    config = ProjectorConfig()
    config.embeddings.add(tensor_name=EMBEDDING, tensor_path=_VECTORS, metadata_path=_LABELS)
    write_atomic(directory / _CONFIG, str(config))


def _label(token: str) -> str:
    """Returns a token on a line without tabs; white space is quoted, so that it can be seen."""
    return repr(token) if token.isspace() else visible(token)
