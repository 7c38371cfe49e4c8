import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from tests.commands import GOOD_TEXT
from textgen.cli import sample
from textgen.cli.train import main
from textgen.evaluation.training_text import find_training_text
from textgen.generation import load, read_model
from textgen.jobs import JobState

JOB = Path("mine")
COMMAND = ["book.txt", "--lstm_state_size=8", "--job_dir=mine"]
LINE = "  unwrapped  each paragraph is one line; --unwrap no keeps the line breaks"

HARD_WRAPPED = """\
It went a quarter of an inch to the left. It came back. It went a quarter of
an inch to the right, and stayed there while one might count three, and came
back again, as if it had been asked to, and I did what I imagine most men would
have done: I told it not to. I had a"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


def text_of(section):
    return "".join(section.chunks())


def stored():
    """Returns the job's setting."""
    return yaml.safe_load((JOB / "config.yaml").read_text())["unwrap"]


def last_line(capsys, code, arguments):
    """Runs a command that must be refused in one line, and returns that line."""
    capsys.readouterr()
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err.rstrip("\n")


@pytest.fixture
def older(book, training):
    """A job of an earlier version, whose config.yaml lacks the setting."""
    assert main([*COMMAND, "--max_steps=7", "--unwrap=no"]) == 0
    path = JOB / "config.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("unwrap:")))
    assert training.calls.pop().corpus.unwrapped is False


def test_wrapped_prose_is_read_as_paragraphs(book, training, capsys):
    """The plan prints it in one line, the training text has no break in a paragraph, and the job stores the decision."""
    assert main(COMMAND) == 0
    assert capsys.readouterr().err.splitlines().count(LINE) == 1
    corpus = training.calls[0].corpus
    text = text_of(corpus.train) + text_of(corpus.valid)
    assert "CHAPTER I\nA Dead Wire" in text
    assert "the nearest to the\n" not in text
    assert max(map(len, text.split("\n"))) > 400
    assert text.replace("\n", " ") == book.read_text().replace("\n", " ")
    assert stored() == "yes"


@pytest.mark.parametrize("flags", [["--unwrap=no"], ["--config=no.yaml"]])
def test_line_breaks_are_kept_on_request(book, training, capsys, flags):
    """With `no`, as a flag or without quotes in a file, the text is read as it is, and the plan does not mention it."""
    Path("no.yaml").write_text("unwrap: no\n")
    assert main([*COMMAND, *flags]) == 0
    assert "unwrapped" not in capsys.readouterr().err
    corpus = training.calls[0].corpus
    assert text_of(corpus.train) + text_of(corpus.valid) == book.read_text()
    assert stored() == "no"


def test_another_text_keeps_its_lines(good_text, training, capsys):
    """A text that is not wrapped prose is read as it is without a word, and the job stores that."""
    assert main(["good.txt", "--lstm_state_size=8", "--job_dir=mine"]) == 0
    assert "unwrapped" not in capsys.readouterr().err
    assert text_of(training.calls[0].corpus.train) + text_of(training.calls[0].corpus.valid) == GOOD_TEXT
    assert stored() == "no"


@pytest.mark.parametrize("text", [GOOD_TEXT, "boat\nsail\n" * 100, "船隨著潮水出海了\n" * 100])
def test_a_text_without_paragraphs_cannot_be_unwrapped(book, no_training, capsys, text):
    """`yes` is refused in one line with advice."""
    book.write_text(text, encoding="utf-8")
    assert last_line(capsys, 65, [*COMMAND, "--unwrap=yes"]) == (
        "textgen-train: error: --unwrap yes needs paragraphs whose lines are wrapped to the same width, and book.txt has none; "
        "use --unwrap no, or leave it out"
    )


def test_any_other_value_is_refused(book, no_training, capsys):
    """The line lists the values."""
    line = last_line(capsys, 2, [*COMMAND, "--unwrap=maybe"])
    assert "--unwrap must be one of auto, yes, no, got 'maybe'" in line


@pytest.mark.usefixtures("older")
def test_a_job_of_an_earlier_version_keeps_its_line_breaks(training, capsys):
    """The same command resumes the job with the text as it was, whatever would be decided for a new one."""
    assert main([*COMMAND, "--max_steps=9"]) == 0
    assert "unwrapped" not in capsys.readouterr().err
    [call] = training.calls
    assert text_of(call.corpus.train) + text_of(call.corpus.valid) == Path("book.txt").read_text()
    assert stored() == "no"


@pytest.mark.usefixtures("older")
def test_a_job_of_an_earlier_version_has_its_training_text(random_model):
    """--novelty and --max_copy find the text with its line breaks."""
    model = dataclasses.replace(random_model(), data_sha256=JobState.read(JOB / "state.json").data_sha256)
    section = find_training_text(JOB, model).section
    assert Path("book.txt").read_text().startswith(text_of(section))


