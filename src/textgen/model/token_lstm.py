"""The first recurrent layer, which reads token ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textgen.model.recurrent import CellLSTM, FastLSTM, HoistedLoop
from textgen.model.tensorflow_ops import gather_rows

ONE_HOT_DEVIATION = 2.0
"""The standard deviation of the initial weights of a one-hot kernel, whose rows are never summed. Glorot's rule counts the whole
vocabulary as summed inputs; it gives 0.04, and learns far more slowly (docs/experiments.md)."""

EMBEDDING_DEVIATION = 0.3
"""The standard deviation of the initial vectors of an embedding, ten times Keras' default. Word models then learn faster, and
character models equally fast."""


class ReadsTokens(HoistedLoop):
    """A hoisted recurrent layer that reads token ids, one-hot or through its own embedding.

    Its results are those of the layer after a one-hot encoding, or after a `keras.layers.Embedding` with a dense gradient
    (see `gather_rows`).

    Args:
        units: the state size n.
        vocabulary_size: the number of ids.
        embedding_size: the width of the embedding; None for one-hot input.
    """

    def __init__(self, units: int, *, vocabulary_size: int, embedding_size: int | None = None, **kwargs: Any) -> None:
        if embedding_size is None:
            kwargs.setdefault("kernel_initializer", keras.initializers.RandomNormal(stddev=ONE_HOT_DEVIATION))
        super().__init__(units, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.embedding: Any = None
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, sequences_shape: tuple[int, ...], initial_state_shape: Any = None) -> None:
        """Makes the embedding `(vocabulary_size, embedding_size)`, if any, and the layer's other weights."""
        if self.embedding_size is not None:
            self.embedding = self.add_weight(
                shape=(self.vocabulary_size, self.embedding_size),
                initializer=keras.initializers.RandomNormal(stddev=EMBEDDING_DEVIATION),
                name="embedding",
            )
        width = self.embedding_size or self.vocabulary_size
        super().build((*sequences_shape, width), initial_state_shape)

    @property
    def token_vectors(self) -> Any:
        """The weights with one row per token: `(vocabulary_size, embedding_size)`, or `(vocabulary_size, 4n)` if one-hot."""
        return self.cell.kernel if self.embedding is None else self.embedding

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Reads a window.

        Args:
            sequences: token ids `(batch_size, unroll_steps)`, int32.
            initial_state: h and c; None for the state carried over, or zeros.
            mask: `(batch_size, unroll_steps)`, or None.
            training: passed by Keras.

        Returns:
            The result of `keras.layers.RNN`.
        """
        return super().call(ops.expand_dims(sequences, -1), initial_state, mask, training)

    def inner_loop(self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False) -> Any:
        """Runs the cell over a window of ids, `(batch_size, unroll_steps, 1)`; see `HoistedLoop.inner_loop`."""
        if not self.runs_hoisted(sequences, mask):
            ids = ops.squeeze(sequences, -1)
            sequences = (
                ops.one_hot(ids, self.vocabulary_size, dtype=self.compute_dtype)
                if self.embedding is None
                else gather_rows(self.weight(self.embedding), ids)
            )
        return super().inner_loop(sequences, initial_state, mask, training)

    def prepare_input(self, window: tuple[int, int]) -> Callable[[Any], Any]:
        """Projects the table of all tokens if the vocabulary is small; see `HoistedLoop.prepare_input`."""
        embedding = None if self.embedding is None else self.weight(self.embedding)
        project = _project_tokens(window, embedding, self.weight(self.cell.kernel), self.finish_input)
        return lambda inputs: project(ops.squeeze(inputs, -1))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_size": self.embedding_size,
        }


class TokenLSTM(ReadsTokens, FastLSTM):
    """A `FastLSTM` over token ids."""


class TokenCellLSTM(ReadsTokens, CellLSTM):
    """A `CellLSTM` over token ids."""


def _project_tokens(
    window: tuple[int, int], embedding: Any, kernel: Any, finish: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Prepares the input projection of tokens for a whole window at once.

    The product of a one-hot vector and W is a row of W, so ids are looked up and no one-hot vector is ever made. If a window has at
    least as many tokens as the vocabulary, the whole table is processed first (product with W, bias, normalisation), and its rows
    are looked up afterwards.

    Args:
        window: the whole window, `(batch_size, unroll_steps)`.
        embedding: `(vocabulary_size, width)`; None for one-hot tokens.
        kernel: W, `(width, 4n)`, or `(vocabulary_size, 4n)` for one-hot tokens.
        finish: applied to rows of `x W`, `(rows, 4n)`.

    Returns:
        A function from the ids of some streams, `(unroll_steps, streams)`, to their projection, `(unroll_steps, streams, 4n)`.
    """
    vectors = kernel if embedding is None else embedding

    def product(rows: Any) -> Any:
        return finish(rows if embedding is None else ops.matmul(rows, kernel))

    if vectors.shape[0] <= window[0] * window[1]:
        table = product(vectors)
        return lambda ids: gather_rows(table, ids)

    def project(ids: Any) -> Any:
        rows = gather_rows(vectors, ops.reshape(ids, (-1,)))
        return ops.reshape(product(rows), (*ids.shape, kernel.shape[1]))

    return project
