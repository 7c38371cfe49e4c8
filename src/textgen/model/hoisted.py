"""The common base of the fast recurrent layers: moves products out of the loop over time, and runs the batch in parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textgen.model.input_projection import project_vectors
from textgen.model.tensorflow_ops import choose_loop, run_in_parts
from textgen.planning import ModelShape


class HoistedLoop(keras.layers.RNN, ABC):
    """`keras.layers.RNN` with everything that does not depend on time hoisted out of its loop.

    Keras multiplies input and state by their kernels at each step of its loop over time. Here, the input projection is one large
    product before the loop, and the gradients of both kernels are large products after the backward loop. The rest of the
    loops is compiled, and each core runs it for a part of the batch (see `tensorflow_ops`).
    """

    @classmethod
    def options(cls, shape: ModelShape) -> dict[str, Any]:  # noqa: ARG003 - a projection needs it
        """Returns the arguments of the constructor that make the layer of a shape, besides `units`."""
        return {}

    def inner_loop(self, sequences: Any, initial_state: list[Any], mask: Any, training: bool = False) -> Any:
        """Runs the cell over a window.

        Args:
            sequences: `(batch_size, unroll_steps, width)`, floating.
            initial_state: the states, of which the first one is the output.
            mask: `(batch_size, unroll_steps)`, or None.
            training: passed by Keras.

        Returns:
            The last output, all outputs, and the last states.
        """
        if not self.runs_hoisted(sequences, mask):
            return super().inner_loop(sequences, initial_state, mask, training)
        loop = choose_loop(self.cell.units, sequences.shape[0])
        project = self.prepare_input(sequences)

        def part(sequences: Any, *states: Any) -> tuple[Any, ...]:
            outputs, *last = self.run_loop(project(sequences), *states, compiled=loop.compiled)
            return ops.transpose(outputs, (1, 0, 2)), *last

        outputs, *states = run_in_parts(part, [sequences, *initial_state], loop)
        return states[0], outputs, states

    def prepare_input(self, sequences: Any) -> Callable[[Any], Any]:
        """Prepares the input projection once for all parts of a window.

        Args:
            sequences: the whole window.

        Returns:
            A function that computes the input projection of a part, time first: `(unroll_steps, part of batch_size, width)`.
        """
        del sequences
        kernel = self.weight(self.cell.kernel)
        return lambda part: project_vectors(part, kernel, self.finish_input)

    def weight(self, variable: Any) -> Any:
        """Returns a weight in the dtype that the layer computes in."""
        return ops.cast(variable, self.compute_dtype)

    def runs_hoisted(self, sequences: Any, mask: Any) -> bool:
        """Returns whether this loop runs; otherwise Keras' own loop does."""
        plain = not (self.go_backwards or self.unroll)
        return plain and mask is None and None not in sequences.shape

    @abstractmethod
    def finish_input(self, rows: Any) -> Any:
        """Returns the input projection, given `x W`; both are `(rows, width)`."""

    @abstractmethod
    def run_loop(self, from_input: Any, *states: Any, compiled: bool) -> tuple[Any, ...]:
        """Runs the loop over time.

        Args:
            from_input: the input projection, time first.
            states: the initial states.
            compiled: whether XLA compiles the loop.

        Returns:
            All outputs, time first, and the last states.
        """
