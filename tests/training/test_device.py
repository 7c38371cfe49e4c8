import pytest
import tensorflow as tf

from textgen.errors import UnavailableError
from textgen.training.device import check_precision, choose_device, describe_gpus

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
