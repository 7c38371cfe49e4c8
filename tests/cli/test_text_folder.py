"""Training on a folder that contains other files and jobs besides its texts."""

import os
from pathlib import Path

import pytest

from textgen.cli.train import main

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
SMALL = ("--batch_size=2", "--unroll_steps=8", "--max_steps=5")


@pytest.fixture(autouse=True)
def _books(tmp_path, monkeypatch):
    """Two texts in the current folder, `books`."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "books").mkdir()
    monkeypatch.chdir(tmp_path / "books")
    Path("a.txt").write_text(TEXT)
    Path("b.txt").write_text(TEXT.upper())


@pytest.fixture
def trained_here(training):
    """A function that trains, and writes samples.txt as training does; it returns the arguments of the training."""

    def train(*arguments):
        assert main([*arguments, *SMALL]) == 0
        call = training.calls[-1]
        call.job.samples.write_text("what the model wrote\n" * 50)
        return call

    return train


@pytest.mark.parametrize("text", [".", "**/*.txt", os.curdir + os.sep])
def test_jobs_in_the_folder_are_not_part_of_the_text(trained_here, training, text):
    """Whether a job is resumed, has another shape or starts over, its text is only the books, not the jobs in their folder."""
    first = trained_here(text, "--lstm_state_size=8")
    training.summary = {"steps": 9}
    resumed = trained_here(text, "--lstm_state_size=8", "--max_steps=9")
    other = trained_here(text, "--lstm_state_size=9")
    fresh = trained_here(text, "--lstm_state_size=8", "--fresh")
    assert Path(f"{first.job.root}.1").is_dir()
    assert {call.corpus.sha256 for call in (resumed, other, fresh)} == {first.corpus.sha256}
    assert [path.name for path in other.corpus.train.paths] == ["a.txt", "b.txt"]


def test_the_job_directory_is_never_part_of_the_text(trained_here):
    """A --job_dir in the folder is not read as text, even if it contains a text before the first run."""
    Path("mine").mkdir()
    Path("mine", "notes.txt").write_text(TEXT)
    first = trained_here(".", "--job_dir=mine")
    again = trained_here(".", "--job_dir=mine", "--max_steps=9")
    assert first.corpus.sha256 == again.corpus.sha256
    assert [path.name for path in first.corpus.train.paths] == ["a.txt", "b.txt"]


def plan(capsys, *arguments):
    """Returns the lines of the plan by their first word, and all lines of standard error."""
    assert main([*arguments, *SMALL, "--dry_run"]) == 0
    lines = capsys.readouterr().err.splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line.startswith("  ")), lines


def test_the_plan_counts_skipped_files(trained_here, capsys):
    """The plan counts other files and jobs in one line, which is missing if there are none."""
    assert "skipped" not in plan(capsys, ".")[0]
    for name in ("cover.png", "notes.md", ".hidden.txt"):
        Path(name).touch()
    job = trained_here(".", "--lstm_state_size=8").job
    capsys.readouterr()
    assert plan(capsys, ".")[0]["skipped"] == f"3 other files (such as cover.png) and 1 job directory ({job})"
    assert "skipped" not in plan(capsys, "a.txt")[0]


def test_the_plan_names_files_that_are_not_utf_8(capsys):
    """With --encoding auto, the plan names a file that is not UTF-8, the reason, and the encoding used instead."""
    assert "encoding" not in plan(capsys, ".", "--encoding=auto")[0]
    Path("b.txt").write_bytes(TEXT.encode() + b"caf\xe9\n")
    lines, _ = plan(capsys, ".", "--encoding=auto")
    assert (
        lines["encoding"]
        == f"b.txt is read as cp1252: not UTF-8 at byte {len(TEXT) + 3} (line 61); if it is not Western European, name its encoding"
    )


def test_control_characters_give_a_warning(capsys):
    """Control characters, a sign of the wrong encoding, give a warning after the plan."""
    Path("b.txt").write_bytes(TEXT.encode() + b"It\x92s\n")
    _, lines = plan(capsys, ".", "--encoding=latin-1")
    assert lines[-1] == (
        "warning: b.txt has control characters such as U+0092 in line 61, a sign of the wrong encoding; "
        "try the encoding cp1252"
    )
    assert not [line for line in plan(capsys, ".", "--encoding=cp1252")[1] if "warning" in line]
