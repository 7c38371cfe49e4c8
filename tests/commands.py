import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from textgen.cli import sample
from textgen.config.yaml_text import to_yaml
from textgen.jobs import JobState, is_locked
from textgen.storage import bundled, write_atomic

TEXT = bundled("data/story.txt").read_text(encoding="utf-8")[:6000]
TINY = {"lstm_state_size": 8, "batch_size": 4, "unroll_steps": 16, "max_steps": 5, "sample_length": 20}
GOOD_TEXT = "the quick brown fox jumps over the lazy dog.\n" * 100
NOISE = random.Random(1).randbytes(4000)  # noqa: S311 - not a secret

JOB = Path("jobs", "book-8-states-1-layers")
"""The directory of the trained job, relative to `Trained.place`."""

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")


def installed(name):
    """Returns the command line of an installed command, without arguments."""
    return [sys.executable, str(Path(sysconfig.get_path("scripts")) / name)]


def run_installed(name, *arguments, stdout=subprocess.PIPE, text=True, **options):
    """Runs an installed command in another process; the keyword arguments are those of `subprocess.run`."""
    command = [*installed(name), *arguments]
    return subprocess.run(command, check=False, stdout=stdout, stderr=subprocess.PIPE, text=text, **options)


def files_below(folder):
    """Returns the content of every file below a folder, by path, and None for every directory."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refusal(capfd):
    """A function that runs a command that must refuse its arguments: in one line, without changing the current folder.

    It takes the command's module and the arguments. It returns the exit code and the line without the program's name.
    """

    def refuse(command, arguments):
        before = files_below(Path())
        capfd.readouterr()
        code = command.main(arguments)
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1), err
        assert files_below(Path()) == before
        program, line = err.split(": error: ", maxsplit=1)
        assert program == command.PROGRAM
        return code, line

    return refuse


@pytest.fixture
def written(capsys):
    """A function that samples and returns the standard output; standard error must be empty."""

    def write(*arguments):
        assert sample.main(arguments) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return write


@dataclass(frozen=True)
class Trained:
    """A trained job in the folder `place`, with the text and the config file that it was trained with.

    `stdout` and `stderr` are the output of `textgen-train`.
    """

    place: Path
    stdout: str
    stderr: str

    @property
    def job(self):
        return self.place / JOB

    @property
    def command(self):
        """The arguments of `textgen-train`."""
        return ["book.txt", "--config", "tiny.yaml", "--job-dir", "jobs/%JOB%", "--summary_dir=logs/%JOB%"]

    def copy(self, place):
        """Copies everything to another folder, where a test may change it."""
        shutil.copytree(self.place, place, dirs_exist_ok=True)
        return Trained(place, self.stdout, self.stderr)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The only job that these tests train with TensorFlow, shared by all of them."""
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


@pytest.fixture
def copied(trained, tmp_path, monkeypatch):
    """A copy of the trained job in the current folder, which the test may change."""
    monkeypatch.chdir(tmp_path)
    return trained.copy(tmp_path)


@dataclass
class FakeTraining:
    """Stands in for `textgen.training`, without TensorFlow, and records its calls."""

    calls: list[Any] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=lambda: {"steps": 7, "valid_loss": 1.25})

    def train(
        self,
        config,
        corpus,
        job,
        *,
        summary_dir,
        ids_directory,
        signals,
        console,
        device,
        allow_changed_data,
        start,
        callbacks,
        devices=None,
        workers=None,
    ):
        del ids_directory, signals, console, callbacks, devices  # parameters of the real function
        call = types.SimpleNamespace(config=config, corpus=corpus, job=job, summary_dir=summary_dir)
        call.allow_changed_data = allow_changed_data
        call.device = device
        call.start = start
        call.workers = workers
        call.locked = is_locked(job)
        self.calls.append(call)
        write_atomic(job.config, to_yaml(config))
        write_atomic(job.vocabulary, json.dumps(corpus.vocabulary.to_json()))
        JobState("finished", steps=7, epochs=1, minutes=0.5, data_sha256=corpus.sha256).write(job.state)
        write_atomic(job.metrics, json.dumps(self.summary) + "\n")
        return self.summary


@pytest.fixture
def training(monkeypatch):
    """Replaces training by `FakeTraining`."""
    fake = FakeTraining()
    module = types.ModuleType("textgen.training")
    module.train = fake.train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "textgen.training", module)
    return fake


@pytest.fixture
def no_training(monkeypatch):
    """Makes importing `textgen.training` fail, for commands that must end before TensorFlow is loaded."""
    monkeypatch.setitem(sys.modules, "textgen.training", None)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """The text `book.txt`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def good_text(tmp_path, monkeypatch):
    """The text `good.txt`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "good.txt"
    path.write_text(GOOD_TEXT)
    return path
