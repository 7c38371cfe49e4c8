"""Records training with TensorFlow's profiler, and finds in the record what a GPU does. For `gpu.py` and `profile_step.py`."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

GPU_PLANE = "/device:GPU:"
CUDNN_OPERATION = "CudnnRNN"
"""Part of the names of TensorFlow's operations that run an LSTM by cuDNN."""


def record(run: Callable[[], None]) -> Any:
    """Runs a function under the profiler, and returns the recorded XSpace."""
    with tempfile.TemporaryDirectory() as directory:
        tf.profiler.experimental.start(directory)
        run()
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        [written] = Path(directory).rglob("*.xplane.pb")
        space.ParseFromString(written.read_bytes())
    return space


def idle_share(space: Any) -> float | None:
    """Returns the share of the time between the first and the last kernel in which no kernel ran on the first GPU.

    Args:
        space: the result of `record`.

    Returns:
        The share, from 0 to 1; None if no GPU was recorded.
    """
    plane = next((plane for plane in space.planes if plane.name.startswith(GPU_PLANE)), None)
    spans = sorted(_kernels(plane)) if plane else []
    if not spans:
        return None
    busy, end = 0, spans[0][0]
    for begin, finish in spans:
        busy += max(0, finish - max(begin, end))
        end = max(end, finish)
    return 1 - busy / (end - spans[0][0])


def uses_cudnn(space: Any) -> bool:
    """Returns whether cuDNN ran the LSTM layers."""
    names = itertools.chain.from_iterable(plane.event_metadata.values() for plane in space.planes)
    return any(CUDNN_OPERATION in metadata.name for metadata in names)


def _kernels(plane: Any) -> Iterator[tuple[int, int]]:
    """Yields begin and end of all kernels and copies, in picoseconds. Lines that are no stream repeat them in groups."""
    for line in plane.lines:
        if line.name.startswith("Stream"):
            start = 1000 * line.timestamp_ns
            for event in line.events:
                yield start + event.offset_ps, start + event.offset_ps + event.duration_ps
