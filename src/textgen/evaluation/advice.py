"""Gives advice after training, from what was measured: at most three sentences, each with the setting to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textgen.config import TrainingConfig


@dataclass(frozen=True)
class Advice:
    """A sentence of advice.

    Attributes:
        sentence: the sentence, in which `errors.named` makes the names of settings; a page passes it to `errors.with_dashes`.
        setting: the setting to change, or to use for sampling (`temperature`).
        value: its new value.
    """

    sentence: str
    setting: str
    value: Any


def advise(
    history: Sequence[Mapping[str, Any]], config: TrainingConfig, temperature: float | None = None
) -> tuple[Advice, ...]:
    """Gives advice on a finished job. docs/advice.md describes the rules.

    Args:
        history: the evaluations, as from `read_metrics`.
        config: the settings of the job.
        temperature: that of `find_temperature`; None if there is none.

    Returns:
        At most three sentences: on the length of training, on the size of the model, and on the temperature. A sentence is left out
        unless its sign is clear.
    """
    raise NotImplementedError
