"""Jobs that an earlier textgen made; `tests/earlier/README.md` explains how."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from textgen.cli import sample, train
from textgen.generation import read_model, write_model

pytestmark = pytest.mark.compiled

EARLIER = Path(__file__).parents[1] / "earlier"
COMMON = [
    *("book.txt", "--init_from=none", "--batch_size=4", "--unroll_steps=8", "--sample_length=20", "--device=cpu"),
    *("--learning_rate=0.03", "--lstm_state_size=4"),
]


class Earlier(NamedTuple):
    """A job with what the earlier version did next.

    Attributes:
        flags: the flags that select it.
        text: its most likely text after `eat`.
        loss: the validation loss after step 220.
    """

    flags: list[str]
    text: str
    loss: float


JOBS = {
    "book-4-states-2-layers": Earlier(["--layers=2"], "eat" + " tea" * 10, 1.26899),
    "book-4-states-1-layers-3-embed-norm": Earlier(
        ["--layers=1", "--layer_norm", "--embedding_size=3"], "e" + "at" * 21, 1.48615
    ),
    "book-4-states-2-layers-3-proj": Earlier(["--layers=2", "--num_proj=3"], "eat" + " a" * 20, 1.23896),
    "book-4-states-1-layers-3-embed-word-lower": Earlier(
        ["--layers=1", "--language_model=word", "--lowercase", "--embedding_size=3"],
        "eat ants" + " sea" * 19,
        1.36156,
    ),
    "book-fp16-4-states-1-layers": Earlier(["--layers=1", "--use_fp16"], "eat a" + " tea" * 9 + " t", 1.25821),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A copy of the jobs and their text, as the current folder."""
    shutil.copytree(EARLIER / "jobs", tmp_path / "job")
    shutil.copy(EARLIER / "book.txt", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("name", "earlier"), JOBS.items(), ids=JOBS)
def test_a_job_of_an_earlier_version_is_resumed(name, earlier, capsys):
    """The command that made it finds it by its name, and everything in its checkpoint is used: the loss is what it would have been."""
    assert train.main([*COMMON, *earlier.flags, "--max_steps=220", "--json"]) == 0
    out, err = capsys.readouterr()
    assert f"job/{name} (existing)" in err
    assert "Resuming from step 200 (epoch " in err
    assert "the checkpoint has no" not in err
    summary = json.loads(out)
    assert (summary["job_dir"], summary["steps"]) == (f"job/{name}", 220)
    assert summary["valid_loss"] == pytest.approx(earlier.loss, abs=2e-4)


@pytest.mark.parametrize(("name", "earlier"), JOBS.items(), ids=JOBS)
def test_the_model_of_an_earlier_version_writes_the_same_text(name, earlier, capsys):
    """Its most likely text is the same, and the model is written again as the same bytes."""
    assert sample.main([name, "--temperature=0", "--length=40", "--prompt=eat"]) == 0
    assert capsys.readouterr().out == earlier.text + "\n"
    path = Path("job", name, "model.safetensors")
    write_model(Path("again"), read_model(path))
    assert Path("again").read_bytes() == path.read_bytes()


def test_the_jobs_are_all_tested():
    """There is no job without a test."""
    assert {path.name for path in Path("job").iterdir()} == JOBS.keys()
