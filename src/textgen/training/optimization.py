"""Creates the optimizer, for one replica or several."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from textgen.config import TrainingConfig

_ADAM_BETA_2 = 0.99
"""Averages squared gradients over about 100 steps; Keras' default of 0.999 suits longer runs than a laptop's minutes."""


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Creates the optimizer that a config asks for. It clips the gradient's global norm before each update.

    Within a distribution strategy, it expects the gradient of the joint batch, and updates the copies of the replica that calls it.
    """
    common = {"learning_rate": float(config.learning_rate), "global_clipnorm": config.clip_gradients}
    if config.optimizer == "adamw":
        optimizer = _of_replica(keras.optimizers.AdamW)(**common, beta_2=_ADAM_BETA_2, weight_decay=config.weight_decay)
    elif config.optimizer == "adam":
        optimizer = _of_replica(keras.optimizers.Adam)(**common, beta_2=_ADAM_BETA_2)
    elif config.optimizer == "rmsprop":
        optimizer = _of_replica(keras.optimizers.RMSprop)(**common)
    else:
        optimizer = _of_replica(keras.optimizers.SGD)(**common)
    if config.precision != "mixed_float16":
        return optimizer
    scaled = _LossScaleOfReplica if tf.distribute.has_strategy() else keras.optimizers.LossScaleOptimizer
    return scaled(optimizer)


def _of_replica(optimizer: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """Returns the class of an optimizer, or within a distribution strategy, the class of those that update one replica."""
    if not tf.distribute.has_strategy():
        return optimizer
    return type(optimizer.__name__, (_OfReplica, optimizer), {})


class _OfReplica(keras.optimizers.Optimizer):
    """Updates the copies of the replica that calls it, with the gradient that it is given.

    Keras' own methods would first sum the gradient over the replicas, which is done already. They also leave the replica to update all copies,
    which a compiled function cannot do.
    """

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable.value, learning_rate)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        for variable in variables if self.weight_decay is not None else ():
            if self._use_weight_decay(variable):
                variable.value.assign_sub(variable * self.weight_decay * self.learning_rate)


class _LossScaleOfReplica(keras.optimizers.LossScaleOptimizer):
    """Decides in each replica whether the gradient is finite. All replicas have the same gradient, so they decide the same."""

    def _tf_apply(self, grads: list[Any], trainable_variables: list[Any] | None = None) -> None:
        self._common_apply(grads, trainable_variables)
