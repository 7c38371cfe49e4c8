import re
from pathlib import Path

import pytest
import yaml

from tests import old_config
from textgen.cli.train import main
from textgen.config import TrainingConfig, settings
from textgen.errors import FormatError
from textgen.planning import CHOSEN_SETTINGS, SHAPE_SETTINGS, dropout, worthwhile_passes

TEXT = "The keeper wound the tide clock at dusk.\n" * 400
CHARACTERS = len(TEXT) * 9 // 10
PASSES = worthwhile_passes(CHARACTERS, "char", started=False)


def rate(passes):
    """Returns the dropout for a number of passes over the text, as the plan prints it."""
    return f"{dropout(passes, CHARACTERS, 'char', started=False):g}"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "book.txt").write_text(TEXT)
    (tmp_path / "mine.yaml").write_text("minutes: 2\n")


def plan(capsys, *arguments):
    """Returns the plan that --dry_run prints."""
    assert main(["book.txt", "--dry_run", *arguments]) == 0
    return capsys.readouterr().err


def test_a_time_limit_chooses_a_model_and_prints_why(capsys):
    """With a time limit, the plan has a line for each chosen setting, with its reason."""
    said = plan(capsys, "--minutes=1", "--device=cpu")
    lines = [line for line in said.splitlines() if line.startswith("  chosen")]
    assert len(lines) == 4
    assert "learns most in 1 minute on a CPU" in lines[0]
    assert "-states-1-layers-384-embed (new)" in said


def test_a_short_text_ends_training_before_the_time_is_over(capsys):
    """The plan prints how many passes are worth making, and how long they take; dropout is that for these passes."""
    said = plan(capsys, "--device=cpu")
    assert f"  limit      {PASSES} epochs, 5 minutes or 5 evaluations without improvement\n" in said
    assert re.search(
        rf"  chosen     epochs {PASSES}: about [\d.]+ of the 300 seconds on \d+ cores?; more would only memorise the text\n",
        said,
    )
    assert f"dropout {rate(PASSES)} for about {PASSES} passes\n" in said


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (["--patience=none"], f"{PASSES} epochs or 5 minutes"),
        (["--epochs=none", "--patience=none"], "5 minutes"),
        (["--epochs=7", "--minutes=2"], "7 epochs, 2 minutes or 5 evaluations without improvement"),
        (["--epochs=7"], "7 epochs"),
        (["--max_steps=7"], "7 steps"),
        (["--max_steps=7", "--patience=3"], "7 steps or 3 evaluations without improvement"),
        (["--layers=2"], f"{PASSES} epochs, 5 minutes or 5 evaluations without improvement"),
        (["--config=mine.yaml"], f"{PASSES} epochs, 2 minutes or 5 evaluations without improvement"),
    ],
)
def test_passes_and_patience_are_chosen_only_if_time_is_the_limit(capsys, arguments, limit):
    """Each limit can be given or switched off, and a run without a time limit has only the given ones."""
    assert f"  limit      {limit}\n" in plan(capsys, *arguments)


def test_without_a_limit_a_model_is_chosen_for_five_minutes(capsys):
    """Without any limit, the model is chosen for the default of five minutes."""
    without = plan(capsys, "--device=cpu")
    assert "in 5 minutes on a CPU" in without
    assert without == plan(capsys, "--device=cpu", "--minutes=5")


@pytest.mark.parametrize("arguments", [[], ["--minutes=1"], ["--minutes=600"]])
def test_the_same_command_finds_the_same_job(capsys, arguments):
    """The choice depends only on the arguments, the text and the device."""
    assert plan(capsys, *arguments) == plan(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--epochs=1"],
        ["--max_steps=1"],
        ["--minutes=600", "--layers=1"],
        ["--minutes=600", "--lstm_state_size=384"],
        ["--minutes=600", "--no-layer_norm"],
        ["--config=mine.yaml"],
    ],
)
def test_a_given_model_keeps_the_shape(capsys, arguments):
    """If a flag or a config file sets the shape of the model, or time is not the limit, its other parts have their defaults."""
    said = plan(capsys, *arguments)
    assert "on a CPU" not in said
    assert "1 LSTM layer of 384 states" in said


