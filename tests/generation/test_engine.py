from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.config import SamplingConfig
from textgen.corpus import Joiner
from textgen.generation import LSTMStep, Sampler
from textgen.generation.bans import Bans
from textgen.generation.engine import BatchEngine
from textgen.generation.prefix_cache import PrefixCache
from textgen.generation.reading import MOST_ROWS
from textgen.generation.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textgen.generation import ModelFile

DRAWN = Sampler(SamplingConfig(temperature=1))
SAMPLERS = [
    DRAWN,
    Sampler(SamplingConfig(temperature=0)),
    Sampler(SamplingConfig(temperature=0.5, top_k=3, repetition_penalty=1.3)),
    Sampler(SamplingConfig(temperature=2, top_p=0.9)),
]


@pytest.fixture
def network(make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> LSTMStep:
    """A network of each kind with random weights."""
    return LSTMStep(make_model(kind))


def make_row(seed: int, prompt: Sequence[int] = (2, 3), sampler: Sampler = DRAWN, length: int = 20, **more: Any) -> Row:
    return Row(prompt, sampler, seed=seed, length=length, **more)


def write(engine: BatchEngine, *rows: Row) -> list[list[int]]:
    """Writes texts together to their ends, and returns their ids."""
    engine.admit(rows)
    while engine.step():
        pass
    return [row.ids.tolist() for row in rows]


def by_hand(network: LSTMStep, seed: int, prompt: Sequence[int], length: int) -> list[int]:
    """Writes a text as simply as possible: at temperature 1, with noise for 2048 // vocabulary_size steps at a time."""
    run, rng, ids = network.start(), np.random.default_rng(seed), list(prompt)
    for token_id in prompt[:-1]:
        run(np.array([token_id]))
    steps = 2048 // network.vocabulary_size
    for number in range(length):
        if number % steps == 0:
            noise = -np.log(rng.standard_exponential((steps, network.vocabulary_size)).astype(np.float32))
        logits = run(np.array([ids[-1]]))[0] + noise[number % steps]
        ids.append(2 + int(logits[2:].argmax()))
    return ids


def test_a_row_follows_its_seed(network: LSTMStep) -> None:
    """A text is the one that its seed gave in earlier versions, beyond the first block of random numbers."""
    assert write(BatchEngine(network), make_row(7, length=800)) == [by_hand(network, 7, [2, 3], 800)]


def test_joining_and_leaving_change_no_text(network: LSTMStep) -> None:
    """Rows with their own prompts, samplers, seeds and lengths, which join at any time, write what each writes alone."""
    rng = np.random.default_rng(2)
    settings = [
        (int(rng.integers(1 << 40)), rng.integers(2, 6, rng.integers(1, 9)).tolist(), SAMPLERS[number % 4], int(rng.integers(1, 700)))
        for number in range(24)
    ]  # fmt: skip
    engine = BatchEngine(network, most_rows=5)
    rows = [make_row(*each) for each in settings]
    waiting = list(rows)
    while True:
        if waiting and rng.random() < 0.05:
            engine.admit([waiting.pop(0) for _ in range(min(len(waiting), int(rng.integers(1, 4))))])
        if not engine.step() and not waiting:
            break
    assert all(row.finish_reason == "length" for row in rows)
    for row, each in zip(rows, settings, strict=True):
        alone = make_row(*each)
        write(BatchEngine(network), alone)
        assert row.ids == alone.ids


def test_a_retired_row_leaves(network: LSTMStep) -> None:
    """A row that is retired gets no more tokens, whether it is in the batch or still waits; the others are not changed."""
    engine = BatchEngine(network, most_rows=3)
    rows = [make_row(seed) for seed in range(5)]
    engine.admit(rows)
    for _ in range(4):
        engine.step()
    engine.retire(rows[0])
    engine.retire(rows[4])
    while engine.step():
        pass
    assert [len(row.ids) - 2 for row in rows] == [4, 20, 20, 20, 0]
    assert rows[0].finish_reason is rows[4].finish_reason is None
    assert [row.ids.tolist() for row in rows[1:4]] == [by_hand(network, seed, [2, 3], 20) for seed in (1, 2, 3)]


def test_a_stop_rule_ends_a_row(network: LSTMStep) -> None:
    """A row's stop rule gets each new token, and the row ends with the token for which it returns a reason."""
    seen: list[int] = []
    expected = by_hand(network, 1, [2, 3], 20)

    def stop(token_id: int) -> Any:
        seen.append(token_id)
        return "until" if len(seen) == 6 else None

    engine = BatchEngine(network)
    row, other = make_row(1, stop=stop), make_row(2)
    write(engine, row, other)
    assert (row.finish_reason, other.finish_reason) == ("until", "length")
    assert row.ids.tolist() == expected[:8]
    assert seen == expected[2:8]


def test_scored_rows(network: LSTMStep) -> None:
    """A scored row has the logits of each step as the model computes them, and the nats of reading the text again."""
    engine = BatchEngine(network)
    row, other = make_row(1, sampler=SAMPLERS[2], scored=True), make_row(2)
    engine.admit([row, other])
    run = network.start()
    run(np.array([2]))
    while engine.step():
        if row.finish_reason is None:
            assert row.logits is not None
            np.testing.assert_allclose(row.logits, run(np.array([row.ids[-2]]))[0], rtol=1e-4, atol=1e-5)
    [scores] = engine.score([row.ids])
    assert row.nats == pytest.approx(float(scores.nats[1:].sum()), rel=1e-4)
    assert (other.nats, other.logits) == (0, None)


def test_prompts_are_read_once(network: LSTMStep, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt that was read before is not read again, one that extends a text is read from its end, and no text changes."""
    read: list[int] = []
    in_full = LSTMStep.start

    def count(step: LSTMStep, batch: int = 1) -> Any:
        run = in_full(step, batch)
        reads = run.read

        def read_counted(ids: Any) -> None:
            read.append(ids.size)
            reads(ids)

        monkeypatch.setattr(run, "read", read_counted)
        return run

    monkeypatch.setattr(LSTMStep, "start", count)
    cache = PrefixCache(1 << 20)
    prompt = [2, 3, 4, 5, 4, 3, 2, 2]
    first, same = (write(BatchEngine(network, cache=cache), make_row(1, prompt))[0] for _ in range(2))
    assert read == [7]
    longer = write(BatchEngine(network, cache=cache), make_row(1, [*prompt, 3, 3]))[0]
    continued = write(BatchEngine(network, cache=cache), make_row(1, [*first, 5]))[0]
    assert read == [7, 2, 1]
    assert first == same == by_hand(network, 1, prompt, 20)
    assert longer == by_hand(network, 1, [*prompt, 3, 3], 20)
    assert continued == by_hand(network, 1, [*first, 5], 20)


def test_equal_prompts_are_read_together(network: LSTMStep) -> None:
    """Rows with equal prompts share their reading, and prompts of all lengths are read together, one token included."""
    prompts = [[2], [3], [2, 3, 4], [2, 3, 4], [5] * 40, [2, 3]]
    rows = [make_row(seed, prompt) for seed, prompt in enumerate(prompts)]
    assert write(BatchEngine(network), *rows) == [
        by_hand(network, seed, prompt, 20) for seed, prompt in enumerate(prompts)
    ]


def test_more_rows_than_fit_wait(network: LSTMStep) -> None:
    """Rows beyond the most wait for a place, and the batch never has more."""
    engine = BatchEngine(network)
    rows = [make_row(seed, length=1 + seed % 7) for seed in range(MOST_ROWS + 30)]
    engine.admit(rows)
    while stepped := engine.step():
        assert len(stepped) <= MOST_ROWS
    assert [row.ids.tolist() for row in rows] == [by_hand(network, seed, [2, 3], 1 + seed % 7) for seed in range(MOST_ROWS + 30)]  # fmt: skip


@pytest.mark.parametrize("others", [[], [{"bias": np.zeros(6, np.float32)}]], ids=["alone", "next to a biased row"])
@pytest.mark.parametrize("more", ["free", "biased", "banned"])
def test_each_token_has_its_scores(network: LSTMStep, more: str, others: list[dict[str, Any]]) -> None:
    """When `stop` is called with a token, the row has the nats and the logits of that token, even if several are released."""
    tokens = ("", "[UNK]", "\n", "a", "b", "c")
    restrictions: dict[str, dict[str, Any]] = {
        "free": {},
        "biased": {"bias": np.array([0, 0, 0, 1, 0, -1], np.float32)},
        "banned": {"bans": Bans(["abc", "ca", "bbb"], tokens, Joiner())},
    }
    seen: list[tuple[int, float, np.ndarray[Any, Any]]] = []

    def stop(token_id: int) -> None:
        assert row.logits is not None
        seen.append((token_id, row.last_nats, row.logits.copy()))

    row = make_row(3, scored=True, length=200, stop=stop, **restrictions[more])
    engine = BatchEngine(network)
    write(engine, row, *(make_row(4, length=200, **other) for other in others))
    assert [token_id for token_id, _, _ in seen] == row.ids.tolist()[2:]
    run = network.start()
    logits = [run(np.array([token_id]))[0].copy() for token_id in row.ids][1:-1]
    np.testing.assert_allclose([found for _, _, found in seen], logits, rtol=1e-3, atol=1e-4)
    [scores] = engine.score([row.ids])
    np.testing.assert_allclose([nats for _, nats, _ in seen], scores.nats[1:], rtol=1e-3, atol=1e-4)
    assert row.nats == pytest.approx(sum(nats for _, nats, _ in seen))


def test_a_free_row_next_to_others(network: LSTMStep) -> None:
    """A row without bias, bans and guard writes its own text next to rows that have some."""
    bans = Bans(["ab", "cc"], ("", "[UNK]", "\n", "a", "b", "c"), Joiner())
    rows = [make_row(1, length=300), make_row(2, length=250, bans=bans), make_row(3, length=300, scored=True)]
    write(BatchEngine(network), *rows)
    assert [row.ids.tolist() for row in rows[::2]] == [by_hand(network, seed, [2, 3], 300) for seed in (1, 3)]


def test_a_row_of_length_zero(network: LSTMStep) -> None:
    """A row of length 0 has ended before it starts, and gets no token."""
    row, other = make_row(1, length=0), make_row(2)
    assert row.finish_reason == "length"
    assert write(BatchEngine(network), row, other) == [[2, 3], by_hand(network, 2, [2, 3], 20)]
