"""Writes one HTML page that contains a model and writes text with it, in any current browser and without a network.

The page is the playground, with its backend in plain JavaScript. The model is in two of its elements:

- `model-content`: a JSON object with everything except the weights
- `model-weights`: all tensors, one after the other, as little-endian float16 numbers in base64

The check needs no browser: it reads the model back from the written page, and compares it with the one to write, weight by weight.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textgen.corpus import Vocabulary
from textgen.errors import UsageError, named
from textgen.generation import ModelFile
from textgen.portable.comparison import FileDiffersError, largest_difference_of_models
from textgen.portable.details import details_of
from textgen.portable.page import document

SCRIPTS = (
    "vectors.js",
    "network.js",
    "model_data.js",
    "tokens.js",
    "spelling.js",
    "reading.js",
    "ending.js",
    "offline.js",
    "start_offline.js",
)
"""The scripts of the backend, in order. They follow those of the page."""

_CONTENT, _WEIGHTS = "model-content", "model-weights"
_CELL = "lstm"
_SHAPE = ("lstm_state_size", "layers", "vocabulary_size", "embedding_size", "layer_norm", "num_proj")
_HALF = np.dtype("<f2")


def write(model: ModelFile, path: Path, name: str) -> None:
    """Writes a page.

    Args:
        model: the model.
        path: the file.
        name: what the page calls the model.

    Raises:
        UsageError: if the scripts lack the model's cell, or if float16 lacks one of its weights.
    """
    if model.shape.cell != _CELL:
        raise UsageError(
            f"{named('format')} html can contain only {_CELL} cells, and this model has {model.shape.cell}; use {named('format')} keras"
        )
    weights = {tensor: _rounded(values) for tensor, values in model.tensors.items()}
    for tensor, values in weights.items():
        if not np.isfinite(values).all():
            raise UsageError(
                f"{named('format')} html stores weights as float16 numbers, which end at 65,504, and the tensor {tensor} of this model has "
                f"larger ones; use {named('format')} keras"
            )
    # What the file system does not decode is no text.
    name = name.encode(errors="replace").decode()
    data = {
        _CONTENT: json.dumps(_content(model, name), ensure_ascii=False).replace("<", "\\u003c"),
        _WEIGHTS: base64.b64encode(b"".join(values.tobytes() for values in weights.values())).decode(),
    }
    page = document(SCRIPTS, data=data, title=f"{name} - textgen", about=_about(model, name))
    path.write_bytes(page.html.encode())


def check(model: ModelFile, path: Path) -> float:
    """Checks that a page written by `write` contains a model: everything that determines its texts, with the weights rounded to float16.

    Returns:
        The largest change of a logit by the rounding, over some random texts.

    Raises:
        FileDiffersError: if the page contains another one.
    """
    found = read_back(model, path)
    same = (found.shape, found.vocabulary, found.after_white_space) == (
        model.shape,
        model.vocabulary,
        model.after_white_space,
    )
    if not same or any(
        not np.array_equal(_rounded(model.tensors[name]), found.tensors[name]) for name in model.tensors
    ):
        raise FileDiffersError("the model that was read back from it differed")
    return largest_difference_of_models(model, found)


def read_back(model: ModelFile, path: Path) -> ModelFile:
    """Reads a page written by `write`.

    Args:
        model: the model that was written, for what the page does not contain.
        path: the file.

    Returns:
        The model, with its weights as the page has them.
    """
    text = path.read_text(encoding="utf-8")
    content, weights = (
        re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', text).group(1)  # type: ignore[union-attr]
        for name in (_CONTENT, _WEIGHTS)
    )
    fields = json.loads(content)
    halves = np.frombuffer(base64.b64decode(weights, validate=True), _HALF)
    names, sizes = zip(*fields["tensors"], strict=True)
    parts = np.split(halves, np.cumsum(sizes)[:-1])
    return dataclasses.replace(
        model,
        shape=dataclasses.replace(model.shape, **fields["shape"]),
        vocabulary=Vocabulary.from_json(fields["vocabulary"]),
        after_white_space=fields["after_white_space"],
        tensors={
            name: part.astype(np.float32).reshape(model.shape.tensors[name])
            for name, part in zip(names, parts, strict=True)
        },
    )


def _rounded(weights: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):  # infinite weights are refused
        return weights.astype(_HALF)


def _content(model: ModelFile, name: str) -> dict[str, Any]:
    """Returns what the scripts need to know about a model."""
    return {
        "name": name,
        "details": details_of(model, has_text=False),
        "shape": {field: getattr(model.shape, field) for field in _SHAPE},
        "vocabulary": model.vocabulary.to_json(),
        "after_white_space": model.after_white_space,
        "tensors": [[tensor, values.size] for tensor, values in model.tensors.items()],
    }


def _about(model: ModelFile, name: str) -> str:
    """Returns a line about a model."""
    bits = details_of(model, has_text=False)["bits_per_character"]
    score = "" if bits is None else f" On text that it was not trained on, it needs {bits:.2f} bits per character."
    return f"The model {name} ({model.shape.describe()}) is inside this page, which works offline and sends nothing.{score} Made with textgen."