@pytest.mark.parametrize(
    ("arguments", "training"),
    [
        (["--layers=2"], f"4 x 64 tokens per step, adamw, learning rate 0.008, dropout {rate(PASSES)} for about"),
        (["--lstm_state_size=1024", "--embedding_size=64"], "learning rate 0.004, "),
        (["--epochs=2"], f"learning rate 0.012, dropout {rate(2)} for about 2 passes"),
        (["--config=mine.yaml"], f"learning rate 0.012, dropout {rate(PASSES)} for about {PASSES} passes"),
        (
            ["--layers=2", "--learning_rate=0.5", "--dropout=0", "--batch_size=3"],
            "3 x 64 tokens per step, adamw, learning rate 0.5, dropout 0\n",
        ),
    ],
)
def test_what_does_not_shape_a_given_model_is_chosen_for_it(capsys, arguments, training):
    """Streams, learning rate and dropout that were not given are those for the shape that results."""
    assert training in plan(capsys, *arguments)


def test_an_existing_job_keeps_its_model(capsys, training):
    """If --job_dir names an existing job, a higher time limit resumes its model, whatever would be chosen for that time."""
    assert main(["book.txt", "--job_dir=mine", "--lstm_state_size=8", "--max_steps=3"]) == 0
    capsys.readouterr()
    said = plan(capsys, "--job_dir=mine", "--minutes=600")
    assert "1 LSTM layer of 8 states" in said
    assert "chosen" not in said
    assert f"  limit      {PASSES} epochs, 600 minutes or 5 evaluations" in said
    assert "1 LSTM layer of 8 states" in plan(capsys, "--job_dir=mine", "--max_steps=9")
    assert "chosen" in plan(capsys, "--job_dir=mine", "--minutes=600", "--fresh")


def test_the_same_command_resumes_with_the_chosen_settings(capsys, training):
    """If --job_dir names the job, a second run keeps the streams and the learning rate of the first, for any time."""
    arguments = ["--job_dir=mine", "--summary_dir=tb/%JOB%", "--device=cpu"]
    first = plan(capsys, *arguments, "--minutes=0.001")
    assert main(["book.txt", *arguments, "--minutes=0.001"]) == 0
    capsys.readouterr()
    for minutes in ("0.001", "600"):
        again = plan(capsys, *arguments, f"--minutes={minutes}")
        for line in ("  model", "  training"):
            (before,), (after,) = ([x for x in said.splitlines() if x.startswith(line)] for said in (first, again))
            assert after.partition(", dropout")[0] == before.partition(", dropout")[0]
        assert f"  limit      {PASSES} epochs, {minutes} minutes or 5 evaluations" in again
    assert "learning rate 0.5" in plan(capsys, *arguments, "--learning_rate=0.5")
    assert main(["book.txt", *arguments, "--minutes=600"]) == 0
    assert "--logdir tb/book-384-states-1-layers-384-embed\n" in capsys.readouterr().err


@pytest.fixture
def on_cores(monkeypatch):
    """Returns a function that sets the number of cores of the machine."""

    def set_cores(count):
        monkeypatch.setattr("textgen.runs.request.physical_cores", lambda: [[number] for number in range(count)])

    return set_cores


def test_a_job_moves_to_a_machine_with_other_cores(capsys, training, on_cores):
    """The same command finds the same job on any number of cores, which keeps the streams and the learning rate that it started with."""
    Path("book.txt").write_text(TEXT * 20)
    arguments = ["--device=cpu", "--minutes=0.2", "--init_from=none"]
    on_cores(4)
    first = plan(capsys, *arguments)
    assert "32 x 64 tokens per step, adamw, learning rate 0.013, " in first
    assert (
        "batch_size 32, unroll_steps 64, learning_rate 0.013, weight_decay 0.1: learns most from a long text on 4 cores\n"
        in first
    )
    assert main(["book.txt", *arguments]) == 0
    capsys.readouterr()
    on_cores(2)
    again = plan(capsys, *arguments)
    assert "384-embed (existing)" in again
    assert "32 x 64 tokens per step, adamw, learning rate 0.013, " in again
    assert "16 x 64 tokens per step, adamw, learning rate 0.009, " in plan(capsys, *arguments, "--fresh")


def test_a_given_batch_size_has_the_learning_rate_of_two_cores(capsys, on_cores):
    """On any number of cores, a given number of streams leaves the learning rate as it is."""
    Path("book.txt").write_text(TEXT * 20)
    on_cores(8)
    said = plan(capsys, "--device=cpu", "--minutes=0.2", "--init_from=none", "--batch_size=32")
    assert "32 x 64 tokens per step, adamw, learning rate 0.009, " in said


def test_a_job_keeps_its_half_precision(capsys, training):
    """If --job_dir names a job in half precision, it is resumed so; another --precision is refused."""
    arguments = ["--job_dir=mine", "--device=cpu", "--minutes=0.001"]
    assert main(["book.txt", *arguments, "--precision=mixed_float16"]) == 0
    capsys.readouterr()
    assert "computed in float16" in plan(capsys, *arguments)
    assert main(["book.txt", *arguments, "--precision=float32", "--dry_run"]) == FormatError.exit_code


