"""The batch engine: texts join and leave a batch at any time, and each step adds a token to every text.

It deals with token ids only. What a text is made of, and where it ends, is up to the layer above.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

# Imported here, and not by NumPy at its first use: that import can swallow a Ctrl-C, and would do so in the middle of a text.
from numpy.random import default_rng

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation.prefix_cache import PrefixCache
from textgen.generation.reading import MOST_ROWS, ScoredTokens, read_states, score
from textgen.generation.step import log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.ending import FinishReason
    from textgen.generation.layers import Floats
    from textgen.generation.samplers import Sampler
    from textgen.generation.spacing import Spacing
    from textgen.generation.step import LSTMStep

_NUMBERS_AT_ONCE = 2048
"""The random numbers to draw at once for each text: one call per token would be slower."""

CACHED_BYTES = 1 << 25
"""The memory for the states behind texts. With 2 layers of 128 states and prompts of 4,000 tokens, it is enough for 1,800 of them."""


class Guard(Protocol):
    """Forbids tokens that would make a text copy too much."""

    def allows(self, token_id: int) -> bool:
        """Returns whether a token can come next."""
        ...

    def add(self, token_id: int) -> None:
        """Adds the next token of the text."""
        ...


class Row:
    """One text of a batch: how to continue it, and what it is so far.

    Args:
        prompt: the token ids of the prompt, at least one.
        sampler: chooses the tokens. Rows that share a sampler are sampled in one call.
        seed: the seed of the random numbers.
        length: the maximum number of tokens.
        stop: is called with each new token id, and returns the reason why the text ends with it, or None if it continues.
        guard: forbids copies; None if copying is not limited.
        scored: whether to sum the `nats`, which takes some time.

    Attributes:
        ids: the token ids of the prompt and of the text so far.
        nats: minus the sum of the log-probabilities of the text's tokens under the model, if `scored`.
        logits: if `scored`, those of the last step as the model computed them, `(vocabulary_size,)`.
        finish_reason: why the text ended; None until then.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        sampler: Sampler,
        *,
        seed: int | Sequence[int],
        length: int,
        stop: Callable[[int], FinishReason | None] = lambda _: None,
        guard: Guard | None = None,
        scored: bool = False,
    ) -> None:
        self.ids = array("i", prompt)
        self.longest = len(prompt) + length  # of the ids
        self.sampler = sampler
        self.stop = stop
        self.guard = guard
        self.scored = scored
        self.nats = 0.0
        self.logits: Floats | None = None
        self.finish_reason: FinishReason | None = None
        self.rng = default_rng(seed)
        self.noise_ends = 0  # the engine's step at which the row's noise is used up
        self.state: Floats | None = None  # behind the prompt without its last token, until the row joins the batch
        self.unread = 1  # the tokens at the end that are not in the engine's state
        self.retired = False

    def recent(self) -> NDArray[np.integer]:
        """Returns the ids of the last tokens, as many as the sampler needs."""
        return np.array(self.ids[-self.sampler.window :])


