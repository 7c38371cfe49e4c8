import contextlib
import dataclasses
import fcntl
import io
import json
import math
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.commands import TEXT, installed
from textgen.cli.score import main
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import load, write_model
from textgen.jobs import JobDirectory, job_lock

LETTERS = "abcdefghij"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def author(random_model):
    """A function that writes a job with a model of the letters a to j that likes some of them, and returns its name."""

    def write(name, letters, **fields):
        model = random_model()
        tensors = {key: np.zeros_like(tensor) for key, tensor in model.tensors.items()}
        likes = [3.0 if token and token in letters else 0.0 for token in model.vocabulary.tokens]
        tensors["output.bias"] = np.array(likes, np.float32)
        Path("job", name).mkdir(parents=True)
        write_model(Path("job", name, "model.safetensors"), dataclasses.replace(model, tensors=tensors, **fields))
        return name

    return write


@pytest.fixture
def model(random_model):
    """The path of a model of the letters a to j and line breaks."""
    write_model(Path("letters.safetensors"), random_model())
    return "letters.safetensors"


@pytest.fixture
def scores(capfd):
    """A function that scores, and returns the fields of each line of the standard output; JSON is parsed."""

    def run(*arguments):
        assert main(arguments) == 0
        out, _ = capfd.readouterr()
        lines = out.removesuffix("\n").split("\n")
        return [json.loads(line) if "--json" in arguments else line.split("\t") for line in lines]

    return run


