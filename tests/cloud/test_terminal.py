"""Answers of Google's services cannot control the user's terminal."""

import os

import pytest

from tests.cloud.conftest import REGION
from tests.cloud.google_stand_in import refusal
from textgen.cli import main
from textgen.cli.vertex import submit
from textgen.storage import Lease

pytestmark = pytest.mark.cloud

PLACE = f"projects/my-project/locations/{REGION}/customJobs"
JOBS = f"GET {REGION}-aiplatform.googleapis.com/v1/{PLACE}"
HOSTILE = "a\x1b[2J\x1b]0;b\x07c\x9bd\u202ee\u2066f\u2028g\rh[bold]i[/bold]:smile:"
SHOWN = "a\\x1b[2J\\x1b]0;b\\x07c\\x9bd\\u202ee\\u2066f g h[bold]i[/bold]:smile:"
JOB = {
    "name": f"{PLACE}/123",
    "displayName": HOSTILE,
    "state": "JOB_STATE_FAILED",
    "error": {"code": 3, "message": HOSTILE},
    "jobSpec": {"baseOutputDirectory": {"outputUriPrefix": f"gs://bucket/{HOSTILE}"}},
}


def is_harmless(text):
    return all(mark.isprintable() or mark in "\n\t" for mark in text)


@pytest.fixture
def google(google):
    google.answers |= {
        JOBS: (200, {"customJobs": [JOB]}),
        f"{JOBS}/123": (200, JOB),
        f"{JOBS}/456": refusal(403, HOSTILE),
    }
    return google


def test_names_and_places_in_a_list_are_escaped(folder, google, capsys):
    """In a list, control characters are escaped, and a tab in a name adds no column."""
    google.answers[JOBS] = (200, {"customJobs": [{**JOB, "displayName": f"{HOSTILE}\tj"}]})
    assert main.main(["vertex", "list"]) == 0
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert out.count("\t") == 4
    assert out.split("\t")[3:] == [f"{SHOWN} j", f"gs://bucket/{SHOWN}\n"]


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_on_a_terminal_a_list_has_no_markup(folder, google, monkeypatch, on_terminal):
    """On a terminal, markup and emoji names in a list are shown unchanged."""
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("NO_COLOR", "1")
    written = "\n".join(on_terminal(1000, main.main, ["vertex", "list"]))
    assert "[bold]i[/bold]:smile:" in written
    assert "\x1b[2J" not in written
    assert "\u202e" not in written


def test_a_status_is_escaped(folder, google, capsys):
    """In a status, control characters in name, place and error are escaped."""
    assert main.main(["vertex", "status", "123"]) == 0
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert f"error: {SHOWN}\n" in out


def test_an_error_is_escaped(folder, google, capsys):
    """In an error, control characters of Google's message are escaped."""
    assert main.main(["vertex", "status", "456"]) == 77
    error = capsys.readouterr().err
    assert is_harmless(error)
    assert SHOWN in error


def test_the_doctor_is_escaped(folder, google, capsys):
    """In the lines of `doctor`, control characters of the answers are escaped."""
    google.answers["GET cloudresourcemanager.googleapis.com/v3/projects/my-project"] = (200, {"displayName": HOSTILE})
    google.answers[JOBS] = refusal(400, HOSTILE)
    main.main(["vertex", "doctor"])
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert f"({SHOWN})" in out


def test_a_log_is_escaped(folder, google, capsys):
    """In a log, a message keeps its line breaks, but none of its lines can be mistaken for another entry."""
    entry = {"textPayload": f"{HOSTILE}\nsecond", "severity": f"{HOSTILE}\n", "timestamp": "2026-01-01T00:00:00Z"}
    google.answers["POST logging.googleapis.com/v2/entries:list"] = (200, {"entries": [entry]})
    assert main.main(["vertex", "logs", "123"]) == 0
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert out.endswith("\n    second\n")
    assert out.count("\n") == 2


def test_a_job_without_an_id_is_not_in_the_next_commands(folder, google, capsys, monkeypatch):
    """A job name without an id, from a broken answer, is not part of the commands that `submit` prints."""
    for step in ("_check_bucket", "_upload"):
        monkeypatch.setattr(submit, step, lambda *_: None)
    monkeypatch.setattr(Lease, "check", lambda *_: None)
    google.answers["GET storage.googleapis.com/storage/v1/b/my-bucket/o"] = (200, {})
    started = (200, {"name": f"{PLACE}/1\nNext:\n  rm -r ."})
    google.answers[f"POST {REGION}-aiplatform.googleapis.com/v1/{PLACE}"] = started
    assert main.main(["vertex", "submit", "book.txt", "--bucket=my-bucket", "--max_steps=1"]) == 69
    error = capsys.readouterr().err
    assert error.endswith("has accepted the job, but its answer names no id; textgen vertex list shows the job\n")
    assert "rm -r" not in error


@pytest.mark.parametrize("name", ["", "123\nrm -r .", "x"])
def test_a_job_without_an_id_is_listed(folder, google, capsys, name):
    """A job without an id, from a broken answer, is listed without it."""
    google.answers[JOBS] = (200, {"customJobs": [{"name": name and f"{PLACE}/{name}", "displayName": "mine"}]})
    assert main.main(["vertex", "list"]) == 0
    assert capsys.readouterr().out == "\tUNSPECIFIED\t\tmine\t\n"


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(
    "answer",
    [
        [1],
        "busy",
        None,
        {"error": "busy"},
        {"error": None},
        {"error": {"message": "busy", "details": [1]}},
        refusal(403, "off", "SERVICE_DISABLED", service=5, consumer=[7])[1],
        {"error": {**refusal(403, "off", "SERVICE_DISABLED")[1]["error"], "details": [{"reason": 1, "metadata": [1]}]}},
        {"entries": None, "customJobs": None},
        {"entries": [1, {"jsonPayload": [1], "severity": {}, "timestamp": 5}], "name": 5, "customJobs": [5]},
        {"entries": {"a": 1}, "customJobs": {"a": 1}},
    ],
)
@pytest.mark.parametrize("command", [["logs", "123"], ["status", "123"], ["list"], ["doctor", "--bucket=my-bucket"]])
def test_an_answer_in_another_format_gives_no_traceback(folder, google, capsys, command, answer, status):
    """An answer in another format, as from a proxy, ends a command without a traceback."""
    for host in ("logging", "cloudresourcemanager", "iam", "storage", f"{REGION}-aiplatform"):
        google.hosts[f"{host}.googleapis.com"] = lambda _: (status, answer)
    code = main.main(["vertex", *command])
    error = capsys.readouterr().err
    assert error.count("\n") <= 1
    assert code in {0, 2, 66, 69, 77}


def test_a_list_of_empty_pages_ends(folder, google, capsys):
    """A list ends although the service names a next page after every empty one."""
    google.answers[JOBS] = (200, {"customJobs": [], "nextPageToken": "more"})
    assert main.main(["vertex", "list"]) == 0
    assert capsys.readouterr().err.startswith("There is no job")
