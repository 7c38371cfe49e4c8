import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.commands import installed, run_installed
from textgen.generation import LSTMStep, load


@pytest.fixture
def job(trained):
    return str(trained.job)


@pytest.mark.parametrize("prompt", ["", "The sea", " two  spaces ", "a line\nand another\n", "-- he said, half-asleep"])
def test_only_text_is_written_after_the_prompt(job, written, prompt):
    """Standard output contains only the prompt exactly as given, the model's text and a line end."""
    out = written(job, "--prompt", prompt, "--length", "50", "--seed", "3")
    assert out == prompt + "".join(load(job).generate(prompt, length=50, seed=3)) + "\n"
    assert len(out) == len(prompt) + 50 + 1


def test_the_default_is_some_lines_of_text(job, written):
    """By default a text has 400 tokens."""
    assert len(written(job)) == 400 + 1


def test_a_length_of_zero_writes_the_prompt_alone(job, written):
    """With --length 0 the model writes nothing."""
    assert written(job, "--prompt", "The sea", "--length=0") == "The sea\n"


def test_the_seed_decides(job, written):
    """The same seed gives the same text; another seed, or none, gives another text."""
    first, again, other = (written(job, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again
    assert len({first, other, written(job), written(job, "--seed=none")}) == 4


def test_temperature_zero_needs_no_seed(job, written):
    """Greedy sampling gives the same text without a seed."""
    assert written(job, "--temperature", "0", "--length", "60") == written(job, "--temperature=0", "--length=60")


def test_the_model_file_alone_is_enough(trained, written, tmp_path):
    """A model file works under any name and outside of its job directory."""
    expected = written(str(trained.job), "--seed=5")
    alone = tmp_path / "renamed.model"
    shutil.copy(trained.job / "model.safetensors", alone)
    assert written(str(alone), "--seed=5") == expected


def test_the_text_is_utf_8_in_every_locale(job):
    """Standard output is UTF-8 even if Python's encoding for it is ASCII."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "1"}
    done = run_installed(
        "textgen-sample", job, "--prompt", "☃", "--oov=skip", "--length=5", text=False, env=environment
    )
    assert done.stdout.startswith("☃".encode()), done.stderr


@pytest.mark.parametrize("count", [2, 3, 70])
def test_several_samples_are_the_single_ones_with_the_seeds_that_follow(job, written, count):
    """--samples N with seed s writes the texts of N runs with seeds s, s + 1, …, with a line --- between them."""
    prompt = ("--prompt", "The sea", "--length=12")
    options = (*prompt, "--until", written(job, *prompt, "--seed=5")[10])
    single = [written(job, *options, f"--seed={seed}") for seed in range(5, 5 + count)]
    assert written(job, *options, "--seed=5", f"--samples={count}") == "---\n".join(single)


def test_several_samples_without_a_seed_differ(job, written):
    """Without a seed all texts differ, within one run and between two."""
    texts = [text for _ in range(2) for text in written(job, "--samples=3", "--length=80").split("---\n")]
    assert len(set(texts)) == 6


def test_a_text_ends_where_until_is_written(job, written):
    """A text ends after the first occurrence of --until; of several, the one that occurs first counts."""
    text = written(job, "--seed=1").removesuffix("\n")
    end = text.index(text[50:53]) + 3
    assert written(job, "--seed=1", "--until", text[50:53]) == text[:end] + "\n"
    assert written(job, "--seed=1", "--until", "nowhere in there", "--until", text[50:53]) == text[:end] + "\n"
    assert written(job, "--seed=1", "--until", text[50:53], "--until", text[0]) == text[0] + "\n"


def test_a_text_ends_after_some_lines(job, written):
    """--lines N ends the text after N lines, the first of which continues the prompt."""
    text = written(job, "--seed=1", "--length=2000")
    assert written(job, "--seed=1", "--length=2000", "--lines=3") == "\n".join(text.split("\n")[:3]) + "\n"


def test_banned_texts_are_not_written(job, written):
    """No text of --ban is written, and each flag counts; --logit_bias removes a character."""
    options = ("--seed=1", "--length=600", "--samples=2")
    plain = written(job, *options)
    bans = {plain[40:42], plain[90:93]}
    text = written(job, *options, *(f"--ban={ban}" for ban in bans))
    assert len(text) == len(plain)
    assert not any(ban in text.replace("---\n", "") for ban in bans)
    assert "e" in plain
    assert "e" not in written(job, *options, "--logit_bias", "e=-100")


def test_the_best_of_several_texts(job, written):
    """--best_of N writes one text for each of --samples, with the seed that gives it again, and better scores than without."""
    options = ("--seed=3", "--length=80", "--samples=4", "--json")
    best, single = (
        [json.loads(line) for line in written(job, *options, *more).splitlines()] for more in (("--best_of=5",), ())
    )
    assert [each["seed"] for each in best] == [3, 4, 5, 6]
    assert all(
        one["bits_per_character"] <= other["bits_per_character"] + 1e-6 for one, other in zip(best, single, strict=True)
    )
    assert best != single
    assert written(job, "--seed=5", "--length=80", "--best_of=5") == f"{best[2]['text']}\n"


def test_json_is_one_line_per_text(job, written):
    """Each line of --json has a text of the plain output, in the same order, with its seed, length, end and model."""
    options = ("--prompt", "The sea", "--length=25", "--seed=8")
    end = written(job, *options)[15]
    several = (*options, "--samples=3", "--until", end)
    found = [json.loads(line) for line in written(job, *several, "--json").splitlines()]
    assert "---\n".join(f"The sea{each['text']}\n" for each in found) == written(job, *several)
    sha256 = load(job).model.sha256
    for number, each in enumerate(found):
        assert list(each) == ["text", "prompt", "seed", "tokens", "finish_reason", "bits_per_character", "model"]
        assert (each["prompt"], each["seed"], each["model"]) == ("The sea", 8 + number, sha256)
        assert each["tokens"] == len(each["text"])
        assert each["finish_reason"] == ("until" if each["text"].endswith(end) else "length")
    assert len(sha256) == 64
    assert found[0]["finish_reason"] == "until"


def test_json_has_the_bits_per_character(job, written):
    """bits_per_character is the mean of -log2 of the model's own probabilities, regardless of the sampler's settings."""
    options = ("--prompt", "The sea", "--length=30", "--seed=8", "--temperature=0.3", "--top_k=5", "--json")
    found = json.loads(written(job, *options))
    model = load(job).model
    run, bits = LSTMStep(model).start(), 0.0
    tokens = model.vocabulary.encode("The sea" + found["text"])
    for place, (token, following) in enumerate(pairwise(tokens)):
        logits = run(np.array([token]))[0].astype(float)
        if place >= len("The sea") - 1:
            bits -= math.log2(math.exp(logits[following]) / sum(map(math.exp, logits)))
    assert found["bits_per_character"] == pytest.approx(bits / 30, rel=1e-4)


def test_json_of_an_empty_text(job, written):
    """bits_per_character of an empty text is null."""
    found = json.loads(written(job, "--prompt", "The sea", "--length=0", "--json"))
    assert (found["text"], found["prompt"], found["tokens"]) == ("", "The sea", 0)
    assert (found["finish_reason"], found["bits_per_character"]) == ("length", None)


def test_json_is_plain_utf_8(job):
    """Letters are not escaped; a byte of the prompt that is not UTF-8 is the escape that Python decodes to that byte."""
    done = run_installed(
        "textgen-sample", job, "--prompt", "sea ☃ ".encode() + b"\xff", "--oov=skip", "--length=5", "--json", text=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"prompt": "sea ☃ \\udcff"'.encode() in done.stdout
    prompt = json.loads(done.stdout.decode())["prompt"]
    assert prompt.encode("utf-8", "surrogateescape") == "sea ☃ ".encode() + b"\xff"


def test_json_without_echo_has_no_prompt(job, written):
    """With --no-echo the JSON has no prompt."""
    found = json.loads(written(job, "--prompt", "The sea", "--length=5", "--json", "--no-echo"))
    assert "prompt" not in found
    assert len(found["text"]) == 5


@pytest.mark.parametrize("flag", ["--lines=900", "--json", "--samples=3"])
def test_a_closed_pipe_ends_quietly(job, flag):
    """If the reader closes the pipe, the command ends with 0 and no message."""
    pipe = '{ "$0" "$1" "$2" --length 20000 --seed 1 "$3"; echo "code $?" >&2; } | head -c 10'
    done = subprocess.run(
        ["/bin/sh", "-c", pipe, *installed("textgen-sample"), job, flag],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (len(done.stdout), done.stderr) == (10, "code 0\n")


@pytest.fixture
def interrupted(job, tmp_path):
    """A function that sends a signal to `textgen-sample` once it has written text; returns exit code and both outputs."""

    def interrupt(number, *arguments):
        path = tmp_path / "text.txt"
        with (
            path.open("w") as file,
            subprocess.Popen(
                [*installed("textgen-sample"), job, "--seed=1", *arguments],
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            try:
                while path.stat().st_size == 0 and process.poll() is None:
                    time.sleep(0.01)
                process.send_signal(number)
                _, err = process.communicate(timeout=60)
            finally:
                process.kill()
        return process.returncode, path.read_text(), err

    return interrupt


def test_ctrl_c_ends_a_text_quietly(job, interrupted):
    """Ctrl-C ends the text with a line end and the command with 130, without a message."""
    code, out, err = interrupted(signal.SIGINT, "--prompt", "The sea", "--length=2000000000")
    assert (code, err) == (130, "")
    assert out.endswith("\n")
    text = out.removeprefix("The sea").removesuffix("\n")
    assert text == "".join(load(job).generate("The sea", seed=1, length=len(text)))


def test_ctrl_c_leaves_whole_lines_of_json(interrupted):
    """After Ctrl-C, standard output has only whole lines of JSON."""
    code, out, err = interrupted(signal.SIGINT, "--samples=1000000", "--length=20", "--json")
    assert (code, err) == (130, "")
    lines = out.splitlines()
    assert [json.loads(line)["seed"] for line in lines] == list(range(1, 1 + len(lines)))


def test_sigterm_ends_the_process(interrupted):
    """SIGTERM kills the process, which does not handle it, without a message."""
    code, _, err = interrupted(signal.SIGTERM, "--length=2000000000")
    assert (code, err) == (-signal.SIGTERM, "")


def test_plain_sampling_loads_only_what_it_needs(job):
    """Sampling without --novelty and --max_copy loads neither rich, YAML, the cache nor the copy index."""
    script = f"import sys; from textgen.cli.sample import main; main([{job!r}, '--seed=1', '--samples=2']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    names = set(done.stdout.split("\n")[-2].split())
    assert "numpy" in names
    assert names.isdisjoint({"rich", "yaml", "platformdirs", "safetensors", "textgen.evaluation", "textgen.cli.copies"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(job):
    """A failure to write ends with 74 and one line."""
    with Path("/dev/full").open("w") as full:
        done = run_installed("textgen-sample", job, "--length=50", stdout=full)
    assert done.returncode == 74
    assert done.stderr.startswith("textgen-sample: error: ")
    assert done.stderr.count("\n") == 1
