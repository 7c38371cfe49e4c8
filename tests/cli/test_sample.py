import io
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from textgen.cli.sample import main
from textgen.generation import load


@pytest.fixture
def job(trained):
    return str(trained.job)


@pytest.fixture
def written(capsys):
    """A function that samples, and returns what came on standard output; nothing may come on standard error."""

    def sample(*arguments):
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return sample


@pytest.mark.parametrize("prompt", ["", "The sea", " two  spaces ", "a line\nand another\n", "-- he said, half-asleep"])
def test_only_text_is_written_and_the_prompt_comes_first(job, written, prompt):
    """Standard output has the prompt exactly as it was given, what the model wrote, and a line end; nothing else."""
    out = written(job, "--prompt", prompt, "--length", "50", "--seed", "3")
    assert out == prompt + "".join(load(job).generate(prompt, length=50, seed=3)) + "\n"
    assert len(out) == len(prompt) + 50 + 1


def test_the_default_is_some_lines_of_text(job, written):
    """Without any flag a text of 400 tokens is written."""
    assert len(written(job)) == 400 + 1


def test_a_length_of_zero_writes_the_prompt_alone(job, written):
    """--length 0 writes nothing of its own."""
    assert written(job, "--prompt", "The sea", "--length=0") == "The sea\n"


def test_the_seed_decides(job, written):
    """The same seed gives the same text, another seed another one, and so does no seed."""
    first, again, other = (written(job, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again
    assert len({first, other, written(job), written(job, "--seed=none")}) == 4


def test_temperature_zero_needs_no_seed(job, written):
    """The likeliest token each time is the same text each time."""
    assert written(job, "--temperature", "0", "--length", "60") == written(job, "--temperature=0", "--length=60")


def test_the_model_file_alone_is_enough(trained, written, tmp_path):
    """Nothing of the job directory is read but the model file, which may lie anywhere."""
    expected = written(str(trained.job), "--seed=5")
    alone = tmp_path / "renamed.model"
    shutil.copy(trained.job / "model.safetensors", alone)
    assert written(str(alone), "--seed=5") == expected


def test_a_dash_reads_the_prompt_from_standard_input(job, written, monkeypatch):
    """--prompt - continues what comes on standard input, to its last character."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"The sea\nwas calm. \n"), encoding="ascii"))
    out = written(job, "--prompt", "-", "--length", "30", "--seed", "2")
    assert out == written(job, "--prompt", "The sea\nwas calm. \n", "--length", "30", "--seed", "2")
    assert out.startswith("The sea\nwas calm. \n")


@pytest.mark.parametrize("prompt", ["--", "-", "--length"])
def test_a_prompt_may_look_like_a_flag(job, written, prompt, monkeypatch):
    """Behind an equals sign anything is a prompt, but the one dash that stands for standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"-"), encoding="ascii"))
    assert written(job, f"--prompt={prompt}", "--oov=skip", "--length=5").startswith(prompt)


@pytest.mark.parametrize("oov", ["skip", "unk"])
def test_what_the_model_does_not_know_is_echoed_all_the_same(job, written, oov):
    """With --oov a prompt may hold anything, and comes out as it went in."""
    assert written(job, "--prompt", "☃ sea Ω", "--oov", oov, "--length=10").startswith("☃ sea Ω")


def test_a_prompt_that_is_not_utf_8_is_echoed_byte_by_byte(job, run_script):
    """Bytes of the command line that are no text come out as they went in."""
    done = run_script("textgen-sample", job, "--prompt", b"sea \xff\xfe", "--oov=skip", "--length=5", text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"sea \xff\xfe")


def test_the_text_is_utf_8_whatever_the_locale_says(job, run_script):
    """A terminal or pipe that claims to be ASCII gets the same bytes."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "1"}
    done = run_script("textgen-sample", job, "--prompt", "☃", "--oov=skip", "--length=5", text=False, env=environment)
    assert done.stdout.startswith("☃".encode()), done.stderr


def test_a_closed_pipe_ends_quietly(job):
    """When the reader has enough, the command ends with 0 and says nothing."""
    script = Path(sysconfig.get_path("scripts")) / "textgen-sample"
    pipe = '{ "$0" "$1" "$2" --length 20000 --seed 1; echo "code $?" >&2; } | head -c 10'
    done = subprocess.run(
        ["/bin/sh", "-c", pipe, sys.executable, str(script), job], check=False, capture_output=True, text=True
    )
    assert (len(done.stdout), done.stderr) == (10, "code 0\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(job, run_script):
    """What cannot be written is said in one line, with the code of the class."""
    with Path("/dev/full").open("w") as full:
        done = run_script("textgen-sample", job, "--length=50", stdout=full)
    assert done.returncode == 74
    assert done.stderr.startswith("textgen-sample: error: ")
    assert done.stderr.count("\n") == 1
