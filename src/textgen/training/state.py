"""Takes the complete state of a Keras model apart into named arrays, and puts it together again.

Keras' own checkpoints leave out the dropout generators, the LSTM states and the running means of the metrics; these are
here. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from textgen.model import LanguageModel


def capture(model: LanguageModel) -> dict[str, np.ndarray]:
    """Every array that the next step depends on.

    Args:
        model: compiled.

    Returns:
        Copies by name, below `model/`, `optimizer/`, `states/` and `metrics/`.
    """
    return _copy(_variables(model))


def capture_model(model: LanguageModel) -> dict[str, np.ndarray]:
    """The part of it below `model/`, weights and dropout generators, of a model that need not be compiled."""
    return _copy(_model_variables(model))


def restore(model: LanguageModel, tensors: Mapping[str, np.ndarray], *, optimizer: bool, states: bool) -> list[str]:
    """Puts captured arrays back.

    Args:
        model: compiled; of the same shape.
        tensors: what `capture` gave.
        optimizer: whether the optimizer's slots are to be restored.
        states: whether the LSTM states are.

    Returns:
        The names of the model's variables that the tensors lack, and which keep their first values.
    """
    missing = []
    for name, variable in _variables(model).items():
        kind = name.partition("/")[0]
        if (kind == "optimizer" and not optimizer) or (kind == "states" and not states):
            continue
        found = tensors.get(name)
        if found is not None and found.shape == tuple(variable.shape):
            variable.assign(found)
        else:
            missing.append(name)
    return missing


def _copy(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(variable.numpy()) for name, variable in variables.items()}


def _model_variables(model: LanguageModel) -> dict[str, Any]:
    return {
        f"model/{layer.name}/{index}/{variable.name}": variable
        for layer in model.layers
        for index, variable in enumerate(layer.variables)
    }


def _variables(model: LanguageModel) -> dict[str, Any]:
    """Every variable by a name that is the same in each process: Keras' own paths count up within one."""
    if not model.optimizer.built:  # building a LossScaleOptimizer twice adds its variables twice
        model.optimizer.build(model.trainable_variables)
    found = _model_variables(model)
    for layer in model.layers:
        for index, state in enumerate(getattr(layer, "states", None) or ()):
            found[f"states/{layer.name}/{index}"] = state
    for metric in model.metrics:
        for variable in metric.variables:
            found[f"metrics/{metric.name}/{variable.name}"] = variable
    for index, variable in enumerate(model.optimizer.variables):
        found[f"optimizer/{index}/{variable.name}"] = variable
    return found
