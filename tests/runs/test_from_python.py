import inspect
import logging
import re
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import textgen
from tests.commands import GOOD_TEXT
from textgen import errors
from textgen.config import SamplingConfig, TrainCommand, TrainingConfig, settings
from textgen.generation import write_model

SMALL: dict[str, Any] = {"lstm_state_size": 8, "batch_size": 4, "unroll_steps": 16, "sample_length": 10}
HANG_SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text, and with a job that is trained for three steps."""
    place = tmp_path_factory.mktemp("python")
    (place / "book.txt").write_text(GOOD_TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXTGEN_CACHE", str(place / "cache"))
        patch.chdir(place)
        textgen.train("book.txt", max_steps=3, job_dir="job/first", **SMALL)
    return place


@pytest.fixture
def here(folder, monkeypatch):
    """The folder, as the current one."""
    monkeypatch.setenv("TEXTGEN_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)
    return folder


def acting(action, at=1):
    """Returns a Keras callback that calls a function with its model after a number of calls of steps."""
    import keras

    class Acting(keras.callbacks.Callback):  # type: ignore[misc]
        calls = 0

        def on_train_batch_end(self, batch, logs=None):
            del batch, logs
            self.calls += 1
            if self.calls == at:
                action(self.model)

    return Acting()


def test_python_trains_and_writes(here, capfd):
    """A call trains silently and returns a job with its path, settings, status, scores and history, whose model writes."""
    job = textgen.train(Path("book.txt"), max_steps=4, job_dir=Path("job/mine"), layers=np.int64(1), **SMALL)
    assert capfd.readouterr() == ("", "")
    assert (job.path, job.status, job.config.max_steps) == ("job/mine", "finished", 4)
    [evaluation] = job.history
    assert evaluation["steps"] == 4
    assert job.scores["valid_loss"] == evaluation["valid_loss"] > 0
    assert set(job.scores) == {name for name in evaluation if name.startswith("valid_")} - {"valid_sha256"}
    text = "".join(job.generate("the", length=30, seed=1))
    assert len(text) == 30
    assert text == "".join(textgen.load("mine").generate("the", length=30, seed=1))
    again = textgen.train(["book.txt"], max_steps=4, job_dir="job/other", **SMALL)
    assert again.scores == pytest.approx(job.scores)


def test_the_same_call_resumes_and_names_settings(here, capfd):
    """With verbose=1, the plan and the progress are printed, with the names of settings instead of flags."""
    job = textgen.train("book.txt", max_steps=3, job_dir="job/first", verbose=1, **SMALL)
    said = capfd.readouterr().err
    assert (
        "To continue it, raise max_steps, with lstm_state_size=8 layers=1 to keep this model; to start over, use fresh"
        in said
    )
    job = textgen.train("book.txt", max_steps=6, job_dir="job/first", verbose=True, **SMALL)
    said += capfd.readouterr().err
    assert "Resuming from step 3" in said
    assert "step 6  validation: " in said
    assert re.findall(r"--\w", said) == []
    assert [evaluation["steps"] for evaluation in job.history] == [3, 6]
    aside = textgen.train("book.txt", max_steps=1, job_dir="job/first", fresh=True, **SMALL)
    assert [evaluation["steps"] for evaluation in aside.history] == [1]
    assert Path("job/first.1").is_dir()


def test_the_scores_are_those_of_the_best_evaluation_and_of_the_test_text(here, tmp_path):
    """The scores are those of the model; those of a test text are known to the run that evaluated it."""
    for part in ("train", "valid", "test"):
        (tmp_path / f"x.{part}.txt").write_text(GOOD_TEXT)
    job = textgen.train(data_dir=tmp_path, max_steps=4, eval_steps=2, job_dir=tmp_path / "job", **SMALL)
    assert job.scores["test_loss"] == pytest.approx(job.scores["valid_loss"])
    lines = Path(job.path, "metrics.jsonl").read_text().splitlines(keepends=True)
    better = re.sub(r'"valid_loss": ?[\d.]+', '"valid_loss": 0.5', lines[0])
    Path(job.path, "metrics.jsonl").write_text("".join([better, *lines[1:], '{"steps": 9, "valid']))
    job = textgen.open(job.path)
    assert len(job.history) == 2
    assert job.scores["valid_loss"] == 0.5
    assert "test_loss" not in job.scores


def test_keras_callbacks_are_called(here):
    """A callback is called like those of `fit`, and one that stops training leaves a job that can be resumed."""
    seen: list[Any] = []
    job = textgen.train("book.txt", max_steps=3, job_dir="job/seen", callbacks=iter([acting(seen.append)]), **SMALL)
    assert (len(seen), job.status) == (1, "finished")

    def stop(model):
        model.stop_training = True

    job = textgen.train("book.txt", max_steps=10**6, job_dir="job/stop", callbacks=[acting(stop)], **SMALL)
    assert job.status == "stopped"
    assert textgen.train("book.txt", max_steps=3, job_dir="job/stop", **SMALL).status == "finished"


def test_an_error_of_a_callback_comes_through(here):
    """An exception of the caller's own code is raised unchanged, and the job can be resumed."""

    def fail(_):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match=r"^mine$"):
        textgen.train("book.txt", max_steps=3, job_dir="job/error", callbacks=[acting(fail)], **SMALL)
    assert textgen.train("book.txt", max_steps=3, job_dir="job/error", **SMALL).status == "finished"


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, textgen.StoppedError)]
)
def test_a_signal_ends_training_after_the_save(here, number, kind):
    """Ctrl-C raises KeyboardInterrupt and SIGTERM a StoppedError once the step is saved; the old handlers are restored."""
    before = signal.getsignal(number)
    name = f"job/{number.name}"
    interrupt = acting(lambda _: signal.raise_signal(number))
    with pytest.raises(kind, match=r"^stopped at step \d+, which is saved; call train again to resume$"):
        textgen.train("book.txt", max_steps=10**6, job_dir=name, callbacks=[interrupt], **SMALL)
    assert signal.getsignal(number) == before
    assert textgen.open(name).status == "stopped"