@pytest.mark.usefixtures("older")
@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_another_choice_changes_the_text(training, capsys, dry_run):
    """An explicit value that differs is refused with both values, unless --allow_changed_data is given; the job then keeps it."""
    arguments = [*COMMAND, "--max_steps=9", "--unwrap=yes", *dry_run]
    line = last_line(capsys, 65, arguments)
    assert "trained on a different text (unwrap is no in the job and yes in this run); give the job's value, " in line
    assert main([*arguments, "--allow_changed_data"]) == 0
    if not dry_run:
        assert stored() == "yes"
        assert main([*COMMAND, "--max_steps=11"]) == 0
        assert [call.corpus.unwrapped for call in training.calls] == [True, True]


@pytest.mark.usefixtures("older")
def test_fresh_decides_again(training):
    """A job that starts over has no value to keep."""
    assert main([*COMMAND, "--fresh"]) == 0
    assert training.calls[0].corpus.unwrapped
    assert stored() == "yes"


def test_a_changed_text_is_not_decided_again(book, training, capsys):
    """A job resumes with its own value, even if another would be decided for the text as it is now."""
    assert main([*COMMAND, "--max_steps=7"]) == 0
    before = book.read_text()
    book.write_text(f"{before}\n{GOOD_TEXT * 3}")
    line = last_line(capsys, 65, [*COMMAND, "--max_steps=9"])
    assert "trained on a different text; name another" in line
    assert main([*COMMAND, "--max_steps=9", "--allow_changed_data"]) == 0
    assert (training.calls[1].config.unwrap, stored()) == ("yes", "yes")
    book.write_text(GOOD_TEXT)
    assert main([*COMMAND, "--max_steps=11", "--allow_changed_data"]) == 0
    assert (training.calls[2].config.unwrap, training.calls[2].corpus.unwrapped) == ("yes", False)


def test_a_corpus_with_a_vocabulary_is_left_alone(book, training):
    """The text of a corpus with its own vocabulary is already split, and `auto` keeps its lines."""
    Path("x.txt").write_text(book.read_text())
    arguments = ["--data_dir=.", "--data_prefix=x", "--job_dir=mine", "--lstm_state_size=8"]
    assert main(arguments) == 0
    Path("x.vocab.txt").write_text("the\n")
    assert main([*arguments, "--fresh"]) == 0
    assert [call.corpus.unwrapped for call in training.calls] == [True, False]


def test_a_model_knows_that_its_text_was_unwrapped(trained):
    """Training writes it to the model file, and the settings to config.yaml."""
    assert read_model(trained.job).unwrapped
    assert yaml.safe_load((trained.job / "config.yaml").read_text())["unwrap"] == "yes"


@pytest.mark.parametrize("options", [["--prompt", HARD_WRAPPED], ["--prompt=@prompt.txt"]])
def test_a_wrapped_prompt_is_read_as_a_paragraph(trained, capsys, tmp_path, monkeypatch, options):
    """The prompt is echoed as it is, continued as one line, and one line on standard error reports it."""
    monkeypatch.chdir(tmp_path)
    Path("prompt.txt").write_text(HARD_WRAPPED)
    assert sample.main([str(trained.job), *options, "--length=20", "--seed=1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "The prompt is read with one line per paragraph, as in the training text.\n"
    assert json.loads(out)["prompt"] == HARD_WRAPPED
    line = HARD_WRAPPED.replace("\n", " ")
    assert json.loads(out)["text"] == "".join(load(trained.job).generate(line, length=20, seed=1))


@pytest.mark.parametrize("prompt", ["The sea\nwas calm", "Upon the ebb\nthe boat went out\nand never came\nback again"])
def test_a_prompt_of_short_lines_keeps_them(trained, written, prompt):
    """A few short lines are no wrapped paragraph."""
    assert written(str(trained.job), "--prompt", prompt, "--length=5", "--seed=1").startswith(prompt)


def test_a_draft_starts_with_a_wrapped_prompt(trained, tmp_path, monkeypatch, capsys):
    """--interactive reads such a prompt in the same way, and keeps it as it was typed."""
    monkeypatch.chdir(tmp_path)
    Path("prompt.txt").write_text(HARD_WRAPPED)
    Path("input.txt").write_text("/show\n")
    with Path("input.txt").open() as standard_input:
        monkeypatch.setattr("sys.stdin", standard_input)
        assert sample.main([str(trained.job), "--interactive", "--prompt=@prompt.txt", "--length=20", "--seed=1"]) == 0
    out, err = capsys.readouterr()
    assert err.count("The prompt is read with one line per paragraph, as in the training text.\n") == 1
    line = HARD_WRAPPED.replace("\n", " ")
    continuation = "".join(load(trained.job).generate(line, length=20, seed=1))
    assert out == f"{HARD_WRAPPED}{continuation}\n" * 2
