import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run_installed
from textgen.cli.sample import main
from textgen.generation import load


@pytest.fixture
def job(trained):
    return str(trained.job)


def give_input(monkeypatch, content):
    """Puts bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


CURLY = "“It’s so,” he"  # noqa: RUF001 - as in print


@pytest.mark.parametrize("options", [[], ["--json"], ["--oov=skip"], ["--prompt=@curly.txt"]])
def test_a_prompt_in_another_spelling_is_read_in_that_of_the_text(job, capsys, tmp_path, monkeypatch, options):
    """Curly quotes are replaced for a model of straight quotes; standard error reports it, and the echo is unchanged."""
    monkeypatch.chdir(tmp_path)
    Path("curly.txt").write_text(CURLY, encoding="utf-8")
    assert main([job, "--prompt", CURLY, "--length=20", "--seed=1", *options]) == 0
    out, err = capsys.readouterr()
    assert err == 'The prompt is read with " for “, \' for ’ and " for ”, as in the training text.\n'  # noqa: RUF001
    text = "".join(load(job).generate('"It\'s so," he', length=20, seed=1))
    if "--json" in options:
        assert json.loads(out)["prompt"] == CURLY
        assert json.loads(out)["text"] == text
    else:
        assert out == f"{CURLY}{text}\n"


def test_a_dash_reads_the_prompt_from_standard_input(job, written, monkeypatch):
    """--prompt - continues all of standard input, including the last line end."""
    give_input(monkeypatch, b"The sea\nwas calm. \n")
    out = written(job, "--prompt", "-", "--length", "30", "--seed", "2")
    assert out == written(job, "--prompt", "The sea\nwas calm. \n", "--length", "30", "--seed", "2")
    assert out.startswith("The sea\nwas calm. \n")


def test_an_at_sign_reads_the_prompt_from_a_file(job, written, tmp_path):
    """--prompt @FILE continues all of the file, including the last line end."""
    path = tmp_path / "opening.txt"
    path.write_text("The sea\nwas calm. \n")
    out = written(job, "--prompt", f"@{path}", "--length", "30", "--seed", "2")
    assert out == written(job, "--prompt", "The sea\nwas calm. \n", "--length", "30", "--seed", "2")


@pytest.mark.parametrize("place", ["file", "standard input"])
def test_a_prompt_is_echoed_byte_by_byte(job, place, tmp_path):
    """A byte order mark, CRLF, CR, NUL and a leading @ in a prompt file or on standard input are echoed unchanged."""
    content = "@\ufeffThe sea\r\nwas\rcalm ☃.\0\n\n".encode()
    path = tmp_path / "opening.txt"
    path.write_bytes(content)
    with path.open("rb") as file:
        prompt = "-" if place == "standard input" else f"@{path}"
        done = run_installed(
            "textgen-sample", job, "--prompt", prompt, "--oov=skip", "--length=5", text=False, stdin=file
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(content)
    assert len(done.stdout.decode()) == len(content.decode()) + 5 + 1


def test_a_prompt_comes_from_a_named_pipe(job, tmp_path):
    """A named pipe, as from @<(command) in a shell, is read like a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"printf 'The sea' > {pipe}"]):
        done = run_installed("textgen-sample", job, "--prompt", f"@{pipe}", "--length=0", timeout=60)
    assert (done.returncode, done.stdout) == (0, "The sea\n")


@pytest.mark.parametrize("prompt", ["--", "-", "--length"])
def test_a_prompt_may_look_like_a_flag(job, written, prompt, monkeypatch):
    """After an equals sign every value is a prompt, except a single dash, which reads standard input."""
    give_input(monkeypatch, b"-")
    assert written(job, f"--prompt={prompt}", "--oov=skip", "--length=5").startswith(prompt)


@pytest.mark.parametrize("oov", ["skip", "unk"])
def test_a_prompt_with_unknown_characters_is_echoed_unchanged(job, written, oov):
    """With --oov skip or unk, the echo of a prompt includes characters that the model does not know."""
    assert written(job, "--prompt", "☃ sea Ω", "--oov", oov, "--length=10").startswith("☃ sea Ω")


def test_a_prompt_that_is_not_utf_8_is_echoed_byte_by_byte(job):
    """Bytes of --prompt that are not UTF-8 are echoed unchanged."""
    done = run_installed("textgen-sample", job, "--prompt", b"sea \xff\xfe", "--oov=skip", "--length=5", text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"sea \xff\xfe")


def test_without_echo_the_prompt_is_left_out(job, written):
    """--no-echo writes only the model's part of each text."""
    options = ("--prompt", "The sea", "--length=20", "--seed=4", "--samples=2")
    parts = written(job, *options).split("---\n")
    assert written(job, *options, "--no-echo").split("---\n") == [part.removeprefix("The sea") for part in parts]
