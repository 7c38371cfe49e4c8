"""Chooses a model for a number of minutes, and how to train it, by a few measured numbers; never by a timing.

The same minutes, text and kind of device always give the same model, so that the same command finds the same job again. The number of
streams, the learning rate and patience also depend on the number of cores; an existing job keeps them.
The choices for a CPU were measured on two cores with AVX-512, for characters up to ten minutes and for words up to three
(docs/experiments.md). All others are guesses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from textgen.formatting import count, rounded
from textgen.planning.cores import MEASURED_CORES
from textgen.planning.estimates import (
    DeviceKind,
    MeasuredKind,
    interpolated,
    measured_kind,
    patience,
    tokens_in,
    tokens_per_second,
    worthwhile_passes,
)
from textgen.planning.model_shape import SHAPE_SETTINGS, ModelShape

LIMITS_BY_PASSES = ("epochs", "patience")
"""The settings that end a run before its time does."""
CHOSEN_SETTINGS = (
    *SHAPE_SETTINGS,
    *("batch_size", "unroll_steps", "learning_rate", "weight_decay", "dropout"),
    *LIMITS_BY_PASSES,
)
"""All settings that are chosen."""


class _Size(NamedTuple):
    """The shape for a range of minutes.

    Attributes:
        below: the end of the range, in minutes.
        shape: the settings that shape the network, without those that keep their defaults.
    """

    below: float
    shape: Mapping[str, Any]


_LONGEST = float("inf")
_SIZES: dict[tuple[DeviceKind, MeasuredKind], tuple[_Size, ...]] = {
    ("cpu", "char"): (
        _Size(6, {"lstm_state_size": 384, "layers": 1, "embedding_size": 384}),
        _Size(30, {"lstm_state_size": 512, "layers": 1, "embedding_size": 512}),
        _Size(_LONGEST, {"lstm_state_size": 512, "layers": 2, "embedding_size": 512}),
    ),
    ("cpu", "word"): (
        _Size(6, {"lstm_state_size": 256, "layers": 1, "embedding_size": 128}),
        _Size(_LONGEST, {"lstm_state_size": 512, "layers": 1, "embedding_size": 256}),
    ),
    ("gpu", "char"): (
        _Size(10, {"lstm_state_size": 512, "layers": 2, "embedding_size": None}),
        _Size(_LONGEST, {"lstm_state_size": 1024, "layers": 2, "embedding_size": None}),
    ),
    ("gpu", "word"): (_Size(_LONGEST, {"lstm_state_size": 1024, "layers": 2, "embedding_size": 512}),),
}

_RATES_OF_ONE_LAYER: dict[MeasuredKind, tuple[tuple[float, float], ...]] = {
    "char": ((384, 0.009), (512, 0.007), (1024, 0.004)),
    "word": ((256, 0.006), (512, 0.003), (1024, 0.002)),
}
_RATES_OF_TWO_LAYERS: dict[MeasuredKind, tuple[tuple[float, float], ...]] = {
    "char": ((384, 0.008), (512, 0.006), (1024, 0.003)),
    "word": ((256, 0.006), (512, 0.003), (1024, 0.002)),
}
"""Pairs of a number of states and the learning rate for them."""
_ONE_HOT_RATE = 4 / 3
"""The factor for one layer of characters without an embedding."""
_STARTED_RATE = 0.0007
"""The learning rate of one layer that starts from another model."""

_STREAMS = {"cpu": 16, "gpu": 64}
_MORE_STREAMS = 32
_CORES_OF_MORE = 4
"""The number of streams for a long text and this number of cores, on which a step takes about as long as one of 16 streams on two cores."""
_RATE_OF_MORE = 1.4
"""The factor of the learning rate for them."""
_SHARE_OF_MORE = 0.5
"""They pay only if the run makes at most this share of the passes worth making: otherwise more steps learn more from the same passes."""
_LEAST_STEPS = 50
"""The minimum number of steps per epoch. A short text is split into fewer streams to reach it."""
_WEIGHT_DECAY = 0.1
_GPUS = 8
"""The most GPUs that machines usually have. They can share a batch of a multiple of it, whatever their number."""
_COUNTED_IN_MINUTES = 10
"""From this number of minutes on, the plan counts in minutes instead of seconds."""
_ALMOST_ALL = 0.95
"""If the passes take this share of the time or more, the plan does not promise an earlier end."""

_MOST_CHARACTERS: dict[DeviceKind, tuple[tuple[float, float], ...]] = {
    "cpu": ((30, float("inf")), (float("inf"), 2_000_000)),
    "gpu": ((float("inf"), 2_000_000),),
}
"""Pairs of a time in minutes, and the length of the longest training text for which starting from the base model pays in less time.
Measured for up to a million characters and five minutes (docs/experiments.md)."""


def can_choose(shape: Mapping[str, Any], language_model: str) -> bool:
    """Returns whether `choose` would choose a shape for any time and device.

    Args:
        shape: the `SHAPE_SETTINGS` by name.
        language_model: `char` or `word`.
    """
    wanted, any_vocabulary = measured_kind(language_model), 0
    chosen = [size.shape for (_, kind), sizes in _SIZES.items() if kind == wanted for size in sizes]
    return ModelShape.of(shape, any_vocabulary) in [ModelShape.of(each, any_vocabulary) for each in chosen]


def base_pays(minutes: float, characters: int, device: DeviceKind) -> bool:
    """Returns whether a character model of a text that the base model suits gets better if it starts from the base.

    From a long text in a long time, a new model of the chosen shape learns more than the base model knows.

    Args:
        minutes: the training time.
        characters: the length of the training text.
        device: the kind of device that trains.
    """
    return characters <= next(most for below, most in _MOST_CHARACTERS[device] if minutes < below)


@dataclass(frozen=True)
class Choice:
    """Settings that are chosen together for one reason.

    Attributes:
        settings: settings of `TrainingConfig`, by name.
        reason: the reason, as the plan prints it.
    """

    settings: Mapping[str, Any]
    reason: str


def choose(
    minutes: float | None,
    characters: int,
    language_model: str,
    device: DeviceKind,
    *,
    unroll_steps: int,
    cores: int = MEASURED_CORES,
    batch_size: int | None = None,
    eval_steps: int | None = None,
    shape: Mapping[str, Any] | None = None,
    started: Mapping[str, Any] | None = None,
) -> tuple[Choice, ...]:
    """Chooses the model for a training time, and how to train it.

    Args:
        minutes: the training time; None if epochs or steps limit the run, which then needs a shape.
        characters: the length of the training text.
        language_model: `char` or `word`.
        device: the kind of device that trains.
        unroll_steps: the length of a window; the default suits every size.
        cores: the number of cores of a CPU.
        batch_size: the number of streams, if it is given.
        eval_steps: the steps between evaluations within an epoch; None if there are none.
        shape: the `SHAPE_SETTINGS` by name; None to choose them.
        started: those of the model that training starts from; None for new weights.
    """
    choices = []
    if started is not None:
        shape = started
        used = {name: value for name, value in shape.items() if value}
        choices.append(Choice(used, "the shape of the model that training starts from"))
    elif shape is None:
        assert minutes is not None, "without a time, there is no shape to choose"  # noqa: S101 - our own mistake
        shape = next(size.shape for size in _SIZES[device, measured_kind(language_model)] if minutes < size.below)
        choices.append(Choice(shape, f"learns most in {count(minutes, 'minute')} on a {device.upper()}"))
    tokens, kind = tokens_in(characters, language_model), measured_kind(language_model)
    passes = worthwhile_passes(characters, language_model, started=started is not None)

    def passes_in(minutes: float, streams: int) -> float:
        speed = tokens_per_second(shape, language_model, device, streams=streams, cores=cores)
        return minutes * 60 * speed / max(1.0, tokens)

    where = f" on {count(cores, 'core')}" if device == "cpu" else ""
    fitting = max(1, int(tokens) // (_LEAST_STEPS * unroll_steps))
    streams, reason = min(fitting, _STREAMS[device]), "suits this model and this text"
    rate = learning_rate(shape, language_model, started=started is not None)
    if batch_size is not None:
        streams = batch_size
    elif device == "gpu":
        streams -= streams % _GPUS if streams > _GPUS else 0
    elif cores >= _CORES_OF_MORE and fitting >= _MORE_STREAMS and kind == "char":
        most = math.inf if passes is None else _SHARE_OF_MORE * passes
        if minutes is not None and passes_in(minutes, _MORE_STREAMS) <= most:
            streams, rate = _MORE_STREAMS, float(f"{_RATE_OF_MORE * rate:.2g}")
            reason = f"learns most from a long text{where}"
    settings = {
        "batch_size": streams,
        "unroll_steps": unroll_steps,
        "learning_rate": rate,
        "weight_decay": _WEIGHT_DECAY,
    }
    choices.append(Choice(settings, reason))
    if minutes is None:
        return tuple(choices)
    in_time = passes_in(minutes, streams)
    if passes is not None:
        choices.append(Choice({"epochs": passes}, _explain_passes(passes, in_time, minutes, where)))
    tokens_per_step = streams * unroll_steps
    evaluations = patience(
        in_time if passes is None else min(passes, in_time),
        max(1, int(tokens) // tokens_per_step),
        tokens_per_step,
        eval_steps,
    )
    choices.append(
        Choice({"patience": evaluations}, f"stops after {evaluations} evaluations in a row without improvement")
    )
    return tuple(choices)


def learning_rate(shape: Mapping[str, Any], language_model: str, *, started: bool = False) -> float:
    """Returns the learning rate for a shape: the measured ones, and values between them for other sizes.

    Args:
        shape: the settings that shape the network.
        language_model: `char` or `word`.
        started: whether training starts from another model.
    """
    kind, states, layers = measured_kind(language_model), shape["lstm_state_size"], shape["layers"]
    rates = _RATES_OF_ONE_LAYER if layers == 1 else _RATES_OF_TWO_LAYERS
    rate = interpolated(rates[kind], states)
    if started:
        rate = min(rate, _STARTED_RATE)
    elif layers == 1 and kind == "char" and shape["embedding_size"] is None:
        rate *= _ONE_HOT_RATE
    return float(f"{rate * min(1, 2 / layers):.2g}")


def _explain_passes(passes: int, in_time: float, minutes: float, where: str) -> str:
    if passes >= _ALMOST_ALL * in_time:
        return f"more would only memorise the text; there is time for about {rounded(in_time)}{where}"
    unit, all_time = ("second", minutes * 60) if minutes < _COUNTED_IN_MINUTES else ("minute", minutes)
    needed = max(1.0, all_time * passes / in_time)
    return f"about {rounded(needed)} of the {count(all_time, unit)}{where}; more would only memorise the text"