def test_training_works_in_a_thread_and_locks_the_job(here):
    """In a thread, training handles no signal, and a second call for its job raises a LockedError."""
    before = signal.getsignal(signal.SIGINT)
    started, released = threading.Event(), threading.Event()
    ended: list[Any] = []

    def wait(_):
        ended.append(signal.getsignal(signal.SIGINT))
        started.set()
        assert released.wait(HANG_SECONDS)

    def train(**more):
        return textgen.train("book.txt", max_steps=4, job_dir="job/locked", **SMALL, **more)

    thread = threading.Thread(target=lambda: ended.append(train(callbacks=[acting(wait)])))
    thread.start()
    try:
        assert started.wait(HANG_SECONDS)
        assert textgen.open("locked").status == "running"
        with pytest.raises(textgen.LockedError, match=r"^another trainer works in job/locked: ") as raised:
            train(device="cpu")
        assert raised.value.settings == ("job_dir",)
    finally:
        released.set()
        thread.join(HANG_SECONDS)
    assert ended[0] == before
    assert ended[1].status == "finished"


def test_many_models_in_one_process_give_no_warning(here):
    """TensorFlow's warning about functions that are compiled again and again is hidden during training, and only then."""
    messages = []

    class Handler(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("tensorflow"), Handler()
    logger.addHandler(handler)
    warning = "5 out of the last 5 calls to %s triggered tf.function retracing."

    def warn(_):
        logger.warning(warning, "run")
        logger.warning("another")

    try:
        textgen.train("book.txt", max_steps=1, job_dir="job/many", callbacks=[acting(warn)], **SMALL)
        logger.warning(warning, "mine")
    finally:
        logger.removeHandler(handler)
    assert messages == ["another", warning % "mine"]


@pytest.mark.parametrize(
    ("values", "message", "named"),
    [
        ({"lstm_stat_size": 8}, "there is no setting lstm_stat_size; did you mean lstm_state_size?", "lstm_stat_size"),
        ({"texts": ["book.txt"]}, "there is no setting texts; did you mean text?", "texts"),
        ({"dry_run": True}, "there is no setting dry_run", "dry_run"),
        ({"workers": 2}, "there is no setting workers", "workers"),
        ({"x\nyzzy": 1}, "there is no setting 'x\\nyzzy'; help(textgen.train) lists them", None),
        ({"xyzzy": 1}, "there is no setting xyzzy; help(textgen.train) lists them", "xyzzy"),
        ({"use_fp16": True}, "there is no setting use_fp16; precision mixed_float16 replaces it", "precision"),
        ({"layers": 0}, "layers must be at least 1 and at most 64, got 0", "layers"),
        ({"layers": 1.5}, "layers must be a whole number, got 1.5", "layers"),
        ({"layers": np.float32(1.5)}, "layers must be a whole number, got 1.5", "layers"),
        ({"minutes": "soon"}, "minutes must be a number, got 'soon'", "minutes"),
        ({"layer_norm": "perhaps"}, "layer_norm must be true or false, got 'perhaps'", "layer_norm"),
        ({"job_dir": b"x"}, "job_dir must be text, got b'x'", "job_dir"),
        ({"config": "absent"}, "config absent is neither a file nor a preset", "config"),
        (
            {"init_from": "xyz"},
            "cannot start from init_from xyz: there is neither xyz nor job/xyz; name a job, a model file or base",
            "init_from",
        ),
        ({"data_dir": "."}, "text and data_dir cannot be combined", "data_dir"),
        ({"layer_norm": True, "num_proj": 4}, "layer_norm and num_proj cannot be combined", "layer_norm"),
        ({"verbose": 2}, "verbose must be 0 or 1, got 2", None),
        ({"verbose": [1]}, "verbose must be 0 or 1, got [1]", None),
        ({"callbacks": 3}, "callbacks must be a list of Keras callbacks, got 3", None),
        ({"callbacks": [print]}, "callbacks must be a list of Keras callbacks, got [<built-in function print>]", None),
    ],
)
def test_a_wrong_setting_is_named(here, no_training, values, message, named):
    """The exception is one line, and names the setting, not a flag."""
    before = sorted(here.rglob("*"))
    with pytest.raises(textgen.TextgenError) as raised:
        textgen.train("book.txt", **values)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert named is None or named in raised.value.settings
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "It was a dark night.\nIt rained.",
            "text must be the path of a file, got the text 'It was a dar....\\nIt rained.'; save it to a file first",
        ),
        ("It was a dark night? " * 500, "text must be the path of a file, got the text 'It was a d"),
        ("a\0b", "text must be the path of a file, got the text 'a\\x00b';"),
        ("It was a dark night.", "there is no It was a dark night.: check the path"),
        ("", "text must not be empty"),
        ([], "text must name at least one file, got none"),
        ([""], "text must not be empty"),
        (7, "text must be a path or a list of paths, got 7"),
        (b"book.txt", "text must be a path or a list of paths, got b'book.txt'"),
        ({"book.txt": 1}, "text must be a path or a list of paths, got {'book.txt': 1}"),
        (["book.txt", 7], "text must be a path or a list of paths, got 7"),
        ("ftp://here/book.txt", "a place must be a local path or gs://BUCKET/PATH"),
    ],
)
def test_a_text_that_is_no_path_is_refused(here, no_training, text, message):
    """A text in place of its path, and what is neither, is refused in one line."""
    with pytest.raises(textgen.TextgenError) as raised:
        textgen.train(text)
    assert str(raised.value).startswith(message)
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)


