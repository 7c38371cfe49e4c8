"""Trains on a batch in parts, one per core: each runs through all layers, from its tokens to its loss.

So a core waits for the others only once, when the gradients are summed. The values between the layers have time as their first axis, as
the loops over time do. Dropout is drawn for the whole batch first, so it does not depend on the parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from textgen.model.dropout import Dropout
from textgen.model.recurrent import HoistedLoop
from textgen.model.tensorflow_ops import choose_loop, run_in_parts


def losses_of_parts(
    layers: Sequence[keras.layers.Layer],
    measure: Callable[[Any, Any], tuple[Any, ...]],
    window: tuple[Any, Any],
    keep: Any,
) -> list[Any]:
    """Runs the layers on a window, updates their states, and computes losses.

    Args:
        layers: the layers of a model in their order, without the input. The recurrent ones run hoisted (see `HoistedLoop`).
        measure: a function of the targets and the logits of a part. It returns means over its tokens.
        window: tokens and targets, `(batch_size, unroll_steps)` int32.
        keep: 0 for each stream whose states are first set to zero, else 1; `(batch_size, 1)`.

    Returns:
        For each result of `measure`, the mean over the whole batch.
    """
    recurrent = [layer for layer in layers if isinstance(layer, HoistedLoop)]
    loop = choose_loop(recurrent[0].cell.units, keep.shape[0])
    runs = {layer.name: layer.prepare(window[0].shape, compiled=loop.compiled) for layer in recurrent}
    states = [state for layer in recurrent for state in layer.states]
    masks = [layer.draw(layer.output.shape) for layer in layers if isinstance(layer, Dropout) and layer.rate]

    def part(tokens: Any, targets: Any, keep: Any, *others: Any) -> tuple[Any, ...]:
        kept = (ops.swapaxes(mask, 0, 1) for mask in others[len(states) :])
        starts = (ops.multiply(state, keep) for state in others[: len(states)])
        values, last = ops.expand_dims(ops.transpose(tokens), -1), []
        for layer in layers:
            if layer.name in runs:
                first = [ops.cast(state, layer.compute_dtype) for state in itertools.islice(starts, len(layer.states))]
                values, *found = runs[layer.name](values, *first)
                last += found
            elif not isinstance(layer, Dropout):
                values = layer(values)
            elif layer.rate:
                values = layer.drop(values, next(kept))
        share = keep.shape[0] / window[0].shape[0]
        means = measure(ops.transpose(targets), values)
        return *(ops.reshape(share * mean, (1,)) for mean in means), *last

    batch = [*window, keep, *(ops.convert_to_tensor(state) for state in states), *masks]
    found = run_in_parts(part, batch, loop)
    count = len(found) - len(states)
    for state, value in zip(states, found[count:], strict=True):
        state.assign(value)
    return [ops.sum(shares) for shares in found[:count]]
