import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from textgen.cli.sample import main
from textgen.cli.training_text import open_training_text
from textgen.generation import LSTMStep, load

SCRIPT = Path(sysconfig.get_path("scripts")) / "textgen-sample"


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


@pytest.fixture
def at_home(trained, tmp_path, monkeypatch):
    """The folder in which the job was trained, where its text is found, with a cache for this test alone."""
    monkeypatch.chdir(trained.place)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))


def give_input(monkeypatch, content):
    """Puts bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))


@pytest.mark.parametrize("prompt", ["", "The sea", " two  spaces ", "a line\nand another\n", "-- he said, half-asleep"])
def test_only_text_is_written_and_the_prompt_comes_first(job, written, prompt):
    """Standard output has the prompt exactly as it was given, what the model wrote, and a line end; nothing else."""
    out = written(job, "--prompt", prompt, "--length", "50", "--seed", "3")
    assert out == prompt + "".join(load(job).generate(prompt, length=50, seed=3)) + "\n"
    assert len(out) == len(prompt) + 50 + 1


CURLY = "“It’s so,” he"  # noqa: RUF001 - as in print


@pytest.mark.parametrize("options", [[], ["--json"], ["--oov=skip"], ["--prompt=@curly.txt"]])
def test_a_prompt_in_another_spelling_is_read_in_that_of_the_text(job, capsys, tmp_path, monkeypatch, options):
    """Curly quotes go with a text of straight ones; that is said on standard error, and the echo is as typed."""
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
    give_input(monkeypatch, b"The sea\nwas calm. \n")
    out = written(job, "--prompt", "-", "--length", "30", "--seed", "2")
    assert out == written(job, "--prompt", "The sea\nwas calm. \n", "--length", "30", "--seed", "2")
    assert out.startswith("The sea\nwas calm. \n")


def test_an_at_sign_reads_the_prompt_from_a_file(job, written, tmp_path):
    """--prompt @FILE continues what is in the file, to its last character."""
    path = tmp_path / "opening.txt"
    path.write_text("The sea\nwas calm. \n")
    out = written(job, "--prompt", f"@{path}", "--length", "30", "--seed", "2")
    assert out == written(job, "--prompt", "The sea\nwas calm. \n", "--length", "30", "--seed", "2")


@pytest.mark.parametrize("place", ["file", "standard input"])
def test_a_prompt_is_echoed_byte_by_byte(job, place, run_script, tmp_path):
    """A byte order mark, CRLF, a lone CR, NUL and a beginning @ come out as they went in, wherever the prompt stood."""
    content = "@\ufeffThe sea\r\nwas\rcalm ☃.\0\n\n".encode()
    path = tmp_path / "opening.txt"
    path.write_bytes(content)
    with path.open("rb") as file:
        prompt = "-" if place == "standard input" else f"@{path}"
        done = run_script("textgen-sample", job, "--prompt", prompt, "--oov=skip", "--length=5", text=False, stdin=file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(content)
    assert len(done.stdout.decode()) == len(content.decode()) + 5 + 1


def test_a_prompt_comes_from_a_named_pipe(job, tmp_path, run_script):
    """What a shell makes of @<(command) is read like a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"printf 'The sea' > {pipe}"]):
        done = run_script("textgen-sample", job, "--prompt", f"@{pipe}", "--length=0", timeout=60)
    assert (done.returncode, done.stdout) == (0, "The sea\n")


@pytest.mark.parametrize("prompt", ["--", "-", "--length"])
def test_a_prompt_may_look_like_a_flag(job, written, prompt, monkeypatch):
    """Behind an equals sign anything is a prompt, but the one dash that stands for standard input."""
    give_input(monkeypatch, b"-")
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


