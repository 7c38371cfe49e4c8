"""The LSTM step as the equations are written, in plain NumPy, for comparison with ours."""

import numpy as np
from numpy.typing import NDArray

from textgen.generation import ModelFile

Floats = NDArray[np.float32]


class NaiveStep:
    """Reads a token and returns the logits of the next: separate kernels, one sigmoid per gate, a new array per sum."""

    def __init__(self, model: ModelFile) -> None:
        self.tensors, self.layers = model.tensors, range(model.shape.layers)
        size = model.shape.lstm_state_size
        self.states = [(np.zeros(size, np.float32), np.zeros(size, np.float32)) for _ in self.layers]

    def __call__(self, token_id: int) -> Floats:
        """Reads one token."""
        tensors = self.tensors
        x = None if "embedding" not in tensors else tensors["embedding"][token_id]
        for index in self.layers:
            kernel, bias = tensors[f"layers.{index}.kernel"], tensors[f"layers.{index}.bias"]
            h, c = self.states[index]
            from_input = kernel[token_id] if x is None else x @ kernel
            z = from_input + h @ tensors[f"layers.{index}.recurrent_kernel"] + bias
            i, f, g, o = np.split(z, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            x = sigmoid(o) * np.tanh(c)
            self.states[index] = x, c
        logits: Floats = x @ tensors["output.kernel"] + tensors["output.bias"]
        return logits


def sigmoid(z: Floats) -> Floats:
    """Returns 1 / (1 + exp(-z))."""
    result: Floats = 1 / (1 + np.exp(-z))
    return result


def sample(logits: Floats, temperature: float, rng: np.random.Generator) -> int:
    """Draws a token with softmax and choice."""
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max())
    return int(rng.choice(len(weights), p=weights / weights.sum()))
