"""The kinds of training that are interrupted: which settings, which text; knows nothing of processes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from textgen.storage import bundled

TEXT = bundled("data/story.txt").read_text(encoding="utf-8")[:4000]
"""114 steps an epoch in characters and 46 in words, so that every run passes the end of one that is evaluated."""

RHYTHMS = ((1, 20), (2, 50), (5, None), (20, 30))
"""`save_steps` and `eval_steps`; without the second, only ends of epochs are evaluated."""

SHAPES = ((1, 8), (2, 8), (1, 16))
"""`layers` and `lstm_state_size`."""


@dataclass(frozen=True)
class Kind:
    """A kind of training.

    Attributes:
        number: its place among all.
        dropout: the share of outputs left out.
        optimizer: the rule of an update.
        language_model: `char` or `word`.
    """

    number: int
    dropout: float
    optimizer: str
    language_model: str

    @property
    def name(self) -> str:
        """What it is called in the table and by `--kinds`."""
        return f"{'dropout' if self.dropout else 'plain'}-{self.optimizer}-{self.language_model}"

    @property
    def arguments(self) -> list[str]:
        """What `textgen-train` is given beside the text and the job directory: a few seconds of steps."""
        save_steps, eval_steps = RHYTHMS[self.number % len(RHYTHMS)]
        layers, lstm_state_size = SHAPES[self.number % len(SHAPES)]
        values = {
            "dropout": self.dropout,
            "optimizer": self.optimizer,
            "language_model": self.language_model,
            "learning_rate": 1 if self.optimizer == "sgd" else 0.01,
            "layers": layers,
            "lstm_state_size": lstm_state_size,
            "batch_size": 4,
            "unroll_steps": 8,
            "max_steps": 160,
            "save_steps": save_steps,
            "eval_steps": eval_steps or "none",
            "sample_length": 30,
        }
        return ["--deterministic", *(f"--{name}={value}" for name, value in values.items())]


KINDS: Sequence[Kind] = tuple(
    Kind(number, *combination)
    for number, combination in enumerate(itertools.product((0.3, 0.0), ("adam", "sgd"), ("char", "word")))
)
