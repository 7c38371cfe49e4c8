import json
import logging
import sys

import pytest

from textgen.console import Console, report_crashes
from textgen.serving.log import log_to


@pytest.fixture
def log(capfd, monkeypatch):
    """A function that logs some records, and returns the lines on standard error; the keyword arguments are the environment."""

    def write(**environment):
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
        report_crashes("textgen serve")
        log_to(Console())
        logger = logging.getLogger("textgen.serving.models")
        logger.info("%s was trained further", "story", extra={"fields": {"seconds": 2}})
        logger.warning("%s stays as it was", "story")
        try:
            raise ZeroDivisionError("no")
        except ZeroDivisionError:
            logger.exception("a request failed")
        return capfd.readouterr().err.splitlines()

    return write


def test_the_log_is_lines_for_people(log):
    """Records are lines, warnings are marked, and only a mistake of ours has a traceback."""
    lines = log()
    assert lines[:4] == [
        "story was trained further",
        "warning: story stays as it was",
        "warning: a request failed",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "ZeroDivisionError: no"


def test_at_an_endpoint_the_log_is_entries(log):
    """At an endpoint of Vertex AI, each record is one entry with its severity and figures, tracebacks too."""
    entries = [json.loads(line) for line in log(AIP_HTTP_PORT="8080")]
    assert [entry["severity"] for entry in entries] == ["INFO", "WARNING", "WARNING", "CRITICAL"]
    assert entries[0]["message"] == "story was trained further"
    assert entries[0]["seconds"] == 2
    assert entries[3]["message"].endswith("ZeroDivisionError: no\n")


def test_a_log_that_nobody_reads_is_no_failure():
    """When the reader of standard error has left, a record is lost, and nothing else."""

    class Gone(Console):
        def warn(self, text):
            raise BrokenPipeError(text)

    log_to(Gone())
    logging.getLogger("textgen.serving").warning("nobody reads this")
