"""One text of a batch: how the engine continues it, and its tokens so far."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

# Imported here, and not by NumPy at its first use: that import can swallow a Ctrl-C, and would do so in the middle of a text.
from numpy.random import default_rng

from textgen.generation.samplers import Sampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.bans import Bans
    from textgen.generation.ending import FinishReason
    from textgen.generation.layers import Floats
    from textgen.generation.samplers.custom import CustomSampler
    from textgen.generation.settling import Held
    from textgen.generation.text import TokenGuard


RECENT = 4096
"""The most recent tokens that a sampler of a user's own gets."""


class Row:
    """One text of a batch.

    Args:
        prompt: the token ids of the prompt, at least one.
        sampler: chooses the tokens. Rows that share a `Sampler` are sampled in one call.
        seed: the seed of the random numbers.
        length: the maximum number of tokens.
        stop: is called with each new token id, and returns the reason why the text ends with it, or None if it continues.
        guard: forbids copies; None if copying is not limited.
        bias: is added to the logits, `(vocabulary_size,)`; -inf forbids a token. None for zeros.
        bans: finds banned texts. Tokens in which one may start are held back until it is certain that it does not.
        scored: whether to score the tokens, which takes some time. When `stop` is called with a token, the row has its scores.

    Attributes:
        ids: the token ids of the prompt and of the text so far.
        nats: minus the sum of the log-probabilities of the text's tokens under the model, if `scored`.
        logits: if `scored`, those of the last token as the model computed them, `(vocabulary_size,)`.
        last_nats: if `scored`, minus the log-probability of the last token under the model.
        finish_reason: why the text ended; None until then.

    The engine and `settle` use the other attributes.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        sampler: Sampler | CustomSampler,
        *,
        seed: int | Sequence[int],
        length: int,
        stop: Callable[[int], FinishReason | None] = lambda _: None,
        guard: TokenGuard | None = None,
        bias: Floats | None = None,
        bans: Bans | None = None,
        scored: bool = False,
    ) -> None:
        self.ids = array("i", prompt)
        self.longest = len(prompt) + length  # of the ids
        self.sampler = sampler
        self.stop = stop
        self.guard = guard
        self.bias = bias
        self.bans = bans
        self.is_free = guard is None and bias is None and bans is None  # no choice of the sampler is ever replaced
        self.scored = scored
        self.nats = self.last_nats = 0.0
        self.logits: Floats | None = None
        self.finish_reason: FinishReason | None = None if length else "length"
        self.rng = default_rng(seed)
        self.noise_ends = 0  # the engine's step at which the row's noise is used up
        self.state: Floats | None = None  # behind the prompt without its last token, until the row joins the batch
        self.held: list[Held] = []  # chosen, but not yet in the ids
        self.unread: int | None = 1  # the ids at the end that are not in the engine's state; None if it has read others
        self.retired = False

    def score(self, nats: float, logits: Floats) -> None:
        """Adds the score of the next token.

        Args:
            nats: minus its log-probability under the model.
            logits: `(vocabulary_size,)`, as the model computed them.
        """
        self.nats += nats
        self.last_nats, self.logits = nats, logits

    def recent(self) -> NDArray[np.integer]:
        """Returns the ids of the last tokens, as many as the sampler needs."""
        window = self.sampler.window if isinstance(self.sampler, Sampler) else RECENT
        chosen = array("i", [held.token_id for held in self.held])
        return np.array((self.ids[-window:] + chosen)[-window:])

    def choose(self, logits: Floats) -> int:
        """Chooses a token, with random numbers of its own.

        Args:
            logits: `(1, vocabulary_size)`, which are not overwritten; -inf forbids a token.

        Returns:
            The id of a token that is not forbidden; 0 if all are.
        """
        if np.isneginf(logits).all():
            return 0
        if isinstance(self.sampler, Sampler):
            noise = self.sampler.noise(self.rng, logits.shape)
            return int(self.sampler(logits.copy(), noise, [self.recent()] if self.sampler.window else ())[0])

        from textgen.generation.samplers.custom import choose_token

        return choose_token(self.sampler, logits[0], self.rng, self.recent())