def test_without_echo_the_prompt_is_left_out(job, written):
    """--no-echo leaves only what the model wrote, of one text and of several."""
    options = ("--prompt", "The sea", "--length=20", "--seed=4", "--samples=2")
    parts = written(job, *options).split("---\n")
    assert written(job, *options, "--no-echo").split("---\n") == [part.removeprefix("The sea") for part in parts]


@pytest.mark.parametrize("count", [2, 3, 70])
def test_several_samples_are_the_single_ones_with_the_seeds_that_follow(job, written, count):
    """--samples N with seed s writes what N runs with the seeds s, s + 1, ... write, with a line --- between them."""
    prompt = ("--prompt", "The sea", "--length=12")
    options = (*prompt, "--until", written(job, *prompt, "--seed=5")[10])
    single = [written(job, *options, f"--seed={seed}") for seed in range(5, 5 + count)]
    assert written(job, *options, "--seed=5", f"--samples={count}") == "---\n".join(single)


def test_several_samples_without_a_seed_differ(job, written):
    """Without a seed each of several texts is another, and so are those of the next call."""
    texts = [text for _ in range(2) for text in written(job, "--samples=3", "--length=80").split("---\n")]
    assert len(set(texts)) == 6


def test_a_text_ends_where_until_is_written(job, written):
    """--until ends the text behind its first appearance; of several the first that comes decides."""
    text = written(job, "--seed=1").removesuffix("\n")
    end = text.index(text[50:53]) + 3
    assert written(job, "--seed=1", "--until", text[50:53]) == text[:end] + "\n"
    assert written(job, "--seed=1", "--until", "nowhere in there", "--until", text[50:53]) == text[:end] + "\n"
    assert written(job, "--seed=1", "--until", text[50:53], "--until", text[0]) == text[0] + "\n"


def test_a_text_ends_after_some_lines(job, written):
    """--lines N writes N lines, of which the first goes on with the prompt."""
    text = written(job, "--seed=1", "--length=2000")
    assert written(job, "--seed=1", "--length=2000", "--lines=3") == "\n".join(text.split("\n")[:3]) + "\n"


def test_json_has_a_line_a_text(job, written):
    """--json writes what plain output has, with all that is known of it; the texts stand in their order."""
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


def test_json_tells_how_unexpected_a_text_is_to_the_model(job, written):
    """bits_per_character is the mean of -log2 of the probabilities that the model gives, whatever the sampler does."""
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
    """A text of no character has no bits per character."""
    found = json.loads(written(job, "--prompt", "The sea", "--length=0", "--json"))
    assert (found["text"], found["prompt"], found["tokens"]) == ("", "The sea", 0)
    assert (found["finish_reason"], found["bits_per_character"]) == ("length", None)


