import io
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

from tests.cli.conftest import installed, run_installed
from textgen.cli.sample import main
from textgen.cli.training_text import open_training_text
from textgen.generation import LSTMStep, load


@pytest.fixture
def job(trained):
    return str(trained.job)


@pytest.fixture
def written(capsys):
    """A function that samples and returns the standard output; standard error must be empty."""

    def sample(*arguments):
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return sample


@pytest.fixture
def at_home(trained, tmp_path, monkeypatch):
    """Makes the folder of the training the current one, where the training text is found, with a new cache."""
    monkeypatch.chdir(trained.place)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))


def give_input(monkeypatch, content):
    """Puts bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


@pytest.mark.parametrize("prompt", ["", "The sea", " two  spaces ", "a line\nand another\n", "-- he said, half-asleep"])
def test_only_text_is_written_after_the_prompt(job, written, prompt):
    """Standard output contains only the prompt exactly as given, the model's text and a line end."""
    out = written(job, "--prompt", prompt, "--length", "50", "--seed", "3")
    assert out == prompt + "".join(load(job).generate(prompt, length=50, seed=3)) + "\n"
    assert len(out) == len(prompt) + 50 + 1


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


def test_the_text_is_utf_8_in_every_locale(job):
    """Standard output is UTF-8 even if Python's encoding for it is ASCII."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "1"}
    done = run_installed(
        "textgen-sample", job, "--prompt", "☃", "--oov=skip", "--length=5", text=False, env=environment
    )
    assert done.stdout.startswith("☃".encode()), done.stderr


def test_without_echo_the_prompt_is_left_out(job, written):
    """--no-echo writes only the model's part of each text."""
    options = ("--prompt", "The sea", "--length=20", "--seed=4", "--samples=2")
    parts = written(job, *options).split("---\n")
    assert written(job, *options, "--no-echo").split("---\n") == [part.removeprefix("The sea") for part in parts]


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


def longest_copied(text, source):
    """Returns the longest passage of a text that is in a source, the first if several are equally long; slow, but simple."""
    passages = (text[start:stop] for start in range(len(text)) for stop in range(start, len(text) + 1))
    return max((passage for passage in passages if passage in source), key=len)


@pytest.mark.usefixtures("at_home")
def test_novelty_is_reported(trained, written, capsys):
    """--novelty reports what each text copies from the training text, in JSON fields or one line on standard error."""
    options = (str(trained.job), "--length=60", "--seed=3", "--samples=2", "--novelty", "--temperature=0.5")
    source = "".join(open_training_text(trained.job, load(trained.job).model.data_sha256).chunks())
    found = [json.loads(line) for line in written(*options, "--json").splitlines()]
    for each in found:
        assert each["longest_copy"] == longest_copied(each["text"], source)
        assert each["longest_copy_characters"] == len(each["longest_copy"]) > 0
        spans = [each["text"][start : start + 40] for start in range(60 - 40 + 1)]
        assert each["spans"] == len(spans)
        assert each["copied_share"] == sum(span in source for span in spans) / len(spans)
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert out == "---\n".join(each["text"] + "\n" for each in found)
    for each, line in zip(found, err.splitlines(), strict=True):
        assert f"{each['longest_copy_characters']} character" in line
        assert repr(each["longest_copy"]) in line


@pytest.mark.usefixtures("at_home")
def test_novelty_ignores_the_prompt(trained, written):
    """A prompt from the training text does not count as copied."""
    prompt = "".join(open_training_text(trained.job, load(trained.job).model.data_sha256).chunks())[1000:1100]
    found = json.loads(written(str(trained.job), "--prompt", prompt, "--length=20", "--novelty", "--json"))
    assert found["longest_copy_characters"] <= 20


@pytest.mark.usefixtures("at_home")
def test_no_more_is_copied_than_is_allowed(trained, written):
    """With --max_copy N, no passage of N + 1 characters is in the training text, even one that begins in the prompt."""
    source = "".join(open_training_text(trained.job, load(trained.job).model.data_sha256).chunks())
    prompt = source[1000:1016]
    text = written(str(trained.job), "--prompt", prompt, "--length=200", "--max_copy=16", "--seed=1").removesuffix("\n")
    assert len(text) > len(prompt)
    assert not any(text[start : start + 17] in source for start in range(len(text) - 17 + 1))


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
