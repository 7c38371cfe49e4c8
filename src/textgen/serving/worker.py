"""Writes the texts of all requests for a model: one thread steps its batch engine while there are texts to write."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock, Thread
from time import perf_counter
from typing import TYPE_CHECKING

from textgen.formatting import count
from textgen.generation.reading import MOST_ROWS
from textgen.serving.failures import RequestError, server_ends, try_again
from textgen.serving.leaving import NobodyWaits

if TYPE_CHECKING:
    from textgen.generation import Sample
    from textgen.generation.engine import BatchEngine
    from textgen.generation.row import Row

MOST_OF_ONE = MOST_ROWS * 3 // 4
"""The most texts of one request in the batch.

The texts of all requests but the first of each have together one place less. So the first text of a request finds a place even while
several large requests are written.
"""

MOST_WAITING = 256
"""The most texts that wait for a place in the batch of a model."""

_log = logging.getLogger(__name__)


class Texts:
    """The texts of one request.

    The samples grow in the worker's thread. Whoever reads a sample reads its `finish_reason` before its pieces: once there is
    one, no more pieces come.

    Args:
        loop: the event loop in which the request is answered.
        group: an object that all texts have which share the places of one request; None for these texts alone.

    Attributes:
        group: likewise.
        rows: the samples by their rows; none until they are admitted.
        began: when the first token was written, by `perf_counter`; None until then.
        left: the number of texts that have not ended.
        error: why they will never end; None as long as they may.
        is_given_up: whether nobody waits for them any more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, group: object | None = None) -> None:
        self.group: object = self if group is None else group
        self.rows: Mapping[Row, Sample] = {}
        self.began: float | None = None
        self.left = 0
        self.error: RequestError | None = None
        self.is_given_up = False
        self._loop = loop
        self._news = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def samples(self) -> list[Sample]:
        """The samples, in the order of the rows."""
        return list(self.rows.values())

    @property
    def is_done(self) -> bool:
        """Whether nothing more will be written."""
        return self.left == 0 or self.error is not None

    def check(self) -> None:
        """Ends the computation that calls it, if nobody waits for the texts any more.

        Raises:
            NobodyWaits: if they are given up.
        """
        if self.is_given_up:
            raise NobodyWaits

    async def wait_for_news(self) -> None:
        """Waits until the first token is written, or nothing will be."""
        await self._news.wait()

    async def wait_for_end(self) -> None:
        """Waits until nothing more will be written."""
        await self._ended.wait()

    def notify(self) -> None:
        """Wakes those that wait for what has happened; any thread may call it."""
        with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self.began is not None or self.is_done:
            self._news.set()
        if self.is_done:
            self._ended.set()


