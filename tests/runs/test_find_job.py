import io
import os
import sys

import pytest

from textgen.cli import export, inspect, jobs, sample
from textgen.cli.typed import typed
from textgen.generation import read_model, write_model


@pytest.fixture
def folder(tmp_path, monkeypatch, random_model):
    """A folder with three jobs below job/: `old` and `deep/newer` have a model, `newest` has none yet."""
    monkeypatch.chdir(tmp_path)
    for changed, name in enumerate(("old", "deep/newer", "newest"), start=1):
        job = tmp_path / "job" / name
        job.mkdir(parents=True)
        (job / "config.yaml").touch()
        if name != "newest":
            write_model(job / "model.safetensors", random_model(seed=changed))
        for path in job.iterdir():
            os.utime(path, (changed, changed))
    return tmp_path


@pytest.fixture
def run(capsys):
    """A function that runs a command and returns its exit code, standard output and standard error."""

    def call(command, *arguments):
        code = command.main(arguments)
        return code, *capsys.readouterr()

    return call


HOW = ("--seed=1", "--length=20")


def test_the_default_is_the_newest_job_with_a_model(folder, run):
    """Without JOB, textgen-sample uses the newest job with a model; only standard error shows which."""
    code, text, err = run(sample, *HOW)
    assert (code, err) == (0, "Using the newest job, job/deep/newer\n")
    assert run(sample, "job/deep/newer", *HOW) == (0, text, "")
    os.utime(folder / "job" / "old" / "config.yaml", (9, 9))
    assert run(sample, *HOW)[2] == "Using the newest job, job/old\n"


def test_inspect_uses_the_newest_job(folder, run):
    """Without JOB, inspect uses the newest job, even one without a model."""
    code, out, err = run(inspect)
    assert (code, err) == (0, "Using the newest job, job/newest\n")
    assert out.startswith("job/newest: stopped")


def test_export_uses_the_newest_job_with_a_model(folder, run):
    """Without JOB, export writes next to the model of the newest job."""
    code, out, err = run(export, "--format=onnx")
    assert code == 0
    assert err.startswith("Using the newest job, job/deep/newer\n")
    assert out.splitlines()[0] == "job/deep/newer/model.onnx"


def test_a_session_uses_the_newest_job_with_a_model(folder, run, monkeypatch):
    """Without JOB, --interactive uses the newest job with a model."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    code, _, err = run(sample, "--interactive", *HOW)
    assert (code, err) == (0, "Using the newest job, job/deep/newer\n")


@pytest.mark.parametrize("name", ["old", "deep/newer", "old/model.safetensors"])
def test_a_name_means_the_job_below_job(name, folder, run):
    """A job in job/ can be named without the directory; no message follows."""
    found = run(sample, name, *HOW)
    assert found == run(sample, f"job/{name}", *HOW)
    assert (found[0], found[2]) == (0, "")
    assert run(inspect, "newest")[1].startswith("job/newest: stopped")
    assert run(export, "old", "--format=onnx")[1].startswith("job/old/model.onnx\n")


def test_a_path_wins_over_a_name(folder, run, random_model):
    """A path that exists in the current folder takes precedence over a job of that name."""
    (folder / "old").mkdir()
    assert run(sample, "old", *HOW)[0] == 66
    write_model(folder / "old" / "model.safetensors", random_model(seed=9))
    expected = read_model(folder / "old" / "model.safetensors").sha256
    assert expected in run(sample, "old", "--json", *HOW)[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("newst", "there is neither newst nor job/newst; did you mean newest?; textgen jobs lists all jobs"),
        ("new", "there is neither new nor job/new; did you mean newest?; textgen jobs lists all jobs"),
        ("job/newst/", "there is no job/newst/; did you mean newest?; textgen jobs lists all jobs"),
        ("/absent/job", "there is no /absent/job; textgen jobs lists all jobs"),
        ("The captain", "there is neither The captain nor job/The captain; textgen jobs lists all jobs"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_job_that_does_not_exist_is_refused_with_a_similar_name(name, message, run):
    """The message suggests a job of a similar name; that of textgen-sample also shows what a text is for."""
    message = message.replace("textgen jobs", f"{typed('textgen')} jobs")
    assert run(inspect, name) == (66, "", f"textgen inspect: error: {message}\n")
    assert run(sample, name) == (66, "", f"textgen-sample: error: {message}, and --prompt continues a text\n")


def test_without_any_job_the_command_to_start_one_is_shown(tmp_path, run, monkeypatch):
    """Without any job, inspecting and exporting fail, but listing does not; each prints the command that starts one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["bin/textgen"])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "textgen-train").touch()
    for _ in range(2):
        for command, arguments in ((inspect, []), (export, ["--format=onnx"])):
            code, out, err = run(command, *arguments)
            assert (code, out, err.count("\n")) == (66, "", 1)
            assert err.endswith(
                "error: there is no job below job in this folder; bin/textgen-train my-book.txt starts one\n"
            )
        assert run(jobs) == (0, "", "There is no job in or below job; bin/textgen-train my-book.txt starts one.\n")
        (tmp_path / "job").mkdir(exist_ok=True)


