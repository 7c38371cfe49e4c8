from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile
from textgen.planning import ModelShape

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CHARACTERS = ("", "[UNK]", "\n", "a", "b", "c")

PLAIN: dict[str, Any] = {
    "layers": 2,
    "lstm_state_size": 4,
    "embedding_size": None,
    "num_proj": None,
    "layer_norm": False,
}
KINDS = {
    "plain": PLAIN,
    "embedded": PLAIN | {"embedding_size": 3},
    "projected": PLAIN | {"num_proj": 3},
    "layer-normalised": PLAIN | {"layer_norm": True},
    "all together": PLAIN | {"layers": 3, "embedding_size": 5, "num_proj": 2, "layer_norm": True},
}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Shapes of models, one of each kind."""
    shape: dict[str, Any] = request.param
    return shape


@pytest.fixture
def plain() -> dict[str, Any]:
    """The shape of a model without optional parts."""
    return dict(PLAIN)


@pytest.fixture
def vocabulary() -> Vocabulary:
    """A vocabulary of a line break, "a", "b" and "c"."""
    return Vocabulary(tokens=CHARACTERS, tokenizer=make_tokenizer("char"))


@pytest.fixture
def make_model(vocabulary: Vocabulary) -> Callable[..., ModelFile]:
    """Makes a model of a given shape, with random weights unless they are given."""

    def make(
        fields: dict[str, Any] | ModelShape,
        tensors: dict[str, NDArray[np.float32]] | None = None,
        vocabulary: Vocabulary = vocabulary,
    ) -> ModelFile:
        shape = fields if isinstance(fields, ModelShape) else ModelShape.of(fields, vocabulary.size)
        rng = np.random.default_rng(seed=1)
        if tensors is None:
            tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
        return ModelFile(
            tensors=tensors,
            shape=shape,
            vocabulary=vocabulary,
            scores={"valid_loss": 1.25},
            data_sha256="ab" * 32,
            step=7,
            textgen_version="0.1.0",
        )

    return make


@pytest.fixture
def remembering_model(make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> ModelFile:
    """A hand-built model that writes a, b, a, c, a, b, a, c, ...: what follows an "a" depends on what precedes it.

    Its one layer has a cell for each token. The gates i and o are open, f is half open, and g is the one-hot token just
    read, so a cell's value decays from when its token was last read. After "b", "c" or a line break, the model writes
    "a". After "a" it writes "b" or "c", whichever was read longer ago, and "b" if neither was. After `[UNK]` it writes
    "c". It never writes a line break.
    """
    unknown, line_break, a, b, c = range(1, len(CHARACTERS))
    size = len(CHARACTERS)
    wide_open, half_open = np.full(size, 100.0), np.zeros(size)
    output = np.zeros((size, size))
    output[[line_break, b, c], a] = 100
    output[a, a] = -100
    output[[b, c], [b, c]] = -20
    output[[b, c], [c, b]] = 20
    output[unknown, c] = 1000
    bias = np.zeros(size)
    bias[line_break] = -100
    tensors = {
        "layers.0.kernel": np.hstack([np.zeros((size, 2 * size)), 10 * np.eye(size), np.zeros((size, size))]),
        "layers.0.recurrent_kernel": np.zeros((size, 4 * size)),
        "layers.0.bias": np.concatenate([wide_open, half_open, np.zeros(size), wide_open]),
        "output.kernel": output,
        "output.bias": bias,
    }
    return make_model(
        plain | {"layers": 1, "lstm_state_size": size},
        {name: tensor.astype(np.float32) for name, tensor in tensors.items()},
    )
