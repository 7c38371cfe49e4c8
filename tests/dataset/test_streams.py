import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from textgen.dataset import VALIDATION_WINDOW, PartOfIds, Streams, validation_streams, validation_windows
from textgen.errors import DataError

TEN = np.arange(10, 20, dtype=np.uint8)  # a text of ten characters, "abcdefghij"

sizes = st.tuples(st.integers(2, 200), st.integers(1, 6), st.integers(1, 9))


def begin_at_zero(streams: Streams) -> int:
    """An epoch whose offset is 0."""
    return next(epoch for epoch in range(1000) if streams.offset(epoch) == 0)


def begin_at_one(streams: Streams) -> int:
    return next(epoch for epoch in range(1000) if streams.offset(epoch) == 1)


def test_the_streams_of_ten_characters_by_hand():
    """Two streams of two windows of two tokens, with targets shifted by one; the last token is left out."""
    streams = Streams(TEN, batch_size=2, unroll_steps=2, seed=1)
    assert streams.steps_per_epoch == 2
    assert streams.tokens_per_step == 4
    epoch = begin_at_zero(streams)
    assert [[array.tolist() for array in streams.window(epoch, step)] for step in range(2)] == [
        [[[10, 11], [14, 15]], [[11, 12], [15, 16]]],
        [[[12, 13], [16, 17]], [[13, 14], [17, 18]]],
    ]
    epoch = begin_at_one(streams)
    assert [[array.tolist() for array in streams.window(epoch, step)] for step in range(2)] == [
        [[[11, 12], [15, 16]], [[12, 13], [16, 17]]],
        [[[13, 14], [17, 18]], [[14, 15], [18, 19]]],
    ]


def test_a_window_is_set_aside_by_hand():
    """Nine tokens would fill two steps of four; one step leaves room for offsets from 0 to 4."""
    streams = Streams(TEN[:9], batch_size=2, unroll_steps=2, seed=1)
    assert streams.steps_per_epoch == 1
    assert {streams.offset(epoch) for epoch in range(100)} == set(range(5))
    tokens, targets = streams.window(begin_at_one(streams), 0)
    assert tokens.tolist() == [[11, 12], [13, 14]]
    assert targets.tolist() == [[12, 13], [14, 15]]


def test_the_whole_text_in_one_step_by_hand():
    """Three streams of three tokens use all of ten tokens, so every epoch starts at 0."""
    streams = Streams(TEN, batch_size=3, unroll_steps=3, seed=1)
    assert streams.steps_per_epoch == 1
    for epoch in range(5):
        tokens, targets = streams.window(epoch, 0)
        assert tokens.tolist() == [[10, 11, 12], [13, 14, 15], [16, 17, 18]]
        assert targets.tolist() == [[11, 12, 13], [14, 15, 16], [17, 18, 19]]
        assert tokens.dtype == targets.dtype == np.int32


@given(size=sizes, seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 10**6))
def test_an_epoch_of_windows_is_contiguous_text(size, seed, epoch):
    """A stream's windows are contiguous, the targets are shifted by one, and each stream starts where the last one ends."""
    length, batch_size, unroll_steps = size
    ids = np.arange(length, dtype=np.uint16)
    assume(length > batch_size * unroll_steps)
    streams = Streams(ids, batch_size, unroll_steps, seed)
    windows = [streams.window(epoch, step) for step in range(streams.steps_per_epoch)]
    tokens, targets = (np.concatenate(arrays, axis=1) for arrays in zip(*windows, strict=True))
    begin = streams.offset(epoch)
    assert tokens.ravel().tolist() == list(range(begin, begin + tokens.size))
    np.testing.assert_array_equal(targets, tokens + 1)
    assert targets[-1, -1] < length
    # no further step would have fitted beside the window that is set aside
    assert length - unroll_steps - tokens.size < streams.tokens_per_step


@given(size=sizes, seed=st.integers(0, 2**31 - 1))
def test_epochs_begin_within_the_text(size, seed):
    """The offset leaves room for a whole epoch."""
    length, batch_size, unroll_steps = size
    assume(length > batch_size * unroll_steps)
    streams = Streams(np.zeros(length, np.uint8), batch_size, unroll_steps, seed)
    room = length - 1 - streams.steps_per_epoch * streams.tokens_per_step
    assert all(0 <= streams.offset(epoch) <= room for epoch in range(20))


@given(size=sizes)
def test_windows_are_cut_at_as_many_places_as_they_are_long(size):
    """If the text has a window to spare, an epoch has at least `unroll_steps` possible offsets."""
    length, batch_size, unroll_steps = size
    assume(length >= batch_size * unroll_steps + unroll_steps)
    streams = Streams(np.zeros(length, np.uint8), batch_size, unroll_steps, seed=1)
    offsets = {streams.offset(epoch) for epoch in range(1000)}
    assert {offset % unroll_steps for offset in offsets} == set(range(unroll_steps))


def test_over_some_epochs_every_token_is_learned():
    """The unused tokens differ from epoch to epoch: all offsets occur, and no target is always left out."""
    streams = Streams(np.arange(30), batch_size=2, unroll_steps=5, seed=3)
    offsets = {streams.offset(epoch) for epoch in range(200)}
    assert offsets == set(range(10))
    learned = {target for epoch in range(200) for step in (0, 1) for target in streams.window(epoch, step)[1].flat}
    assert learned == set(range(1, 30))


def test_the_seed_decides_where_epochs_begin():
    """The seed decides the order of offsets."""
    offsets = [
        [Streams(np.arange(100), 2, 7, seed).offset(epoch) for epoch in range(10)] for seed in (1, 2, 1, 2**31 - 1)
    ]
    assert offsets[0] == offsets[2]
    assert offsets[0] != offsets[1] != offsets[3]


