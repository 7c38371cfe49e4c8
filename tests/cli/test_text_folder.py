"""Training on a folder of texts that has more in it."""

import os
from pathlib import Path

import pytest

from textgen.cli.train import main

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
SMALL = ("--batch_size=2", "--unroll_steps=8", "--max_steps=5")


@pytest.fixture(autouse=True)
def _books(tmp_path, monkeypatch):
    """A folder of books, in which the command is run."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "books").mkdir()
    monkeypatch.chdir(tmp_path / "books")
    Path("a.txt").write_text(TEXT)
    Path("b.txt").write_text(TEXT.upper())


@pytest.fixture
def trained_here(training):
    """A function that trains in the folder, and leaves a sample as training does; it returns what training was given."""

    def train(*arguments):
        assert main([*arguments, *SMALL]) == 0
        call = training.calls[-1]
        call.job.samples.write_text("what the model wrote\n" * 50)
        return call

    return train


@pytest.mark.parametrize("text", [".", "**/*.txt", os.curdir + os.sep])
def test_a_folder_with_its_own_job_below_stays_the_same_text(trained_here, training, text):
    """The job goes on, and one of another shape or begun anew learns from the books alone."""
    first = trained_here(text, "--lstm_state_size=8")
    training.summary = {"steps": 9}
    again = trained_here(text, "--lstm_state_size=8", "--max_steps=9")
    other = trained_here(text, "--lstm_state_size=9")
    anew = trained_here(text, "--lstm_state_size=8", "--fresh")
    assert Path(f"{first.job.root}.1").is_dir()
    assert {call.corpus.sha256 for call in (again, other, anew)} == {first.corpus.sha256}
    assert [path.name for path in other.corpus.train.paths] == ["a.txt", "b.txt"]


def test_the_directory_of_a_job_without_a_name_is_not_read(trained_here):
    """A --job_dir among the texts that is there before the first run is left out from the beginning."""
    Path("mine").mkdir()
    Path("mine", "notes.txt").write_text(TEXT)
    first = trained_here(".", "--job_dir=mine")
    again = trained_here(".", "--job_dir=mine", "--max_steps=9")
    assert first.corpus.sha256 == again.corpus.sha256
    assert [path.name for path in first.corpus.train.paths] == ["a.txt", "b.txt"]


def plan(capsys, *arguments):
    """The lines of the plan by their names, and those after it."""
    assert main([*arguments, *SMALL, "--dry_run"]) == 0
    lines = capsys.readouterr().err.splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line.startswith("  ")), lines


def test_the_plan_says_what_is_skipped(trained_here, capsys):
    """Other files and jobs are counted in one line, which is missing where there is nothing to say."""
    assert "skipped" not in plan(capsys, ".")[0]
    for name in ("cover.png", "notes.md", ".hidden.txt"):
        Path(name).touch()
    job = trained_here(".", "--lstm_state_size=8").job
    capsys.readouterr()
    assert plan(capsys, ".")[0]["skipped"] == f"3 other files (such as cover.png) and 1 job directory ({job})"
    assert "skipped" not in plan(capsys, "a.txt")[0]


def test_the_plan_says_what_is_not_read_as_utf_8(capsys):
    """With --encoding auto, which file, why, and as what; a plan of UTF-8 alone says nothing."""
    assert "encoding" not in plan(capsys, ".", "--encoding=auto")[0]
    Path("b.txt").write_bytes(TEXT.encode() + b"caf\xe9\n")
    lines, _ = plan(capsys, ".", "--encoding=auto")
    assert lines["encoding"] == f"b.txt is read as cp1252: not UTF-8 at byte {len(TEXT) + 3} (line 61)"


def test_control_characters_are_warned_of(capsys):
    """A sign of the wrong encoding is said after the plan."""
    Path("b.txt").write_bytes(TEXT.encode() + b"It\x92s\n")
    _, lines = plan(capsys, ".", "--encoding=latin-1")
    assert lines[-1] == (
        "warning: b.txt has control characters such as U+0092 in line 61, a sign of the wrong encoding; "
        "try the encoding cp1252"
    )
    assert not [line for line in plan(capsys, ".", "--encoding=cp1252")[1] if "warning" in line]
