import pytest

from textgen.cli import memory
from textgen.cli.train import main
from textgen.config import TrainingConfig
from textgen.errors import UnavailableError
from textgen.planning import Plan


@pytest.fixture
def machine(monkeypatch):
    """A function that gives this machine another memory."""

    def of(size):
        monkeypatch.setattr(memory, "installed_memory", lambda: size)

    return of


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"lstm_state_size": 8000, "layers": 4}, "lower lstm_state_size, layers or vocab_size"),
        ({"batch_size": 5000, "unroll_steps": 1000}, "lower batch_size or unroll_steps"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_lower(machine, settings, advice):
    """The message, one line, names the part of the memory that is too large, by the flags that shape it."""
    machine(4_000_000_000)
    with pytest.raises(
        UnavailableError, match=r"^training would take about [\d.]+ GB[^\n]*this machine has 4\.0 GB; [^\n]*$"
    ) as raised:
        memory.check_memory(Plan(TrainingConfig(**settings), 100))
    assert str(raised.value).endswith(advice)


@pytest.mark.parametrize("size", [None, 8_000_000_000])
def test_what_fits_or_cannot_be_known_is_let_through(machine, size):
    """A usual model fits, and a machine that does not say how much it has is believed to have enough."""
    machine(size)
    memory.check_memory(Plan(TrainingConfig(), 100))


def test_the_machine_says_how_much_it_has():
    """Linux and macOS say so, in bytes."""
    size = memory.installed_memory()
    assert size is None or size > 100_000_000


def test_the_command_refuses_before_anything_is_made(machine, tmp_path, monkeypatch, capsys):
    """textgen-train exits with 69 and one line, and leaves no job directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text("The keeper wound the tide clock at dusk.\n" * 400)
    machine(100_000_000)
    assert main(["book.txt", "--device=cpu", "--lstm_state_size=2000"]) == 69
    assert "lower --lstm_state_size" in capsys.readouterr().err
    assert not (tmp_path / "job").exists()
