import time

import pytest
from google.cloud.aiplatform_v1 import JobState

from tests.cloud.conftest import NAME, submitted, vertex_command

pytestmark = pytest.mark.cloud


@pytest.fixture
def at_once(monkeypatch):
    """Shortens the pauses between two looks at a job."""
    from textgen.cloud import job_service

    monkeypatch.setattr(job_service, "_FIRST_PAUSE_SECONDS", 0.01)


@pytest.mark.parametrize(
    ("state", "error", "code", "message"),
    [
        ("SUCCEEDED", "", 0, "is SUCCEEDED"),
        ("FAILED", "The replica workerpool0-0 exited with a non-zero status of 78.", 69, "textgen vertex logs"),
        ("FAILED", "Resources are insufficient in region: us-central1.", 69, "wait for one with --flex_start"),
        ("FAILED", "Failed to pull image us-central1-docker.pkg.dev/x", 66, "textgen vertex build --run"),
        ("EXPIRED", "", 75, "raise --max_hours"),
        ("CANCELLED", "", 75, "and is CANCELLED"),
    ],
)
def test_waiting_ends_with_the_job(folder, vertex, bucket, capsys, at_once, state, error, code, message):
    """`submit --wait` ends with the job; each final state has its own exit code and message."""
    vertex.runner = lambda _: (getattr(JobState, f"JOB_STATE_{state}"), error)
    assert submitted(bucket, "--wait") == code
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_ends_the_waiting_and_not_the_job(folder, vertex, bucket, capsys, monkeypatch):
    """Ctrl-C ends only the waiting, and the message has the command that cancels the job."""

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert submitted(bucket, "--wait") == 130
    (job,) = vertex.jobs.values()
    assert job.state == JobState.JOB_STATE_PENDING
    assert "continues, textgen vertex cancel 7" in capsys.readouterr().err.splitlines()[-1]


def test_jobs_are_listed_shown_and_cancelled(folder, vertex, bucket, capsys):
    """`list`, `cancel` and `status` work; the latter two take an id or a full name."""
    assert vertex_command("list") == 0
    assert "There is no job in us-central1 of my-project" in capsys.readouterr().err
    for _ in range(2):
        assert submitted(bucket) == 0
    first, second = (name.rsplit("/", 1)[1] for name in vertex.jobs)
    capsys.readouterr()
    assert vertex_command("list") == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == [second, first]
    assert {row[1] for row in rows} == {"PENDING"}
    assert vertex_command("cancel", first) == 0
    assert vertex_command("status", next(iter(vertex.jobs))) == 0
    out = capsys.readouterr().out
    assert "state: CANCELLED\n" in out
    assert f"job directory: gs://{bucket.name}/textgen/job/{NAME}\n" in out


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_a_missing_job_is_one_line(folder, vertex, capsys, command):
    """A job that does not exist, and an invalid id, are refused in one line."""
    assert vertex_command(command, "123") == 66
    assert "there is no job 123 in us-central1 of my-project; textgen vertex list" in capsys.readouterr().err
    assert vertex_command(command, "book") == 2
    assert "JOB must be a custom job's id" in capsys.readouterr().err


def test_without_credentials_it_is_one_line(folder, google, bucket, monkeypatch, tmp_path, capsys):
    """Without credentials, the message has the command to log in."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    assert vertex_command("list") == 69
    assert "gcloud auth application-default login" in capsys.readouterr().err.splitlines()[-1]
