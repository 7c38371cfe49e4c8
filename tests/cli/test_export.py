import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import needs_permissions, run_installed
from textgen.cli import export
from textgen.cli.export import main
from textgen.generation import load
from textgen.portable import comparison

SUFFIXES = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx"}
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")

any_format = pytest.mark.parametrize(("name", "suffix"), SUFFIXES.items())


@pytest.fixture
def job(copied, tmp_path):
    """The relative path of a trained job in the current folder."""
    return copied.job.relative_to(tmp_path)


@any_format
def test_the_file_and_its_vocabulary_are_in_the_job(name, suffix, job):
    """By default the files are in the job directory; standard output has only their paths, standard error size and check."""
    before = set(job.iterdir())
    done = run_installed("textgen", "export", str(job), "--format", name)
    assert done.returncode == 0, done.stderr
    model = job / f"model{suffix}"
    written = [model, job / f"model{suffix}.vocabulary.json"]
    assert done.stdout.splitlines() == list(map(str, written))
    assert set(job.iterdir()) - before == set(written)
    line = rf"Wrote {model}, [\d.]+ kB; in a test run, its logits differed from textgen's by at most \de-\d+\n"
    assert re.fullmatch(line, done.stderr)


@pytest.mark.parametrize(
    ("name", "file"), [("onnx", "model.onnx"), ("onnx", "model.onnx.vocabulary.json"), ("html", "model.html")]
)
def test_an_existing_file_is_only_replaced_if_asked(name, file, job, refusal, capfd):
    """A file that exists is kept, unless --force is given; the message names the file and both ways out."""
    (job / file).write_text("old")
    code, line = refusal(export, [str(job), f"--format={name}"])
    message = f"{job / file} already exists; replace it with --force, or name another file with --output\n"
    assert (code, line) == (2, message)
    assert main([str(job), f"--format={name}", "--force"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == str(job / f"model.{name}")
    assert (job / file).read_bytes() != b"old"


def test_a_page_is_one_file_with_the_name_of_the_job(job, capfd):
    """An HTML file needs no second file; the page has the job's name in its title."""
    before = set(job.iterdir())
    assert main([str(job), "--format=html"]) == 0
    out, err = capfd.readouterr()
    assert out == f"{job / 'model.html'}\n"
    assert set(job.iterdir()) - before == {job / "model.html"}
    line = rf"Wrote {job / 'model.html'}, [\d.]+ kB; its weights were compared with the model's; rounding them to float16 changed .* by at most [\de.-]+\n"
    assert re.fullmatch(line, err)
    assert f"<title>{job.name} - textgen</title>" in (job / "model.html").read_text(encoding="utf-8")


def test_the_model_file_alone_is_enough(job, tmp_path, capfd):
    """The export of a model file without a job is next to it and named after it."""
    shutil.copy(job / "model.safetensors", tmp_path / "night.watch.safetensors")
    assert main(["night.watch.safetensors", "--format=onnx"]) == 0
    assert capfd.readouterr().out.split() == ["night.watch.onnx", "night.watch.onnx.vocabulary.json"]


def test_the_output_is_where_it_was_asked_for(job, capfd):
    """--output names the file; missing directories are created."""
    assert main([str(job), "--format=onnx", "--output", "some/where/mine.onnx"]) == 0
    assert capfd.readouterr().out.split() == ["some/where/mine.onnx", "some/where/mine.onnx.vocabulary.json"]
    assert {path.name for path in Path("some/where").iterdir()} == {"mine.onnx", "mine.onnx.vocabulary.json"}


@any_format
def test_the_documented_example_writes_what_textgen_writes(name, suffix, job, capfd):
    """The code in docs/export.md runs unchanged, and its greedy text is the one that textgen writes."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    openings = {block.split("\n")[0].removeprefix("# ").lower(): block for block in blocks[:-1]}
    assert set(openings) == set(SUFFIXES)
    assert main([str(job), "--format", name]) == 0
    code = openings[name] + blocks[-1].replace("model.onnx.vocabulary", f"model{suffix}.vocabulary")
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=job)
    assert run.returncode == 0, run.stderr
    expected = "".join(load(job).generate("The sea", length=200, temperature=0))
    assert run.stdout == f"The sea{expected}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "required: "),
        (["--format=onnx"], 66, "there is no job below job in this folder; "),
        (["JOB"], 2, "the following arguments are required: --format"),
        (
            ["JOB", "--format=onix"],
            2,
            "--format must be one of html, keras, litert, onnx, got 'onix'; did you mean onnx?",
        ),
        (["JOB", "--format="], 2, "--format must be one of"),
        (["JOB", "--format=none"], 2, "--format must be one of"),
        (["", "--format=onnx"], 2, "JOB must not be empty"),
        (["a\0b", "--format=onnx"], 2, "JOB must be text, got NUL"),
        (["JOB", "more", "--format=onnx"], 2, "unknown argument more"),
        (["gs://b/job", "--format=onnx"], 2, "a place in a bucket must be gs://BUCKET/PATH, the bucket in"),
        (["absent", "--format=onnx"], 66, "there is neither absent nor job/absent; "),
        (["book.txt/absent", "--format=onnx"], 66, "there is neither book.txt/absent nor "),
        (["empty", "--format=onnx"], 66, "empty contains no model yet"),
        (["book.txt", "--format=onnx"], 78, "cannot use book.txt: it is damaged or no model file"),
        (["\udcff", "--format=onnx"], 66, "there is neither "),
        (["JOB", "--format=onnx", "--output="], 2, "--output must not be empty"),
        (["JOB", "--format=onnx", "--output=a\0b.onnx"], 2, "--output must be text, got NUL"),
        (["JOB", "--format=onnx", "--output=gs://b/m.onnx"], 2, "--output must be a local path, got gs://b/m.onnx"),
        (["JOB", "--format=onnx", "--output=~/m.onnx"], 2, "--output must not begin with ~, got ~/m.onnx"),
        (["JOB", "--format=onnx", "--output=m.keras"], 2, "--output must end in .onnx for this --format, got m.keras"),
        (["JOB", "--format=keras", "--output=/dev/null"], 2, "--output must end in .keras for this --format"),
        (["JOB", "--format=onnx", "--output=empty"], 2, "--output must end in .onnx"),
        (["JOB", "--format=onnx", "--output=folder.onnx"], 2, "folder.onnx, which is a directory; name a file in it"),
        (["JOB", "--format=onnx", "--output=book.txt/m.onnx"], 2, "must be in a directory, got book.txt/m.onnx"),
        (["JOB", "--format=onnx", "--output=broken/m.onnx"], 2, "but broken is not one; name another path"),
        (["JOB", "--format=onnx", f"--output={'x' * 300}.onnx"], 74, "File name too long"),
        (["JOB", "--format=onnx", "--output=\udcff.onnx"], 2, "--output must be UTF-8"),
        (["model.onnx", "--format=onnx"], 2, "--output must not be the model file itself, got model.onnx"),
    ],
)
def test_unusable_arguments_are_refused(arguments, code, message, job, refusal):
    """Unusable arguments are refused in one line that says what is wrong, without changing anything."""
    for folder in ("empty", "folder.onnx"):
        Path(folder).mkdir()
    Path("broken").symlink_to("nowhere")
    shutil.copy(job / "model.safetensors", "model.onnx")
    found, line = refusal(export, [str(job) if argument == "JOB" else argument for argument in arguments])
    assert (found, message in line) == (code, True), line


@needs_permissions
def test_a_place_that_may_not_be_written_to_is_refused(job, refusal):
    """A directory that the user may not write to ends with 77, whether --output names it or it is the job's."""
    Path("mine").mkdir(mode=0o500)
    assert refusal(export, [str(job), "--format=onnx", "--output=mine/m.onnx"])[0] == 77
    job.chmod(0o500)
    assert refusal(export, [str(job), "--format=onnx"])[0] == 77
    job.chmod(0o700)


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnxruntime"), ("litert", "ai_edge_litert.interpreter")])
def test_a_missing_extra_is_reported_before_anything_is_read(name, package, refusal, tmp_path, monkeypatch):
    """If the extra is not installed, the command ends with 69 and names the extra to install."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    code, line = refusal(export, ["absent", f"--format={name}"])
    assert code == 69
    assert line.endswith(f"is not installed; in the clone of textgen, run pip install '.[{name}]'\n")


@any_format
def test_a_file_that_differs_is_refused(name, suffix, job, refusal, monkeypatch):
    """If the logits of the written file are not close enough, the command ends with 78 and removes the file."""
    monkeypatch.setattr(comparison, "TOLERANCE", 1e-30)
    code, line = refusal(export, [str(job), "--format", name])
    assert code == 78
    assert line.startswith(
        f"cannot write {job / 'model'}{suffix}: in a test its logits differed from the model's by up to "
    )


def test_ctrl_c_while_a_library_is_imported_is_no_missing_library(tmp_path):
    """Ctrl-C ends the command with 130, even if the import of a library turns it into an `ImportError`, as ONNX Runtime does."""
    (tmp_path / "onnx.py").write_text(
        "import os, signal, time\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)\n"
        "except KeyboardInterrupt as error:\n    raise ImportError from error\n"
    )
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from textgen.cli import export; "
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{script}sys.exit(export.main(['job', '--format=onnx']))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
