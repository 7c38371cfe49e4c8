"""The optimizer of a config, and its learning rate at each step."""

from __future__ import annotations

from typing import Any

import keras

from textgen.config import TrainingConfig
from textgen.training.progress import Progress

_ADAM_BETA_2 = 0.99
"""Forgets squared gradients after about 100 steps; Keras' 0.999 is meant for longer runs than a laptop's minutes."""


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """The optimizer of a config, which clips the gradient's global norm before each update."""
    common = {"learning_rate": config.learning_rate, "global_clipnorm": config.clip_gradients}
    if config.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(**common, beta_2=_ADAM_BETA_2, weight_decay=config.weight_decay)
    elif config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**common, beta_2=_ADAM_BETA_2)
    elif config.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(**common)
    else:
        optimizer = keras.optimizers.SGD(**common)
    return keras.optimizers.LossScaleOptimizer(optimizer) if config.use_fp16 else optimizer


def learning_rate(config: TrainingConfig, step: int) -> float:
    """The learning rate of a step: `learning_rate * lr_decay_rate ** (step // lr_decay_steps)`, a staircase.

    Args:
        config: the settings.
        step: updates made before.
    """
    if config.lr_decay_steps is None:
        return config.learning_rate
    return config.learning_rate * float(config.lr_decay_rate ** (step // config.lr_decay_steps))


class LearningRate(keras.callbacks.Callback):
    """Sets the optimizer's learning rate before each step.

    Args:
        config: the settings.
        progress: where training stands.
    """

    def __init__(self, config: TrainingConfig, progress: Progress) -> None:
        super().__init__()
        self._config = config
        self._progress = progress
        self._assigned: float | None = None

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Assigns the rate when it has changed."""
        del batch, logs
        rate = learning_rate(self._config, self._progress.step)
        if rate != self._assigned:
            self.model.optimizer.learning_rate = rate
            self._assigned = rate
