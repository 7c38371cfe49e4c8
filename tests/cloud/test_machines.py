import contextlib

import pytest

from textgen.cloud.machines import _BUILT_IN, ACCELERATORS, find_machine
from textgen.config.vertex import MACHINES, Machine, VertexConfig
from textgen.errors import UsageError


def test_each_preset_is_a_valid_machine():
    """Each preset has the GPUs of its name."""
    gpus = {name: (machine.accelerator, machine.count) for name, machine in MACHINES.items()}
    assert gpus == {
        "cpu": (None, 0),
        "t4": ("NVIDIA_TESLA_T4", 1),
        "l4": ("NVIDIA_L4", 1),
        "a100": ("NVIDIA_TESLA_A100", 1),
        "8xa100": ("NVIDIA_TESLA_A100", 8),
        "h100": ("NVIDIA_H100_80GB", 1),
    }
    for name, machine in MACHINES.items():
        assert find_machine(VertexConfig(machine=name, spot=True)) == machine


@pytest.mark.cloud
def test_each_accelerator_is_in_the_library():
    """Google's library, which makes the requests, has each of the accelerators."""
    from google.cloud.aiplatform_v1 import AcceleratorType

    assert set(ACCELERATORS) <= set(AcceleratorType.__members__)


GPUS = {
    "a2-highgpu-1g": (1, "NVIDIA_TESLA_A100"),
    "a2-highgpu-2g": (2, "NVIDIA_TESLA_A100"),
    "a2-highgpu-4g": (4, "NVIDIA_TESLA_A100"),
    "a2-highgpu-8g": (8, "NVIDIA_TESLA_A100"),
    "a2-megagpu-16g": (16, "NVIDIA_TESLA_A100"),
    "a2-ultragpu-1g": (1, "NVIDIA_A100_80GB"),
    "a2-ultragpu-2g": (2, "NVIDIA_A100_80GB"),
    "a2-ultragpu-4g": (4, "NVIDIA_A100_80GB"),
    "a2-ultragpu-8g": (8, "NVIDIA_A100_80GB"),
    "a3-highgpu-1g": (1, "NVIDIA_H100_80GB"),
    "a3-highgpu-2g": (2, "NVIDIA_H100_80GB"),
    "a3-highgpu-4g": (4, "NVIDIA_H100_80GB"),
    "a3-highgpu-8g": (8, "NVIDIA_H100_80GB"),
    "a3-megagpu-8g": (8, "NVIDIA_H100_MEGA_80GB"),
    "a3-ultragpu-8g": (8, "NVIDIA_H200_141GB"),
    "a4-highgpu-8g": (8, "NVIDIA_B200"),
    "g2-standard-4": (1, "NVIDIA_L4"),
    "g2-standard-8": (1, "NVIDIA_L4"),
    "g2-standard-12": (1, "NVIDIA_L4"),
    "g2-standard-16": (1, "NVIDIA_L4"),
    "g2-standard-24": (2, "NVIDIA_L4"),
    "g2-standard-32": (1, "NVIDIA_L4"),
    "g2-standard-48": (4, "NVIDIA_L4"),
    "g2-standard-96": (8, "NVIDIA_L4"),
    "g4-standard-48": (1, "NVIDIA_RTX_PRO_6000"),
    "g4-standard-96": (2, "NVIDIA_RTX_PRO_6000"),
    "g4-standard-192": (4, "NVIDIA_RTX_PRO_6000"),
    "g4-standard-384": (8, "NVIDIA_RTX_PRO_6000"),
}
"""The machine types with built-in GPUs (Vertex AI's documentation, "Configure compute resources for custom training")."""


@pytest.mark.parametrize("machine_type", GPUS)
def test_the_gpus_of_a_machine_type_are_known(machine_type):
    """Each machine type has the number and the kind of GPUs of Google's documentation; no other number is accepted."""
    number, gpu = GPUS[machine_type]
    assert find_machine(VertexConfig(machine_type=machine_type, spot=True)) == Machine(machine_type, gpu, number)
    for other in {1, 2, 3, 4, 8, 16} - {number}:
        with pytest.raises(UsageError, match=f"{machine_type} comes with {number} x {gpu}, got --count {other}"):
            find_machine(VertexConfig(machine_type=machine_type, spot=True, count=other))


