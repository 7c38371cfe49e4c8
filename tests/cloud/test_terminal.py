"""Answers of Google's services cannot control the user's terminal."""

import os
import pty
import sys

import pytest

from tests.cloud.conftest import REGION
from tests.cloud.google_stand_in import refusal
from textgen.cli import main

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
def test_on_a_terminal_a_list_has_no_markup(folder, google, monkeypatch):
    """On a terminal, markup and emoji names in a list are shown unchanged."""
    master, slave = pty.openpty()
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("NO_COLOR", "1")
    with os.fdopen(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert main.main(["vertex", "list"]) == 0
        terminal.flush()
        written = os.read(master, 1 << 16).decode()
    os.close(master)
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
    """In a log, control characters are escaped, except line breaks."""
    entry = {"textPayload": f"{HOSTILE}\nsecond", "severity": HOSTILE, "timestamp": "2026-01-01T00:00:00Z"}
    google.answers["POST logging.googleapis.com/v2/entries:list"] = (200, {"entries": [entry]})
    assert main.main(["vertex", "logs", "123"]) == 0
    out = capsys.readouterr().out
    assert is_harmless(out)
    assert out.endswith("\nsecond\n")
