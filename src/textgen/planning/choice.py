"""Chooses a model, and how to train it, for a number of minutes; arithmetic on a few measured numbers, never a timing.

The same minutes, text and kind of device always give the same choice, so that the same command finds the same job again.
The choices for a CPU were measured on two cores with AVX-512, for characters up to ten minutes and for words up to three
(docs/experiments.md). All others are guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

DeviceKind = Literal["cpu", "gpu"]

SHAPE_SETTINGS = ("lstm_state_size", "layers", "embedding_size", "layer_norm", "num_proj")
"""The settings that shape the network. If any of them is given by hand, nothing is chosen."""

_CHARACTERS_PER_WORD_TOKEN = 4.5
"""The mean length in English, where a token is a word, a punctuation mark or the white space between them."""


class _Size(NamedTuple):
    """The choice for a range of minutes.

    Attributes:
        below: the end of the range, in minutes.
        tokens_per_second: the approximate speed of training such a model.
        settings: all chosen settings except dropout.
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
"""All settings that are chosen."""

_DROPOUTS = {
    "char": ((8.0, 0.1), (40.0, 0.3), (float("inf"), 0.5)),
    "word": ((1.0, 0.1), (3.0, 0.3), (float("inf"), 0.6)),
}
"""Pairs of a number of epochs and the dropout for fewer. Word models need more, as they have more weights per token."""
_STREAMS = 16
"""The number of streams, unless a size names another."""
_LEAST_STEPS = 8
"""The minimum number of steps per epoch. A short text is split into fewer streams to reach it."""


def can_choose(shape: Mapping[str, Any], language_model: str) -> bool:
    """Returns whether some time, on some device, makes `choose` choose a shape.

    Args:
        shape: the `SHAPE_SETTINGS` by name.
        language_model: `char` or `word`.
    """
    chosen = [size.settings for (_, model), sizes in _SIZES.items() if model == language_model for size in sizes]
    return any(all((value or None) == each.get(name) for name, value in shape.items()) for each in chosen)


@dataclass(frozen=True)
class Choice:
    """Settings that are chosen together, for one reason.

    Attributes:
        settings: settings of `TrainingConfig`, by name.
        reason: the reason, as the plan prints it.
    """

    settings: Mapping[str, Any]
    reason: str


def choose(
    minutes: float,
    characters: int,
    language_model: str,
    device: DeviceKind,
    *,
    unroll_steps: int,
    started: Mapping[str, Any] | None = None,
) -> tuple[Choice, ...]:
    """Chooses the model for a training time, and how to train it.

    Args:
        minutes: the training time.
        characters: the length of the training text.
        language_model: `char` or `word`.
        device: the kind of device that trains.
        unroll_steps: the length of a window; the default suits every size.
        started: the shape of the model that training starts from, the `SHAPE_SETTINGS` by name; None for new weights.
    """
    size = next(size for size in _SIZES[device, language_model] if minutes < size.below)
    tokens = characters / (1 if language_model == "char" else _CHARACTERS_PER_WORD_TOKEN)
    epochs = minutes * 60 * size.tokens_per_second / max(1.0, tokens)
    dropout = next(dropout for most, dropout in _DROPOUTS[language_model] if epochs < most)
    settings = {"embedding_size": None, "batch_size": _STREAMS, "unroll_steps": unroll_steps, **size.settings}
    if started is not None:
        settings |= {**started, "batch_size": 8, "learning_rate": 0.0015}
        dropout = 0.3
    fitting = max(1, int(tokens) // (_LEAST_STEPS * unroll_steps))
    settings["batch_size"] = min(settings["batch_size"], fitting)
    rounded_epochs = float(f"{epochs:.2g}")
    shape = {name: settings.pop(name) for name in SHAPE_SETTINGS if name in settings}
    time = f"{minutes:.12g} minute{'' if minutes == 1 else 's'}"
    return (
        Choice(
            shape, f"learns most in {time} on a {device.upper()}" if started is None else "as the model it starts from"
        ),
        Choice(settings, "suits that size" if started is None else "suits trained weights"),
        Choice({"dropout": dropout}, f"for about {rounded_epochs:,.12g} epoch{'' if rounded_epochs == 1 else 's'}"),
    )