def test_no_other_machine_type_has_built_in_gpus():
    """The table has no more series and sizes than the documentation."""
    assert {f"{series}-{size}" for series, (_, sizes) in _BUILT_IN.items() for size in sizes} == set(GPUS)


@pytest.mark.parametrize("processors", [1, 2, 4, 8, 16, 32, 64, 96])
def test_the_t4_of_an_n1_machine_are_known(processors):
    """An n1 machine takes 1, 2 or 4 T4, a large one only 2 or 4, and the smallest none (the same page)."""
    accepted = set()
    for number in range(1, 9):
        with contextlib.suppress(UsageError):
            found = find_machine(VertexConfig(machine="t4", machine_type=f"n1-standard-{processors}", count=number))
            assert found == Machine(f"n1-standard-{processors}", "NVIDIA_TESLA_T4", number)
            accepted.add(number)
    assert accepted == {1: set(), 32: {2, 4}, 64: {4}, 96: {4}}.get(processors, {1, 2, 4})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"machine_type": "g2-standard-24"}, Machine("g2-standard-24", "NVIDIA_L4", 2)),
        ({"machine_type": "a2-ultragpu-2g"}, Machine("a2-ultragpu-2g", "NVIDIA_A100_80GB", 2)),
        ({"machine_type": "a2-megagpu-16g"}, Machine("a2-megagpu-16g", "NVIDIA_TESLA_A100", 16)),
        ({"machine_type": "a3-highgpu-8g"}, Machine("a3-highgpu-8g", "NVIDIA_H100_80GB", 8)),
        ({"machine_type": "a3-highgpu-2g", "flex_start": True}, Machine("a3-highgpu-2g", "NVIDIA_H100_80GB", 2)),
        ({"machine_type": "a3-ultragpu-8g"}, Machine("a3-ultragpu-8g", "NVIDIA_H200_141GB", 8)),
        ({"machine_type": "g4-standard-48"}, Machine("g4-standard-48", "NVIDIA_RTX_PRO_6000", 1)),
        ({"machine_type": "g4-standard-96"}, Machine("g4-standard-96", "NVIDIA_RTX_PRO_6000", 2)),
        ({"machine_type": "g4-standard-192"}, Machine("g4-standard-192", "NVIDIA_RTX_PRO_6000", 4)),
        ({"machine_type": "g4-standard-384"}, Machine("g4-standard-384", "NVIDIA_RTX_PRO_6000", 8)),
        ({"machine_type": "n1-standard-4", "machine": "cpu"}, Machine("n1-standard-4")),
        ({"machine_type": "n1-standard-16", "machine": "t4"}, Machine("n1-standard-16", "NVIDIA_TESLA_T4", 1)),
        ({"machine_type": "n2-highmem-4"}, Machine("n2-highmem-4")),
        ({"machine_type": "n4-standard-8", "machine": "cpu"}, Machine("n4-standard-8")),
        (
            {"machine_type": "n1-standard-4", "accelerator": "nvidia-tesla-t4"},
            Machine("n1-standard-4", "NVIDIA_TESLA_T4", 1),
        ),
        ({"machine": "t4", "count": 2}, Machine("n1-standard-8", "NVIDIA_TESLA_T4", 2)),
        (
            {"machine": "t4", "machine_type": "n1-highmem-32", "count": 2},
            Machine("n1-highmem-32", "NVIDIA_TESLA_T4", 2),
        ),
        (
            {"machine_type": "z9-giga-1", "accelerator": "NVIDIA_B200", "count": 3},
            Machine("z9-giga-1", "NVIDIA_B200", 3),
        ),
        ({"machine_type": "z9-giga-1", "machine": "cpu"}, Machine("z9-giga-1")),
    ],
)
def test_a_preset_can_be_overridden(given, expected):
    """--machine_type determines GPUs that are built in; others, and those of an unknown machine type, can be given."""
    assert find_machine(VertexConfig(**given)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"machine": "l4", "count": 2}, "g2-standard-8 comes with 1 x NVIDIA_L4, got --count 2"),
        ({"machine": "a100", "accelerator": "NVIDIA_L4"}, "a2-highgpu-1g comes with 1 x NVIDIA_TESLA_A100"),
        ({"machine_type": "n2-standard-8", "accelerator": "NVIDIA_L4"}, "n2-standard-8 takes no GPU"),
        ({"machine": "cpu", "count": 1}, "n2-standard-8 takes no GPU, got --count 1"),
        ({"machine_type": "n1-standard-8", "accelerator": "NVIDIA_L4"}, "n1-standard-8 takes NVIDIA_TESLA_T4, got"),
        ({"machine": "t4", "count": 3}, "n1-standard-8 takes 1, 2, 4 of NVIDIA_TESLA_T4, got 3"),
        ({"machine": "t4", "machine_type": "n1-standard-32", "count": 1}, "n1-standard-32 takes 2, 4 of"),
        ({"machine": "t4", "machine_type": "n1-standard-96", "count": 2}, "n1-standard-96 takes 4 of"),
        ({"machine": "t4", "machine_type": "n1-standard-1", "count": 1}, "n1-standard-1 takes no GPU"),
        ({"machine": "t4", "flex_start": True}, "--flex_start waits for an L4, A100"),
        ({"machine": "cpu", "flex_start": True}, "n2-standard-8 has no GPU"),
        ({"machine": "h100"}, "a3-highgpu-1g is not available on demand; add --spot or --flex_start"),
        ({"machine_type": "a3-highgpu-4g"}, "a3-highgpu-4g is not available on demand"),
        ({"machine_type": "a2-megagpu-8g"}, "no machine type a2-megagpu-8g; name one of a2-megagpu-16g"),
        ({"machine_type": "a3-highgpu-3g", "spot": True}, "no machine type a3-highgpu-3g; name one of a3-highgpu-1g, "),
        ({"machine_type": "n1-standard-4"}, "n1-standard-4 can have a GPU or none; add --machine t4 or "),
        ({"machine_type": "g2-custom-8-32768", "machine": "cpu"}, "name its GPUs with --accelerator and --count"),
        (
            {"machine_type": "ct5lp-hightpu-1t", "machine": "cpu"},
            "ct5lp-hightpu-1t has TPUs, which textgen does not use",
        ),
        ({"machine_type": "tpu7x-standard-4t", "machine": "cpu"}, "tpu7x-standard-4t has TPUs"),
        ({"machine_type": "g2-standard-40"}, "no machine type g2-standard-40"),
        ({"machine_type": "a4x-highgpu-4g"}, "a4x-highgpu-4g has ARM processors"),
        ({"machine_type": "c4a-standard-8", "machine": "cpu"}, "c4a-standard-8 has ARM processors"),
        ({"machine": "t4", "accelerator": "NVIDIA_TESLA_V100"}, "NVIDIA_TESLA_V100 is too old for cuDNN 9"),
        ({"machine": "t4", "accelerator": "nvidia-tesla-p100"}, "NVIDIA_TESLA_P100 is too old for cuDNN 9"),
        ({"machine": "t4", "accelerator": "NVIDIA_TESLA_P4"}, "NVIDIA_TESLA_P4 is too old for cuDNN 9"),
        ({"accelerator": "TPU_V3"}, "--accelerator must be one of NVIDIA_TESLA_T4, "),
        ({"accelerator": "NVIDIA_Z"}, "got 'NVIDIA_Z'"),
        ({"machine_type": "a5-highgpu-8g"}, "--machine_type a5-highgpu-8g is not known; name its GPUs with"),
        ({"machine_type": "a5-highgpu-8g", "machine": "cpu"}, "--machine_type a5-highgpu-8g is not known"),
        ({"machine_type": "a5-highgpu-8g", "accelerator": "NVIDIA_B200"}, "is not known"),
        ({"machine_type": "z9-giga-1"}, "or give --machine cpu if it has none"),
    ],
)
def test_an_impossible_machine_is_refused(given, message):
    """A machine that Google does not have is refused in one line that says what would work."""
    with pytest.raises(UsageError) as caught:
        find_machine(VertexConfig(**given))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
