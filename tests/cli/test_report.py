import dataclasses
import functools
import json
import os
import shutil
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from tests.commands import JOB
from tests.portable.test_page import Elements
from textgen.cli import report
from textgen.cli.jobs import main as list_jobs
from textgen.cli.report import main
from textgen.config.yaml_text import to_yaml
from textgen.corpus import Vocabulary, make_tokenizer
from textgen.generation import read_model, write_model
from textgen.jobs import JobDirectory, job_lock, read_config

PAGE = JOB / "report.html"


def test_a_report_is_written_into_the_job(copied, capfd):
    """The path is printed, and the page has the scores, the curves, the texts, advice on the words and the command."""
    assert main([str(JOB)]) == 0
    out, err = capfd.readouterr()
    assert out == f"{PAGE}\n"
    assert err == f"Wrote {PAGE}\n"
    page = PAGE.read_text(encoding="utf-8")
    for part in (
        "6-gram",
        "learning rate",
        "gradient norm",
        "Temperature 0.8",
        "copied",
        "first guess",
        "TensorFlow 2.",
    ):
        assert part in page, part
    assert "left out" not in page
    assert "lacks" not in page


def test_the_newest_job_is_the_default(copied, monkeypatch, capfd):
    """Without JOB, the newest job is used, and named. A report does not make an old job the newest."""
    shutil.copytree(JOB, "job/older")
    shutil.copytree(JOB, "job/newer")
    for path in Path("job/newer").rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert main(["older"]) == 0
    os.utime("job/older/report.html", (3e9, 3e9))
    capfd.readouterr()
    assert main(["--output", "page.html"]) == 0
    assert "Using the newest job, job/newer" in capfd.readouterr().err


@pytest.mark.parametrize("options", [[], ["--output", "page.html"]])
def test_an_existing_page_is_replaced_only_with_force(copied, refusal, options):
    """The line names --force; nothing is written before."""
    page = Path(options[-1]) if options else PAGE
    page.write_text("mine")
    code, line = refusal(report, [str(JOB), *options])
    assert (code, line) == (2, f"{page} already exists; replace it with --force, or name another file\n")
    assert main([str(JOB), *options, "--force"]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 66, "there is neither nowhere nor job/nowhere; "),
        (["jobs"], 66, "jobs is not a job: it has no config.yaml; "),
        (["book.txt"], 2, "which is a file; name the directory of its job"),
        (["base"], 2, "which is a file; name the directory of its job"),
        (
            [str(JOB), "--output", "gs://bucket/page.html"],
            2,
            "--output must be a local path, got gs://bucket/page.html",
        ),
        ([str(JOB), "--output", "jobs"], 2, "--output must be a file, got jobs, which is a directory"),
        ([str(JOB), "--output", "book.txt/page.html"], 2, "--output must be in a directory"),
        ([str(JOB), "--output", ""], 2, "--output must "),
        ([str(JOB), "another"], 2, "unknown argument another"),
    ],
)
def test_bad_input_is_one_line(copied, refusal, arguments, code, message):
    """Invalid arguments are refused in one line, before anything is written."""
    found, line = refusal(report, arguments)
    assert (found, message in line) == (code, True), line


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("", 66, "has no evaluation yet: it is finished at step 5; try again after the first evaluation"),
        ('{"steps": 5, "valid_loss": null}\n', 66, "has no evaluation yet"),
        ("nonsense\n", 78, "metrics.jsonl is damaged in line 1; remove that line"),
    ],
)
def test_a_job_without_usable_metrics(copied, refusal, content, code, message):
    """A job without an evaluation, or with a damaged line, is refused in one line."""
    (JOB / "metrics.jsonl").write_text(content)
    found, line = refusal(report, [str(JOB)])
    assert (found, message in line) == (code, True), line


HOSTILE = '</p></section></style><script>alert("x")</script><img src=x onerror=alert(1)>\x1b\u202e&amp;'


def _mutations():
    """Yields pairs of a name and a function that makes one value in the files of a job hostile."""
    metrics, config, state = JOB / "metrics.jsonl", JOB / "config.yaml", JOB / "state.json"

    def in_metrics(name):
        lines = [json.loads(line) | {name: HOSTILE} for line in metrics.read_text().splitlines()]
        metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def in_config(name):
        changes: dict[str, Any] = {name: HOSTILE}
        config.write_text(to_yaml(dataclasses.replace(read_config(config, ""), **changes)))

    def in_state(name):
        state.write_text(json.dumps(json.loads(state.read_text()) | {name: HOSTILE}))

    for name in (
        "steps",
        "train_loss",
        "valid_loss",
        "valid_bits_per_character",
        "learning_rate",
        "gradient_norm",
        "machine",
        "other",
    ):
        yield f"metrics {name}", functools.partial(in_metrics, name)
    for name in ("data_prefix", "sample_prompt", "job_dir", "summary_dir"):
        yield f"config {name}", functools.partial(in_config, name)
    for name in ("status", "steps", "data_sha256", "other"):
        yield f"state {name}", functools.partial(in_state, name)
    yield "samples", lambda: (JOB / "samples.txt").write_text(f"--- step 1, epoch {HOSTILE}\n{HOSTILE}\n\n")
    yield "samples without a heading", lambda: (JOB / "samples.txt").write_text(HOSTILE)
    yield (
        "vocabulary",
        lambda: write_model(JOB / "model.safetensors", _with_token(read_model(JOB / "model.safetensors"), HOSTILE)),
    )


