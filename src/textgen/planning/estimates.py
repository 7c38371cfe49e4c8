"""Estimates what a run can reach, by formulas fitted to a few measured numbers; never by a timing.

The formulas give the speed of training, the passes over the text that are worth making, and the dropout for them. They were measured for
characters and for words (docs/experiments.md). Longer tokens of any other kind are counted as words.

From scratch, a model of characters reads a text of up to 200,000 characters best 8 to 13 times, with much dropout. After that it
memorises the text, and its validation loss rises. A model that starts from another one needs about 5 passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from textgen.config import TrainingConfig
from textgen.corpus import make_tokenizer
from textgen.planning.cores import MEASURED_CORES, relative_speed
from textgen.planning.model_shape import ModelShape, layer_tensor

DeviceKind = Literal["cpu", "gpu"]

MeasuredKind = Literal["char", "word"]
"""The kinds of tokens that were measured."""

_SECONDS: dict[DeviceKind, tuple[float, float]] = {"cpu": (2.3e-6, 44e-12), "gpu": (1.3e-6, 0.21e-12)}
"""The seconds per token, and those per token and multiplied weight. Fitted to two cores with AVX-512, on which 384 and 512 states and
twice 512 states train at 34,000, 20,000 and 7,000 characters per second; those of a GPU are guesses."""
_VOCABULARY = {"char": 100, "word": 16_000}
_CPU_STREAMS = 16
"""The number of streams for which the seconds of a CPU were measured. A step of half as many takes three quarters of the time."""

_WORTHWHILE: dict[tuple[MeasuredKind, bool], tuple[tuple[float, float], ...]] = {
    ("char", False): ((30_000, 8), (100_000, 10), (200_000, 13), (1_000_000, 25), (5_000_000, 60)),
    ("char", True): ((300_000, 5), (1_000_000, 6), (5_000_000, 20)),
    ("word", False): ((300_000, 12), (1_000_000, 16), (5_000_000, 25)),
    ("word", True): ((300_000, 8), (1_000_000, 12), (5_000_000, 20)),
}
"""Pairs of a number of characters and the passes worth making, by the kind of tokens and whether training starts from another model.
For longer texts than the last, the passes are not limited."""

_LEAST_STEPS_APART = 100
_LEAST_TOKENS_APART = 40_000
"""The minimum number of steps and of tokens between two evaluated ends of epochs. Evaluating and saving a small model takes about as
long as training on 5,000 characters."""

_LEAST_PATIENCE = 5
"""The minimum patience, because an evaluation may be worse than the one before it by chance."""
_PATIENT_SHARE = 0.25
"""Patience as a share of a run's evaluations: a model learns most while the learning rate falls, and may stagnate before that."""

_DROPOUT: dict[tuple[MeasuredKind, bool], tuple[tuple[float, float], ...]] = {
    ("char", False): ((8, 0.1), (20, 0.3), (40, 0.5)),
    ("char", True): ((16, 0.1), (40, 0.3), (90, 0.5)),
    ("word", False): ((0.7, 0.1), (1.5, 0.3), (3, 0.6)),
    ("word", True): ((0.7, 0.1), (3, 0.3), (8, 0.5)),
}
"""Pairs of a number of passes and the dropout for them, by the kind of tokens and whether training starts from another model."""
_DROPOUT_CHARACTERS = 1_000_000
"""The length of the text, in characters, for which the passes above were measured."""
_SHORT_TEXT = 200_000
"""For shorter texts, only the number of passes matters."""
_LENGTH_POWER = 0.7
"""The power of the length of the text that the number of passes is scaled by: 13 passes over 200,000 characters need as much dropout
as 40 over a million."""


def measured_kind(language_model: str) -> MeasuredKind:
    """Returns the measured kind of tokens that is closest to those of a language model."""
    return "char" if make_tokenizer(language_model).one_character else "word"


