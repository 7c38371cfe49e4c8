import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from textgen.cli.train import main
from textgen.config import TrainingConfig, settings
from textgen.config.yaml_text import from_yaml
from textgen.corpus import Vocabulary
from textgen.jobs import JobDirectory, is_locked, job_lock


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def plan(capsys):
    """A function that runs with --dry_run and returns the plan, by the names of its lines."""

    def dry_run(*arguments):
        assert main([*arguments, "--dry_run"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        return dict(line.split(maxsplit=1) for line in err.splitlines())

    return dry_run


def everything_below(folder):
    """Each file below a folder with its content, and each folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_flags_win_over_the_file_and_the_file_over_the_defaults(book, plan, tmp_path):
    """A value comes from its flag, else from --config, else from the default."""
    (tmp_path / "two.yaml").write_text("layers: 2\nlstm_state_size: 32\nunroll-steps: 8\n")
    lines = plan("book.txt", "--config", "two.yaml", "--layers", "3")
    assert lines["model"].startswith("3 LSTM layers of 32 states")
    assert lines["training"].startswith(f"{TrainingConfig().batch_size} x 8 tokens")


def test_a_flag_can_take_back_what_the_file_says(book, plan, tmp_path):
    """Even a switch, and a value that is none by default."""
    (tmp_path / "on.yaml").write_text("layer_norm: true\nembedding_size: 8\nminutes: 3\n")
    assert plan("book.txt", "--config=on.yaml")["job"].startswith("job/book-384-states-1-layers-8-embed-norm ")
    flags = ["--no-layer_norm", "--embedding_size=none", "--minutes=none", "--epochs=2", "--clip_gradients=none"]
    lines = plan("book.txt", "--config=on.yaml", *flags)
    assert lines["job"].startswith("job/book-384-states-1-layers ")
    assert lines["limit"] == "2 epochs"


def test_the_file_can_name_the_texts(book, plan, tmp_path):
    """The texts of --config are read when none is given, and given ones win."""
    (tmp_path / "other.txt").write_text("Another text.\n" * 200)
    (tmp_path / "texts.yaml").write_text("texts: [other.txt]\n")
    assert plan("--config", "texts.yaml")["text"].startswith("other:")
    assert plan("book.txt", "--config", "texts.yaml")["text"].startswith("book:")


def test_a_preset_is_found_by_name(book, plan, tmp_path):
    """--config demo is the demo's preset, also where a folder has that name; a file of that name wins."""
    assert plan("--config", "demo")["limit"] == "3 minutes"
    (tmp_path / "demo").mkdir()
    assert plan("--config", "demo")["limit"] == "3 minutes"
    (tmp_path / "demo").rmdir()
    (tmp_path / "demo").write_text("minutes: 7\n")
    assert plan("--config", "demo")["limit"] == "7 minutes"


def test_a_presets_place_is_for_the_story_alone(book, plan, tmp_path):
    """A text of one's own gets a job of its own name; a place that a flag or a file of one's own gives stays."""
    assert plan("--config=demo")["job"] == "job/story-demo (new)"
    assert plan("book.txt", "--config=demo")["job"] == "job/book-384-states-1-layers-384-embed (new)"
    assert plan("book.txt", "--config=demo")["limit"] == "3 minutes"
    assert plan("book.txt", "--config=demo", "--job_dir=here")["job"] == "here (new)"
    (tmp_path / "own.yaml").write_text("job_dir: there\ndata_prefix: mine\n")
    lines = plan("book.txt", "--config=own.yaml")
    assert (lines["job"], lines["text"].split(":")[0]) == ("there (new)", "mine")


def test_a_named_text_wins_over_all_that_a_file_says_of_its_own(book, plan, tmp_path):
    """Neither the file's corpus nor its name is left."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "jules.txt").write_text("Another text.\n" * 200)
    (tmp_path / "jules.yaml").write_text("data_dir: corpus\ndata_prefix: jules\nlayers: 2\n")
    assert plan("--config=jules.yaml")["job"] == "job/jules-384-states-2-layers (new)"
    assert plan("book.txt", "--config=jules.yaml")["job"] == "job/book-384-states-2-layers (new)"
    (tmp_path / "books.yaml").write_text("texts: [book.txt]\nlayers: 2\n")
    lines = plan("--data_dir=corpus", "--data_prefix=jules", "--config=books.yaml")
    assert lines["job"] == "job/jules-384-states-2-layers (new)"
    (tmp_path / "corpus").rename(tmp_path / "moved")
    assert plan("--data_dir=moved", "--config=jules.yaml")["job"] == "job/jules-384-states-2-layers (new)"


def test_without_a_text_the_bundled_story_is_read(book, plan):
    """`textgen-train` alone has something to learn."""
    assert plan()["text"].startswith("story:")
    assert plan("--data_prefix", "mine")["text"].startswith("mine:")


def test_the_original_command_is_understood(book, plan, tmp_path):
    """The original's corpus with its own split, its flags and its job name."""
    folder = tmp_path / "training-data" / "jules"
    folder.mkdir(parents=True)
    (folder / "jules.train.txt").write_text("the captain looked at the sea .\n" * 300)
    (folder / "jules.valid.txt").write_text("the sea looked at the captain .\n" * 30)
    (folder / "jules.vocab.txt").write_text("the\ncaptain\nlooked\nat\nsea\n.\n")
    arguments = ["--data_dir", str(folder), "--data_prefix", "jules", "--job-dir", "job/%JOB%", "--epochs", "3"]
    shape = ["--language_model=word", "--layers", "2", "--lstm_state_size", "50", "--unroll_steps", "30"]
    lines = plan(*arguments, *shape, "--summary_dir", "tensorboard-data/%JOB%")
    assert lines["job"] == "job/jules-50-states-2-layers-word (new)"
    assert lines["vocabulary"] == "6 words, punctuation and spaces"
    assert lines["limit"] == "3 epochs"


def test_the_plan_says_what_a_run_would_be(book, plan):
    """Text, vocabulary, model, training, limits, memory, disk and job directory are there."""
    lines = plan("book.txt", "--lstm_state_size=8", "--batch_size=4", "--max_steps=9")
    text = book.read_text()
    cut = text.index("\n", len(text) * 9 // 10 - 1) + 1
    assert lines["text"] == f"book: {cut:,} characters for training, {len(text) - cut:,} for validation"
    characters = len(set(text))
    assert lines["vocabulary"] == f"{characters} characters"
    size = characters + 2
    parameters = (size + 8 + 1) * 4 * 8 + (8 + 1) * size
    assert lines["model"] == f"1 LSTM layer of 8 states, one-hot input, {parameters:,} parameters"
    assert lines["limit"] == "9 steps"
    assert re.fullmatch(r"about \d+\.\d GB", lines["memory"])
    checkpoints = 3 * 4 * (3 * parameters + 4 * (8 + 8))
    assert lines["disk"] == f"about {checkpoints / 1000:.1f} kB for checkpoints"
    assert lines["job"] == "job/book-8-states-1-layers (new)"


def test_it_writes_nothing_anywhere(book, plan, monkeypatch, tmp_path):
    """Neither the current folder, nor home, nor the cache has anything new, with --fresh and --json too."""
    for name in ("HOME", "TEXTGEN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    before = everything_below(tmp_path)
    plan("book.txt", "--summary_dir=logs", "--fresh", "--json")
    assert everything_below(tmp_path) == before


def test_it_leaves_a_job_as_it_is(trained, tmp_path, monkeypatch, plan):
    """The plan of a job that is there says that it goes on, or begins anew with --fresh; nothing is touched."""
    monkeypatch.chdir(trained.copy(tmp_path).place)
    before = everything_below(tmp_path)
    assert plan(*trained.command)["job"] == "jobs/book-8-states-1-layers (existing)"
    assert plan(*trained.command, "--fresh")["job"] == "jobs/book-8-states-1-layers (new)"
    assert everything_below(tmp_path) == before


def test_the_places_have_the_job_name(trained):
    """%JOB% became the job's name in job_dir and in summary_dir."""
    assert [path.name for path in (trained.place / "jobs").iterdir()] == [trained.job.name]
    assert [path.name for path in (trained.place / "logs").iterdir()] == [trained.job.name]
    assert list((trained.place / "logs").rglob("*tfevents*"))


def test_nothing_else_was_written(trained):
    """Outside of these two places the folder is as it was."""
    assert {path.name for path in trained.place.iterdir()} == {"book.txt", "tiny.yaml", "jobs", "logs"}


def test_it_keeps_its_settings_and_its_vocabulary(trained):
    """config.yaml has every setting of the run, and vocabulary.json every character of the text."""
    kept = from_yaml((trained.job / "config.yaml").read_text(), "config.yaml")
    assert list(kept) == [setting.name for setting in settings(TrainingConfig)]
    assert (kept["lstm_state_size"], kept["batch_size"], kept["max_steps"]) == (8, 4, 5)
    assert kept["texts"] == ("book.txt",)
    vocabulary = Vocabulary.from_json(json.loads((trained.job / "vocabulary.json").read_text()))
    assert set(vocabulary.tokens[2:]) == set((trained.place / "book.txt").read_text())


def test_json_is_one_line_on_standard_output(trained):
    """--json prints one object with the figures of the end; all else is on standard error."""
    summary = json.loads(trained.stdout)
    assert trained.stdout.count("\n") == 1
    assert summary["job_dir"] == f"jobs/{trained.job.name}"
    assert summary["steps"] == 5
    numbers = ("epochs", "train_loss", "valid_loss", "valid_perplexity", "tokens_per_second", "seconds")
    assert all(summary[name] > 0 for name in (*numbers, "valid_bits_per_character"))


def test_it_says_what_to_type_next(trained):
    """It ends with the commands that sample from the job and show its curves, and they work as they are typed."""
    sampling, curves = trained.stderr.splitlines()[-2:]
    assert sampling.endswith(f"textgen-sample jobs/{trained.job.name}")
    assert curves.endswith(f"tensorboard --logdir logs/{trained.job.name}")
    subprocess.run(sampling, shell=True, check=True, capture_output=True, cwd=trained.place)  # noqa: S602 - as typed
    assert shutil.which(shlex.split(curves)[0])


@pytest.mark.usefixtures("no_training")
def test_a_finished_job_says_so(trained, monkeypatch, capsys):
    """The same command once more loads nothing, says how to go on, prints the figures again and ends with 0."""
    monkeypatch.chdir(trained.place)
    before = everything_below(trained.place)
    assert main([*trained.command, "--json", "--learning_rate=0.1"]) == 0
    out, err = capsys.readouterr()
    assert "This job is finished: 5 steps" in err
    assert "--max_steps" in err
    assert json.loads(out)["valid_loss"] == json.loads(trained.stdout)["valid_loss"]
    assert everything_below(trained.place) == before


def test_a_higher_limit_goes_on(trained, tmp_path, monkeypatch, training):
    """A finished job is trained further when a limit is raised, whatever else has changed but its shape."""
    monkeypatch.chdir(trained.copy(tmp_path).place)
    assert main([*trained.command, "--max_steps=8", "--dropout=0.3", "--unroll_steps=4"]) == 0
    [call] = training.calls
    assert call.job.root.name == trained.job.name
    assert (call.config.max_steps, call.config.dropout, call.config.unroll_steps) == (8, 0.3, 4)


def test_another_shape_is_another_job(trained, tmp_path, monkeypatch, training):
    """What shapes the model changes the name, so the old job stays as it is."""
    copy = trained.copy(tmp_path)
    monkeypatch.chdir(copy.place)
    before = everything_below(copy.job)
    assert main([*trained.command, "--layers=2"]) == 0
    assert training.calls[0].job.root.name == "book-8-states-2-layers"
    assert everything_below(copy.job) == before


def test_fresh_moves_the_old_job_aside(trained, tmp_path, monkeypatch, training, capsys):
    """--fresh begins anew and deletes nothing: each old job gets the next free number."""
    copy = trained.copy(tmp_path)
    monkeypatch.chdir(copy.place)
    before = {path.relative_to(copy.job): content for path, content in everything_below(copy.job).items()}
    for number in (1, 2):
        assert main([*trained.command, "--fresh"]) == 0
        aside = copy.job.with_name(f"{copy.job.name}.{number}")
        assert f"The old job is now jobs/{aside.name}" in capsys.readouterr().err
        assert aside.is_dir()
    first = copy.job.with_name(f"{copy.job.name}.1")
    assert {path.relative_to(first): content for path, content in everything_below(first).items()} == before
    assert not (copy.job / "checkpoints").exists()
    assert len(training.calls) == 2


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_fresh_leaves_a_users_own_folder_alone(trained, tmp_path, monkeypatch, no_training, capsys, dry_run):
    """Where a job lies among books, nothing is renamed; the line says what is in the way and what to do."""
    copy = trained.copy(tmp_path)
    (copy.job / "book.txt").write_text("mine")
    monkeypatch.chdir(copy.place)
    before = everything_below(tmp_path)
    assert main([*trained.command, "--fresh", *dry_run]) == 2
    assert capsys.readouterr().err == (
        "textgen-train: error: --fresh would rename all of jobs/book-8-states-1-layers, including what is not part of a "
        "job: 'book.txt'; move it elsewhere, or name another --job_dir\n"
    )
    assert everything_below(tmp_path) == before


def test_fresh_without_a_job_just_begins(book, training, capsys):
    """--fresh is no fault where there is nothing to move."""
    assert main(["book.txt", "--fresh", "--job_dir=here"]) == 0
    assert "The old job" not in capsys.readouterr().err
    assert {path.name for path in book.parent.iterdir()} == {"book.txt", "here"}
    assert len(training.calls) == 1


def test_a_second_trainer_is_turned_away(book, no_training, capsys, tmp_path):
    """It ends with 73 and one line that names the holder, loads and moves nothing, with --fresh neither."""
    job = JobDirectory(Path("here"))
    with job_lock(job, pytest.fail):
        job.config.write_text("lstm_state_size: 8  # of the other trainer")
        before = everything_below(tmp_path)
        for arguments in (["book.txt", "--job_dir=here"], ["book.txt", "--job_dir=here", "--fresh"]):
            assert main(arguments) == 73
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith("textgen-train: error: another trainer works in here: process ")
            assert f"process {os.getpid()} on " in err
            assert "name another --job_dir" in err
        assert everything_below(tmp_path) == before


def test_a_dry_run_needs_no_lock(book, plan, no_training):
    """The plan of a job that is being trained is shown all the same."""
    with job_lock(JobDirectory(Path("here")), pytest.fail):
        assert plan("book.txt", "--job_dir=here")["job"] == "here (new)"


def test_the_lock_is_held_while_it_trains(book, training):
    """From before training begins to its end, for a new job, one that goes on and one that begins anew."""
    for arguments in ([], ["--max_steps=9"], ["--fresh"]):
        assert main(["book.txt", "--job_dir=here", *arguments]) == 0
    assert [call.locked for call in training.calls] == [True, True, True]
    assert not is_locked(JobDirectory(Path("here")))
    assert not is_locked(JobDirectory(Path("here.1")))


def test_standard_output_has_the_json_line_or_nothing(book, training, capsys):
    """Without --json nothing is on standard output; with it, one line that is JSON."""
    assert main(["book.txt"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("textgen ")
    assert main(["book.txt", "--json", "--fresh"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job_dir": "job/book-384-states-1-layers-384-embed",
        **training.summary,
    }


def test_figures_that_json_lacks_are_null(book, training, capsys):
    """A run that diverged still prints a line that every JSON reader takes."""
    training.summary |= {"valid_loss": float("nan"), "valid_perplexity": float("inf"), "train_loss": None}
    assert main(["book.txt", "--json"]) == 0
    line = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [line[name] for name in ("steps", "valid_loss", "valid_perplexity", "train_loss")] == [7, None, None, None]


def test_no_summary_dir_is_the_jobs_own(book, training):
    """TensorBoard's files go to logs/ of the job where nothing else is said, and `none` says the same."""
    assert main(["book.txt", "--job_dir=here", "--summary_dir=none"]) == 0
    assert training.calls[0].summary_dir == training.calls[0].job.logs
