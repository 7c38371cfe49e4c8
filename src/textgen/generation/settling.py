"""Replaces a chosen token that would copy too much or complete a banned text, and goes back in the text if necessary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from textgen.generation.bans import Bans
    from textgen.generation.ending import FinishReason
    from textgen.generation.layers import Floats
    from textgen.generation.row import Row
    from textgen.generation.step import LSTMRun
    from textgen.generation.text import TokenGuard


@dataclass(frozen=True, eq=False)
class Held:
    """A token that is held back because a banned text may start in it, and what is needed to choose another in its place.

    Attributes:
        token_id: its id.
        logits: the logits from which it was chosen, `(1, vocabulary_size)`; -inf for a forbidden token.
        model_logits: the logits as the model computed them, `(1, vocabulary_size)`.
        state: the state of the network before it reads the token.
        guard: the row's guard before the token.
        bans: the row's bans before the token.
    """

    token_id: int
    logits: Floats
    model_logits: Floats
    state: Floats
    guard: TokenGuard | None
    bans: Bans


class Choice(NamedTuple):
    """A chosen token.

    Attributes:
        token_id: its id.
        logits: the logits from which it was chosen, `(1, vocabulary_size)`; -inf for a forbidden token.
        model_logits: the logits as the model computed them, `(1, vocabulary_size)`.
    """

    token_id: int
    logits: Floats
    model_logits: Floats


class Settled(NamedTuple):
    """What a step adds to a text.

    Attributes:
        last_id: the token that the network reads next.
        released: the tokens that need not be held back any longer, each with the logits of its step as the model computed them.
        finish_reason: why the text ends after them; None if a token was left to choose.
    """

    last_id: int
    released: list[tuple[int, Floats]]
    finish_reason: FinishReason | None = None


def settle(run: LSTMRun, place: int, row: Row, choice: Choice) -> Settled:
    """Replaces a chosen token as long as it would copy too much or complete a banned text.

    To replace a banned text of several tokens, the row goes back to where its first token was chosen, and that is forbidden
    there. After it went back, another banned text may start in a token that is released already, and then the first token
    that is not counts.

    Args:
        run: has read the text up to the chosen token; its state is changed if the row goes back.
        place: the place of the row in the run.
        row: the row.
        choice: the chosen token; its `logits` are overwritten.

    Returns:
        What the step adds to the text.
    """
    reason: FinishReason = "ban"
    token_id, logits, model_logits = choice
    while not np.isneginf(logits[0, token_id]):
        if row.guard is not None and not row.guard.allows(token_id):
            back, reason = 1, "max_copy"
        else:
            back, reason = 0 if row.bans is None else row.bans.completes(token_id), "ban"
        if not back:
            return Settled(token_id, _hold(run, place, row, Choice(token_id, logits, model_logits)))
        back = min(back, len(row.held) + 1)  # what was released cannot be taken back
        if back > 1:
            first = row.held[1 - back]
            del row.held[1 - back :]
            run.restore(place, first.state)
            row.guard, row.bans = first.guard, first.bans
            token_id, logits, model_logits = first.token_id, first.logits, first.model_logits
        logits[0, token_id] = -np.inf
        token_id = row.choose(logits)
    released, row.held = row.held, []
    return Settled(token_id, [(held.token_id, held.model_logits) for held in released], reason)


def _hold(run: LSTMRun, place: int, row: Row, choice: Choice) -> list[tuple[int, Floats]]:
    """Adds a token to a row's guard and bans, and holds it back if a banned text may start in it; returns what is released."""
    token_id, logits, model_logits = choice
    if row.bans is not None:
        guard = None if row.guard is None else row.guard.copy()
        row.held.append(Held(token_id, logits.copy(), model_logits.copy(), run.state(place), guard, row.bans.copy()))
    if row.guard is not None:
        row.guard.add(token_id)
    if row.bans is None:
        return [(token_id, model_logits)]
    reach = row.bans.add(token_id)
    if len(row.ids) + len(row.held) == row.longest:
        reach = 0
    count = max(len(row.held) - reach, 0)
    released, row.held = row.held[:count], row.held[count:]
    return [(held.token_id, held.model_logits) for held in released]
