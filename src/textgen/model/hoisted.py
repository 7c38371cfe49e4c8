"""What the fast recurrent layers share: a window's products outside the loop over time, the batch in parts; knows no cell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textgen.model.input_share import share_of_vectors
from textgen.model.tensorflow_ops import choose_loop, run_in_parts


class HoistedLoop(keras.layers.RNN, ABC):
    """`keras.layers.RNN` with all that does not depend on time hoisted out of its loop.

    Keras multiplies input and state by their kernels at each step of its loop over time. Here the input's product is one
    large one before the loop, the gradients of both kernels are large products after the loop backward, and what is
    left of the loops is compiled, and run for a part of the batch on each core (see `tensorflow_ops`).
    """

    def inner_loop(self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False) -> Any:
        """Runs the cell over a window.

        Args:
            sequences: `(batch_size, unroll_steps, width)`, floating.
            initial_state: h and c.
            mask: `(batch_size, unroll_steps)`, or None.
            training: whether dropout applies.

        Returns:
            The last output, all outputs, and the last h and c.
        """
        if not self.runs_hoisted(sequences, mask):
            return super().inner_loop(sequences, initial_state, mask, training)
        loop = choose_loop(self.cell.units, sequences.shape[0])
        share_of = self.prepare_share(sequences)

        def part(sequences: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
            outputs, h, c = self.run_loop(share_of(sequences), h, c, compiled=loop.compiled)
            return ops.transpose(outputs, (1, 0, 2)), h, c

        outputs, h, c = run_in_parts(part, [sequences, *initial_state], loop)
        return h, outputs, [h, c]

    def prepare_share(self, sequences: Any) -> Callable[[Any], Any]:
        """Does what all parts of a window need, once.

        Args:
            sequences: the whole window.

        Returns:
            A function that gives a part's input share of the gates, time first: `(unroll_steps, part of batch_size, 4n)`.
        """
        del sequences
        kernel = self.weight(self.cell.kernel)
        return lambda part: share_of_vectors(part, kernel, self.finish_share)

    def weight(self, variable: Any) -> Any:
        """A weight in the type that the layer computes in."""
        return ops.cast(variable, self.compute_dtype)

    def runs_hoisted(self, sequences: Any, mask: Any) -> bool:
        """Whether this loop serves; otherwise Keras' does."""
        plain = not (self.go_backwards or self.unroll)
        return plain and mask is None and None not in sequences.shape

    @abstractmethod
    def finish_share(self, rows: Any) -> Any:
        """The input's share of the gates, of `x W`; both `(rows, 4n)`."""

    @abstractmethod
    def run_loop(self, share: Any, h: Any, c: Any, *, compiled: bool) -> tuple[Any, Any, Any]:
        """Runs the loop over time.

        Args:
            share: the input's share of the gates, time first.
            h: the first state.
            c: likewise.
            compiled: whether XLA is to compile it.

        Returns:
            All outputs, time first, and the last h and c.
        """
