"""Logits in, the next token out; one sampler a file."""

from textgen.generation.samplers.factory import make_sampler
from textgen.generation.samplers.greedy import Greedy
from textgen.generation.samplers.sampler import Sampler
from textgen.generation.samplers.temperature import Temperature

__all__ = ["Greedy", "Sampler", "Temperature", "make_sampler"]