class Worker:
    """Writes texts with the engine of a model.

    Its thread ends when there is nothing left to write, and the next texts start another. So a model that is no longer served
    is freed after its last text.

    Args:
        make_engine: returns a new engine.
        most_waiting: the most texts that wait for a place in the batch.
    """

    def __init__(self, make_engine: Callable[[], BatchEngine], most_waiting: int = MOST_WAITING) -> None:
        self._make_engine = make_engine
        self._engine = make_engine()
        self._most = MOST_ROWS + most_waiting
        self._lock = Lock()
        self._texts: dict[Row, Texts] = {}  # by the rows that have not ended
        self._queue: dict[object, dict[Row, None]] = {}  # of them, those that wait, by group
        self._places: Counter[object] = Counter()  # the number of the others, by group
        self._reserved: dict[Texts, int] = {}  # the numbers of those that are being prepared
        self._thread: Thread | None = None
        self._is_ending = False

    @property
    def rows(self) -> int:
        """The number of texts in the batch."""
        return sum(self._places.values())

    @property
    def waiting(self) -> int:
        """The number of texts that wait for a place in the batch."""
        return max(len(self._texts) - self.rows, 0)

    def reserve(self, texts: Texts, rows: int) -> None:
        """Reserves places in the queue until the texts are admitted or given up.

        Args:
            texts: the texts of a request.
            rows: their number.

        Raises:
            RequestError: with 503 if the queue is too long, or the server is shutting down.
        """
        with self._lock:
            if self._is_ending:
                raise server_ends()
            busy = len(self._texts) + sum(self._reserved.values())
            if busy + rows > self._most:
                raise try_again(
                    f"{count(busy, 'text')} are being written or waiting, which leaves no room for {count(rows, 'more', 'more')}; try again in a moment",
                    2,
                    code="queue_full",
                )
            self._reserved[texts] = rows

    def admit(self, texts: Texts, rows: Iterable[tuple[Row, Sample]], check: Callable[[], None]) -> None:
        """Reads the prompts of texts in the calling thread, and then lets the texts join the batch, unless they are given up.

        Args:
            texts: the texts of a request, which get the rows.
            rows: the rows, each with its sample, to which the row adds its pieces.
            check: ends the reading if the texts are given up meanwhile, by `NobodyWaits`.

        Raises:
            RequestError: with 503 if the server is shutting down.
            NobodyWaits: if the texts are given up while their prompts are read.
        """
        texts.rows = dict(rows)
        new = [row for row in texts.rows if row.finish_reason is None]
        self._engine.prepare(new, check)
        with self._lock:
            self._reserved.pop(texts, None)
            if self._is_ending:
                raise server_ends()
            if texts.is_given_up:
                return
            texts.left = len(new)
            if new:
                self._texts.update(dict.fromkeys(new, texts))
                self._queue.setdefault(texts.group, {}).update(dict.fromkeys(new))
                self._fill()
            if self._thread is None and new:
                self._thread = Thread(target=self._write, name="textgen-worker", daemon=True)
                self._thread.start()
        texts.notify()

    def retire(self, texts: Texts) -> None:
        """Gives up texts: those that have not ended leave the batch with its next step."""
        with self._lock:
            texts.is_given_up = True
            self._reserved.pop(texts, None)
            queue = self._queue.get(texts.group, {})
            for row in texts.rows:
                if self._texts.pop(row, None) is None:
                    continue
                if row in queue:
                    del queue[row]
                else:
                    self._engine.retire(row)
                    self._free_place(texts.group)
            if not queue:
                self._queue.pop(texts.group, None)
            self._fill()

    def drain(self) -> None:
        """Refuses further texts; those that were admitted are still written."""
        self._is_ending = True

    def close(self) -> None:
        """Refuses further texts, and ends those that were admitted with an error."""
        self.drain()
        with self._lock:
            ended = set(self._texts.values())
        for texts in ended:
            self.retire(texts)
            texts.error = server_ends()
            texts.notify()

    def _fill(self) -> None:
        """Gives the free places in the batch to those that wait: always to the group that has fewest, and of these to the first."""
        joining: list[Row] = []
        while self._queue and self.rows < MOST_ROWS:
            group = min(self._queue, key=self._places.__getitem__)
            if self._places[group] and self.rows - len(self._places) >= MOST_OF_ONE - 1:
                break
            row = next(iter(self._queue[group]))
            del self._queue[group][row]
            if not self._queue[group]:
                del self._queue[group]
            self._places[group] += 1
            joining.append(row)
        self._engine.admit(joining)

    def _free_place(self, group: object) -> None:
        self._places[group] -= 1
        if not self._places[group]:
            del self._places[group]

    def _write(self) -> None:
        """Steps the engine until there is nothing left to write."""
        try:
            while self._step_all():
                pass
        except BaseException:  # noqa: BLE001 - whatever it is, nobody may wait for these texts for ever
            _log.exception("the texts that were being written are lost because of a bug in textgen")
            self._abandon()

    def _step_all(self) -> bool:
        """Steps the engine until the batch is empty, and returns whether there are texts to write then."""
        engine = self._engine
        before: Sequence[Row] | None = None
        while rows := engine.step():
            if rows is not before:
                before = rows
                self._note_beginnings(rows)
            if engine.ended:
                self._note_ends(engine.ended)
        with self._lock:
            if not self._texts:
                self._thread = None
            return self._thread is not None

    def _note_beginnings(self, rows: Iterable[Row]) -> None:
        for row in rows:
            texts = self._texts.get(row)
            if texts is not None and texts.began is None:
                texts.began = perf_counter()
                texts.notify()

    def _note_ends(self, rows: Iterable[Row]) -> None:
        with self._lock:
            for row in rows:
                texts = self._texts.pop(row, None)
                if texts is None:  # retired meanwhile
                    continue
                texts.rows[row].end(row)
                texts.left -= 1
                self._free_place(texts.group)
                if not texts.left:
                    texts.notify()
            self._fill()

    def _abandon(self) -> None:
        """Ends all texts with an error, after the thread has failed, and makes a new engine."""
        with self._lock:
            abandoned = set(self._texts.values())
            self._texts.clear()
            self._queue.clear()
            self._places.clear()
            self._thread = None
            for texts in abandoned:
                texts.error = RequestError(
                    500, "the server failed because of a bug while it wrote this text; its log has the details"
                )
                texts.notify()
            self._engine = self._make_engine()
