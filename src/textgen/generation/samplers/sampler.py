"""What every sampler can do; knows nothing of models and of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sampler(Protocol):
    """Chooses the next token from its logits."""

    def __call__(self, logits: NDArray[np.floating], rng: np.random.Generator) -> int:
        """Chooses one token.

        Args:
            logits: the unnormalised log-probability of each token in nats, (vocabulary size,); -inf forbids a token,
                and at least one is finite. They are not modified.
            rng: where the random numbers come from.

        Returns:
            The id of a token that is not forbidden.
        """
        ...