def test_without_any_job_the_base_model_writes(tmp_path, run, monkeypatch, install_base, random_model):
    """Without any job, textgen-sample uses the base model and prints that; so does a session, and the name `base`."""
    monkeypatch.chdir(tmp_path)
    path = install_base(random_model())
    expected = run(sample, str(path), *HOW)[1]
    for _ in range(2):
        code, text, err = run(sample, *HOW)
        assert (code, text, err.count("\n")) == (0, expected, 1)
        assert err.startswith("There is no job yet, so this uses the base model of English prose; ")
        assert err.endswith("textgen-train my-book.txt trains a model of your text\n")
        (tmp_path / "job").mkdir(exist_ok=True)
    assert run(sample, "base", *HOW) == (0, expected, "")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\n")))
    code, text, err = run(sample, "--interactive", *HOW)
    assert (code, err.count("There is no job yet")) == (0, 1)
    assert text.startswith("a")


def test_a_job_or_a_file_named_base_wins(folder, run, install_base, random_model):
    """`base` names the base model only if neither a path nor a job has that name."""
    install_base(random_model())
    (folder / "job" / "old").rename(folder / "job" / "base")
    assert run(sample, "base", *HOW) == run(sample, "job/base", *HOW)
    write_model(folder / "base", random_model(seed=7))
    assert run(sample, "base", *HOW) == run(sample, "./base", *HOW)


def test_the_base_model_is_exported_into_the_current_folder(tmp_path, run, monkeypatch, install_base, random_model):
    """Nothing is written next to the base model, which comes with textgen."""
    monkeypatch.chdir(tmp_path)
    path = install_base(random_model())
    beside = list(path.parent.iterdir())
    code, out, _ = run(export, "base", "--format=onnx")
    assert (code, out) == (0, "base.onnx\nbase.onnx.vocabulary.json\n")
    assert list(path.parent.iterdir()) == beside


def test_the_base_model_is_inspected(tmp_path, run, monkeypatch, install_base, random_model):
    """`base` is verified like any model file."""
    monkeypatch.chdir(tmp_path)
    path = install_base(random_model())
    code, out, err = run(inspect, "base")
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}:\n  shape ")
    assert out.endswith(f"{read_model(path).sha256}, verified\n")
    assert run(inspect, str(path)) == (code, out, err)


@pytest.mark.parametrize("arguments", [["base"], [], ["base", "--interactive"]])
@pytest.mark.parametrize("flag", ["--novelty", "--max_copy=20"])
def test_copies_of_the_base_models_texts_cannot_be_found(
    tmp_path, run, monkeypatch, install_base, random_model, arguments, flag
):
    """--novelty and --max_copy are refused in one line for the base model, whose texts do not come with textgen."""
    monkeypatch.chdir(tmp_path)
    install_base(random_model())
    if "--interactive" in arguments and flag == "--novelty":
        pytest.skip("they cannot be combined for any model")
    code, out, err = run(sample, *arguments, flag)
    assert (code, out) == (2, "")
    assert err.endswith(
        "error: --novelty and --max_copy need the training text, but the training text of the base model does not come with textgen; "
        "name a local job, or leave them out\n"
    )


def test_without_any_model_sampling_is_refused(folder, run):
    """If no job has a model yet, textgen-sample ends with 66 and says so."""
    for path in (folder / "job").rglob("model.safetensors"):
        path.unlink()
    code, out, err = run(sample)
    assert (code, out, err.count("\n")) == (66, "", 1)
    assert "no job below job has a model yet; " in err


def test_a_name_with_control_characters_is_escaped(folder, run):
    """Control characters in the name of the newest job are escaped in the message."""
    (folder / "job" / "old").rename(folder / "job" / "a\x1b[31m\nb")
    os.utime(folder / "job" / "a\x1b[31m\nb" / "config.yaml", (9, 9))
    assert run(sample, *HOW)[2] == "Using the newest job, job/a\\x1b[31m\\nb\n"
