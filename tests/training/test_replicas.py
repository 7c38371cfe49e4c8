"""Several devices give the results of one. They are virtual devices of the CPU, in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textgen.generation import TextGenerator, read_model
from textgen.jobs import CheckpointStore, JobDirectory

ROOT = Path(__file__).parents[2]

WORDS = {"language_model": "word", "embedding_size": 5, "num_proj": 4}
# A normalised cell amplifies rounding, on one device too, if it has few units, or if Adam scales up gradients that are zero but for rounding.
NORMALISED = {"layer_norm": True, "lstm_state_size": 32, "optimizer": "sgd", "learning_rate": 0.2}
HALF = {"precision": "mixed_float16", "optimizer": "sgd", "learning_rate": 0.2}
CELLS: dict[str, dict[str, Any]] = {"plain": {"layers": 2}, "words": WORDS, "normalised": NORMALISED, "half": HALF}

COMMON: dict[str, Any] = {"dropout": 0.0, "clip_gradients": 0.05, "lr_decay_steps": 1000, "learning_rate": 0.006}


def steps(number, devices, **settings):
    """Returns the settings of a run up to a step, on a number of devices."""
    return {**COMMON, **settings, "max_steps": number, "devices": devices}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function that trains jobs on virtual devices, and returns their folder and what the process has printed."""

    def train(jobs):
        place = tmp_path_factory.mktemp("replicas")
        command = [sys.executable, "-m", "tests.training.on_virtual_devices", str(place), json.dumps(jobs)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ}, check=False, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return place, json.loads(done.stdout)

    return train


def tensors_at(place, job):
    """Returns the newest checkpoint's tensors."""
    store = CheckpointStore(JobDirectory(place / job).checkpoints)
    return store.read(store.steps()[0]).tensors


def assert_equal(found, expected):
    """Checks that two checkpoints have the same tensors, to 1e-4. The order of sums differs, and metrics are sums of 10 steps."""
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(
            found[name], expected[name], rtol=0, atol=1e-3 if name.startswith("metrics/") else 1e-4, err_msg=name
        )


@pytest.fixture(scope="module")
def plain(trained):
    """Jobs of a plain model on one device, on two, and on four and then fewer."""
    return trained(
        {
            "one": [steps(50, 1)],
            "two": [steps(50, 2)],
            "moved": [steps(20, None), steps(40, 2), steps(50, 1)],
        }
    )


def test_two_devices_make_the_weights_of_one(plain):
    """After 50 steps with clipping, weights, slots, metrics and the states of all streams are equal to 1e-4."""
    place, printed = plain
    assert_equal(tensors_at(place, "two"), tensors_at(place, "one"))
    assert "2 devices share the 4 streams of each step" in printed["messages"]["two"]
    assert "devices" not in printed["messages"]["moved"]


def test_a_job_resumes_on_another_number_of_devices(plain):
    """A job that moves from four devices to two and to one gets the weights of one device, because checkpoints contain the states of all streams."""
    place, _ = plain
    states = tensors_at(place, "moved")["states/lstm_0/0"]
    assert states.shape == (4, 8)
    assert_equal(tensors_at(place, "moved"), tensors_at(place, "one"))


def test_a_model_of_several_devices_writes_text(plain):
    """The model file of a job on two devices is like any other."""
    place, _ = plain
    written = "".join(TextGenerator(read_model(JobDirectory(place / "two").model)).generate("The ", length=20, seed=1))
    assert len(written) == 20


def test_each_device_has_its_own_dropout_masks(plain):
    """The devices keep different values, and other ones in the next call, although they have the same seed."""
    _, printed = plain
    masks = [tuple(mask) for call in printed["masks"] for [mask] in call]
    assert len(set(masks)) == 4
    assert all(8 < sum(mask) < 56 for mask in masks)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("devices", [2, 4])
def test_each_cell_is_the_same_on_several_devices(trained, cell, devices):
    """After 50 steps with clipping, and with loops and updates that XLA compiles, all tensors are equal to 1e-4."""
    one, several = (steps(50, number, **CELLS[cell], compiled=True) for number in (1, devices))
    place, _ = trained({"one": [one], "several": [several]})
    assert_equal(tensors_at(place, "several"), tensors_at(place, "one"))


@pytest.mark.slow
def test_an_interrupted_job_on_two_devices_is_repeated_bit_for_bit(trained):
    """With `--deterministic` and dropout, weights, slots, states and generators are those of an uninterrupted job on two devices."""
    options = {"deterministic": True, "dropout": 0.3}
    place, printed = trained(
        {
            "straight": [steps(30, 2, **options)],
            "interrupted": [steps(13, 2, **options), steps(30, 2, **options)],
            "moved": [steps(13, 2, **options), steps(14, 1, **options)],
        }
    )
    straight, interrupted = (tensors_at(place, job) for job in ("straight", "interrupted"))
    metrics = {name for name in straight if name.startswith("metrics/")}  # an evaluation at step 13 starts new averages
    for name in straight.keys() - metrics:
        assert straight[name].tobytes() == interrupted[name].tobytes(), name
    warning = "the job started with devices 2 (now 1); its results may differ in the last bits"
    assert [warning in printed["messages"][job] for job in ("interrupted", "moved")] == [False, True]
