"""Captures the complete state of a Keras model as named arrays, and restores it.

Unlike Keras' own checkpoints it includes the dropout generators, the LSTM states and the running averages of the metrics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textgen.model import LanguageModel
from textgen.training.replicas import read_states, write_states

_STATES = "states/"


def capture(model: LanguageModel) -> dict[str, np.ndarray]:
    """Copies every array that the next step depends on.

    Args:
        model: the compiled model.

    Returns:
        The arrays by name; the names start with `model/`, `optimizer/`, `states/` or `metrics/`.
    """
    return {**_copy(_variables(model)), **local_states(model)}


def capture_model(model: LanguageModel) -> dict[str, np.ndarray]:
    """Copies the arrays below `model/`, weights and dropout generators; the model need not be compiled."""
    return _copy(_model_variables(model))


def local_states(model: LanguageModel) -> dict[str, np.ndarray]:
    """Copies the LSTM states of the streams in this process."""
    return {name: read_states(model, state) for name, state in _states(model).items()}


def hash_weights(model: LanguageModel) -> str:
    """Returns a hash of the weights, by which processes that train together find that theirs are equal."""
    digest = hashlib.sha256()
    for tensor in capture_model(model).values():
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def states_of(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the LSTM states among captured arrays."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(_STATES)}


def local_rows(tensors: Mapping[str, np.ndarray], rows: Sequence[slice], batch_size: int) -> dict[str, np.ndarray]:
    """Returns captured arrays with the states of some streams only.

    Args:
        tensors: the result of `capture`.
        rows: the streams of each replica in this process.
        batch_size: the number of streams. States of another number of streams are left as they are.
    """
    local = slice(rows[0].start, rows[-1].stop)
    return {
        name: tensor[local] if name.startswith(_STATES) and len(tensor) == batch_size else tensor
        for name, tensor in tensors.items()
    }


def variable_of(name: str) -> tuple[str, str] | None:
    """Returns the name of the layer and that of the variable for an array below `model/`; None for any other array."""
    kind, *rest = name.split("/")
    return (rest[0], rest[-1]) if kind == "model" else None


def restore(model: LanguageModel, tensors: Mapping[str, np.ndarray], *, optimizer: bool, states: bool) -> list[str]:
    """Restores captured arrays.

    Args:
        model: a compiled model of the same shape.
        tensors: the result of `capture`.
        optimizer: whether to restore the optimizer's slots.
        states: whether to restore the LSTM states. Those of all streams are captured, so the number of replicas may differ.

    Returns:
        The names of the model's variables that are missing from `tensors`; they keep their initial values.
    """
    missing = []
    for name, variable in _variables(model).items():
        if name.startswith("optimizer/") and not optimizer:
            continue
        found = tensors.get(name)
        if found is not None and found.shape == tuple(variable.shape):
            variable.assign(found)
        else:
            missing.append(name)
    for name, state in _states(model).items() if states else ():
        found = tensors.get(name)
        if found is not None and found.shape == read_states(model, state).shape:
            write_states(model, state, found)
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
    """Every variable except the states by a name that is the same in each process, unlike Keras' own paths, which count instances."""
    found = _model_variables(model)
    for metric in model.metrics:
        for variable in metric.variables:
            found[f"metrics/{metric.name}/{variable.name}"] = variable
    for index, variable in enumerate(model.optimizer.variables):
        found[f"optimizer/{index}/{variable.name}"] = variable
    return found


def _states(model: LanguageModel) -> dict[str, Any]:
    """The states of the recurrent layers by such a name."""
    return {
        f"{_STATES}{layer.name}/{index}": state
        for layer in model.layers
        for index, state in enumerate(getattr(layer, "states", None) or ())
    }