def test_every_setting_is_a_keyword():
    """The keywords are the settings of a run, with their defaults; there is no second list."""
    parameters = inspect.signature(textgen.train).parameters
    own = {"text", "verbose", "callbacks"}
    declared = {
        setting.name: setting.default for config in (TrainingConfig, TrainCommand) for setting in settings(config)
    }
    expected = {
        name: default for name, default in declared.items() if name not in {"texts", "dry_run", "json", "workers"}
    }
    assert {name: found.default for name, found in parameters.items() if name not in own} == expected
    assert own < set(parameters)


def test_jobs_are_opened_and_listed(here):
    """A job is opened by its path or its name, and the jobs of a folder are listed, the newest first."""
    assert textgen.open("first").path == str(Path("job/first"))
    assert textgen.open(here / "job" / "first").config.lstm_state_size == 8
    listed = textgen.list_jobs()
    assert {job.path for job in listed} == {job.path for job in textgen.list_jobs(Path("job"))}
    assert str(Path("job/first")) in {job.path for job in listed}
    assert "first" in repr(textgen.open("first"))
    with pytest.raises(textgen.UsageError, match=r"^folder must be a local folder, got gs://b/job; textgen\.open "):
        textgen.list_jobs("gs://b/job")


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("zzz", textgen.MissingError, "there is neither zzz nor job/zzz; textgen.list_jobs() lists all jobs"),
        (
            "frist",
            textgen.MissingError,
            "there is neither frist nor job/frist; did you mean first?; textgen.list_jobs()",
        ),
        (".", textgen.MissingError, ". is not a job: it has no config.yaml; textgen.list_jobs() lists all jobs"),
        (
            "book.txt",
            textgen.UsageError,
            "path must be the directory of a job, got book.txt, which is a file; textgen.load",
        ),
    ],
)
def test_what_is_no_job_is_not_opened(here, path, kind, message):
    """The exception is one line, and says what to call instead."""
    with pytest.raises(kind) as raised:
        textgen.open(path)
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("path", [7, None, b"job", "", "a\0b"])
@pytest.mark.parametrize("call", [textgen.open, textgen.load, textgen.list_jobs])
def test_what_is_no_path_is_refused(call, path):
    """The exception is one line, and names the argument."""
    with pytest.raises(textgen.UsageError) as raised:
        call(path)
    name = "folder" if call is textgen.list_jobs else "path"
    assert str(raised.value) == f"{name} must be a path, got {path!r}"