@given(order=st.permutations([(epoch, step) for epoch in range(3) for step in range(4)]), seed=st.integers(0, 100))
def test_a_window_depends_on_its_position_alone(order, seed):
    """A window is the same in whatever order windows are read, and from any object."""
    ids = np.random.default_rng(7).integers(0, 50, 68).astype(np.uint8)
    straight = Streams(ids, 4, 4, seed)
    expected = {(epoch, step): straight.window(epoch, step) for epoch in range(3) for step in range(4)}
    streams = Streams(ids, 4, 4, seed)
    for position in order:
        np.testing.assert_array_equal(streams.window(*position), expected[position])


def test_a_text_too_short_for_one_step_has_no_streams():
    """The shortest text has a token more than one step learns from."""
    assert Streams(TEN, batch_size=3, unroll_steps=3, seed=1).steps_per_epoch == 1
    with pytest.raises(
        DataError, match=r"^the training text is too short: it has 9 tokens, .* 3 x 3 tokens needs 10; "
    ):
        Streams(TEN[:9], batch_size=3, unroll_steps=3, seed=1)


def test_streams_need_no_tensorflow():
    """A process that reads only its own streams of the ids loads neither TensorFlow nor Keras."""
    program = (
        "import sys, numpy, textgen.dataset\n"
        "from textgen.dataset.streams import Streams\n"
        "Streams(numpy.arange(100), 2, 5, 1).window(0, 1)\n"
        "print(sorted({'keras', 'tensorflow'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout == "[]\n"


def test_a_short_validation_text_is_one_stream_by_hand():
    """A text shorter than a window becomes one padded window, in which all tokens but the first are targets."""
    (window,) = validation_windows(TEN, 1)
    assert window.tokens.shape == (1, VALIDATION_WINDOW)
    assert window.tokens[0, :11].tolist() == [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 0]
    assert window.targets[0, :10].tolist() == [11, 12, 13, 14, 15, 16, 17, 18, 19, 0]
    assert window.mask[0].tolist() == [1] * 9 + [0] * (VALIDATION_WINDOW - 9)


def test_the_second_of_two_streams_reads_what_stands_before_its_part():
    """A stream's first 128 tokens are not scored, and its first scored token is the first of its part."""
    ids = np.arange(1000, 1600, dtype=np.uint16)
    windows = list(validation_windows(ids, 2))
    assert windows[0].tokens[:, 0].tolist() == [1000, 1300 - 128]
    assert [window.mask[1].any() for window in windows[:3]] == [False, True, True]
    assert windows[1].targets[1][windows[1].mask[1] == 1].tolist() == [1300]


@given(length=st.integers(2, 3000), most=st.integers(1, 20))
def test_every_token_after_the_first_is_scored_once(length, most):
    """For any sizes, the scored targets are the text without its first token, each after the token before it."""
    ids = np.arange(1, length + 1, dtype=np.uint16)
    streams = validation_streams(length, most)
    assert 1 <= streams <= most
    windows = list(validation_windows(ids, streams))
    for window in windows:
        assert window.tokens.shape == window.targets.shape == window.mask.shape == (streams, VALIDATION_WINDOW)
        assert window.tokens.dtype == window.targets.dtype == np.int32
        assert window.mask.dtype == np.float32

    tokens, targets, mask = (
        np.concatenate([getattr(window, name) for window in windows], axis=1) for name in ("tokens", "targets", "mask")
    )
    assert set(mask.flat) <= {0.0, 1.0}
    scored = mask == 1
    np.testing.assert_array_equal(targets[scored], tokens[scored] + 1)
    np.testing.assert_array_equal(targets[:, :-1], tokens[:, 1:])
    assert sorted(targets[scored].tolist()) == ids[1:].tolist()
    assert scored[:, -VALIDATION_WINDOW:].any()  # no window is all padding
    for row in range(streams):
        first = int(np.argmax(scored[row]))
        assert first >= min(127, int(targets[row, first]) - 2)


def test_validation_reads_a_window_at_a_time(tmp_path):
    """However long the text on disk is, only one window of it is in memory."""
    path = tmp_path / "ids"
    path.write_bytes(bytes(2_000_000))
    ids = np.memmap(path, np.uint8, mode="r")
    tracemalloc.start()
    try:
        for window in validation_windows(ids, 10):
            assert window.mask.shape == (10, VALIDATION_WINDOW)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


@given(sizes, st.integers(1, 6), st.integers(0, 5), st.integers(0, 3))
def test_a_part_of_the_ids_is_enough_for_some_streams(size, parts, part, epoch):
    """The windows of some streams, of any epoch, are the same whether they are cut from the whole text or from `part` of it."""
    tokens, height, window = size
    batch = parts * height
    assume(tokens > batch * window)
    assume(part < parts)
    ids = np.random.default_rng(tokens).integers(0, 200, tokens, np.uint8)
    whole = Streams(ids, batch, window, seed=1)
    rows = slice(part * height, (part + 1) * height)
    begin, end = Streams(PartOfIds(tokens), batch, window, seed=1).part(rows)
    assert 0 <= begin < end <= tokens
    some = Streams(PartOfIds(tokens, ids[begin:end], begin), batch, window, seed=1)
    for step in range(whole.steps_per_epoch):
        for expected, found in zip(whole.window(epoch, step, rows), some.window(epoch, step, rows), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_the_parts_of_all_streams_hardly_overlap():
    """Together, the parts have little more than the ids of the text."""
    streams = Streams(PartOfIds(100_000), 16, 64, seed=1)
    parts = [streams.part(slice(first, first + 4)) for first in range(0, 16, 4)]
    assert sum(end - begin for begin, end in parts) < 1.05 * 100_000