def tokens_per_second(
    shape: Mapping[str, Any],
    language_model: str,
    device: DeviceKind,
    *,
    streams: int = _CPU_STREAMS,
    cores: int = MEASURED_CORES,
) -> float:
    """Returns the approximate number of tokens that training reads per second.

    Args:
        shape: the settings that shape the network.
        language_model: `char` or `word`.
        device: the kind of device that trains.
        streams: the batch size.
        cores: the number of cores of a CPU.
    """
    kind = measured_kind(language_model)
    network = ModelShape.of(shape, _VOCABULARY[kind])
    looked_up = {network.token_vectors}
    if kind == "char":
        # If a window has more tokens than the vocabulary, the first layer's input is looked up in a table of all tokens.
        looked_up.add(layer_tensor(0, "kernel"))
    matrices = {name: size for name, size in network.tensors.items() if len(size) > 1 and name not in looked_up}
    fixed, each = _SECONDS[device]
    seconds = (fixed + each * sum(map(math.prod, matrices.values()))) * network.relative_time
    if device == "cpu":
        seconds *= 0.5 + 0.5 * _CPU_STREAMS / min(streams, _CPU_STREAMS)
        seconds /= relative_speed(streams, cores)
    return 1 / float(seconds)


def tokens_in(characters: int, language_model: str) -> float:
    """Returns the approximate number of tokens in a text."""
    return characters / make_tokenizer(language_model).characters_per_token


def worthwhile_passes(characters: int, language_model: str, *, started: bool) -> int | None:
    """Returns the number of passes after which training would only memorise a text; None if the text is too long for that.

    Args:
        characters: the length of the training text.
        language_model: `char` or `word`.
        started: whether training starts from another model.
    """
    points = _WORTHWHILE[measured_kind(language_model), started]
    return None if characters > points[-1][0] else round(interpolated(points, characters))


def expected_passes(config: TrainingConfig, tokens: float, device: DeviceKind, cores: int) -> float:
    """Returns the number of passes after which the first of a run's limits is reached, at the estimated speed.

    Args:
        config: the settings.
        tokens: the length of the training text.
        device: the kind of device that trains.
        cores: the number of cores of a CPU.
    """
    passes = [math.inf if config.epochs is None else float(config.epochs)]
    if config.max_steps is not None:
        passes.append(config.max_steps * config.batch_size * config.unroll_steps / tokens)
    if config.time_limit is not None:
        speed = tokens_per_second(vars(config), config.language_model, device, streams=config.batch_size, cores=cores)
        passes.append(config.time_limit * 60 * speed / tokens)
    return min(passes)


def epochs_between_evaluations(steps_per_epoch: int, tokens_per_step: int) -> int:
    """Returns the passes over a short text between two evaluations, which then take a small part of the time."""
    steps = max(_LEAST_STEPS_APART, _LEAST_TOKENS_APART / tokens_per_step)
    return max(1, math.ceil(steps / steps_per_epoch))


def patience(passes: float, steps_per_epoch: int, tokens_per_step: int, eval_steps: int | None = None) -> int:
    """Returns the number of evaluations without improvement after which a run ends.

    Args:
        passes: the number of passes that the run is expected to make.
        steps_per_epoch: the steps in one pass.
        tokens_per_step: the training tokens in one step.
        eval_steps: the steps between evaluations within an epoch; None if there are none. More evaluations need more patience.
    """
    epochs = epochs_between_evaluations(steps_per_epoch, tokens_per_step)
    more = epochs * steps_per_epoch // eval_steps if eval_steps else 0
    return max(_LEAST_PATIENCE, int(passes / epochs * _PATIENT_SHARE)) * (1 + more)


def dropout(passes: float, characters: int, language_model: str, *, started: bool) -> float:
    """Returns the fraction of each layer's outputs to drop.

    Args:
        passes: the number of passes over the text that the whole job will make.
        characters: the length of the text.
        language_model: `char` or `word`; models of words have more weights per token, and need more.
        started: whether training starts from another model.
    """
    kind = measured_kind(language_model)
    if kind == "char":
        passes *= (_DROPOUT_CHARACTERS / max(_SHORT_TEXT, characters)) ** _LENGTH_POWER
    return round(interpolated(_DROPOUT[kind, started], passes), 2)


def interpolated(points: Sequence[tuple[float, float]], value: float) -> float:
    """Returns the y of a value between points `(x, y)`, linear in the logarithm of x, and constant beyond the first and the last."""
    (before, low), *rest = points
    if value <= before:
        return low
    for after, high in rest:
        if value <= after:
            return low + (high - low) * math.log(value / before) / math.log(after / before)
        before, low = after, high
    return low
