import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import files_below
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
    """A function that runs `textgen-train --dry_run` and returns the lines of the plan, by their first word."""

    def dry_run(*arguments):
        assert main([*arguments, "--dry_run"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        return dict(line.split(maxsplit=1) for line in err.splitlines())

    return dry_run


def test_flags_win_over_the_file_and_the_file_over_the_defaults(book, plan, tmp_path):
    """A flag takes precedence over --config, and --config over the default."""
    (tmp_path / "two.yaml").write_text("layers: 2\nlstm_state_size: 32\nunroll-steps: 8\n")
    lines = plan("book.txt", "--config", "two.yaml", "--layers", "3")
    assert lines["model"].startswith("3 LSTM layers of 32 states")
    assert " x 8 tokens per step" in lines["training"]


def test_a_flag_can_undo_a_setting_of_the_file(book, plan, tmp_path):
    """A flag can set every setting of the file back to its default, even a switch and a value that is none by default."""
    (tmp_path / "on.yaml").write_text("layer_norm: true\nembedding_size: 8\nminutes: 3\n")
    assert plan("book.txt", "--config=on.yaml")["job"].startswith("job/book-384-states-1-layers-8-embed-norm ")
    flags = ["--no-layer_norm", "--embedding_size=none", "--minutes=none", "--epochs=2", "--clip_gradients=none"]
    lines = plan("book.txt", "--config=on.yaml", *flags)
    assert lines["job"].startswith("job/book-384-states-1-layers ")
    assert lines["limit"] == "2 epochs"


def test_the_file_can_name_the_texts(book, plan, tmp_path):
    """The texts in --config are read unless a text is given on the command line."""
    (tmp_path / "other.txt").write_text("Another text.\n" * 200)
    (tmp_path / "texts.yaml").write_text("texts: [other.txt]\n")
    assert plan("--config", "texts.yaml")["text"].startswith("other:")
    assert plan("book.txt", "--config", "texts.yaml")["text"].startswith("book:")


def test_a_preset_is_found_by_name(book, plan, tmp_path):
    """--config demo is the preset, even if a folder has that name; a file of that name takes precedence."""
    assert "3 minutes" in plan("--config", "demo")["limit"]
    (tmp_path / "demo").mkdir()
    assert "3 minutes" in plan("--config", "demo")["limit"]
    (tmp_path / "demo").rmdir()
    (tmp_path / "demo").write_text("minutes: 7\n")
    assert "7 minutes" in plan("--config", "demo")["limit"]


def test_a_presets_job_directory_is_only_for_the_story(book, plan, tmp_path):
    """With a preset, the user's text gets its own job name, unless a flag or the user's file names the job directory."""
    assert plan("--config=demo")["job"] == "job/story-from-base (new)"
    assert plan("book.txt", "--config=demo")["job"] == "job/book-512-states-1-layers-512-embed (new)"
    assert "3 minutes" in plan("book.txt", "--config=demo")["limit"]
    assert plan("book.txt", "--config=demo", "--job_dir=here")["job"] == "here (new)"
    (tmp_path / "own.yaml").write_text("job_dir: there\ndata_prefix: mine\n")
    lines = plan("book.txt", "--config=own.yaml")
    assert (lines["job"], lines["text"].split(":")[0]) == ("there (new)", "mine")


def test_a_text_on_the_command_line_replaces_the_text_of_the_file(book, plan, tmp_path):
    """A text on the command line replaces both the corpus and the prefix of --config."""
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
    """Without a text, `textgen-train` trains on the bundled story."""
    assert plan()["text"].startswith("story:")
    assert plan("--data_prefix", "mine")["text"].startswith("mine:")


def test_the_original_command_is_understood(book, plan, tmp_path):
    """The command line of the original program works, with a corpus that has its own split and vocabulary."""
    folder = tmp_path / "training-data" / "jules"
    folder.mkdir(parents=True)
    (folder / "jules.train.txt").write_text("the captain looked at the sea .\n" * 300)
    (folder / "jules.valid.txt").write_text("the sea looked at the captain .\n" * 30)
    (folder / "jules.vocab.txt").write_text("the\ncaptain\nlooked\nat\nsea\n.\n")
    arguments = ["--data_dir", str(folder), "--data_prefix", "jules", "--job-dir", "job/%JOB%", "--epochs", "3"]
    shape = ["--language_model=word", "--layers", "2", "--lstm_state_size", "50", "--unroll_steps", "30"]
    lines = plan(*arguments, *shape, "--summary_dir", "tensorboard-data/%JOB%")
    assert lines["job"] == "job/jules-50-states-2-layers-word (new)"
    assert lines["vocabulary"] == "6 pre-tokenized words"
    assert lines["limit"] == "3 epochs"


def test_the_plan_describes_the_run(book, plan):
    """The plan has text, vocabulary, model, limits, memory, disk space and job directory."""
    lines = plan("book.txt", "--lstm_state_size=8", "--batch_size=4", "--max_steps=9", "--unwrap=no")
    text = book.read_text()
    cut = text.index("\n", len(text) * 9 // 10 - 1) + 1
    assert lines["text"] == f"book: {cut:,} characters for training, {len(text) - cut:,} for validation"
    characters = len(set(text))
    assert lines["vocabulary"] == f"{characters} characters"
    size = characters + 2
    parameters = (size + 8 + 1) * 4 * 8 + (8 + 1) * size
    assert lines["model"] == f"1 LSTM layer of 8 states, one-hot input, {parameters:,} parameters"
    assert lines["limit"] == "9 steps"
    assert re.fullmatch(r"about \d+\.\d MB", lines["memory"])
    checkpoints = 3 * 4 * (3 * parameters + 4 * (8 + 8))
    assert lines["disk"] == f"about {checkpoints / 1000:.1f} kB for checkpoints"
    assert lines["job"] == "job/book-8-states-1-layers (new)"


def test_the_name_of_a_job_stays_on_its_line(book, plan):
    """A line break or an escape sequence in --job_dir is shown as an escape, and adds no line to the plan."""
    lines = plan("book.txt", "--job_dir=a\n  memory     none\x1b[31m")
    assert lines["job"] == "a\\n  memory     none\\x1b[31m (new)"
    assert lines["memory"].startswith("about ")


def test_the_plan_shows_how_devices_share_the_streams(book, plan):
    """With `--devices`, the plan shows the streams and the memory of each device; the job is the same."""
    given = ("book.txt", "--batch_size=16", "--lstm_state_size=8")
    alone, four, every = (plan(*given, *flags) for flags in ([], ["--devices=4"], ["--devices=all"]))
    assert "devices" not in alone
    assert four["devices"] == "4, each with 4 of the 16 streams of each step"
    assert four["memory"].endswith(" per device")
    assert every["devices"] == "all, which share the 16 streams of each step"
    assert alone["job"] == four["job"] == every["job"]


def test_a_dry_run_writes_nothing(book, plan, monkeypatch, tmp_path):
    """A dry run changes nothing in the current folder, the home directory and the cache, even with --fresh and --json."""
    for name in ("HOME", "TEXTGEN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    before = files_below(tmp_path)
    plan("book.txt", "--summary_dir=logs", "--fresh", "--json")
    assert files_below(tmp_path) == before


def test_a_dry_run_leaves_a_job_as_it_is(copied, plan):
    """The plan shows that a job exists, or with --fresh that a new one would be started; no file changes."""
    before = files_below(copied.place)
    assert plan(*copied.command)["job"] == "jobs/book-8-states-1-layers (existing)"
    assert plan(*copied.command, "--fresh")["job"] == "jobs/book-8-states-1-layers (new)"
    assert files_below(copied.place) == before


def test_the_places_have_the_job_name(trained):
    """%JOB% stands for the job name in --job_dir and --summary_dir."""
    assert [path.name for path in (trained.place / "jobs").iterdir()] == [trained.job.name]
    assert [path.name for path in (trained.place / "logs").iterdir()] == [trained.job.name]
    assert list((trained.place / "logs").rglob("*tfevents*"))


def test_nothing_else_was_written(trained):
    """Training writes only to the job directory and --summary_dir."""
    assert {path.name for path in trained.place.iterdir()} == {"book.txt", "tiny.yaml", "jobs", "logs"}


def test_the_job_contains_its_settings_and_its_vocabulary(trained):
    """config.yaml contains every setting of the run, and vocabulary.json every character of the text."""
    kept = from_yaml((trained.job / "config.yaml").read_text(), "config.yaml")
    assert list(kept) == [setting.name for setting in settings(TrainingConfig)]
    assert (kept["lstm_state_size"], kept["batch_size"], kept["max_steps"]) == (8, 4, 5)
    assert kept["texts"] == ("book.txt",)
    vocabulary = Vocabulary.from_json(json.loads((trained.job / "vocabulary.json").read_text()))
    assert set(vocabulary.tokens[2:]) == set((trained.place / "book.txt").read_text())


def test_json_is_one_line_on_standard_output(trained):
    """--json prints one object with the final results; everything else is on standard error."""
    summary = json.loads(trained.stdout)
    assert trained.stdout.count("\n") == 1
    assert summary["job_dir"] == f"jobs/{trained.job.name}"
    assert summary["steps"] == 5
    numbers = ("epochs", "train_loss", "valid_loss", "valid_perplexity", "tokens_per_second", "seconds")
    assert all(summary[name] > 0 for name in (*numbers, "valid_bits_per_character"))


def test_training_ends_with_the_next_commands(trained):
    """The last three lines are commands that work as printed: to sample from the job, to serve it, and to show its curves."""
    sampling, serving, curves = trained.stderr.splitlines()[-3:]
    assert sampling.endswith(f"textgen-sample jobs/{trained.job.name}")
    assert serving.endswith(f"textgen serve jobs/{trained.job.name}")
    assert curves.endswith(f"tensorboard --logdir logs/{trained.job.name}")
    subprocess.run(sampling, shell=True, check=True, capture_output=True, cwd=trained.place)  # noqa: S602 - as typed
    assert all(shutil.which(shlex.split(command)[0]) for command in (serving, curves))


@pytest.mark.usefixtures("no_training")
def test_a_finished_job_is_not_trained_again(trained, monkeypatch, capsys):
    """Repeating the command of a finished job prints its results and how to resume it, and ends with 0."""
    monkeypatch.chdir(trained.place)
    before = files_below(trained.place)
    assert main([*trained.command, "--json", "--learning_rate=0.1"]) == 0
    out, err = capsys.readouterr()
    assert "This job is finished: 5 steps" in err
    assert "--max_steps" in err
    assert json.loads(out)["valid_loss"] == json.loads(trained.stdout)["valid_loss"]
    assert files_below(trained.place) == before


def test_a_higher_limit_resumes_a_finished_job(copied, training):
    """A higher limit resumes a finished job, even if other settings have changed, except those of its shape."""
    assert main([*copied.command, "--max_steps=8", "--dropout=0.3", "--unroll_steps=4"]) == 0
    [call] = training.calls
    assert call.job.root.name == copied.job.name
    assert (call.config.max_steps, call.config.dropout, call.config.unroll_steps) == (8, 0.3, 4)


def test_another_shape_is_another_job(copied, training):
    """A model of another shape has another job name, so the old job does not change."""
    before = files_below(copied.job)
    assert main([*copied.command, "--layers=2"]) == 0
    assert training.calls[0].job.root.name == "book-8-states-2-layers"
    assert files_below(copied.job) == before


def test_fresh_renames_the_old_job(copied, training, capsys):
    """--fresh starts over without deleting anything: each old job is renamed with the next free number."""
    before = {path.relative_to(copied.job): content for path, content in files_below(copied.job).items()}
    for number in (1, 2):
        assert main([*copied.command, "--fresh"]) == 0
        aside = copied.job.with_name(f"{copied.job.name}.{number}")
        assert f"The old job is now jobs/{aside.name}" in capsys.readouterr().err
        assert aside.is_dir()
    first = copied.job.with_name(f"{copied.job.name}.1")
    assert {path.relative_to(first): content for path, content in files_below(first).items()} == before
    assert not (copied.job / "checkpoints").exists()
    assert len(training.calls) == 2


@pytest.mark.parametrize("dry_run", [[], ["--dry_run"]])
def test_fresh_does_not_rename_files_of_the_user(copied, no_training, capsys, dry_run):
    """--fresh refuses to rename a job directory with other files in it, and names one of them."""
    (copied.job / "book.txt").write_text("mine")
    before = files_below(copied.place)
    assert main([*copied.command, "--fresh", *dry_run]) == 2
    assert capsys.readouterr().err == (
        "textgen-train: error: --fresh would rename all of jobs/book-8-states-1-layers, including what is not part of a "
        "job: 'book.txt'; move it elsewhere, or name another --job_dir\n"
    )
    assert files_below(copied.place) == before


def test_fresh_without_a_job_starts_one(book, training, capsys):
    """--fresh without an existing job starts a new one."""
    assert main(["book.txt", "--fresh", "--job_dir=here"]) == 0
    assert "The old job" not in capsys.readouterr().err
    assert {path.name for path in book.parent.iterdir()} == {"book.txt", "here"}
    assert len(training.calls) == 1


def test_a_second_trainer_is_turned_away(book, no_training, capsys, tmp_path):
    """A second trainer ends with 73 and one line that names the first, and changes nothing, even with --fresh."""
    job = JobDirectory(Path("here"))
    with job_lock(job, pytest.fail):
        job.config.write_text("lstm_state_size: 8  # of the other trainer")
        before = files_below(tmp_path)
        for arguments in (["book.txt", "--job_dir=here"], ["book.txt", "--job_dir=here", "--fresh"]):
            assert main(arguments) == 73
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith("textgen-train: error: another trainer works in here: process ")
            assert f"process {os.getpid()} on " in err
            assert "name another --job_dir" in err
        assert files_below(tmp_path) == before


def test_a_dry_run_needs_no_lock(book, plan, no_training):
    """A dry run prints the plan even while another process trains the job."""
    with job_lock(JobDirectory(Path("here")), pytest.fail):
        assert plan("book.txt", "--job_dir=here")["job"] == "here (new)"


def test_the_lock_is_held_while_it_trains(book, training):
    """A trainer holds the lock during training, for a new job, a resumed one, and one that starts over."""
    for arguments in ([], ["--max_steps=9"], ["--fresh"]):
        assert main(["book.txt", "--job_dir=here", *arguments]) == 0
    assert [call.locked for call in training.calls] == [True, True, True]
    assert not is_locked(JobDirectory(Path("here")))
    assert not is_locked(JobDirectory(Path("here.1")))


def test_standard_output_has_the_json_line_or_nothing(book, training, capsys):
    """Standard output is empty without --json, and one line of JSON with it."""
    assert main(["book.txt", "--init_from=none"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("textgen ")
    assert main(["book.txt", "--init_from=none", "--json", "--fresh"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job_dir": "job/book-384-states-1-layers-384-embed",
        **training.summary,
    }


def test_results_that_json_cannot_express_are_null(book, training, capsys):
    """NaN and infinity are null in the line of JSON, so that every parser accepts it."""
    training.summary |= {"valid_loss": float("nan"), "valid_perplexity": float("inf"), "train_loss": None}
    assert main(["book.txt", "--json"]) == 0
    line = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [line[name] for name in ("steps", "valid_loss", "valid_perplexity", "train_loss")] == [7, None, None, None]


def test_without_a_summary_dir_logs_go_to_the_job(book, training):
    """With --summary_dir none, the default, TensorBoard's files go to logs/ in the job directory."""
    assert main(["book.txt", "--job_dir=here", "--summary_dir=none"]) == 0
    assert training.calls[0].summary_dir == training.calls[0].job.logs
