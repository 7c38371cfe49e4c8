"""Samplers: logits in, the next tokens out. Each file contains one class, and `sampler` applies them in a fixed order.

`custom` is for samplers of users, which take the place of all the others. It is imported only if there is one.
"""

from textgen.generation.samplers.categorical import Categorical
from textgen.generation.samplers.greedy import Greedy
from textgen.generation.samplers.min_p import MinP
from textgen.generation.samplers.repetition_penalty import RepetitionPenalty
from textgen.generation.samplers.sampler import Sampler, find_sampler
from textgen.generation.samplers.temperature import Temperature
from textgen.generation.samplers.top_k import TopK
from textgen.generation.samplers.top_p import TopP

__all__ = [
    "Categorical",
    "Greedy",
    "MinP",
    "RepetitionPenalty",
    "Sampler",
    "Temperature",
    "TopK",
    "TopP",
    "find_sampler",
]
