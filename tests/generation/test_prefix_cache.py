from __future__ import annotations

from array import array
from threading import Thread
from typing import TYPE_CHECKING

import numpy as np

from textgen.generation.prefix_cache import PrefixCache

if TYPE_CHECKING:
    from numpy.typing import NDArray


def state(number: int, size: int = 250) -> NDArray[np.float32]:
    return np.full(size, number, np.float32)


def text(*ids: int) -> array[int]:
    return array("i", ids)


def found(cache: PrefixCache, *ids: int) -> tuple[int, float | None]:
    """Returns the length of the longest text with which another one starts, and the number in its state."""
    length, known = cache.find(text(*ids))
    return length, None if known is None else float(known[0])


def test_the_longest_start_is_found() -> None:
    """Of all texts with which another one starts, the longest is found; it may be the whole text, and is never longer."""
    cache = PrefixCache(1 << 20)
    assert found(cache, 1, 2) == (0, None)
    for number, ids in enumerate([(1,), (1, 2), (1, 2, 3, 4), (2, 1), (256,)]):
        cache.add(text(*ids), state(number))
    assert found(cache, 1, 2, 3) == (2, 1)
    assert found(cache, 1, 2, 3, 4) == (4, 2)
    assert found(cache, 1, 2, 3, 4, 5) == (4, 2)
    assert found(cache, 3, 1, 2) == (0, None)
    assert found(cache) == (0, None)
    assert found(cache, 257) == (0, None)  # the ids are compared, not their first bytes


def test_the_least_recently_used_are_dropped() -> None:
    """The memory is bounded, and texts that were found or added again stay longest."""
    cache = PrefixCache(16_000)
    for number in range(100):
        cache.add(text(number), state(number))
        assert found(cache, 0) == (1, 0)
    known = [number for number in range(100) if found(cache, number)[0]]
    assert known[0] == 0
    assert known[1:] == list(range(101 - len(known), 100))
    assert 16_000 / 1400 < len(known) <= 16


def test_a_large_text_is_not_kept() -> None:
    """A text that would take most of the memory does not drive out the others, and is not kept itself."""
    cache = PrefixCache(16_000)
    cache.add(text(1), state(1))
    cache.add(text(2), state(2, size=1000))
    cache.add(text(*range(1000)), state(3))
    assert [found(cache, number)[0] for number in (1, 2, 0)] == [1, 0, 0]


def test_threads_may_share_it() -> None:
    """Threads that add and find at the same time get the states of their own texts."""
    cache = PrefixCache(100_000)
    wrong: list[int] = []

    def use(thread: int) -> None:
        for number in range(500):
            cache.add(text(thread, number), state(thread))
            if found(cache, thread, number, 7) not in {(2, thread), (0, None)}:
                wrong.append(thread)

    threads = [Thread(target=use, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
