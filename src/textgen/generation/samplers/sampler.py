"""Applies all samplers in a fixed order."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from textgen.config import SamplingConfig
from textgen.config.sampling import choice_settings
from textgen.generation.samplers.categorical import Categorical
from textgen.generation.samplers.greedy import Greedy
from textgen.generation.samplers.min_p import MinP
from textgen.generation.samplers.repetition_penalty import RepetitionPenalty
from textgen.generation.samplers.temperature import Temperature
from textgen.generation.samplers.top_k import TopK
from textgen.generation.samplers.top_p import TopP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Filter(Protocol):
    """Changes the probabilities of tokens, or forbids some."""

    def __call__(self, logits: NDArray[np.float32]) -> None:
        """Changes logits in place.

        Args:
            logits: `(batch, vocabulary_size)`; -inf forbids a token. The most likely token is never forbidden.
        """
        ...


class Chooser(Protocol):
    """Chooses one token per row."""

    def __call__(self, logits: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.intp]:
        """Chooses a token for each row.

        Args:
            logits: `(batch, vocabulary_size)`; may be overwritten.
            noise: `(batch, vocabulary_size)`, from the Gumbel distribution: the only source of randomness.

        Returns:
            `(batch,)`, the token ids.
        """
        ...


class Sampler:
    """Chooses the next tokens according to the settings.

    The order is always: repetition penalty, temperature, top-k, top-p, min-p, draw. So top-p and min-p use the
    probabilities after the temperature, and top-p only counts the tokens that top-k has kept. At temperature 0, the most
    likely token after the repetition penalty is taken.

    Args:
        config: the settings.

    Attributes:
        window: the number of recent tokens that it needs; 0 without a repetition penalty.

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
        """Draws the noise for some choices, of a given shape; zeros at temperature 0, which needs none."""
        return np.zeros(shape, np.float32) if isinstance(self._choose, Greedy) else Categorical.noise(rng, shape)

    def __call__(
        self,
        logits: NDArray[np.float32],
        noise: NDArray[np.float32],
        recent: Sequence[NDArray[np.integer]] = (),
    ) -> NDArray[np.intp]:
        """Chooses a token for each row.

        Args:
            logits: `(batch, vocabulary_size)`, the unnormalised log-probabilities in nats; -inf forbids a token, and each
                row has at least one finite logit. They are overwritten.
            noise: `(batch, vocabulary_size)`, the result of `noise`: the only source of randomness.
            recent: the ids of each row's last tokens, at most `window`; needed only if `window` is not 0.

        Returns:
            `(batch,)`, the ids of the chosen tokens, none of them forbidden.
        """
        if self._penalty is not None:
            self._penalty(logits, recent)
        for apply in self._filters:
            apply(logits)
        return self._choose(logits, noise)


def find_sampler(config: SamplingConfig) -> Sampler:
    """Returns the sampler for some settings. Equal settings have the same one, so that rows with them are sampled in one call."""
    return _make_sampler(tuple(getattr(config, name) for name in choice_settings()))


@lru_cache(maxsize=256)
def _make_sampler(values: tuple[Any, ...]) -> Sampler:
    return Sampler(SamplingConfig(**dict(zip(choice_settings(), values, strict=True))))
