import pytest
import tensorflow as tf

from textgen.errors import UnavailableError
from textgen.training.device import choose_device, describe_gpus

DRIVER = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: 12.2.0\n"
)
OPEN_DRIVER = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n"


def test_gpus_are_described():
    """How many, of which kind, with which driver and libraries."""
    details = [{"device_name": "NVIDIA L4", "compute_capability": (8, 9)}] * 2
    build = {"cuda_version": "12.5.1", "cudnn_version": "9"}
    expected = "2 x NVIDIA L4 (compute capability 8.9), driver {}, CUDA 12.5.1, cuDNN 9"
    assert describe_gpus(details, build, DRIVER) == expected.format("550.54.15")
    assert describe_gpus(details, build, OPEN_DRIVER) == expected.format("570.86.15")


def test_what_is_not_known_is_said():
    """A driver that says nothing and a build without versions are no failure."""
    unknown = "1 x GPU (compute capability unknown), driver unknown, CUDA unknown, cuDNN unknown"
    assert describe_gpus([{}], {}, "") == unknown


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU here")
def test_without_a_gpu():
    """The CPU is taken where anything is right; a GPU that is asked for is missed in one line."""
    assert choose_device("auto").startswith("the CPU, ")
    with pytest.raises(UnavailableError, match=r"^--device is gpu, and TensorFlow sees none; [^\n]*--device auto$"):
        choose_device("gpu")
