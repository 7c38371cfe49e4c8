"""Creates the optimizer."""

from __future__ import annotations

import keras

from textgen.config import TrainingConfig

_ADAM_BETA_2 = 0.99
"""Averages squared gradients over about 100 steps; Keras' default of 0.999 suits longer runs than a laptop's minutes."""


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Creates the optimizer that a config asks for. It clips the gradient's global norm before each update."""
    common = {"learning_rate": float(config.learning_rate), "global_clipnorm": config.clip_gradients}
    if config.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(**common, beta_2=_ADAM_BETA_2, weight_decay=config.weight_decay)
    elif config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**common, beta_2=_ADAM_BETA_2)
    elif config.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(**common)
    else:
        optimizer = keras.optimizers.SGD(**common)
    return keras.optimizers.LossScaleOptimizer(optimizer) if config.precision == "mixed_float16" else optimizer