class BatchEngine:
    """Writes texts in a batch, to which rows are added and from which they are removed at any time.

    A row's random numbers, and the order in which they are used, depend only on its seed.

    One thread calls `step`. Others may call `prepare`, `admit`, `retire` and `score` meanwhile.

    Args:
        network: the network.
        spacing: forbids tokens after white space; None if the model has no `after_white_space`.
        cache: keeps the states behind prompts and texts; None for one of its own.
        most_rows: the most texts in the batch; further ones wait.

    Attributes:
        ended: the rows whose texts have ended with the last step.

    Example:
        >>> engine = BatchEngine(LSTMStep(model))
        >>> engine.admit([Row([5, 6], Sampler(SamplingConfig()), seed=seed, length=20) for seed in (1, 7)])
        >>> while rows := engine.step():
        ...     print(*(row.ids[-1] for row in rows))
    """

    def __init__(
        self,
        network: LSTMStep,
        *,
        spacing: Spacing | None = None,
        cache: PrefixCache | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._network = network
        self._spacing = spacing
        self._cache = PrefixCache(CACHED_BYTES) if cache is None else cache
        self._most_rows = most_rows
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self._run = network.start()
        self._never_written = self._run.logits[:, :FIRST_TOKEN_ID]  # padding and [UNK]
        self._zeros = self._run.state(0)
        self._ids = np.empty(0, np.intp)  # the last token of each row
        self._places: dict[Sampler, list[int]] = {}
        self._sampler: Sampler | None = None  # of all rows, if they share one that needs no recent tokens
        self._changed = False
        self.ended: list[Row] = []
        # Noise for the next steps, (steps, rows, vocabulary_size). The number of steps must not depend on the rows, so that
        # each text gets its random numbers in the same order. The noise of step s is at s % steps. A row that joins at step s
        # draws its noise for the steps s to s + steps - 1, and then again.
        steps = max(1, _NUMBERS_AT_ONCE // network.vocabulary_size)
        self._noise = np.empty((steps, 0, network.vocabulary_size), np.float32)
        self._rows_noise = self._noise
        self._clock = 0
        self._noise_ends = 0

    def prepare(self, rows: Sequence[Row]) -> None:
        """Reads the prompts of rows in parallel, as far as the states behind them are not known yet; `admit` does it otherwise.

        A server can call it in another thread, so that the texts of the batch do not have to wait for a long prompt.
        """
        prompts = {row.ids[:-1].tobytes(): row.ids[:-1] for row in rows if row.state is None and len(row.ids) > 1}
        known = [self._cache.find(prompt) for prompt in prompts.values()]
        rest = [prompt[length:] for prompt, (length, _) in zip(prompts.values(), known, strict=True)]
        read = read_states(self._network, rest, [state for _, state in known])
        states = dict(zip(prompts, read, strict=True))
        for key, prompt in prompts.items():
            if (state := states[key]) is not None:
                self._cache.add(prompt, state)
        for row in rows:
            if row.state is None:
                row.state = states.get(row.ids[:-1].tobytes())

    def admit(self, rows: Sequence[Row]) -> None:
        """Adds rows to the batch: the next step continues them, if there is room for them."""
        self.prepare(rows)
        self._waiting.extend(rows)
        self._changed = True  # after the rows are there, because another thread may be in `step`

    def retire(self, row: Row) -> None:
        """Removes a row before its text has ended; a row whose text has ended is removed by the next step."""
        row.retired = True
        self._changed = True

    def score(self, texts: Sequence[Sequence[int]]) -> list[ScoredTokens]:
        """Scores the tokens of texts, which are read in parallel; the batch is not involved. See `reading.score`."""
        return score(self._network, texts)

    def step(self) -> Sequence[Row]:
        """Adds a token to each row.

        Returns:
            The rows. Each has one more token, unless its `finish_reason` says that no token was left to choose. If there are
            none, all texts have ended.
        """
        if self._changed:
            self._arrange()
        rows = self._rows
        if not rows:
            return rows
        logits = self._run(self._ids)
        unchanged = logits.copy() if self._scored else logits
        self._never_written.fill(-np.inf)
        if self._spacing is not None:
            self._spacing(logits, self._ids)
        allowed = logits.copy() if self._guarded else logits
        self._ids = self._choose(logits)
        if self._guarded:
            self._replace_copies(allowed)
        if self._scored:
            self._score(unchanged)
        self.ended = []
        for row, token_id in zip(rows, self._ids.tolist(), strict=True):
            if row.finish_reason is None:
                row.ids.append(token_id)
                row.finish_reason = row.stop(token_id)
                if row.finish_reason is None and len(row.ids) == row.longest:
                    row.finish_reason = "length"
            if row.finish_reason is not None:
                self.ended.append(row)
                self._changed = True
        return rows

    def _arrange(self) -> None:
        """Removes rows from the batch, and lets waiting ones join it, if possible in the places of those that leave."""
        self._changed = False
        rows, sources = list(self._rows), list(range(len(self._rows)))
        free = [place for place, row in enumerate(rows) if row.retired or row.finish_reason is not None]
        for place in free:
            row = rows[place]
            self._cache.add(row.ids[: len(row.ids) - row.unread], self._run.state(place))
        joining: list[int] = []
        while self._waiting and len(rows) - len(free) < self._most_rows:
            row = self._waiting.popleft()
            if row.retired:
                continue
            if free:
                joining.append(free.pop(0))
                rows[joining[-1]] = row
            else:
                joining.append(len(rows))
                rows.append(row)
                sources.append(0)
        for place in reversed(free):  # the last row moves to the place of one that has left
            rows[place], sources[place] = rows[-1], sources[-1]
            self._noise[:, place] = self._noise[:, sources[-1]]
            rows.pop()
            sources.pop()
        if rows and len(rows) != len(self._rows):
            self._run = self._run.select(sources)
            self._never_written = self._run.logits[:, :FIRST_TOKEN_ID]
        for place in joining:
            row = rows[place]
            self._run.restore(place, self._zeros if row.state is None else row.state)
            row.state, row.noise_ends = None, self._clock
        self._rows = rows
        if len(rows) > self._noise.shape[1]:
            added = max(len(rows) - self._noise.shape[1], self._noise.shape[1])
            self._noise = np.pad(self._noise, ((0, 0), (0, added), (0, 0)))
        self._rows_noise = self._noise[:, : len(rows)]
        self._ids = np.array([row.ids[-1] for row in rows], np.intp)
        self._noise_ends = min((row.noise_ends for row in rows), default=0)
        self._guarded = any(row.guard is not None for row in rows)
        self._scored = any(row.scored for row in rows)
        self._places = {}
        for place, row in enumerate(rows):
            self._places.setdefault(row.sampler, []).append(place)
        self._sampler = rows[0].sampler if len(self._places) == 1 and not rows[0].sampler.window else None

    def _choose(self, logits: Floats) -> NDArray[np.intp]:
        """Chooses a token for each row, `(rows,)`, with one call for all rows that share a sampler; overwrites the logits."""
        if self._clock == self._noise_ends:
            self._draw_noise()
        noise = self._rows_noise[self._clock % len(self._rows_noise)]
        self._clock += 1
        if self._sampler is not None:
            return self._sampler(logits, noise)
        ids = np.empty(len(logits), np.intp)
        for sampler, places in self._places.items():
            recent = [self._rows[place].recent() for place in places] if sampler.window else ()
            ids[places] = sampler(logits[places], noise[places], recent)
        return ids

    def _draw_noise(self) -> None:
        """Draws the noise of the rows that have used up theirs."""
        steps, _, vocabulary_size = self._noise.shape
        start = self._clock % steps
        for place, row in enumerate(self._rows):
            if row.noise_ends == self._clock:
                numbers = row.sampler.noise(row.rng, (steps, vocabulary_size))
                self._noise[start:, place], self._noise[:start, place] = (
                    numbers[: steps - start],
                    numbers[steps - start :],
                )
                row.noise_ends += steps
        self._noise_ends = min(row.noise_ends for row in self._rows)

    def _replace_copies(self, allowed: Floats) -> None:
        """Replaces tokens that would copy too much, and ends texts for which no other token is left.

        Args:
            allowed: `(rows, vocabulary_size)`, the logits from which the tokens were chosen, -inf for a forbidden
                token; overwritten.
        """
        for place, row in enumerate(self._rows):
            logits = allowed[place : place + 1]
            while row.guard is not None and not row.guard.allows(int(self._ids[place])):
                logits[0, self._ids[place]] = -np.inf
                if np.isneginf(logits).all():
                    row.finish_reason, row.unread = "max_copy", 0
                    break
                noise = row.sampler.noise(row.rng, logits.shape)
                self._ids[place] = row.sampler(logits.copy(), noise, [row.recent()])[0]
            if row.guard is not None and row.finish_reason is None:
                row.guard.add(int(self._ids[place]))

    def _score(self, logits: Floats) -> None:
        """Adds the nats of the chosen tokens to the rows.

        Args:
            logits: `(rows, vocabulary_size)`, as the model computed them.
        """
        nats = log_total(logits) - np.take_along_axis(logits, self._ids[:, np.newaxis], axis=-1)[:, 0]
        for place, (row, cost) in enumerate(zip(self._rows, nats.tolist(), strict=True)):
            if row.scored:
                row.logits = logits[place]
                row.nats += 0 if row.finish_reason else cost
