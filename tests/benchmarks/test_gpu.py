import importlib
from pathlib import Path

import pytest

from textgen.config import TrainingConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu")


@pytest.fixture
def recorded(gpu):
    """A function that makes a profile of a GPU from the begin and end of each kernel in nanoseconds, by stream."""
    del gpu  # has made the folder importable
    xplane = importlib.import_module("device_profile").xplane_pb2

    def make(*streams, name="volta_sgemm_128x64_tn"):
        space = xplane.XSpace()
        space.planes.add(name="/host:CPU").lines.add(name="Stream").events.add(offset_ps=10**15, duration_ps=1)
        plane = space.planes.add(name="/device:GPU:0")
        plane.event_metadata[1].name = name
        plane.lines.add(name="Steps").events.add(duration_ps=10**15)
        for number, spans in enumerate(streams):
            line = plane.lines.add(name=f"Stream #{number}(Compute)", timestamp_ns=1000 * number)
            for begin, end in spans:
                line.events.add(
                    metadata_id=1, offset_ps=1000 * (begin - 1000 * number), duration_ps=1000 * (end - begin)
                )
        return space

    return make


def config(**settings):
    return TrainingConfig(lstm_state_size=10, embedding_size=7, batch_size=4, unroll_steps=25, **settings)


@pytest.mark.parametrize(
    ("vocabulary_size", "on_gpu", "first_input"),
    [
        (50, False, 7 * 40 / 2),  # 50 rows of the table instead of 100 tokens
        (100, False, 7 * 40),
        (300, False, 7 * 40),  # a table of all tokens would be larger than the windows, so it is not made
        (50, True, 7 * 40),  # cuDNN multiplies every token
    ],
)
def test_the_first_layer_counts_the_rows_that_it_multiplies(gpu, vocabulary_size, on_gpu, first_input):
    """The input product of a folded embedding counts once per step, not once per token."""
    found = gpu.weights_per_token(config(layers=1), vocabulary_size, on_gpu=on_gpu)
    assert found == pytest.approx(first_input + 10 * 40 + 10 * vocabulary_size)


def test_later_layers_multiply_every_token(gpu):
    """A second layer adds its input kernel and its recurrent kernel, on any device."""
    one, two = (gpu.weights_per_token(config(layers=layers), 50, on_gpu=False) for layers in (1, 2))
    assert two - one == pytest.approx(2 * 10 * 40)


def test_a_gpu_waits_while_no_stream_has_a_kernel(gpu, recorded):
    """Overlapping kernels of several streams count once, and lines that repeat them in groups do not count."""
    assert gpu.idle_share(recorded([(0, 400), (300, 500)], [(1100, 2000)])) == pytest.approx(600 / 2000)
    assert gpu.idle_share(recorded([(0, 2000)], [(1100, 1200)])) == 0


def test_a_cpu_has_no_idle_share(gpu, recorded):
    """A profile without a GPU's kernels has no share."""
    assert gpu.idle_share(recorded()) is None


def test_cudnn_is_found_by_the_names_of_operations(gpu, recorded):
    """An operation of cuDNN anywhere in the profile counts."""
    assert gpu.uses_cudnn(recorded(name="lstm/CudnnRNNV3:CudnnRNNV3"))
    assert not gpu.uses_cudnn(recorded())


def test_the_fit_uses_the_shapes_of_one_number_of_streams(gpu):
    """Exact times per token give back their formula, whatever another number of streams took."""

    def result(batch, weights, seconds):
        return gpu.Result(f"1/1/1/{batch}", "float32", 1 / seconds, 0.5, weights, cudnn=True, idle=0.0)

    exact = [result(64, weights, 2e-6 + 3e-12 * weights) for weights in (1e5, 1e6, 1e7)]
    assert gpu.fit([*exact, result(8, 1e6, 1)]) == pytest.approx((2e-6, 3e-12))