def type_in(monkeypatch, content):
    """Makes bytes the standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_a_pipe_gets_a_line_with_tabs(model, scores):
    """In a pipe, a text is its bits per character, characters, share of `[UNK]`, model and name."""
    Path("letter.txt").write_text("abc\nabc")
    [line] = scores(model, "letter.txt")
    assert float(line[0]) == pytest.approx(load(model).score("abc\nabc").bits_per_character)
    assert line[1:] == ["6", "0.0", model, "letter.txt"]
    assert scores("letter.txt", model) == [line]


def test_a_text_in_quotes_and_on_standard_input(model, scores, monkeypatch):
    """The same text gives the same score as an argument, on standard input, and without any argument for it."""
    type_in(monkeypatch, b"\xef\xbb\xbfab\r\ncd")
    [piped] = scores(model, "-")
    type_in(monkeypatch, b"ab\ncd")
    assert scores(model)[0][:3] == piped[:3] == scores(model, "ab\ncd")[0][:3]
    assert piped[-1] == "standard input"
    assert scores(model, "ab\ncd")[0][-1] == '"ab cd"'


def test_a_pipe_with_a_name(model, scores, place):
    """A named pipe, as of a process substitution, is read once."""
    os.mkfifo("pipe")
    writer = threading.Thread(target=(place / "pipe").write_bytes, args=(b"abc",))
    writer.start()
    assert scores(model, "pipe")[0][1] == "2"
    writer.join()


def test_a_file_in_another_encoding(scores, random_model):
    """A file that is not UTF-8 is read as in training."""
    vocabulary = Vocabulary(("", "[UNK]", "a", "é"), make_tokenizer("char"))
    base = random_model()
    shape = dataclasses.replace(base.shape, vocabulary_size=vocabulary.size)
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    write_model(
        Path("accents.safetensors"), dataclasses.replace(base, vocabulary=vocabulary, shape=shape, tensors=tensors)
    )
    Path("latin.txt").write_bytes("aéa".encode("cp1252"))
    assert scores("accents.safetensors", "latin.txt")[0][1:3] == ["2", "0.0"]
    Path("wide.txt").write_bytes("aéa".encode("utf-16-le"))
    assert scores("accents.safetensors", "wide.txt", "--encoding=utf-16-le")[0][1:3] == ["2", "0.0"]


def test_lines_and_tokens_add_up(model, scores):
    """The bits of all lines, and of all tokens, are those of the text; the tokens together are the text."""
    text = "abc\n\nabcdef\nj"
    [whole] = scores(model, text, "--json")
    lines = scores(model, text, "--by", "line", "--json")
    tokens = scores(model, text, "--by", "token", "--json")
    bits = whole["bits_per_character"] * whole["characters"]
    assert sum(line["bits_per_character"] * line["characters"] for line in lines) == pytest.approx(bits)
    assert sum(token["bits"] for token in tokens[1:]) == pytest.approx(bits)
    assert "".join(token["text"] for token in tokens) == text
    assert [token["offset"] for token in tokens] == list(range(len(text)))
    assert [(line["line"], line["text"]) for line in lines] == [(1, "abc"), (2, ""), (3, "abcdef"), (4, "j")]
    assert (tokens[0]["bits"], tokens[0]["rank"], whole["tokens"]) == (None, None, len(text))
    assert whole["model"] == load(model).model.sha256
    assert [line[-1] for line in scores(model, text, "--by=line")] == ["abc", "", "abcdef", "j"]
    assert [line[1:] for line in scores(model, text, "--by=token")][3][-1] == "\\n"


def test_alternatives(model, scores):
    """--top lists alternatives of each token; at each temperature, the probabilities of all that can be written add up to 1."""
    Path("two.txt").write_text("a\n")
    first, token = scores(model, "two.txt", "--top=11", "--json")
    assert first["top"] == []
    assert len(token["top"]) == 11
    assert list(token["top"][0]["probabilities"]) == ["0.5", "0.8", "1.0", "1.2"]
    for temperature in ("0.5", "0.8", "1.0", "1.2"):
        assert math.fsum(other["probabilities"][temperature] for other in token["top"]) == pytest.approx(1)
    assert token["top"][0]["probabilities"]["0.5"] > token["top"][0]["probabilities"]["1.2"]
    assert token["top"][token["rank"] - 1]["text"] == "\n"
    rows = scores(model, "two.txt", "--top=2")
    assert [len(row) for row in rows] == [3, 3, 8, 8]


def test_which_author_wrote_it(author, scores):
    """Several models are ranked by their bits per character of the text, the best first."""
    author("austen", "ab")
    author("wells", "ij")
    Path("letter.txt").write_text("ijijjaji")
    found = scores("austen", "wells", "--json", "--", "letter.txt")
    assert [(line["rank"], line["job"]) for line in found] == [(1, "job/wells"), (2, "job/austen")]
    assert [line[3:] for line in scores("austen", "wells", "letter.txt")] == [
        ["job/wells", "letter.txt"],
        ["job/austen", "letter.txt"],
    ]


def test_which_text_is_most_like_the_model(author, scores):
    """With one model, texts are ranked; with several of both, the models are ranked for each text."""
    author("wells", "ij")
    author("austen", "ab")
    Path("his.txt").write_text("ijijij")
    Path("hers.txt").write_text("ababab")
    assert [line[-1] for line in scores("wells", "hers.txt", "his.txt")] == ["his.txt", "hers.txt"]
    found = scores("wells", "austen", "hers.txt", "his.txt", "--json")
    assert [(line["rank"], line["text"], line["job"]) for line in found] == [
        (1, "hers.txt", "job/austen"),
        (2, "hers.txt", "job/wells"),
        (1, "his.txt", "job/wells"),
        (2, "his.txt", "job/austen"),
    ]


def test_a_text_with_unknown_tokens_has_no_rank(author, scores, capfd):
    """A score with `[UNK]` is not comparable: alone, a warning lists the tokens; among others, it comes last without a rank."""
    author("wells", LETTERS)
    Path("known.txt").write_text("aaaa")
    Path("unknown.txt").write_text("aaaaé\n")
    found = scores("wells", "unknown.txt", "known.txt", "--json")
    assert [(line["rank"], line["text"]) for line in found] == [(1, "known.txt"), (None, "unknown.txt")]
    assert main(["wells", "unknown.txt"]) == 0
    assert "not comparable: 16.7% of its tokens are [UNK], namely 'é'" in capfd.readouterr().err


def test_a_text_that_fits_no_model_has_no_author(author, scores, capfd):
    """In a ranking, a text that does not fit a model has no rank; if no text fits any model, the first is refused."""
    author("wells", "ij")
    author("austen", "ab")
    Path("russian.txt").write_text("жжддйй", encoding="utf-8")
    Path("letter.txt").write_text("ijij")
    assert main(["wells", "austen", "russian.txt"]) == 65
    out, err = capfd.readouterr()
    assert out == ""
    assert "russian.txt does not fit job/wells: 100% of its tokens are [UNK], namely 'ж', 'д', 'й'" in err
    assert [line["rank"] for line in scores("wells", "russian.txt", "letter.txt", "--json")] == [1, None]


def test_two_models_compared(author, scores):
    """--compare shows what each model needs for each token, and for the text."""
    author("wells", "ij")
    author("austen", "ab")
    tokens = scores("wells", "jia\nb", "--compare=austen", "--by=token", "--json")
    assert [token["bits"] is None or token["bits"] < token["other_bits"] for token in tokens] == [
        *(True, True, False),
        tokens[3]["bits"] < tokens[3]["other_bits"],
        False,
    ]
    both = scores("wells", "jia\nb", "--compare=austen", "--json")
    assert [line["job"] for line in both] == ["job/wells", "job/austen"]
    assert both[0]["bits_per_character"] * 4 == pytest.approx(sum(token["bits"] for token in tokens[1:]))
    assert both[1]["bits_per_character"] * 4 == pytest.approx(sum(token["other_bits"] for token in tokens[1:]))


def test_a_page(model, capfd):
    """--html writes a page and prints its path; it replaces an existing file only with --force."""
    arguments = [model, "ab\n<j", "--html", "page.html"]
    assert main(arguments) == 0
    assert capfd.readouterr().out == "page.html\n"
    page = Path("page.html").read_text()
    assert "&lt;" in page
    assert main(arguments) == 2
    assert "page.html already exists; replace it with --force" in capfd.readouterr().err
    assert main([*arguments, "--force", "--top=3"]) == 0
    assert len(Path("page.html").read_text()) > len(page)


def test_a_job_that_is_still_training(author, capfd):
    """The best model so far is used, and its step is printed; without a model yet, the message says that it will come."""
    author("busy", "ab", step=1200)
    Path("job/new").mkdir()
    for name in ("busy", "new"):
        with job_lock(JobDirectory(Path("job", name)), pytest.fail):
            code = main([name, "ab\nab"])
        _, err = capfd.readouterr()
        if name == "busy":
            assert (code, err) == (0, "job/busy is still training; this is its best model so far, of step 1,200\n")
            with job_lock(JobDirectory(Path("job", name)), pytest.fail):
                assert main(["job/busy/model.safetensors", "ab\nab"]) == 0
            assert "is still training" in capfd.readouterr().err
        else:
            assert code == 66
            assert "job/new is still training, and has no model yet" in err


def test_hard_wrapped_prose_is_read_like_the_training_text(scores, capfd):
    """A hard-wrapped text is unwrapped for a model whose training text was, such as the base model, and a line says so."""
    Path("wrapped.txt").write_text(TEXT, encoding="utf-8")
    assert main(["base", "wrapped.txt", "--by=line", "--json"]) == 0
    out, err = capfd.readouterr()
    assert out.count("\n") < TEXT.count("\n") / 2
    assert err == "The text is read with one line per paragraph, as in the training text.\n"
    assert {json.loads(line)["text"] for line in out.splitlines()} >= {TEXT.split("\n", 1)[0]}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 66, "there is neither nowhere nor job/nowhere"),
        (["letters"], 66, "did you mean"),
        (["empty.txt"], 65, "empty.txt is empty"),
        (["one.txt"], 65, "one.txt has one token"),
        (["image.png"], 65, "image.png is an image"),
        (
            ["misfit.txt"],
            65,
            "misfit.txt does not fit letters.safetensors: 75% of its tokens are [UNK], namely 'x', 'y', 'z'",
        ),
        (["-", "-"], 2, "standard input can be read once"),
        (["a.txt", "--by=word"], 2, "--by must be one of text, line, token, got 'word'"),
        (["a.txt", "--top=-1"], 2, "--top must be at least 0"),
        (["a.txt", "--top=1", "--compare=letters.safetensors"], 2, "--top and --compare cannot be combined"),
        (["a.txt", "--top=1", "--by=line"], 2, "use --by token"),
        (["a.txt", "--html=p.html", "--json"], 2, "--html and --json cannot be combined"),
        (["a.txt", "--html=."], 2, "--html must be a file, got ., which is a directory"),
        (["a.txt", "--html=no/such/p.html", "--by=line"], 2, "cannot be combined"),
        (["a.txt", "--force"], 2, "--force replaces an HTML page"),
        (["a.txt", "a.txt", "--html=p.html"], 2, "--html needs at most one JOB and one TEXT, got 1 and 2"),
        (["a.txt", "--compare=nowhere"], 66, "there is neither nowhere"),
        (["a.txt", "--encoding=klingon"], 2, "--encoding must be a text encoding"),
        (["/dev/null"], 2, "a text must be a file"),
        (["texts"], 2, "a text must be a file, got texts, which is a folder; name the files in it"),
        (["?.txt"], 66, "there is no file ?.txt; check the name, and name each file if there are several"),
        (["a\0b c"], 2, "got NUL"),
        ([""], 2, "must not be empty"),
        (["a.txt", "--html=gs://bucket/p.html"], 2, "--html must be a local path"),
    ],
)
def test_bad_input_is_one_line(model, arguments, code, message, capfd):
    """Invalid arguments and texts that do not fit are refused in one line, and nothing is written."""
    Path("job/letters-8-states").mkdir(parents=True)
    for name, content in {"a": b"abc", "empty": b"", "one": b"a", "misfit": b"axyz"}.items():
        Path(f"{name}.txt").write_bytes(content)
    Path("texts").mkdir()
    Path("texts/a.txt").write_bytes(b"abc")
    Path("image.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = sorted(Path().rglob("*"))
    assert main([model, *arguments]) == code
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1), err
    assert message in err
    assert sorted(Path().rglob("*")) == before


def test_a_model_with_extreme_weights(random_model, scores):
    """The probabilities of a hostile model are from 0 to 1, however large its weights are."""
    model = random_model()
    tensors = {name: 1e12 * np.sign(tensor) for name, tensor in model.tensors.items()}
    tensors["output.bias"][0] = 1e12
    write_model(Path("extreme.safetensors"), dataclasses.replace(model, tensors=tensors))
    for token in scores("extreme.safetensors", "ab ba", "--top=11", "--json"):
        for other in token["top"]:
            assert all(0 <= share <= 1 for share in other["probabilities"].values())


@pytest.fixture
def terminal():
    """A function that runs `textgen score` on a terminal of 60 columns, and returns what it shows."""

    def run(*arguments, **environment):
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        command = [*installed("textgen"), "score", *arguments]
        variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLORTERM"}}
        variables |= {"TERM": "xterm-256color", **environment}
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=variables) as process:
            os.close(theirs)
            seen = b""
            with contextlib.suppress(OSError):  # raised by Linux at the end
                while block := os.read(ours, 1 << 16):
                    seen += block
            error = process.communicate()[1]
        os.close(ours)
        assert process.returncode == 0, error
        return seen.decode().replace("\r\n", "\n")

    return run


def test_a_terminal_gets_a_tinted_text(author, terminal):
    """On a terminal, likely and unlikely tokens have different tints, and a legend and the score follow; NO_COLOR shows no colours."""
    author("wells", "ij")
    Path("letter.txt").write_text("ijij\n\nijiia")
    shown = terminal("wells", "letter.txt")
    tints = dict(re.findall(r"\x1b\[[\d;]*48;5;(\d+)m([ia])", shown))
    assert set(tints.values()) == {"i", "a"}
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert plain.startswith("ijij\n\nijiia\n\n expected ")
    assert re.search(r"\n\d\.\d\d bits per character; 10 characters in 10 tokens\n$", plain)
    without = terminal("wells", "letter.txt", NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*[34]8;", without)
    assert re.sub(r"\x1b\[[\d;]*m", "", without) == plain


@pytest.mark.parametrize("options", [[], ["--by=line"], ["--by=token"], ["--top=2"], ["--json"], ["--compare=hostile"]])
def test_a_text_cannot_steer_a_terminal(random_model, terminal, options):
    """On a terminal, control characters in a text are escaped."""
    steering = "\x1b]0;pwned\x07\x9b2J\r\x7f"
    vocabulary = Vocabulary(("", "[UNK]", "\n", *dict.fromkeys(steering)), make_tokenizer("char"))
    model = random_model()
    shape = dataclasses.replace(model.shape, vocabulary_size=vocabulary.size)
    tensors = {name: np.zeros(size, np.float32) for name, size in shape.tensors.items()}
    Path("job/hostile").mkdir(parents=True)
    write_model(
        Path("job/hostile/model.safetensors"),
        dataclasses.replace(model, vocabulary=vocabulary, shape=shape, tensors=tensors),
    )
    Path("text.txt").write_text(f"{steering}\n{steering}", newline="")
    shown = terminal("hostile", "text.txt", *options)
    assert set(re.sub(r"\x1b\[[\d;]*m", "", shown)).isdisjoint("\x1b\x07\x9b\r\x7f")
    assert "1b" in shown
