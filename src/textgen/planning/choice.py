"""Chooses a model and how to train it by the minutes there are; arithmetic on a few measured numbers, never a timing.

The same minutes, text and kind of device always give the same choice, so that the same command finds the same job again.
Those for a CPU were fitted on two cores with AVX-512, for characters up to ten minutes and for words up to three
(docs/experiments.md); all others are guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

DeviceKind = Literal["cpu", "gpu"]

SHAPE_SETTINGS = ("lstm_state_size", "layers", "embedding_size", "layer_norm", "num_proj")
"""Any of these, given by hand, and nothing is chosen."""

_CHARACTERS_PER_WORD_TOKEN = 4.5
"""Words, marks and the spaces between them, in English."""


class _Size(NamedTuple):
    """What is chosen for so many minutes.

    Attributes:
        below: it serves up to so many minutes.
        tokens_per_second: that the device learns from, about.
        settings: all but dropout.
    """

    below: float
    tokens_per_second: float
    settings: Mapping[str, Any]


_SIZES: dict[tuple[DeviceKind, str], tuple[_Size, ...]] = {
    ("cpu", "char"): (
        _Size(6, 34_000, {"lstm_state_size": 384, "layers": 1, "embedding_size": 384, "learning_rate": 0.009}),
        _Size(30, 20_000, {"lstm_state_size": 512, "layers": 1, "embedding_size": 512, "learning_rate": 0.007}),
        _Size(
            float("inf"), 7_000, {"lstm_state_size": 512, "layers": 2, "embedding_size": 512, "learning_rate": 0.003}
        ),
    ),
    ("cpu", "word"): (
        _Size(6, 4_000, {"lstm_state_size": 256, "layers": 1, "embedding_size": 128, "learning_rate": 0.006}),
        _Size(
            float("inf"), 2_500, {"lstm_state_size": 512, "layers": 1, "embedding_size": 256, "learning_rate": 0.003}
        ),
    ),
    ("gpu", "char"): (
        _Size(10, 500_000, {"lstm_state_size": 512, "layers": 2, "batch_size": 64, "learning_rate": 0.003}),
        _Size(float("inf"), 250_000, {"lstm_state_size": 1024, "layers": 2, "batch_size": 64, "learning_rate": 0.002}),
    ),
    ("gpu", "word"): (
        _Size(
            float("inf"),
            150_000,
            {"lstm_state_size": 1024, "layers": 2, "embedding_size": 512, "batch_size": 64, "learning_rate": 0.002},
        ),
    ),
}
CHOSEN_SETTINGS = (*SHAPE_SETTINGS, "batch_size", "unroll_steps", "learning_rate", "dropout")
"""All that is chosen."""

_DROPOUTS = {
    "char": ((8.0, 0.1), (40.0, 0.3), (float("inf"), 0.5)),
    "word": ((1.0, 0.1), (3.0, 0.3), (float("inf"), 0.6)),
}
"""The dropout for up to so many passes over the text; a text has few words for the weights that a large vocabulary brings."""
_STREAMS = 16
"""Unless a size says another number."""
_LEAST_STEPS = 8
"""Of an epoch: a short text is read in fewer streams than there could be, so that they are not too short themselves."""


@dataclass(frozen=True)
class Choice:
    """What was chosen together, for one reason.

    Attributes:
        settings: of `TrainingConfig`, by name.
        reason: why, in words.
    """

    settings: Mapping[str, Any]
    reason: str


def choose(
    minutes: float, characters: int, language_model: str, device: DeviceKind, *, unroll_steps: int
) -> tuple[Choice, ...]:
    """Chooses for a time.

    Args:
        minutes: of training.
        characters: of the training text.
        language_model: `char` or `word`.
        device: what kind trains.
        unroll_steps: of a window; that of the defaults suits every size.
    """
    size = next(size for size in _SIZES[device, language_model] if minutes < size.below)
    tokens = characters / (1 if language_model == "char" else _CHARACTERS_PER_WORD_TOKEN)
    passes = minutes * 60 * size.tokens_per_second / max(1.0, tokens)
    dropout = next(dropout for most, dropout in _DROPOUTS[language_model] if passes < most)
    settings = {"embedding_size": None, "batch_size": _STREAMS, "unroll_steps": unroll_steps, **size.settings}
    fitting = max(1, int(tokens) // (_LEAST_STEPS * unroll_steps))
    settings["batch_size"] = min(settings["batch_size"], fitting)
    rounded_passes = float(f"{passes:.2g}")
    shape = {name: settings.pop(name) for name in SHAPE_SETTINGS if name in settings}
    time = f"{minutes:.12g} minute{'' if minutes == 1 else 's'}"
    return (
        Choice(shape, f"what learns most in {time} on a {device.upper()}"),
        Choice(settings, "what suits that size"),
        Choice({"dropout": dropout}, f"about {rounded_passes:,.12g} passes over the text"),
    )
