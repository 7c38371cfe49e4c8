"""Lets users choose the tokens with a sampler of their own."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from textgen.errors import UsageError, named
from textgen.formatting import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CustomSampler(Protocol):
    """The method of a sampler of the user's own, which need not inherit from this class.

    Example:
        >>> class SecondBest:
        ...     def choose(self, logits, rng, recent):
        ...         return np.argsort(logits)[-2]
        >>> text = "".join(generator.generate("The captain", sampler=SecondBest()))
    """

    def choose(self, logits: NDArray[np.float32], rng: np.random.Generator, recent: NDArray[np.integer]) -> Any:
        """Chooses the next token of a text.

        Args:
            logits: `(vocabulary_size,)`, the unnormalised log-probabilities in nats; -inf forbids a token. They may be
                overwritten.
            rng: the random number generator of the text, made from its seed. Use no other source of randomness, so that the same
                seed gives the same text.
            recent: the ids of the last tokens of the prompt and the text, at most 4096.

        Returns:
            The id of the token, an integer, which must not be forbidden.
        """
        ...


def check_sampler(sampler: Any) -> None:
    """Refuses an object that is no sampler.

    Raises:
        UsageError: if it has no method `choose`, or is a class.
    """
    if not callable(getattr(sampler, "choose", None)):
        raise UsageError(f"{named('sampler')} must have a method choose(logits, rng, recent), got {shown(sampler)}")
    if isinstance(sampler, type):
        name = sampler.__name__
        raise UsageError(
            f"{named('sampler')} must be an object, got the class {name}; make an object of it with {name}()"
        )


def choose_token(
    sampler: CustomSampler, logits: NDArray[np.float32], rng: np.random.Generator, recent: NDArray[np.integer]
) -> int:
    """Chooses a token with a sampler, and checks it.

    Args:
        sampler: the sampler.
        logits: as in `CustomSampler.choose`; the sampler gets a copy.
        rng: as in `CustomSampler.choose`.
        recent: as in `CustomSampler.choose`.

    Returns:
        The id of the token.

    Raises:
        UsageError: if it is not an integer, out of range, or forbidden.
    """
    chosen = sampler.choose(logits.copy(), rng, recent)
    name = f"{named('sampler')} {type(sampler).__name__} must choose"
    try:
        token_id = operator.index(chosen)
    except TypeError:
        raise UsageError(f"{name} an integer, the id of a token, got {shown(chosen)}") from None
    if not 0 <= token_id < len(logits):
        raise UsageError(f"{name} an id from 0 to {len(logits) - 1}, got {shown(token_id)}")
    if np.isneginf(logits[token_id]):
        raise UsageError(f"{name} a token whose logit is not -inf, got {token_id}; tokens like it are forbidden here")
    return token_id
