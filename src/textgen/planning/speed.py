"""Estimates the speed of training from the shape of the model, by a formula fitted to a few measured speeds; never a timing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from textgen.planning.model_shape import ModelShape, layer_tensor

DeviceKind = Literal["cpu", "gpu"]

_SECONDS = {"cpu": (2.3e-6, 44e-12), "gpu": (1.3e-6, 0.21e-12)}
"""The seconds per token, and those per token and multiplied weight. Fitted to two cores with AVX-512, on which 384 and 512 states and
twice 512 states train at 34,000, 20,000 and 7,000 characters per second; those of a GPU are guesses."""
_VOCABULARY = {"char": 100, "word": 16_000}
_CPU_STREAMS = 16
"""The number of streams for which the seconds of a CPU were measured. A step of half as many takes three quarters of the time."""


def tokens_per_second(
    shape: Mapping[str, Any], language_model: str, device: DeviceKind, *, streams: int = _CPU_STREAMS
) -> float:
    """Returns the approximate number of tokens that training reads per second.

    Args:
        shape: the settings that shape the network.
        language_model: `char` or `word`.
        device: the kind of device that trains.
        streams: the batch size.
    """
    network = ModelShape.of(shape, _VOCABULARY[language_model])
    looked_up = {network.token_vectors}
    if language_model == "char":
        # If a window has more tokens than the vocabulary, the first layer's input is looked up in a table of all tokens.
        looked_up.add(layer_tensor(0, "kernel"))
    matrices = {name: size for name, size in network.tensors.items() if len(size) > 1 and name not in looked_up}
    fixed, each = _SECONDS[device]
    seconds = (fixed + each * sum(map(math.prod, matrices.values()))) * network.relative_time
    if device == "cpu":
        seconds *= 0.5 + 0.5 * _CPU_STREAMS / min(streams, _CPU_STREAMS)
    return 1 / float(seconds)
