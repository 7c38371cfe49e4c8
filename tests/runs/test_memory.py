import pytest

from textgen.cli.train import main
from textgen.config import TrainingConfig
from textgen.errors import UnavailableError
from textgen.planning import Plan
from textgen.runs import checks
from textgen.storage import write_atomic


@pytest.fixture
def machine(monkeypatch):
    """A function that sets the memory of the machine and of the container, in bytes."""

    def of(size, container=None):
        monkeypatch.setattr(checks, "installed_memory", lambda: size)
        monkeypatch.setattr(checks, "container_memory", lambda: container)

    return of


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"lstm_state_size": 8000, "layers": 4}, "lower lstm_state_size, layers or vocab_size"),
        ({"batch_size": 5000, "unroll_steps": 1000}, "lower batch_size or unroll_steps"),
    ],
)
def test_a_model_too_large_for_the_memory_is_refused(machine, settings, advice):
    """The message names the settings to lower: those of the model, or those of the batch, whichever needs more memory."""
    machine(4_000_000_000)
    with pytest.raises(
        UnavailableError, match=r"^training needs about [\d.]+ GB[^\n]*this machine has only 4\.0 GB; [^\n]*$"
    ) as raised:
        checks.check_memory(Plan(TrainingConfig(**settings), 100))
    assert str(raised.value).endswith(advice)


@pytest.mark.parametrize("size", [None, 8_000_000_000])
def test_a_model_that_fits_is_accepted(machine, size):
    """The default model is accepted on a machine with 8 GB, and on one whose memory cannot be determined."""
    machine(size)
    checks.check_memory(Plan(TrainingConfig(), 100))


def test_processes_on_one_machine_share_its_memory(machine):
    """What each process needs counts once for each on this machine, and their number is among what can be lowered."""
    plan = Plan(TrainingConfig(batch_size=16), 100)
    machine(3 * plan.memory_of_device(4) - 1)
    checks.check_memory(plan, processes=4, processes_here=2)
    with pytest.raises(UnavailableError, match=r"^each of 3 processes needs about [^\n]*; lower workers, [^\n]*$"):
        checks.check_memory(plan, processes=4, processes_here=3)


def test_each_of_several_machines_needs_its_share_of_the_windows(machine):
    """Windows that are too large for one machine fit if four share them."""
    plan = Plan(TrainingConfig(batch_size=5000, unroll_steps=1000), 100)
    machine(plan.memory_of_device(4))
    checks.check_memory(plan, processes=4)
    with pytest.raises(UnavailableError, match=r"^training needs about"):
        checks.check_memory(plan)


@pytest.mark.parametrize("size", [None, 64_000_000_000])
def test_a_model_too_large_for_the_container_is_refused(machine, size):
    """The lower limit counts: that of the container or that of the machine."""
    machine(size, container=4_000_000_000)
    with pytest.raises(
        UnavailableError, match=r"but this container has only 4\.0 GB; lower batch_size or unroll_steps$"
    ):
        checks.check_memory(Plan(TrainingConfig(batch_size=5000, unroll_steps=1000), 100))
    machine(4_000_000_000, container=1 << 63)
    with pytest.raises(UnavailableError, match=r"but this machine has only 4\.0 GB; lower"):
        checks.check_memory(Plan(TrainingConfig(batch_size=5000, unroll_steps=1000), 100))


V1 = "12:pids:/docker/1\n4:cpu,memory:/docker/1\n1:name=systemd:/docker/1\n"
V2 = "0::/user.slice/run:1.scope\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (None, {}, None),
        (b"\xff", {}, None),
        ("", {"memory.max": "5"}, None),
        ("nonsense\n:\n1:memory\n", {}, None),
        # Version 2: the process' own group, the groups above it, and a container, to which its own group is the top.
        (V2, {}, None),
        (V2, {"user.slice/run:1.scope/memory.max": "500\n"}, 500),
        (V2, {"user.slice/run:1.scope/memory.max": "500\n", "user.slice/memory.max": "400\n"}, 400),
        (V2, {"user.slice/run:1.scope/memory.max": "max\n", "user.slice/memory.max": "400\n"}, 400),
        (V2, {"user.slice/run:1.scope/memory.max": "max\n", "memory.limit_in_bytes": "3"}, None),
        (V2, {"user.slice/run:2.scope/memory.max": "300\n"}, None),
        ("0::/\n", {"memory.max": "600\n"}, 600),
        ("0::/../../elsewhere\n", {"memory.max": "600\n"}, 600),
        # Version 1: the process' own group if the whole tree is visible, or else the top, which is the container's.
        (V1, {"memory/docker/1/memory.limit_in_bytes": "700\n", "memory/memory.limit_in_bytes": f"{1 << 62}\n"}, 700),
        (V1, {"memory/memory.limit_in_bytes": "800\n"}, 800),
        (V1, {"memory/docker/1/memory.limit_in_bytes": "x", "pids/docker/1/memory.limit_in_bytes": "1"}, None),
        (V1 + "0::/\n", {"memory/memory.limit_in_bytes": "800\n", "memory.max": "max\n"}, 800),
    ],
)
def test_the_limit_of_a_container_is_read(tmp_path, groups, files, expected):
    """The limit is the lowest of all groups that contain the process, in both versions of Linux' control groups."""
    if groups is not None:
        write_atomic(tmp_path / "proc" / "self" / "cgroup", groups)
    for name, text in files.items():
        write_atomic(tmp_path / "sys" / "fs" / "cgroup" / name, text)
    assert checks.container_memory(tmp_path) == expected


def test_the_memory_of_this_machine_is_plausible():
    """On this machine, both memory sizes are either unknown or more than 100 MB, in bytes."""
    size = checks.installed_memory()
    assert size is None or size > 100_000_000
    size = checks.container_memory()
    assert size is None or size > 100_000_000


def test_the_command_refuses_before_anything_is_written(machine, tmp_path, monkeypatch, capsys):
    """`textgen-train` ends with 69 and creates no job directory if there is not enough memory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("The keeper wound the tide clock at dusk.\n" * 400)
    machine(100_000_000)
    assert main(["book.txt", "--device=cpu", "--lstm_state_size=2000"]) == 69
    assert "lower --lstm_state_size" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()
