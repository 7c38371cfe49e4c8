import pytest

from textgen.cloud.machines import PRESETS, Machine, find_machine
from textgen.config.vertex import MACHINES, VertexConfig
from textgen.errors import UsageError


def test_each_preset_is_a_machine_that_can_be():
    """The names that --machine takes, and no others."""
    assert set(PRESETS) == set(MACHINES)
    for name, machine in PRESETS.items():
        assert find_machine(VertexConfig(machine=name)) == machine


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"machine_type": "g2-standard-24"}, Machine("g2-standard-24", "NVIDIA_L4", 2)),
        ({"machine_type": "a2-ultragpu-2g"}, Machine("a2-ultragpu-2g", "NVIDIA_A100_80GB", 2)),
        ({"machine_type": "n1-standard-4"}, Machine("n1-standard-4")),
        (
            {"machine_type": "n1-standard-4", "accelerator": "nvidia-tesla-v100"},
            Machine("n1-standard-4", "NVIDIA_TESLA_V100", 1),
        ),
        ({"machine": "t4", "count": 2}, Machine("n1-standard-8", "NVIDIA_TESLA_T4", 2)),
        ({"machine": "t4", "accelerator": "NVIDIA_TESLA_P4"}, Machine("n1-standard-8", "NVIDIA_TESLA_P4", 1)),
        ({"machine_type": "z9-giga-1", "accelerator": "NVIDIA_Z", "count": 3}, Machine("z9-giga-1", "NVIDIA_Z", 3)),
    ],
)
def test_a_preset_can_be_overridden(given, expected):
    """What is built into a machine type comes with it; what is not known is let pass."""
    assert find_machine(VertexConfig(**given)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"machine": "l4", "count": 2}, "g2-standard-8 comes with 1 x NVIDIA_L4, and 2 x NVIDIA_L4 is asked for"),
        ({"machine": "a100", "accelerator": "NVIDIA_L4"}, "a2-highgpu-1g comes with 1 x NVIDIA_TESLA_A100"),
        ({"machine_type": "n2-standard-8", "accelerator": "NVIDIA_L4"}, "n2-standard-8 takes no GPU"),
        ({"machine_type": "n1-standard-8", "accelerator": "NVIDIA_L4"}, "n1-standard-8 takes NVIDIA_TESLA_T4, "),
        ({"machine": "t4", "count": 3}, "n1-standard-8 takes 1, 2, 4 of NVIDIA_TESLA_T4, and 3 is asked for"),
        ({"machine": "t4", "flex_start": True}, "--flex_start waits for an L4, A100"),
        ({"machine": "cpu", "flex_start": True}, "n2-standard-8 has no GPU"),
    ],
)
def test_what_does_not_go_together_is_refused(given, message):
    """In one line that says what goes."""
    with pytest.raises(UsageError) as caught:
        find_machine(VertexConfig(**given))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