def _with_token(model, token):
    """Returns a model of words whose last token is another one."""
    return dataclasses.replace(
        model, vocabulary=Vocabulary((*model.vocabulary.tokens[:-1], token), make_tokenizer("word"))
    )


@pytest.mark.parametrize("mutate", [pytest.param(mutate, id=name) for name, mutate in _mutations()])
def test_no_value_breaks_out_of_the_page(copied, mutate, capfd):
    """A hostile value in any file of a job is refused in one line, or is text on a page with the usual elements."""
    mutate()
    code = main([str(JOB)])
    if code:
        assert (code in {66, 78}, capfd.readouterr().err.count("\n")) == (True, 1)
        return
    page = PAGE.read_text(encoding="utf-8")
    assert {"script", "img"}.isdisjoint(tag for tag, *_ in Elements(page).found)
    assert page.count("</style>") == page.count("<style>") == 1
    assert set(page).isdisjoint("\x1b\u202e")


def test_a_damaged_model_is_refused(copied, refusal):
    """A model file that cannot be used is named in one line."""
    (JOB / "model.safetensors").write_bytes(b"damaged")
    code, line = refusal(report, [str(JOB)])
    assert (code, "model.safetensors" in line) == (78, True), line


def test_a_job_that_is_still_training(copied, capfd):
    """The state of its last checkpoint is reported, on standard error and on the page."""
    with job_lock(JobDirectory(JOB), lambda _: None):
        assert main([str(JOB)]) == 0
    assert "is still training; this reports its state at step 5." in capfd.readouterr().err
    page = PAGE.read_text(encoding="utf-8")
    assert "still training; this is its state at step 5" in page
    assert "What to change" not in page


def test_without_the_text_its_part_is_left_out(copied, capfd):
    """The page says what is missing, and why, and has the rest."""
    Path("book.txt").unlink()
    assert main([str(JOB)]) == 0
    page = PAGE.read_text(encoding="utf-8")
    assert "Without the training text, this page lacks the comparison with simple methods" in page
    assert "cannot find the training text" in page
    assert "Temperature 0.8" in page
    assert "6-gram" not in page


def test_without_a_model_the_page_has_what_was_recorded(copied):
    """A job whose model is gone still has its curves and samples."""
    (JOB / "model.safetensors").unlink()
    assert main([str(JOB)]) == 0
    page = PAGE.read_text(encoding="utf-8")
    assert "The job has no model file" in page
    assert "What it wrote meanwhile" in page


def test_a_job_of_an_earlier_version(copied):
    """Without the gradient norm and the machine in metrics.jsonl, these are left out."""
    path = JOB / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["gradient_norm"], line["machine"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main([str(JOB)]) == 0
    page = PAGE.read_text(encoding="utf-8")
    assert "gradient norm" not in page
    assert ">machine<" not in page
    assert "learning rate" in page


def test_the_page_opens_in_the_browser_after_it_is_written(copied, capfd, monkeypatch):
    """--open gives the browser the address of the page; if there is none, a line says so, and the command succeeds."""
    opened = []

    def open_page(address):
        opened.append(address)
        assert PAGE.exists()
        return len(opened) == 1

    monkeypatch.setattr(webbrowser, "open", open_page)
    assert main([str(JOB), "--open"]) == 0
    assert opened == [PAGE.resolve().as_uri()]
    assert "browser" not in capfd.readouterr().err
    assert main([str(JOB), "--open", "--force"]) == 0
    assert f"there is no browser here; open {PAGE} in one" in capfd.readouterr().err


def test_a_browser_that_cannot_be_started_is_no_error(copied, monkeypatch, capfd):
    """The page is there, whatever BROWSER is."""
    monkeypatch.setenv("BROWSER", "'%s")
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    assert main([str(JOB), "--open"]) == 0
    assert f"there is no browser here; open {PAGE} in one" in capfd.readouterr().err


def test_a_job_in_a_bucket(bucket, copied, capfd):
    """The page of a job in a bucket is written to the current folder, and has the samples."""
    for path in JOB.iterdir():
        if path.is_file():
            bucket.blob(f"jobs/book/{path.name}").upload_from_filename(path)
    uri = f"gs://{bucket.name}/jobs/book"
    assert main([uri]) == 0
    assert capfd.readouterr().out == "report.html\n"
    page = Path("report.html").read_text(encoding="utf-8")
    assert "What it wrote meanwhile" in page
    assert "Temperature 0.8" in page
    assert "the job or the text is in a bucket" in page
    assert main([f"gs://{bucket.name}/absent"]) == 66


def test_a_report_is_part_of_the_job(copied, capfd):
    """The list of jobs and --fresh know it: a job with a report can be renamed."""
    assert main([str(JOB)]) == 0
    assert list_jobs(["jobs"]) == 0
    assert JobDirectory(JOB).move_aside() == JOB.with_name(f"{JOB.name}.1")