def test_json_is_plain_utf_8(job, run_script):
    """Letters stand as they are; a byte of the prompt that is not UTF-8 is the escape from which Python gets it back."""
    done = run_script(
        "textgen-sample", job, "--prompt", "sea ☃ ".encode() + b"\xff", "--oov=skip", "--length=5", "--json", text=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"prompt": "sea ☃ \\udcff"'.encode() in done.stdout
    prompt = json.loads(done.stdout.decode())["prompt"]
    assert prompt.encode("utf-8", "surrogateescape") == "sea ☃ ".encode() + b"\xff"


def test_json_without_echo_has_no_prompt(job, written):
    """--no-echo leaves the prompt out of the JSON, too."""
    found = json.loads(written(job, "--prompt", "The sea", "--length=5", "--json", "--no-echo"))
    assert "prompt" not in found
    assert len(found["text"]) == 5


def longest_copied(text, source):
    """The longest passage of a text that another has, the first of equals; slow, but plainly right."""
    passages = (text[start:stop] for start in range(len(text)) for stop in range(start, len(text) + 1))
    return max((passage for passage in passages if passage in source), key=len)


@pytest.mark.usefixtures("at_home")
def test_novelty_is_reported(trained, written, capsys):
    """--novelty tells of each text what it has from the training text: fields in JSON, a line on standard error else."""
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
def test_novelty_looks_at_what_the_model_wrote_alone(trained, written):
    """A prompt that stands in the training text is no copy of the model's."""
    prompt = "".join(open_training_text(trained.job, load(trained.job).model.data_sha256).chunks())[1000:1100]
    found = json.loads(written(str(trained.job), "--prompt", prompt, "--length=20", "--novelty", "--json"))
    assert found["longest_copy_characters"] <= 20


@pytest.mark.usefixtures("at_home")
def test_no_more_is_copied_than_is_allowed(trained, written):
    """With --max_copy no run of characters longer than that is in the training text, the prompt's end included."""
    source = "".join(open_training_text(trained.job, load(trained.job).model.data_sha256).chunks())
    prompt = source[1000:1016]
    text = written(str(trained.job), "--prompt", prompt, "--length=200", "--max_copy=16", "--seed=1").removesuffix("\n")
    assert len(text) > len(prompt)
    assert not any(text[start : start + 17] in source for start in range(len(text) - 17 + 1))


@pytest.mark.parametrize("flag", ["--lines=900", "--json", "--samples=3"])
def test_a_closed_pipe_ends_quietly(job, flag):
    """When the reader has enough, the command ends with 0 and says nothing."""
    pipe = '{ "$0" "$1" "$2" --length 20000 --seed 1 "$3"; echo "code $?" >&2; } | head -c 10'
    done = subprocess.run(
        ["/bin/sh", "-c", pipe, sys.executable, str(SCRIPT), job, flag],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (len(done.stdout), done.stderr) == (10, "code 0\n")


@pytest.fixture
def interrupted(job, tmp_path):
    """A function that stops a command while it writes into a file; it returns the exit code and both outputs."""

    def interrupt(number, *arguments):
        path = tmp_path / "text.txt"
        with (
            path.open("w") as file,
            subprocess.Popen(
                [sys.executable, str(SCRIPT), job, "--seed=1", *arguments],
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
    """What was written stays, a line end behind it; nothing is said, and the code is 130."""
    code, out, err = interrupted(signal.SIGINT, "--prompt", "The sea", "--length=2000000000")
    assert (code, err) == (130, "")
    assert out.endswith("\n")
    text = out.removeprefix("The sea").removesuffix("\n")
    assert text == "".join(load(job).generate("The sea", seed=1, length=len(text)))


def test_ctrl_c_leaves_whole_lines_of_json(interrupted):
    """Ctrl-C leaves the texts that have ended, and no part of another."""
    code, out, err = interrupted(signal.SIGINT, "--samples=1000000", "--length=20", "--json")
    assert (code, err) == (130, "")
    lines = out.splitlines()
    assert [json.loads(line)["seed"] for line in lines] == list(range(1, 1 + len(lines)))


def test_sigterm_ends_the_process(interrupted):
    """SIGTERM is left to the system: the process is ended by it, without a word."""
    code, _, err = interrupted(signal.SIGTERM, "--length=2000000000")
    assert (code, err) == (-signal.SIGTERM, "")


def test_plain_sampling_loads_only_what_it_needs(job):
    """Without the training text nothing of rich, YAML, the cache or the copy index is loaded."""
    script = f"import sys; from textgen.cli.sample import main; main([{job!r}, '--seed=1', '--samples=2']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    names = set(done.stdout.split("\n")[-2].split())
    assert "numpy" in names
    assert names.isdisjoint({"rich", "yaml", "platformdirs", "safetensors", "textgen.evaluation", "textgen.cli.copies"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(job, run_script):
    """What cannot be written is said in one line, with the code of the class."""
    with Path("/dev/full").open("w") as full:
        done = run_script("textgen-sample", job, "--length=50", stdout=full)
    assert done.returncode == 74
    assert done.stderr.startswith("textgen-sample: error: ")
    assert done.stderr.count("\n") == 1
