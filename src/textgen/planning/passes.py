"""Counts passes over a text: those worth making, those that a run will make, and those between two evaluations.

From scratch, a model of characters reads a text of up to 200,000 characters best 8 to 13 times, with much dropout. After that it
memorises the text, and its validation loss rises. A model that starts from another one needs about 5 passes (docs/experiments.md).
"""

from __future__ import annotations

import math

from textgen.config import TrainingConfig
from textgen.planning.interpolation import interpolated
from textgen.planning.speed import DeviceKind, tokens_per_second

_CHARACTERS_PER_WORD_TOKEN = 4.5
"""The mean length in English, where a token is a word, a punctuation mark or the white space between them."""

_WORTHWHILE: dict[tuple[str, bool], tuple[tuple[float, float], ...]] = {
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


def tokens_in(characters: int, language_model: str) -> float:
    """Returns the approximate number of tokens in a text."""
    return characters if language_model == "char" else characters / _CHARACTERS_PER_WORD_TOKEN


def worthwhile_passes(characters: int, language_model: str, *, started: bool) -> int | None:
    """Returns the number of passes after which training would only memorise a text; None if the text is too long for that.

    Args:
        characters: the length of the training text.
        language_model: `char` or `word`.
        started: whether training starts from another model.
    """
    points = _WORTHWHILE[language_model, started]
    return None if characters > points[-1][0] else round(interpolated(points, characters))


def expected_passes(config: TrainingConfig, tokens: float, device: DeviceKind) -> float:
    """Returns the number of passes after which the first of a run's limits is reached, at the estimated speed.

    Args:
        config: the settings.
        tokens: the length of the training text.
        device: the kind of device that trains.
    """
    passes = [math.inf if config.epochs is None else float(config.epochs)]
    if config.max_steps is not None:
        passes.append(config.max_steps * config.batch_size * config.unroll_steps / tokens)
    if config.time_limit is not None:
        speed = tokens_per_second(vars(config), config.language_model, device, streams=config.batch_size)
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
