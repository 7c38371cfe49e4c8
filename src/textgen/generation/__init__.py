"""Writes text with a trained model: the model file, the LSTM in NumPy, the samplers; does not use TensorFlow.

>>> from textgen.generation import load
>>> for piece in load("job/story-128-states-2-layers").generate("Once upon", seed=7):
...     print(piece, end="")
"""

from textgen.generation.generator import TextGenerator, load
from textgen.generation.model_file import ModelFile, read_model, write_model
from textgen.generation.sample import Sample
from textgen.generation.samplers import Sampler
from textgen.generation.step import LSTMStep

__all__ = ["LSTMStep", "ModelFile", "Sample", "Sampler", "TextGenerator", "load", "read_model", "write_model"]
