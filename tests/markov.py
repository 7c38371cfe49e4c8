"""A model that knows the next token of a text as well as possible, without training."""

import numpy as np

from textgen.corpus import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile
from textgen.planning import ModelShape

CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.!?"
FOLLOWERS = 5
VOCABULARY = Vocabulary(("", "[UNK]", *CHARACTERS), make_tokenizer("char"))


def make_chain(seed):
    """Returns the probability of each of `CHARACTERS` after each of them: equal for a few, else almost none."""
    size = len(CHARACTERS)
    rng = np.random.default_rng(seed)
    chain = np.full((size, size), 1e-4)
    for row in chain:
        row[rng.choice(size, FOLLOWERS, replace=False)] = 1
    return chain / chain.sum(axis=1, keepdims=True)


def write(chain, length, seed=0):
    """Returns a text in which each character depends on the one before it."""
    rng = np.random.default_rng(seed)
    limits, number, text = chain.cumsum(axis=1), 0, []
    for draw in rng.random(length):
        number = min(int(np.searchsorted(limits[number], draw)), len(chain) - 1)
        text.append(CHARACTERS[number])
    return "".join(text)


def make_model(chain, vocabulary=VOCABULARY, **fields):
    """Returns a model that predicts such texts: its state is the last token, one-hot."""
    size = vocabulary.size
    kernel = np.zeros((size, 4 * size), np.float32)
    kernel[:, 2 * size : 3 * size] = 20 * np.eye(size)
    bias = np.repeat([20, -20, 0, 20], size).astype(np.float32)
    logits = np.full((size, size), -12.0)
    logits[2:, 2:] = np.log(chain)
    tensors = {
        "layers.0.kernel": kernel,
        "layers.0.recurrent_kernel": np.zeros((size, 4 * size), np.float32),
        "layers.0.bias": bias,
        "output.kernel": (logits / np.tanh(1)).astype(np.float32),
        "output.bias": np.zeros(size, np.float32),
    }
    shape = ModelShape(layers=1, lstm_state_size=size, vocabulary_size=size)
    known = {"scores": {}, "data_sha256": "", "step": 1, "textgen_version": "0.1.0"}
    return ModelFile(tensors, shape, vocabulary, **{**known, **fields})
