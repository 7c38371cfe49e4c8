import json
from pathlib import Path

import pytest

from textgen.cli import compare
from textgen.cli.compare import main
from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.corpus import Vocabulary
from textgen.corpus.tokenizers import make_tokenizer
from textgen.jobs import JobDirectory, JobState, log_files
from textgen.planning import ModelShape
from textgen.storage import read_text


def write_job(job, bits, *, valid="a", data="d", unknown=0.0, tokens="abc", speeds=(1000.0,), **settings):
    """Writes the small files of a job with one evaluation per speed, of which the last is the best; none without bits."""
    job.root.mkdir(parents=True)
    job.config.write_text(to_yaml(TrainingConfig(**{"texts": ("book.txt",), "layers": 1, **settings})))
    tokenizer = make_tokenizer("char")
    job.vocabulary.write_text(json.dumps(Vocabulary(("", "[UNK]", *tokens), tokenizer).to_json()))
    JobState("finished", 40, epochs=2, minutes=1.5, data_sha256=data).write(job.state)
    if bits is None:
        return
    lines = []
    for number, speed in enumerate(speeds, start=1):
        score = bits + len(speeds) - number
        line = {"steps": 10 * number, "valid_loss": score, "valid_bits_per_character": score}
        line |= {"valid_unknown_share": unknown, "tokens_per_second": speed}
        lines.append(line if valid is None else line | {"valid_sha256": valid})
    job.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that writes a job below `job`; see `write_job`."""
    monkeypatch.chdir(tmp_path)
    return lambda name, bits, **options: write_job(JobDirectory(tmp_path / "job" / name), bits, **options)


@pytest.fixture
def compared(capsys):
    """A function that compares jobs as JSON, and returns the lines and standard error."""

    def call(*arguments):
        assert main([*arguments, "--json"]) == 0
        out, err = capsys.readouterr()
        return [json.loads(line) for line in out.splitlines()], err

    return call


def ranks(lines):
    return [(line["rank"], line["job_dir"].removeprefix("job/")) for line in lines]


def test_the_fewest_bits_per_character_come_first(make, compared):
    """Jobs of the same text are ranked; one without an evaluation has no rank and comes last."""
    make("new", None)
    make("good", 1.5)
    make("better", 1.25)
    lines, err = compared("new", "good", "job/better", "good")
    assert ranks(lines) == [(1, "better"), (2, "good"), (None, "new")]
    assert err == ""


def test_each_fact_is_that_of_the_job(make, compared):
    """The parameters follow from the shape and the vocabulary; the speed is the median of the evaluations."""
    make("one", 1.5, speeds=(10.0, 3000.0, 2000.0), lstm_state_size=7, layers=2)
    [line], _ = compared("one")
    shape = ModelShape(lstm_state_size=7, layers=2, vocabulary_size=5)
    assert line["parameters"] == shape.parameters
    assert (line["layers"], line["lstm_state_size"], line["language_model"]) == (2, 7, "char")
    assert (line["data"], line["steps"], line["minutes"], line["state"]) == ("book.txt", 40, 1.5, "finished")
    assert (line["valid_bits_per_character"], line["tokens_per_second"]) == (1.5, 2000.0)
    assert line["bytes"] > 100
    assert line["settings"] == {}


def test_a_corpus_in_a_bucket_keeps_its_uri(make, compared):
    """Two slashes are part of it."""
    make("one", 1.5, texts=(), data_dir="gs://bucket/corpora", data_prefix="jules")
    [line], _ = compared("one")
    assert line["data"] == "gs://bucket/corpora/jules"


def test_only_settings_that_differ_are_listed(make, compared):
    """Settings with the same value, and places and names of files, are left out."""
    make("one", 1.5, layers=2, dropout=0.25, texts=("x.txt",), job_dir="elsewhere")
    make("two", 1.25, layers=2, seed=3)
    lines, _ = compared("one", "two")
    assert [line["settings"] for line in lines] == [{"dropout": None, "seed": 3}, {"dropout": 0.25, "seed": 1}]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({}, {"valid": "b"}, "their validation texts differ: job/one; job/two"),
        ({"valid": None}, {"valid": None, "data": "e"}, "their validation texts differ"),
        ({"valid": None, "data": ""}, {"valid": None, "data": ""}, "their validation texts differ"),
        ({}, {"lowercase": True, "language_model": "word"}, "in lower case, which is easier to predict: job/two"),
        ({}, {"unknown": 0.02, "language_model": "word"}, "[UNK]: 2% in job/two"),
        ({"unknown": 0.01}, {"unknown": 0.02, "tokens": "abcd"}, "[UNK]: 1% in job/one, 2% in job/two"),
    ],
)
def test_jobs_that_are_not_comparable_are_not_ranked(make, compared, first, second, reason):
    """The jobs keep their order, no job has a rank, and one line says which texts or vocabularies differ."""
    make("one", 1.5, **first)
    make("two", 1.25, **second)
    lines, err = compared("one", "two")
    assert ranks(lines) == [(None, "one"), (None, "two")]
    assert err.startswith("These jobs are not ranked, because ")
    assert err.count("\n") == 1
    assert reason in err


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"language_model": "word", "tokens": ("a", "b")}, {"data": "more training text"}),
        ({"unknown": 0.02, "vocab_size": 5}, {"unknown": 0.02, "vocab_size": 5, "seed": 2}),
        ({"valid": None}, {"valid": None}),
        ({"valid": None}, {}),
    ],
)
def test_jobs_that_predict_the_same_text_are_ranked(make, compared, first, second):
    """The kind of tokens and the training text do not matter, nor does [UNK] with the same vocabulary.

    An evaluation by an earlier version is recognised by the hash of the whole text.
    """
    make("one", 1.5, **first)
    make("two", 1.25, **second)
    lines, err = compared("one", "two")
    assert (ranks(lines), err) == ([(1, "two"), (2, "one")], "")


def test_without_arguments_all_jobs_are_compared(make, compared, capsys):
    """Without arguments, all jobs below `job` are compared; if there is none, the command says how to start one."""
    assert main([]) == 66
    assert "there is no job to compare below job in this folder; " in capsys.readouterr().err
    make("one", 1.5)
    make("two", 1.25)
    lines, err = compared()
    assert (ranks(lines), err) == ([(1, "two"), (2, "one")], "")


def test_a_terminal_gets_two_tables(make, on_terminal):
    """The jobs are numbered rows, and the settings that differ have a column for each number."""
    make("one", 1.5, seed=2)
    make("two", 1.25, unknown=0.015, tokens="abc")
    make("three", None)
    head, *rows = on_terminal(200, main, ["one", "three"])
    assert head.split()[:4] == ["best", "first", "state", "bits/char"]
    assert rows[0].split()[:4] == ["1.", "job/one", "finished", "1.500"]
    assert "none yet" in rows[1]
    assert rows[2:] == ["", "settings that differ  1  2", "seed                  2  1"]
    lines = on_terminal(60, main, ["two"])
    assert lines[2] == "1. job/two"
    assert "1.250 (1.5% [UNK])" in lines[3]
    head, _, row, *_ = on_terminal(200, main, ["one", "two"])
    assert head.startswith("not ranked ")
    assert "1.250 (not comparable: 1.5% of the tokens are [UNK])" in row


def test_a_pipe_gets_a_line_with_tabs_for_each_job(make, capsys):
    """In a pipe, each job is a line of fourteen fields, with - for a missing value."""
    make("one", 1.5, seed=2)
    make("new", None)
    assert main(["one", "new"]) == 0
    out, err = capsys.readouterr()
    first, second = (line.split("\t") for line in out.splitlines())
    assert first[:4] == ["1", "job/one", "finished", "1.5"]
    assert second[:4] == ["-", "job/new", "finished", "-"]
    assert (len(first), len(second), first[-1], err) == (14, 14, "seed=2", "")


def test_evaluations_are_read_once(make, compared, monkeypatch):
    """All figures of a job are from the same evaluations, though a trainer may add one meanwhile."""
    make("one", 1.5)
    read = []

    def note(path):
        read.append(path.name)
        return read_text(path)

    monkeypatch.setattr(log_files, "read_text", note)
    compared("one")
    assert read == ["metrics.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "layers: many", "layers must be a whole number"),
        ("state.json", "{", "state.json is damaged"),
        ("vocabulary.json", "{}", "vocabulary.json: "),
        ("metrics.jsonl", "nonsense\n", "metrics.jsonl is damaged in line 1"),
    ],
)
def test_a_damaged_job_is_refused_by_name_and_else_left_out(make, compared, capsys, name, content, message):
    """A damaged file is an error if the job is named; among all jobs, it is a warning."""
    make("one", 1.5)
    make("bad", 1.0)
    Path("job/bad", name).write_text(content)
    assert main(["one", "bad"]) == 78
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    lines, err = compared()
    assert ranks(lines) == [(1, "one")]
    assert err.startswith("warning: ")
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 66, "there is neither nowhere nor job/nowhere; "),
        (["job"], 66, "job is not a job: it has no config.yaml; "),
        (["base"], 2, "which is a file; name the directory of its job"),
        ([""], 2, "must not be empty"),
        (["--josn"], 2, "did you mean --json?"),
    ],
)
def test_bad_input_is_one_line(make, refusal, arguments, code, message):
    """Invalid arguments are refused in one line."""
    make("one", 1.5)
    assert refusal(compare, arguments)[0] == code
    assert message in refusal(compare, arguments)[1]