def test_a_job_without_a_model_does_not_write(tmp_path, monkeypatch):
    """A job that was never evaluated has no scores, no history and no model."""
    (tmp_path / "config.yaml").touch()
    job = textgen.open(tmp_path)
    assert (job.history, job.scores, job.status) == ([], {}, "stopped")
    with pytest.raises(textgen.MissingError):
        job.generate()


def test_a_damaged_job_is_listed(tmp_path):
    """A job that cannot be read is listed; its status says so, and its settings raise a FormatError."""
    (tmp_path / "config.yaml").write_text("layers: many\n")
    [job] = textgen.list_jobs(tmp_path)
    assert job.status == "damaged"
    with pytest.raises(
        textgen.FormatError, match=r"layers must be a whole number, got 'many'; repair it, or use fresh"
    ):
        _ = job.config


def test_the_base_model_is_loaded_by_its_name(tmp_path, monkeypatch, install_base, random_model):
    """`base` is the base model, unless a job has that name."""
    monkeypatch.chdir(tmp_path)
    install_base(random_model())
    write_model(tmp_path / "other.safetensors", random_model(), weights="F16")
    expected = "".join(textgen.load("other.safetensors").generate(seed=1, length=20))
    assert "".join(textgen.load("base").generate(seed=1, length=SamplingConfig.length))[:20] == expected


def test_the_exceptions_are_at_the_top_level():
    """Each exception that a caller can catch is there, with its exit code."""
    named = [getattr(textgen, name) for name in textgen.__all__ if name.endswith("Error")]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TextgenError)]
    of_commands = {errors.CancelledError, errors.PreemptedError}  # raised as KeyboardInterrupt, and in a cloud job
    assert set(named) == set(kinds) - of_commands
    assert textgen.LockedError.exit_code == 73
    assert set(textgen.__all__) <= set(dir(textgen))
    with pytest.raises(AttributeError, match=r"^module 'textgen' has no attribute 'trian'$"):
        _ = textgen.trian  # type: ignore[attr-defined]
