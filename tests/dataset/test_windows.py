import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.dataset import Streams, encoding, training_windows

IDS = np.random.default_rng(1).integers(0, 50, 67).astype(np.uint8)
STREAMS = Streams(IDS, batch_size=3, unroll_steps=5, seed=1)  # four steps an epoch


def take(dataset, count):
    return [({name: array.numpy() for name, array in inputs.items()}, y.numpy()) for inputs, y in dataset.take(count)]


def assert_same(windows, expected):
    assert len(windows) == len(expected)
    for (inputs, targets), (other_inputs, other_targets) in zip(windows, expected, strict=True):
        np.testing.assert_array_equal(inputs["tokens"], other_inputs["tokens"])
        np.testing.assert_array_equal(inputs["keep"], other_inputs["keep"])
        np.testing.assert_array_equal(targets, other_targets)


def test_the_dataset_is_the_windows_of_the_streams_in_order():
    """The dataset yields the windows of `Streams.window` in order, epoch after epoch, without end."""
    assert STREAMS.steps_per_epoch == 4
    windows = take(training_windows(STREAMS, 0, 0), 14)
    for number, (inputs, targets) in enumerate(windows):
        expected_tokens, expected_targets = STREAMS.window(epoch=number // 4, step=number % 4)
        np.testing.assert_array_equal(inputs["tokens"], expected_tokens)
        np.testing.assert_array_equal(targets, expected_targets)


def test_states_are_reset_in_every_epoch():
    """The states are reset (keep 0) in the first window of each epoch, for all streams, and in no other window."""
    windows = take(training_windows(STREAMS, 0, 0), 10)
    assert [inputs["keep"].ravel().tolist() for inputs, _ in windows] == [
        [float(step % 4 > 0)] * 3 for step in range(10)
    ]


@pytest.mark.parametrize(("continues", "first"), [(True, 1.0), (False, 0.0)])
def test_in_the_middle_the_first_window_keeps_what_it_is_told(continues, first):
    """In mid-epoch the first keep follows `continues`; the others are unaffected."""
    windows = take(training_windows(STREAMS, 2, 2, continues=continues), 4)
    assert [float(inputs["keep"][0, 0]) for inputs, _ in windows] == [first, 1.0, 0.0, 1.0]


@settings(max_examples=10)
@given(epoch=st.integers(0, 2), step=st.integers(0, 3))
def test_resuming_is_skipping(epoch, step):
    """Resuming from a position yields the windows that an uninterrupted run sees there."""
    skipped = epoch * 4 + step
    straight = take(training_windows(STREAMS, 0, 0), skipped + 6)[skipped:]
    assert_same(take(training_windows(STREAMS, epoch, step, continues=step > 0), 6), straight)


@pytest.mark.parametrize("rows", [[slice(0, 1), slice(1, 2), slice(2, 3)], [slice(1, 3), slice(0, 2)], [slice(2, 3)]])
def test_each_replica_gets_its_own_rows(rows):
    """Each step gives one element per replica, in order, with the replica's rows of the window, across the ends of epochs too."""
    whole = take(training_windows(STREAMS, 1, 2, continues=True), 4)
    parts = take(training_windows(STREAMS, 1, 2, continues=True, rows=rows), 4 * len(rows))
    assert_same(
        parts,
        [
            ({name: ids[each] for name, ids in inputs.items()}, targets[each])
            for inputs, targets in whole
            for each in rows
        ],
    )


def test_one_step_an_epoch():
    """If an epoch is a single window, every window resets the state."""
    streams = Streams(IDS[:17], batch_size=3, unroll_steps=5, seed=1)
    windows = take(training_windows(streams, 0, 0), 5)
    assert [inputs["keep"].tolist() for inputs, _ in windows] == [[[0.0]] * 3] * 5
    for epoch, (inputs, _) in enumerate(windows):
        np.testing.assert_array_equal(inputs["tokens"], streams.window(epoch, 0)[0])


def test_shapes_are_static():
    """All shapes are static, which a stateful LSTM needs."""
    assert training_windows(STREAMS, 0, 0).element_spec == (
        {"tokens": tf.TensorSpec((3, 5), tf.int32), "keep": tf.TensorSpec((3, 1), tf.float32)},
        tf.TensorSpec((3, 5), tf.int32),
    )
    ((inputs, targets),) = take(training_windows(STREAMS, 0, 0), 1)
    assert inputs["tokens"].dtype == targets.dtype == np.int32
    assert inputs["keep"].dtype == np.float32


def test_a_dataset_can_be_read_twice():
    """Each iteration over the dataset starts at its position."""
    dataset = training_windows(STREAMS, 1, 3)
    assert_same(take(dataset, 3), take(dataset, 3))


def test_autotuning_is_off():
    """Autotuning is off, because ending an autotuned iterator can stall."""
    assert training_windows(STREAMS, 0, 0).options().autotune.enabled is False
    assert encoding.data_options().autotune.enabled is False
