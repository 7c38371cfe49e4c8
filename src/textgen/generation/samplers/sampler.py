"""All samplers together, in their fixed order; knows nothing of models and of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from textgen.generation.samplers.categorical import Categorical
from textgen.generation.samplers.greedy import Greedy
from textgen.generation.samplers.min_p import MinP
from textgen.generation.samplers.repetition_penalty import RepetitionPenalty
from textgen.generation.samplers.temperature import Temperature
from textgen.generation.samplers.top_k import TopK
from textgen.generation.samplers.top_p import TopP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.config import SamplingConfig


class Filter(Protocol):
    """Changes which tokens may come, and how likely they are."""

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Changes logits in place, (batch, vocabulary size); -inf forbids a token, and the likeliest one stays."""
        ...


class Chooser(Protocol):
    """Chooses tokens."""

    def __call__(self, logits: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.intp]:
        """Chooses a token in each row, (batch,), of logits, (batch, vocabulary size), which it may overwrite.

        All that is random about it comes from the noise, (batch, vocabulary size), of the Gumbel distribution.
        """
        ...


class Sampler:
    """Chooses the next tokens as the settings say.

    The order is always: repetition penalty, temperature, top-k, top-p, min-p, and then the draw. So top-p and min-p see
    the probabilities that the temperature has made, and top-p what top-k has left. At temperature 0 the likeliest token
    is taken, after the repetition penalty.

    Args:
        config: the settings.

    Attributes:
        window: how many of the last tokens it wants to know; 0 for none.

    Example:
        >>> sampler = Sampler(SamplingConfig(temperature=0.7, top_p=0.9))
        >>> sampler(logits, sampler.noise(np.random.default_rng(seed=1), logits.shape))
        array([17])
    """

    def __init__(self, config: SamplingConfig) -> None:
        self._penalty = None if config.repetition_penalty == 1 else RepetitionPenalty(config.repetition_penalty)
        self.window = 0 if self._penalty is None else self._penalty.window
        self._filters: list[Filter] = []
        self._choose: Chooser = Greedy()
        if config.temperature == 0:
            return
        self._choose = Categorical()
        if config.temperature != 1:
            self._filters.append(Temperature(config.temperature))
        if config.top_k is not None:
            self._filters.append(TopK(config.top_k))
        if config.top_p < 1:
            self._filters.append(TopP(config.top_p))
        if config.min_p > 0:
            self._filters.append(MinP(config.min_p))

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draws what is random about some choices; zeros where the likeliest token is always taken."""
        return np.zeros(shape, np.float32) if isinstance(self._choose, Greedy) else Categorical.noise(rng, shape)

    def __call__(
        self,
        logits: NDArray[np.float32],
        noise: NDArray[np.float32],
        recent: NDArray[np.integer] | None = None,
    ) -> NDArray[np.intp]:
        """Chooses a token in each row.

        Args:
            logits: the unnormalised log-probabilities in nats, (batch, vocabulary size); -inf forbids a token, and one
                at least is finite in each row. They are overwritten.
            noise: all that is random about the choice, see `noise`, (batch, vocabulary size).
            recent: the ids of the last `window` tokens of each row, (batch, window); -1 where there are fewer.

        Returns:
            The ids of tokens that are not forbidden, (batch,).
        """
        if self._penalty is not None and recent is not None:
            self._penalty(logits, recent)
        for apply in self._filters:
            apply(logits)
        return self._choose(logits, noise)
