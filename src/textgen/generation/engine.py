"""The batch engine: texts join and leave a batch at any time, and each step adds a token to every text.

It deals with token ids only. What a text is made of, and where it ends, is up to the layer above.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from textgen.corpus import FIRST_TOKEN_ID
from textgen.generation.prefix_cache import PrefixCache
from textgen.generation.reading import MOST_ROWS, ScoredTokens, read_states, score
from textgen.generation.samplers import Sampler
from textgen.generation.step import log_total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textgen.generation.layers import Floats
    from textgen.generation.row import Row
    from textgen.generation.spacing import Spacing
    from textgen.generation.step import LSTMStep

_NUMBERS_AT_ONCE = 2048
"""The random numbers to draw at once for each text: one call per token would be slower."""

_NEVER = 1 << 62

CACHED_BYTES = 1 << 25
"""The memory for the states behind texts. With 2 layers of 128 states and prompts of 4,000 tokens, it is enough for 1,800 of them."""


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
        self._places: list[list[int]] = []  # of the rows that share a sampler
        self._sampler: Sampler | None = None  # of all rows, if they share one that needs no recent tokens
        self._free = True
        self._scored = False
        self._changed = False
        self.ended: list[Row] = []
        # Noise for the next steps, (steps, rows, vocabulary_size). The number of steps must not depend on the rows, so that
        # each text gets its random numbers in the same order. The noise of step s is at s % steps. A row that joins at step s
        # draws its noise for the steps s to s + steps - 1, and then again.
        steps = max(1, _NUMBERS_AT_ONCE // network.vocabulary_size)
        self._noise = np.empty((steps, 0, network.vocabulary_size), np.float32)
        self._rows_noise = self._noise
        self._clock = 0
        self._noise_ends = 0  # the first step for which a row may have no noise

    def prepare(self, rows: Sequence[Row], check: Callable[[], None] = lambda: None) -> None:
        """Reads the prompts of rows in parallel, as far as the states behind them are not known yet; `admit` does it otherwise.

        A server can call it in another thread, so that the texts of the batch do not have to wait for a long prompt.

        Args:
            rows: the rows.
            check: is called before each part of the reading. To end it, it raises an exception.
        """
        prompts = {row.ids[:-1].tobytes(): row.ids[:-1] for row in rows if row.state is None and len(row.ids) > 1}
        known = [self._cache.find(prompt) for prompt in prompts.values()]
        rest = [prompt[length:] for prompt, (length, _) in zip(prompts.values(), known, strict=True)]
        read = read_states(self._network, rest, [state for _, state in known], check=check)
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
        if rows:
            self._changed = True  # after the rows are there, because another thread may be in `step`

    def retire(self, row: Row) -> None:
        """Removes a row before its text has ended; a row whose text has ended is removed by the next step."""
        row.retired = True
        self._changed = True

    def score(
        self, texts: Sequence[Sequence[int]], *, top: int | None = None, after: bool = False
    ) -> list[ScoredTokens]:
        """Scores the tokens of texts, which are read in parallel; the batch is not involved. See `reading.score`."""
        return score(self._network, texts, top=top, after=after)

    def step(self) -> Sequence[Row]:
        """Adds a token to each row.

        Returns:
            The rows; if there are none, all texts have ended. Each has one more token, unless no token was left to choose. A row
            with `bans` has none while tokens are held back, and then several.
        """
        if self._changed:
            self._arrange()
        rows = self._rows
        if not rows:
            return rows
        logits = self._run(self._ids)
        model_logits = logits.copy() if self._scored else logits
        self._never_written.fill(-np.inf)
        if self._spacing is not None:
            self._spacing(logits, self._ids)
        if self._free:
            self._ids = self._choose(logits)
            if self._scored:
                self._score(model_logits)
            chosen: Iterable[tuple[Row, int]] = zip(rows, self._ids.tolist(), strict=True)
        else:
            chosen = self._choose_allowed(logits, model_logits)
        for row, token_id in chosen:
            row.ids.append(token_id)
            row.finish_reason = row.stop(token_id)
            if row.finish_reason is None and len(row.ids) == row.longest:
                row.finish_reason = "length"
            if row.finish_reason is not None:
                self._changed = True
        self.ended = [row for row in rows if row.finish_reason is not None] if self._changed else []
        return rows

    def _arrange(self) -> None:
        """Removes rows from the batch, and lets waiting ones join it, if possible in the places of those that leave."""
        self._changed = False
        rows = list(self._rows)
        free = [place for place, row in enumerate(rows) if row.retired or row.finish_reason is not None]
        for place in free:
            row = rows[place]
            if row.unread is not None and not row.held:
                self._cache.add(row.ids[: len(row.ids) - row.unread], self._run.state(place))
        joining: list[int] = []
        while self._waiting and len(rows) - len(free) < self._most_rows:
            row = self._waiting.popleft()
            if row.retired or row.finish_reason is not None:
                continue
            if free:
                joining.append(free.pop(0))
                rows[joining[-1]] = row
            else:
                joining.append(len(rows))
                rows.append(row)
        for place in reversed(free):  # the last row moves to the place of one that has left
            last = len(rows) - 1
            if place < last:
                rows[place] = rows[last]
                self._run.restore(place, self._run.state(last))
                self._noise[:, place] = self._noise[:, last]
            rows.pop()
        if rows and len(rows) != len(self._rows):
            self._run = self._run.resize(len(rows))
            self._never_written = self._run.logits[:, :FIRST_TOKEN_ID]
        for place in joining:
            row = rows[place]
            self._run.restore(place, self._zeros if row.state is None else row.state)
            row.state, row.noise_ends = None, self._clock if isinstance(row.sampler, Sampler) else _NEVER
            self._noise_ends = self._clock
        self._regroup(rows)

    def _regroup(self, rows: list[Row]) -> None:
        """Prepares the next steps of a new list of rows."""
        self._rows = rows
        if len(rows) > self._noise.shape[1]:
            added = max(len(rows) - self._noise.shape[1], self._noise.shape[1])
            self._noise = np.pad(self._noise, ((0, 0), (0, added), (0, 0)))
        self._rows_noise = self._noise[:, : len(rows)]
        self._ids = np.array([row.held[-1].token_id if row.held else row.ids[-1] for row in rows], np.intp)
        self._free = all(row.is_free for row in rows)
        self._scored = any(row.scored for row in rows)
        self._sampler, self._places = None, []
        samplers = {id(row.sampler): row.sampler for row in rows}
        first = rows[0].sampler if len(samplers) == 1 else None
        if isinstance(first, Sampler) and not first.window:
            self._sampler = first
        else:
            self._places = [
                [place for place, row in enumerate(rows) if row.sampler is sampler] for sampler in samplers.values()
            ]

    def _choose(self, logits: Floats) -> NDArray[np.intp]:
        """Chooses a token for each row, `(rows,)`, with one call for all rows that share a sampler; overwrites the logits."""
        if self._clock >= self._noise_ends:
            self._draw_noise()
        noise = self._rows_noise[self._clock % len(self._rows_noise)]
        self._clock += 1
        if self._sampler is not None:
            return self._sampler(logits, noise)
        ids = np.empty(len(logits), np.intp)
        for places in self._places:
            rows = [self._rows[place] for place in places]
            sampler = rows[0].sampler
            if isinstance(sampler, Sampler):
                recent = [row.recent() for row in rows] if sampler.window else ()
                ids[places] = sampler(logits[places], noise[places], recent)
            else:
                ids[places] = [row.choose(logits[place : place + 1]) for place, row in zip(places, rows, strict=True)]
        return ids

    def _draw_noise(self) -> None:
        """Draws the noise of the rows that have used up theirs."""
        steps, _, vocabulary_size = self._noise.shape
        start = self._clock % steps
        for place, row in enumerate(self._rows):
            if row.noise_ends == self._clock and isinstance(row.sampler, Sampler):
                numbers = row.sampler.noise(row.rng, (steps, vocabulary_size))
                self._noise[start:, place], self._noise[:start, place] = (
                    numbers[: steps - start],
                    numbers[steps - start :],
                )
                row.noise_ends += steps
        self._noise_ends = min(row.noise_ends for row in self._rows)

    def _choose_allowed(self, logits: Floats, model_logits: Floats) -> Iterator[tuple[Row, int]]:
        """Chooses tokens without copies and banned texts; ends texts for which no token is left.

        Args:
            logits: `(rows, vocabulary_size)`, -inf for a forbidden token; overwritten.
            model_logits: `(rows, vocabulary_size)`, as the model computed them.

        Yields:
            The tokens that continue the texts, each with its row.
        """
        from textgen.generation.settling import Choice, settle  # most texts do not need it

        for place, row in enumerate(self._rows):
            if row.bias is not None:
                logits[place] += row.bias
        allowed = logits.copy()
        with np.errstate(invalid="ignore"):  # a row without any token left subtracts inf from inf; `settle` ends it
            self._ids = self._choose(logits)
        for place, row in enumerate(self._rows):
            here = slice(place, place + 1)
            if row.is_free:
                token_id = int(self._ids[place])
                if row.scored:
                    row.score(_nats(model_logits[here], token_id), model_logits[place])
                yield row, token_id
                continue
            choice = Choice(int(self._ids[place]), allowed[here], model_logits[here])
            settled = settle(self._run, place, row, choice)
            self._ids[place] = settled.last_id
            for token_id, of_model in settled.released:
                if row.finish_reason is not None:
                    row.unread = None
                    break
                if row.scored:
                    row.score(_nats(of_model, token_id), of_model[0])
                yield row, token_id
            if settled.finish_reason is not None and row.finish_reason is None:
                row.finish_reason, row.unread = settled.finish_reason, 0
                self._changed = True

    def _score(self, logits: Floats) -> None:
        """Adds the nats of the chosen tokens to the rows.

        Args:
            logits: `(rows, vocabulary_size)`, as the model computed them.
        """
        nats = log_total(logits) - np.take_along_axis(logits, self._ids[:, np.newaxis], axis=-1)[:, 0]
        for place, (row, cost) in enumerate(zip(self._rows, nats.tolist(), strict=True)):
            if row.scored:
                row.score(cost, logits[place])


def _nats(logits: Floats, token_id: int) -> float:
    """Returns minus the log-probability of a token, from the logits of its step, `(1, vocabulary_size)`."""
    return float(log_total(logits)[0] - logits[0, token_id])
