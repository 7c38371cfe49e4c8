import pytest
import tensorflow as tf

from textgen.errors import UnavailableError, UsageError
from textgen.training.device import check_precision, choose_count, choose_device, describe_gpus

DRIVER = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12.2.0\n"
)
OPEN_DRIVER = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n"


def test_gpus_are_described():
    """The description has the number of GPUs, their kind, the driver and the libraries."""
    details = [{"device_name": "NVIDIA L4", "compute_capability": (8, 9)}] * 2
    build = {"cuda_version": "12.5.1", "cudnn_version": "9"}
    expected = "2 x NVIDIA L4 (compute capability 8.9), driver {}, CUDA 12.5.1, cuDNN 9"
    assert describe_gpus(details, build, DRIVER) == expected.format("550.54.15")
    assert describe_gpus(details, build, OPEN_DRIVER) == expected.format("570.86.15")


def test_what_is_not_known_is_said():
    """A missing driver version or build information is shown as unknown."""
    unknown = "1 x GPU (compute capability unknown), driver unknown, CUDA unknown, cuDNN unknown"
    assert describe_gpus([{}], {}, "") == unknown


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU here")
def test_without_a_gpu():
    """Without a GPU, `auto` takes the CPU, and `gpu` is refused with advice that does not install PyPI's other textgen."""
    assert choose_device("auto").startswith("the CPU, ")
    with pytest.raises(
        UnavailableError,
        match=r"^device gpu needs a GPU, and TensorFlow finds none; [^\n]* run pip install '\.\[gpu\]' in [^\n]*device auto$",
    ):
        choose_device("gpu")


@pytest.fixture
def machine(monkeypatch):
    """A function that gives TensorFlow a number of GPUs, and returns a list of those that it is told to use."""
    visible = []

    def pretend(gpus):
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: list(range(gpus)))
        monkeypatch.setattr(tf.config, "set_visible_devices", lambda used, _: visible.extend(used))
        return visible

    return pretend


@pytest.mark.parametrize(
    ("gpus", "devices", "batch_size", "count"),
    [
        *[(8, None, 64, 8), (8, None, 12, 6), (8, None, 7, 7), (8, None, 11, 1), (3, None, 16, 2), (1, None, 16, 1)],
        *[
            (8, "all", 16, 8),
            (8, 2, 16, 2),
            (8, 1, 16, 1),
            (1, "all", 16, 1),
            (0, None, 16, 1),
            (0, "all", 16, 1),
            (0, 1, 16, 1),
        ],
    ],
)
def test_devices_share_the_batch(machine, gpus, devices, batch_size, count):
    """Without a request, the largest number of GPUs that divides the batch trains; the others stay hidden from TensorFlow."""
    visible = machine(gpus)
    assert choose_count(devices, batch_size)[0] == count
    assert visible == list(range(min(count, gpus)))


def test_idle_gpus_are_reported(machine):
    """If the batch leaves GPUs idle, the remark has the batch that uses them all; a request for fewer GPUs gives no such remark."""
    machine(8)
    assert choose_count(None, 12)[1] == (
        "6 of 8 GPUs train, because no more of them can share the 12 streams of a step equally; \0batch_size 16 uses all"
    )
    assert choose_count(4, 12)[1] == "4 devices share the 12 streams of each step"
    assert choose_count(1, 12)[1] == ""


def test_several_processes_share_the_joint_batch(machine):
    """The messages about several processes give the streams of all, and sizes that all of their devices can share."""
    machine(4)
    assert choose_count(None, 12, processes=2) == (
        3,
        "3 of 4 GPUs train, because no more of them can share the 12 streams of a step equally; \0batch_size 16 uses all",
    )
    assert choose_count(2, 12, processes=3)[1] == "2 devices in each of 3 workers share the 12 streams of each step"
    with pytest.raises(
        UsageError,
        match=r"^batch_size must be a multiple of the number of devices, 4 in each of 2 workers, got 12; use batch_size 16, or devices 3$",
    ):
        choose_count(4, 12, processes=2)
    with pytest.raises(
        UsageError,
        match=r"^batch_size must be a multiple of the number of workers, 8, got 12; use batch_size 32, or workers 6$",
    ):
        choose_count(4, 12, processes=8)


def test_devices_beyond_those_of_the_machine_are_refused(machine):
    """More devices than TensorFlow finds are refused, and so are devices that cannot share the batch."""
    machine(2)
    with pytest.raises(
        UnavailableError,
        match=r"^devices must be at most 2, got 4: TensorFlow finds 2 GPUs; use devices all, or leave it out$",
    ):
        choose_count(4, 16)
    with pytest.raises(
        UsageError,
        match=r"^batch_size must be a multiple of the number of devices, 2, got 5; use batch_size 6, or devices 1$",
    ):
        choose_count("all", 5)
    machine(0)
    with pytest.raises(
        UnavailableError,
        match=r"^devices must be at most 1, got 2: TensorFlow finds no GPU, and the cores of a CPU are one device; ",
    ):
        choose_count(2, 16)


T4 = {"device_name": "Tesla T4", "compute_capability": (7, 5)}
L4 = {"device_name": "NVIDIA L4", "compute_capability": (8, 9)}


def test_a_precision_that_a_gpu_lacks_is_refused():
    """bfloat16 needs compute capability 8.0, and every GPU must have it."""
    with pytest.raises(UnavailableError, match=r"^precision is mixed_bfloat16, [^\n]*8\.0, and Tesla T4 has 7\.5; use"):
        check_precision("mixed_bfloat16", [L4, T4])
    with pytest.raises(UnavailableError, match="mixed_float16"):
        check_precision("mixed_float16", [{"device_name": "old", "compute_capability": (5, 0)}])


@pytest.mark.parametrize("details", [[], [L4], [T4], [{}]])
def test_single_precision_is_had_everywhere(details):
    """float32 gives no remark on any device."""
    assert check_precision("float32", details) == ""


def test_a_cpu_may_compute_in_half_precision_and_is_told_what_that_costs():
    """Mixed precision on a CPU gives a remark, not an error; on a GPU that supports it, nothing."""
    assert "slower" in check_precision("mixed_bfloat16", [])
    assert check_precision("mixed_bfloat16", [L4, {}]) == check_precision("mixed_float16", [T4]) == ""
