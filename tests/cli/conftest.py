import json
import os
import shutil
import subprocess
import sys
import sysconfig
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from textgen.config.yaml_text import to_yaml
from textgen.jobs import JobState, is_locked
from textgen.storage import bundled, write_atomic

TEXT = bundled("data/story.txt").read_text(encoding="utf-8")[:6000]
TINY = {"lstm_state_size": 8, "batch_size": 4, "unroll_steps": 16, "max_steps": 5, "sample_length": 20}


def run_installed(name, *arguments, stdout=subprocess.PIPE, text=True, **options):
    """Runs an installed command in another process."""
    command = [sys.executable, str(Path(sysconfig.get_path("scripts")) / name), *arguments]
    return subprocess.run(command, check=False, stdout=stdout, stderr=subprocess.PIPE, text=text, **options)


@pytest.fixture(scope="session")
def run_script():
    """Runs an installed command: its name, its arguments, and what `subprocess.run` takes."""
    return run_installed


@dataclass(frozen=True)
class Trained:
    """A job that was trained in a process of its own, with `book.txt` and `tiny.yaml` in the folder `place`."""

    place: Path
    stdout: str
    stderr: str

    @property
    def job(self):
        return self.place / "jobs" / "book-8-states-1-layers"

    @property
    def command(self):
        """The arguments it was trained with."""
        return ["book.txt", "--config", "tiny.yaml", "--job-dir", "jobs/%JOB%", "--summary_dir=logs/%JOB%"]

    def copy(self, place):
        """Another one like it, that a test may change."""
        shutil.copytree(self.place, place, dirs_exist_ok=True)
        return Trained(place, self.stdout, self.stderr)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The one job that these tests really train."""
    place = tmp_path_factory.mktemp("trained")
    (place / "book.txt").write_text(TEXT, encoding="utf-8")
    (place / "tiny.yaml").write_text("".join(f"{name}: {value}\n" for name, value in TINY.items()))
    unstarted = Trained(place, "", "")
    cache = tmp_path_factory.mktemp("cache")
    done = run_installed(
        "textgen-train", *unstarted.command, "--json", cwd=place, env={**os.environ, "TEXTGEN_CACHE": str(cache)}
    )
    assert done.returncode == 0, done.stderr
    return Trained(place, done.stdout, done.stderr)


@dataclass
class FakeTraining:
    """Stands in for `textgen.training`, so that no TensorFlow is needed; keeps what it was called with."""

    calls: list[Any] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=lambda: {"steps": 7, "valid_loss": 1.25})

    def train(self, config, corpus, job, *, summary_dir, ids_directory, signals, console, device, allow_changed_data):
        del ids_directory, signals, console  # arguments as those of the real one
        call = types.SimpleNamespace(config=config, corpus=corpus, job=job, summary_dir=summary_dir)
        call.allow_changed_data = allow_changed_data
        call.device = device
        call.locked = is_locked(job)
        self.calls.append(call)
        write_atomic(job.config, to_yaml(config))
        write_atomic(job.vocabulary, json.dumps(corpus.vocabulary.to_json()))
        JobState("finished", steps=7, epochs=1, minutes=0.5, data_sha256=corpus.sha256).write(job.state)
        write_atomic(job.metrics, json.dumps(self.summary) + "\n")
        return self.summary


@pytest.fixture
def training(monkeypatch):
    """Training that takes no time."""
    fake = FakeTraining()
    module = types.ModuleType("textgen.training")
    module.train = fake.train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "textgen.training", module)
    return fake


@pytest.fixture
def no_training(monkeypatch):
    """Makes loading TensorFlow a fault: what is tested ends before that."""
    monkeypatch.setitem(sys.modules, "textgen.training", None)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A text, `book.txt`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path
