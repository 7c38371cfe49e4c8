"""Gives advice on a finished job, from what was measured: at most three sentences, each with the setting to change.

docs/advice.md describes the rules, and shows runs on which they were tested. No advice contradicts what textgen chooses by itself, because
both use the same numbers, those of `planning`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from textgen.config import SamplingConfig
from textgen.errors import named
from textgen.evaluation.scores import NOISE
from textgen.formatting import count, rounded
from textgen.jobs import finite_number
from textgen.planning import choose, dropout, shape_values, tokens_per_second, worthwhile_passes

if TYPE_CHECKING:
    from textgen.config import TrainingConfig
    from textgen.evaluation.matching_temperature import TemperatureMatch

_EARLY = 0.75
"""If the best evaluation comes after this share of the run or earlier, the rest of the run was in vain."""
_CLEAR = 2 * NOISE
"""The least difference between two losses that gives rise to advice, in nats per token."""
_FEW_PASSES = 0.5
"""Up to this share of the passes worth making, more of them help clearly."""
_PARTS = 3
"""In the last of this number of equal parts of a run, the loss must still fall."""
_LESS_DROPOUT = 0.1
"""How far a given dropout must be below the one that textgen would choose."""
_SIZE_FACTOR = 3
"""How many times as long a step must take with one model as with the other to give rise to advice."""
_FASTEST_CPU = 4
"""A speed above this many times the one that was measured on a CPU is that of a GPU, for which no sizes were measured."""
_CLOSER = 0.1
"""How much smaller the distance from real text must be; twice the spread between two sets of samples."""
_NOT_ALIKE = 0.4
"""From this distance on, a model writes nothing like its text, and no temperature helps."""
_LONGER = 1.5
"""How many times as long as before a run must be at least, if the measured speed promises all passes in less time."""
_LEAST, _MOST = 1e-6, 1e12
"""Smaller and larger figures come only from a damaged file."""
_MINUTES = ((10, 1), (60, 5), (math.inf, 30))
"""Pairs of a number of minutes, and the multiple to which smaller numbers are rounded up."""


@dataclass(frozen=True)
class Advice:
    """A sentence of advice.

    Attributes:
        sentence: the sentence. `errors.with_dashes` makes flags of the names of settings in it.
        setting: the setting to change; `temperature` is one of sampling, all others are those of training.
        value: its new value.
    """

    sentence: str
    setting: str
    value: Any


def advise(
    history: Sequence[Mapping[str, Any]], config: TrainingConfig, temperatures: TemperatureMatch | None = None
) -> tuple[Advice, ...]:
    """Gives advice on a finished job.

    Args:
        history: the evaluations, as from `read_metrics`.
        config: the settings of the job.
        temperatures: the result of `match_temperatures`; None if there is none.

    Returns:
        At most three sentences: on the length of training, on the size of the model, and on the temperature. Each is left out unless its
        sign is clear, so often there is none.
    """
    run = _Run.of(history, config)
    if run is None:
        return ()
    found = (_advise_length(run), _advise_size(run), None if run.is_short else _advise_temperature(temperatures))
    return tuple(filter(None, found))


@dataclass(frozen=True)
class _Evaluation:
    """The figures of one evaluation, as in metrics.jsonl; 0 for those that are not known or cannot be true."""

    steps: float
    epochs: float
    train_loss: float
    valid_loss: float
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True)
class _Run:
    """A finished job.

    Attributes:
        config: its settings.
        evaluations: its evaluations on the present validation text, the oldest first; at least one.
        characters_per_token: the average over that text.
    """

    config: TrainingConfig
    evaluations: Sequence[_Evaluation]
    characters_per_token: float

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]], config: TrainingConfig) -> Self | None:
        """Returns the job; None if it has no usable evaluation."""
        text = history[-1].get("valid_sha256") if history else None
        evaluations, characters_per_token = [], 1.0
        for values in history:
            known = {name: _plausible(values, name) for name in _Evaluation.__dataclass_fields__}
            if values.get("valid_sha256") == text and known["steps"] and known["epochs"] and known["valid_loss"]:
                evaluations.append(_Evaluation(**known))
                bits = _plausible(values, "valid_bits_per_character")
                characters_per_token = known["valid_loss"] / math.log(2) / bits if bits else 1.0
        return cls(config, evaluations, characters_per_token) if evaluations else None

    @property
    def last(self) -> _Evaluation:
        """The last evaluation."""
        return self.evaluations[-1]

    @cached_property
    def best(self) -> _Evaluation:
        """The evaluation with the lowest validation loss."""
        return min(self.evaluations, key=lambda each: each.valid_loss)

    @property
    def tokens(self) -> float:
        """The length of the training text."""
        return self.last.steps / self.last.epochs * self.config.batch_size * self.config.unroll_steps

    @property
    def characters(self) -> int:
        """Its approximate length in characters."""
        return max(1, round(min(self.tokens * self.characters_per_token, _MOST)))

    @cached_property
    def worthwhile(self) -> int | None:
        """The number of passes over the text after which training would only memorise it; None if the text is too long for that."""
        return worthwhile_passes(self.characters, self.config.language_model, started=self.config.is_started)

    @property
    def estimated_speed(self) -> float:
        """The speed of training on the CPU that was measured, in tokens per second."""
        config = self.config
        return tokens_per_second(vars(config), config.language_model, "cpu", streams=config.batch_size)

    @cached_property
    def speed(self) -> float:
        """The median speed of training in tokens per second; the estimated one if it was not measured."""
        measured = [each.tokens_per_second for each in self.evaluations if each.tokens_per_second > 0]
        return statistics.median(measured) if measured else self.estimated_speed

    @property
    def limit(self) -> str:
        """The setting whose limit ended the job; empty if none of the three did."""
        config, last = self.config, self.last
        if config.time_limit is not None and last.seconds >= config.time_limit * 60:
            return "minutes"
        if config.max_steps is not None and last.steps >= config.max_steps:
            return "max_steps"
        return "epochs" if config.epochs is not None and last.epochs >= config.epochs else ""

    @cached_property
    def overfits(self) -> bool:
        """Whether the validation loss has clearly risen since the best evaluation, which came early, while the training loss fell."""
        best, last = self.best, self.last
        return (
            best.epochs <= _EARLY * last.epochs
            and last.valid_loss >= best.valid_loss + _CLEAR
            and last.train_loss < best.train_loss
        )

    @cached_property
    def is_short(self) -> bool:
        """Whether the job has made few of the passes worth making, and the validation loss was falling at the end, as far as that is known."""
        last = self.last
        if last is not self.best or (self.worthwhile or math.inf) * _FEW_PASSES < last.epochs:
            return False
        before = [each.valid_loss for each in self.evaluations if each.steps <= last.steps - last.steps / _PARTS]
        if not before:
            return self.worthwhile is not None or last.epochs < 1
        return before[-1] - last.valid_loss >= _CLEAR


def _plausible(values: Mapping[str, Any], name: str) -> float:
    """Returns a figure of an evaluation; 0 if it is not known or cannot be true."""
    value = finite_number(values, name) or 0.0
    return value if _LEAST < value < _MOST else 0.0


def _advise_length(run: _Run) -> Advice | None:
    """Advises fewer passes or more dropout if the model overfitted, and more passes if there were too few."""
    if run.overfits:
        return _advise_against_overfitting(run)
    if not run.is_short:
        return None
    setting, value = _lengthen(run)
    if not setting:
        return None
    made = f"after {rounded(run.last.epochs)} passes over the text"
    if run.worthwhile is not None:
        made = f"after {rounded(run.last.epochs)} of the {count(run.worthwhile, 'pass', 'passes')} over the text that are worth making"
    return Advice(
        f"The model was still learning when training ended, {made}: train longer with {named(setting)} {value}",
        setting,
        value,
    )


def _advise_against_overfitting(run: _Run) -> Advice | None:
    """Advises what textgen would have chosen; if that is what the job did, the best model is kept, and there is nothing to change."""
    config, best, last, passes = run.config, run.best, run.last, run.worthwhile
    planned = dropout(last.epochs, run.characters, config.language_model, started=config.is_started)
    setting, value = "epochs", 0.0
    if passes is None:
        value = max(1, round(best.epochs))
    elif last.epochs > passes / _EARLY:
        value = passes
    elif config.dropout is not None and config.dropout <= planned - _LESS_DROPOUT:
        setting, value = "dropout", planned
    else:
        return None
    return Advice(
        f"The model overfitted after step {best.steps:,.0f} (epoch {rounded(best.epochs)}), and the validation loss rose from {best.valid_loss:.3f} to "
        f"{last.valid_loss:.3f}; the best model is kept, but for a better one, train again with {named('fresh')} {named(setting)} {value:g}",
        setting,
        value,
    )


def _lengthen(run: _Run) -> tuple[str, int]:
    """Returns the limit to raise and its value, for all passes worth making; for a long text, for twice as many as were made."""
    config, last = run.config, run.last
    passes = run.worthwhile or 2 * last.epochs
    if run.limit == "minutes":
        minutes = max(passes * run.tokens / run.speed / 60, _LONGER * (config.time_limit or 0))
        multiple = next(multiple for below, multiple in _MINUTES if minutes < below)
        return "minutes", math.ceil(minutes / multiple) * multiple
    if run.limit == "max_steps":
        return "max_steps", round(passes * last.steps / last.epochs)
    return run.limit, math.ceil(passes)


def _advise_size(run: _Run) -> Advice | None:
    """Advises the number of states that textgen chooses for the same time, if the model's is far from it and this has shown."""
    config, last = run.config, run.last
    if config.is_started or run.speed > _FASTEST_CPU * run.estimated_speed:
        return None
    minutes = config.time_limit or last.seconds / 60
    shape, *_ = choose(minutes, run.characters, config.language_model, "cpu", unroll_steps=config.unroll_steps)
    states = shape.settings["lstm_state_size"]
    other = tokens_per_second(
        {**shape_values(config), **shape.settings}, config.language_model, "cpu", streams=config.batch_size
    )
    factor = other / run.estimated_speed
    if factor * _SIZE_FACTOR <= 1 and states > config.lstm_state_size:
        has_enough = not run.is_short and (run.worthwhile or 0) * _FEW_PASSES <= last.epochs
        if has_enough and last is run.best and last.train_loss >= last.valid_loss:
            return Advice(
                f"The model is too small for its text, of which it memorises nothing: its training loss of {last.train_loss:.3f} is not below its validation "
                f"loss of {last.valid_loss:.3f}; train again with {named('lstm_state_size')} {states}",
                "lstm_state_size",
                states,
            )
    if factor >= _SIZE_FACTOR and states < config.lstm_state_size and run.limit == "minutes" and run.is_short:
        return Advice(
            f"The model is too large for {count(minutes, 'minute')}: it read the text {rounded(last.epochs)} times, and a smaller one would read it about "
            f"{rounded(factor * last.epochs)} times; train again with {named('lstm_state_size')} {states}",
            "lstm_state_size",
            states,
        )
    return None


def _advise_temperature(match: TemperatureMatch | None) -> Advice | None:
    """Advises the temperature at which the written text is closest to real text, if it is much closer than at the default."""
    default = SamplingConfig().temperature
    if match is None or match.distance(match.best) >= _NOT_ALIKE:
        return None
    best, usual = match.distance(match.best), match.distance(default)
    if usual - best < _CLOSER:
        return None
    return Advice(
        f"What the model writes is closest to real text at temperature {match.best:g}, with a distance of {best:.2f} instead of {usual:.2f} at {default:g}: "
        f"sample with {named('temperature')} {match.best:g}",
        "temperature",
        match.best,
    )