@pytest.mark.parametrize("text", [old_config.FIRST, old_config.BOTH])
def test_an_old_job_in_half_precision_is_resumed(training, text):
    """A job whose config.yaml has `use_fp16: true` is found by its name, by either flag, and by its directory."""
    job = Path("job/book-fp16-8-states-1-layers")
    job.mkdir(parents=True)
    by_name, by_directory = ["--lstm_state_size=8", "--max_steps=9"], [f"--job_dir={job}", "--max_steps=9"]
    for arguments in (["--use_fp16", *by_name], ["--precision=mixed_float16", *by_name], by_directory):
        (job / "config.yaml").write_text(text)
        assert main(["book.txt", "--device=cpu", *arguments]) == 0
        assert training.calls[-1].config.precision == "mixed_float16"
        assert training.calls[-1].job.root == job
    assert main(["book.txt", *by_directory, "--precision=float32"]) == FormatError.exit_code


def test_without_a_time_limit_a_job_keeps_how_it_is_trained_too(capsys, training):
    """If epochs limit the run, streams, learning rate and dropout are the given ones, or else the job's."""
    arguments = ["--job_dir=mine", "--lstm_state_size=8", "--learning_rate=0.5", "--dropout=0.7", "--batch_size=4"]
    assert main(["book.txt", *arguments, "--max_steps=3"]) == 0
    said = plan(capsys, "--job_dir=mine", "--epochs=6", "--batch_size=5")
    assert "1 LSTM layer of 8 states" in said
    assert "5 x 64 tokens per step, adamw, learning rate 0.5, dropout 0.7" in said


def write_old_job(training, settings):
    """Makes the job that the plain command names as an earlier version did: without the newer settings."""
    assert main(["book.txt", "--device=cpu"]) == 0
    config = Path("job/book-384-states-1-layers-384-embed/config.yaml")
    newer = ("unwrap", "init_from", "sample_prompt", "sample_temperature")
    values = {name: value for name, value in yaml.safe_load(config.read_text()).items() if name not in newer}
    config.write_text(yaml.safe_dump(values | settings))
    training.calls.clear()


@pytest.mark.parametrize("arguments", [[], ["--lstm_state_size=384", "--embedding_size=384"]])
@pytest.mark.parametrize("minutes", [None, 5.0])
def test_a_job_of_an_earlier_version_resumes_as_it_began(training, arguments, minutes):
    """It has no limit of passes and no patience, and keeps its dropout, learning rate and streams, wherever its name comes from."""
    old = {
        "epochs": None,
        "patience": None,
        "minutes": minutes,
        "dropout": 0.3,
        "learning_rate": 0.002,
        "batch_size": 7,
    }
    write_old_job(training, old)
    assert main(["book.txt", "--device=cpu", "--minutes=5.5", *arguments]) == 0
    config = training.calls[-1].config
    assert {name: getattr(config, name) for name in old} == old | {"minutes": 5.5}
    assert str(training.calls[-1].job).endswith("job/book-384-states-1-layers-384-embed")


def test_a_job_keeps_its_passes_and_patience(capsys, training):
    """A second run has the limits of the first, unless they are given, or time is not its limit; the plan prints that they are kept."""
    arguments = ["--device=cpu", "--lstm_state_size=8"]
    assert main(["book.txt", *arguments, "--patience=9", "--epochs=20", "--minutes=3"]) == 0
    capsys.readouterr()
    for more, limit, kept in [
        (["--minutes=30"], "20 epochs, 30 minutes or 9 evaluations without improvement", "epochs 20, patience 9"),
        (["--minutes=30", "--patience=none"], "20 epochs or 30 minutes", "epochs 20"),
        ([], "20 epochs, 5 minutes or 9 evaluations without improvement", "epochs 20, patience 9"),
        (["--epochs=40"], "40 epochs", ""),
        (["--fresh", "--epochs=20", "--minutes=3"], "20 epochs, 3 minutes or 5 evaluations without improvement", ""),
    ]:
        said = plan(capsys, *arguments, *more)
        assert f"  limit      {limit}\n" in said
        assert [line for line in said.splitlines() if line.startswith("  kept")] == (
            [f"  kept       {kept}: as in the last run"] if kept else []
        )


