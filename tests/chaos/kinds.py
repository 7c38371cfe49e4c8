"""The kinds of training that are interrupted: their settings and their text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from textgen.storage import bundled

TEXT = bundled("data/story.txt").read_text(encoding="utf-8")[:4000]
"""An epoch has 114 steps of characters or 46 of words, so that every run passes the end of an epoch and evaluates it."""

RHYTHMS = ((1, 20), (2, 50), (5, None), (20, 30))
"""Pairs of `save_steps` and `eval_steps`; without the second, only the ends of epochs are evaluated."""

SHAPES = ((1, 8), (2, 8), (1, 16))
"""`layers` and `lstm_state_size`."""


@dataclass(frozen=True)
class Kind:
    """A kind of training.

    Attributes:
        number: its index among all kinds.
        dropout: as in `TrainingConfig`, like the other two.
        optimizer: `adam` or `sgd`.
        language_model: `char` or `word`.
        from_base: whether training starts from the base model, which has a shape of its own.
    """

    number: int
    dropout: float
    optimizer: str
    language_model: str
    from_base: bool = False

    @property
    def name(self) -> str:
        """The name in the table and for `--kinds`."""
        start = "base" if self.from_base else "dropout" if self.dropout else "plain"
        return f"{start}-{self.optimizer}-{self.language_model}"

    @property
    def arguments(self) -> list[str]:
        """The arguments of `textgen-train` besides the text and the job directory, for a few seconds of steps."""
        # The base model is large, so that saving it takes longer than a step.
        save_steps, eval_steps = RHYTHMS[-1] if self.from_base else RHYTHMS[self.number % len(RHYTHMS)]
        layers, lstm_state_size = SHAPES[self.number % len(SHAPES)]
        model = {"init_from": "base"} if self.from_base else {"layers": layers, "lstm_state_size": lstm_state_size}
        values = {
            "dropout": self.dropout,
            "optimizer": self.optimizer,
            "language_model": self.language_model,
            "learning_rate": 1 if self.optimizer == "sgd" else 0.01,
            **model,
            "batch_size": 4,
            "unroll_steps": 8,
            "max_steps": 160,
            "save_steps": save_steps,
            "eval_steps": eval_steps or "none",
            "sample_length": 30,
        }
        return ["--deterministic", *(f"--{name}={value}" for name, value in values.items())]


_SMALL = tuple(itertools.product((0.3, 0.0), ("adam", "sgd"), ("char", "word")))

KINDS: Sequence[Kind] = (
    *(Kind(number, *combination) for number, combination in enumerate(_SMALL)),
    Kind(len(_SMALL), 0.3, "adam", "char", from_base=True),
)
