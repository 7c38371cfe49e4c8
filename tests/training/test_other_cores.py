import os

import pytest

from tests.commands import TEXT, run_installed
from textgen.jobs import CheckpointStore, JobDirectory
from textgen.machine import physical_cores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(physical_cores()) < 2, reason="the machine has one core"),
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind a process to cores"),
]

FLAGS = (
    "--deterministic --lstm_state_size=64 --batch_size=8 --unroll_steps=16 --dropout=0.3 --sample_length=0 --device=cpu "
    "--lr_decay_steps=100 --job_dir=job"
)
"""Eight streams, which one core runs in one part and two cores in two. The learning rate does not depend on the total of steps."""


@pytest.fixture
def train(tmp_path):
    """Returns a function that trains in a folder on some cores, and returns the last checkpoint's tensors and what was printed."""

    def run(folder, cores, max_steps):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "book.txt").write_text(TEXT)
        done = run_installed(
            "textgen-train",
            *("book.txt", f"--max_steps={max_steps}", *FLAGS.split()),
            cwd=place,
            env={**os.environ, "TEXTGEN_CACHE": str(tmp_path / "cache"), "TEXTGEN_STATE": str(tmp_path / "state")},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        assert done.returncode == 0, done.stderr
        store = CheckpointStore(JobDirectory(place / "job").checkpoints)
        checkpoint = store.read(store.steps()[0])
        tensors = {name: tensor.tobytes() for name, tensor in checkpoint.tensors.items() if "metrics" not in name}
        return tensors, done.stderr

    return run


def test_a_deterministic_job_moves_to_more_cores_bit_for_bit(train):
    """It keeps the number of threads that it started with, and so the parts of the batch; without that, the bits are different."""
    one, two = ({threads[0] for threads in physical_cores()[:count]} for count in (1, 2))
    train("moved", one, 3)
    moved, said = train("moved", two, 6)
    assert "Resuming from step 3" in said
    assert "last bits" not in said
    stayed, _ = train("stayed", one, 6)
    assert moved == stayed
    elsewhere, _ = train("elsewhere", two, 6)
    assert elsewhere != stayed
