"""From the options of a user to a sampler."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textgen.errors import UsageError
from textgen.generation.samplers.greedy import Greedy
from textgen.generation.samplers.temperature import Temperature

if TYPE_CHECKING:
    from textgen.generation.samplers.sampler import Sampler


def make_sampler(temperature: float) -> Sampler:
    """Makes the sampler for these options.

    Args:
        temperature: see `Temperature`; 0 always takes the likeliest token.

    Returns:
        The sampler.

    Raises:
        UsageError: when the temperature is negative or not finite.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UsageError(
            f"temperature must be a finite number of at least 0, not {temperature}; 0 always takes the likeliest token"
        )
    return Greedy() if temperature == 0 else Temperature(temperature)
