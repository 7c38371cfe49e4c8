import os
import re
import shutil
from pathlib import Path

import pytest

from tests.commands import files_below
from textgen.cli.train import main
from textgen.config import TrainingConfig
from textgen.corpus import find_sources, open_corpus
from textgen.errors import InputOutputError, MissingError
from textgen.planning import Plan
from textgen.runs.checks import check_free_space

PAGE = os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 4096
PLAN = Plan(TrainingConfig(lstm_state_size=128, batch_size=1, optimizer="sgd"), 300)
"""It has (300 + 128 + 1) x 4 x 128 + (128 + 1) x 300 weights and 2 x 128 states: a checkpoint of 1,034,416 bytes."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def linked(trained, tmp_path, small_disk, monkeypatch):
    """A trained job in the current folder, whose checkpoint directory is a link to the small disk."""
    copy = trained.copy(tmp_path / "here")
    shutil.move(copy.job / "checkpoints", small_disk / "checkpoints")
    (copy.job / "checkpoints").symlink_to(small_disk / "checkpoints")
    monkeypatch.chdir(copy.place)
    return copy


def refused(capsys, arguments):
    """Checks that a run ends with 74 and one line, without changing a file; returns the line."""
    capsys.readouterr()
    before = files_below(Path())
    assert main(arguments) == 74
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert files_below(Path()) == before
    return err


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_disk_without_room_for_three_checkpoints_is_refused(book, small_disk, no_training, capsys, dry_run):
    """The line has the free space, the needed space and what to do; no directory is created."""
    place = small_disk / "a" / "b"
    line = refused(capsys, ["book.txt", f"--job_dir={place}", *dry_run])
    assert line.startswith(
        f"textgen-train: error: the disk of {place / 'checkpoints'} has 1.0 MB free, but this run needs "
    )
    assert re.search(
        r"needs (\d\d\.\d MB): the job's three checkpoints take \1; free some space, name a --job_dir", line
    )
    assert list(small_disk.iterdir()) == []


def test_the_disk_of_linked_checkpoints_is_checked(linked, small_disk, fill, training, capsys):
    """The free space that counts is that of the checkpoint directory, which may be a link to another disk."""
    assert main([*linked.command, "--max_steps=8"]) == 0
    fill(0)
    assert "has 0 bytes free" in refused(capsys, [*linked.command, "--max_steps=9"])
    assert len(training.calls) == 1


def test_checkpoints_that_are_there_count_as_room(linked, small_disk, fill, training, capsys):
    """With one checkpoint saved, there must be room for two more."""
    [size] = [path.stat().st_size for path in (small_disk / "checkpoints").glob("*.safetensors")]
    fill(2 * size)
    assert main([*linked.command, "--max_steps=8"]) == 0
    fill(3 * size // 2)
    line = refused(capsys, [*linked.command, "--max_steps=9"])
    assert re.search(
        r"needs \d\d\.\d kB: the job's three checkpoints take \d+\.\d kB, of which \d\d\.\d kB already exist;", line
    )


def test_a_finished_job_needs_no_room(linked, small_disk, fill, no_training, capsys):
    """A finished job ends with 0 on a full disk, because it saves nothing."""
    fill(0)
    assert main(linked.command) == 0
    assert "This job is finished" in capsys.readouterr().err
    assert main([*linked.command, "--dry_run"]) == 0


def test_fresh_needs_room_next_to_the_old_job(linked, small_disk, fill, no_training, capsys):
    """The old job's checkpoints do not count as room, because --fresh keeps them; a refusal does not rename the job."""
    shutil.move(linked.job, small_disk / "job")
    fill(PAGE)
    arguments = [*linked.command, f"--job_dir={small_disk / 'job'}", "--fresh"]
    before = files_below(small_disk)
    for dry_run in ([], ["--dry_run"]):
        assert "already exist" not in refused(capsys, [*arguments, *dry_run])
    assert files_below(small_disk) == before


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_a_model_for_which_no_disk_is_large_enough_is_refused(book, no_training, capsys, dry_run):
    """The largest model that the settings allow is refused with its size in terabytes before TensorFlow is loaded."""
    if shutil.disk_usage(book).free > 4.9e12:
        pytest.skip("this disk is large enough")
    line = refused(capsys, ["book.txt", "--lstm_state_size=16384", "--layers=64", *dry_run])
    size = open_corpus(find_sources(["book.txt"], None, None), language_model="char").vocabulary.size
    weights = (size + 63 * 16384 + 64 * 16385) * 4 * 16384 + 16385 * size
    terabytes = 3 * 4 * (3 * weights + 16 * 64 * 2 * 16384) / 1e12
    assert f"needs {terabytes:.1f} TB: the job's three checkpoints take {terabytes:.1f} TB;" in line


def test_at_least_one_checkpoint_must_have_room(small_disk, fill):
    """However many checkpoints there are, there must be room for one, because it is written before an old one is removed."""
    assert PLAN.checkpoint_bytes == 1_034_416
    check_free_space(small_disk, PLAN, kept=10**9)
    fill(1_034_416 - PAGE)
    with pytest.raises(
        InputOutputError, match=r"free, but this run needs 1\.0 MB: .* take 3\.1 MB, of which 1\.0 GB already exist"
    ):
        check_free_space(small_disk, PLAN, kept=10**9)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system without a size")
def test_a_file_system_without_a_size_is_not_refused():
    """A file system that reports a total size of 0 is not checked."""
    assert shutil.disk_usage("/proc").total == 0
    check_free_space(Path("/proc/job"), PLAN, kept=0)


def test_a_link_that_leads_nowhere_has_no_space(tmp_path):
    """A broken link gives an error that names it."""
    (tmp_path / "checkpoints").symlink_to("nowhere")
    with pytest.raises(MissingError, match=r"cannot determine the free space of .*checkpoints: there is no such file"):
        check_free_space(tmp_path / "checkpoints", PLAN, kept=0)