@pytest.mark.parametrize("limit", ["--epochs=2", "--max_steps=9"])
def test_a_job_that_time_did_not_limit_gets_passes_and_patience_with_time(capsys, training, limit):
    """Without the flag that limited it, it is trained as a new job would be; one of an earlier version has no such limits."""
    arguments = ["--device=cpu", "--lstm_state_size=8"]
    assert main(["book.txt", *arguments, limit]) == 0
    capsys.readouterr()
    assert f"  limit      {PASSES} epochs, 5 minutes or 5 evaluations without improvement\n" in plan(capsys, *arguments)
    [config] = Path("job").glob("*/config.yaml")
    config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("init_from")))
    assert "  limit      5 minutes\n" in plan(capsys, *arguments)


def test_a_finished_job_with_a_short_text_is_not_refused(capsys, training):
    """A finished job whose text is long enough for only one stream is not refused for the default batch size."""
    Path("short.txt").write_text("The keeper wound the tide clock.\n" * 20)
    arguments = ["short.txt", "--job_dir=mine", "--minutes=0.001", "--device=cpu"]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert "This job is finished: 7 steps, 1 epoch, 0.5 minutes." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "raised", "more"),
    [
        (["--minutes=0.001"], "--minutes", ["--minutes=600"]),
        (["--epochs=1", "--minutes=9"], "--epochs", ["--epochs=9"]),
        (["--max_steps=7"], "--max_steps", ["--max_steps=600"]),
        (["--epochs=1", "--max_steps=7"], "--epochs and --max_steps", ["--max_steps=600"]),
    ],
)
def test_a_finished_job_prints_how_to_continue_it(capsys, training, arguments, raised, more):
    """The message names the limits that the job has reached, and the flags for its shape, which another limit might not choose."""
    arguments = ["book.txt", *arguments, "--device=cpu"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(arguments) == 0
    said = capsys.readouterr().err
    assert f"To continue it, raise {raised}, with --lstm_state_size" in said
    flags = said[said.index("with --") + 5 : said.index(" to keep this model")].split()
    again = plan(capsys, *more, *flags)
    assert "(existing)" in again


@pytest.mark.parametrize("shape", [[], ["--embedding_size=5"], ["--layer_norm"]])
def test_a_job_with_another_model_is_mentioned(capsys, training, shape):
    """A new job for a text that has one already mentions the other, with the flags that resume it."""
    assert main(["book.txt", "--lstm_state_size=9", *shape, "--max_steps=3"]) == 0
    said = plan(capsys, "--minutes=600")
    assert "(new)" in said
    assert "\njob/book-9-states-1-layers" in said
    flags = said.partition("instead, add ")[2].partition("\n")[0].split()
    assert "(existing)" in plan(capsys, "--minutes=600", *flags)


def test_every_default_in_the_help_is_what_a_plain_command_uses(training):
    """If a plain command uses another value than the default of a setting, the help describes that value, or the default is auto."""
    assert main(["book.txt", "--device=cpu"]) == 0
    config = training.calls[0].config
    for setting in settings(TrainingConfig):
        words = setting.option.default_in_words
        if words is None and setting.name != "texts" and setting.default != "auto":
            assert getattr(config, setting.name) == setting.default
    assert {setting.name for setting in settings(TrainingConfig) if setting.option.default_in_words == "chosen"} == (
        set(CHOSEN_SETTINGS) - set(SHAPE_SETTINGS) - {"unroll_steps"}
    )


def test_with_its_own_job_dir_no_other_job_is_mentioned(capsys, training):
    """With --job_dir no other job is mentioned, because the flags of its model would not select its directory."""
    assert main(["book.txt", "--lstm_state_size=9", "--max_steps=3"]) == 0
    assert "already exists" not in plan(capsys, "--minutes=600", "--job_dir=job/mine")


def test_a_job_of_other_tokens_is_not_mentioned(capsys, training):
    """A word job is not mentioned to a character job: the flags of its model would start a third job."""
    assert main(["book.txt", "--language_model=word", "--lstm_state_size=9", "--max_steps=3"]) == 0
    assert "already exists" not in plan(capsys, "--minutes=600")


def test_a_long_window_gets_fewer_streams(capsys):
    """The chosen batch size leaves room for a given --unroll_steps in a text of 16,400 characters."""
    assert "1 x 256 tokens" in plan(capsys, "--minutes=1", "--unroll_steps=256")


def test_a_given_setting_is_not_chosen(capsys):
    """A given setting that does not shape the model is used, and not listed as chosen."""
    said = plan(capsys, "--minutes=1", "--dropout=0.4", "--batch_size=3")
    chosen = "\n".join(line for line in said.splitlines() if line.startswith("  chosen"))
    assert "dropout 0.4" in said
    assert "3 x 64 tokens" in said
    assert "dropout" not in chosen
    assert "batch_size" not in chosen
    assert "lstm_state_size" in chosen
