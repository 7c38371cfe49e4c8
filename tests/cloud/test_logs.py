import json
import random
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.cloud.google_stand_in import refusal
from textgen import errors
from textgen.cli.vertex.existing_jobs import logs as show_log
from textgen.cloud import logs, rest
from textgen.cloud.logs import follow_log, read_log
from textgen.cloud.rest import Services, find_credentials

pytestmark = pytest.mark.cloud

LOGGING = "POST logging.googleapis.com/v2/entries:list"
JOB = "GET europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/customJobs/123"
FLAGS = ["123", "--project=my-project", "--region=europe-west4"]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Log:
    """Stands in for a job's log in Cloud Logging.

    Attributes:
        entries: the entries that a request finds now.
    """

    def __init__(self):
        self.entries = []

    def add(self, text, written=0.0, received=None, **fields):
        """Adds an entry that was written, and received, a number of seconds after `BEGIN`."""
        entry = {"textPayload": text} if isinstance(text, str) else {"jsonPayload": text}
        entry["timestamp"] = stamp(written)
        entry["receiveTimestamp"] = stamp(written if received is None else received)
        entry["insertId"] = f"id-{len(self.entries)}"
        entry["logName"] = "projects/my-project/logs/workerpool0-0"
        self.entries.append(entry | fields)

    def answer(self, request):
        """Answers as `entries.list` does: in order of time, page by page."""
        asked = request.json
        condition = re.fullmatch(
            r'resource\.type="ml_job" AND resource\.labels\.job_id="123"( AND receiveTimestamp>="(.+)")?',
            asked["filter"],
        )
        assert condition
        assert asked["resourceNames"] == ["projects/my-project"]
        assert asked["orderBy"] == "timestamp asc"
        since = datetime.fromisoformat(condition[2]) if condition[2] else BEGIN
        found = [entry for entry in self.entries if datetime.fromisoformat(entry["receiveTimestamp"]) >= since]
        found.sort(key=lambda entry: entry["timestamp"])
        begin = int(asked.get("pageToken", 0))
        page: dict[str, object] = {"entries": found[begin : begin + asked["pageSize"]]}
        if begin + asked["pageSize"] < len(found):
            page["nextPageToken"] = str(begin + asked["pageSize"])
        return 200, page


def stamp(seconds):
    """Returns a time in Google's format, with nine decimals of the second."""
    return (BEGIN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


@pytest.fixture
def google(google, monkeypatch):
    monkeypatch.setattr(rest, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(logs, "_INTERVAL_SECONDS", 0.0)
    return google


@pytest.fixture
def log(google):
    log = Log()
    google.answers[LOGGING] = log.answer
    return log


@pytest.fixture
def services(google):
    with Services(find_credentials()) as services:
        yield services


def job(state):
    return 200, {"name": JOB.partition("v1/")[2], "displayName": "job", "state": f"JOB_STATE_{state}"}


def test_lines_are_in_the_order_of_their_times(services, log, google, monkeypatch):
    """Lines are returned in the order of their times, and each page of the log is requested once."""
    monkeypatch.setattr(logs, "_PAGE", 3)
    for number in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7):
        log.add(f"line {number}", number)
    assert [line.message for line in read_log(services, "my-project", "123")] == [
        f"line {number}" for number in range(10)
    ]
    assert len(google.requests) == 4


def test_an_empty_page_is_not_the_end(services, google):
    """If a page is empty but has a token for the next one, the next one is requested."""
    pages = [{"nextPageToken": "more"}, {"entries": [{"textPayload": "x", "timestamp": stamp(0)}]}]
    google.answers[LOGGING] = lambda _: (200, pages.pop(0))
    assert [line.message for line in read_log(services, "my-project", "123")] == ["x"]


@pytest.mark.parametrize(
    ("fields", "severity", "message"),
    [
        ({"textPayload": "plain\n", "severity": "ERROR"}, "ERROR", "plain"),
        ({"textPayload": "no severity"}, "DEFAULT", "no severity"),
        ({"jsonPayload": {"message": "step 5", "step": 5, "loss": 1.5}, "severity": "INFO"}, "INFO", "step 5"),
        ({"jsonPayload": {"step": 5}}, "DEFAULT", '{"step": 5}'),
        (
            {
                "jsonPayload": {"levelname": "info", "message": '{"severity": "INFO", "message": "step 5"}\n'},
                "severity": "ERROR",
            },
            "INFO",
            "step 5",
        ),
        ({"textPayload": '{"message": "no severity"}', "severity": "ERROR"}, "ERROR", "no severity"),
        ({"textPayload": '{"message": 5}'}, "DEFAULT", '{"message": 5}'),
        ({"textPayload": "{ not JSON"}, "DEFAULT", "{ not JSON"),
        ({"textPayload": '{"message": ' + 9_999 * "["}, "DEFAULT", '{"message": ' + 9_999 * "["),
        ({"jsonPayload": {"message": {"é": 1}}}, "DEFAULT", '{"message": {"é": 1}}'),
        ({"protoPayload": {"@type": "x"}}, "DEFAULT", '{"@type": "x"}'),
        ({}, "DEFAULT", "{}"),
    ],
)
def test_each_kind_of_entry_has_a_message(services, google, fields, severity, message):
    """An entry's message is its text, the message in the job's JSON, parsed by Vertex AI or not, or else its whole JSON."""
    google.answers[LOGGING] = (200, {"entries": [{"timestamp": stamp(1.5), **fields}]})
    (line,) = read_log(services, "my-project", "123")
    assert (line.severity, line.message) == (severity, message)
    assert line.time == BEGIN + timedelta(seconds=1.5)


def test_following_shows_lines_until_the_end(services, log, google):
    """Following shows earlier, new and late lines, and those that arrive after the end of the job, once each."""
    log.add("first", 0)
    late = iter(
        [
            lambda: log.add("second", 10),
            lambda: log.add("late", 5, received=11),
            lambda: log.add("same time", 10),
            lambda: None,
            lambda: log.add("last", 12, received=30),
        ]
    )
    looks = 0

    def has_ended():
        nonlocal looks
        looks += 1
        return looks > 2

    def look(request):
        next(late, lambda: None)()
        return log.answer(request)

    google.answers[LOGGING] = look
    lines = [line.message for line in follow_log(services, "my-project", "123", has_ended)]
    assert lines == ["first", "second", "late", "same time", "last"]
    assert looks == 3


def test_following_continues_during_a_long_silence(services, log):
    """Following continues without new lines until the job has ended."""
    looks = 0

    def has_ended():
        nonlocal looks
        looks += 1
        if looks == 20:
            log.add("at last", 100)
        return looks > 20

    assert [line.message for line in follow_log(services, "my-project", "123", has_ended)] == ["at last"]


@pytest.mark.parametrize("seed", range(3))
def test_following_shows_each_line_once(services, log, google, seed):
    """Each line is shown once, in whatever order lines are received and found, if each is found within the overlap."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    waiting = []
    for number in range(150):
        received = chance.uniform(0, 300)
        found = received + chance.choice([0, 1, chance.uniform(0, 110)])
        waiting.append((found, f"line {number}", received - chance.choice([0, chance.uniform(0, 400)]), received))
    waiting.sort(reverse=True)
    now = 0.0

    def has_ended():
        return now > 420

    def look(request):
        nonlocal now
        now += 10
        while waiting and waiting[-1][0] <= now:
            _, text, written, received = waiting.pop()
            log.add(text, written, received)
        return log.answer(request)

    google.answers[LOGGING] = look
    lines = [line.message for line in follow_log(services, "my-project", "123", has_ended)]
    assert sorted(lines) == sorted(f"line {number}" for number in range(150))
    assert all("receiveTimestamp" in request.json["filter"] for request in google.requests[15:])


def test_a_quota_that_is_used_up_is_waited_for(services, log, google, monkeypatch):
    """After a used-up quota or another temporary failure, the request is repeated."""
    monkeypatch.setattr(rest, "_PATIENCE_SECONDS", 60.0)
    log.add("x")
    answers = [refusal(429, "quota"), refusal(503, "later"), log.answer]

    def answer(request):
        given = answers.pop(0)
        return given(request) if callable(given) else given

    google.answers[LOGGING] = answer
    assert [line.message for line in read_log(services, "my-project", "123")] == ["x"]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (refusal(403, "Permission denied."), errors.AccessError, "Permission denied; ask for the role Logs Viewer"),
        (refusal(403, "off", "SERVICE_DISABLED", service="logging.googleapis.com"), errors.UnavailableError, "logging.googleapis.com is not enabled"),
        (refusal(403, "no", "USER_PROJECT_DENIED"), errors.AccessError, "ask for the role Service Usage Consumer on the project"),
        (refusal(429, "Quota exceeded for 'Read requests per minute'"), errors.UnavailableError, "Google cannot be reached (Quota exceeded"),
        (refusal(500, "x"), errors.UnavailableError, "Google cannot be reached (x)"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_line(google, capsys, answer, kind, text):
    """A refusal is one line with what to do, and an exit code for its kind."""
    google.answers[LOGGING] = answer
    assert show_log(FLAGS) == kind.exit_code
    error = capsys.readouterr().err
    assert error.startswith("textgen vertex logs: error: cannot read the log of job 123: ")
    assert text in error
    assert error.count("\n") == 1


def test_the_command_prints_lines(log, capsys, monkeypatch):
    """Each entry has time, severity and message. Characters that steer a terminal are escaped, and further lines indented."""
    log.add({"message": "step 5, loss 1.5", "step": 5}, 1, severity="INFO")
    log.add("red \x1b[31m\ttab\nsecond line", 2, severity="ERROR")
    assert show_log(FLAGS) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    time = (BEGIN + timedelta(seconds=1)).astimezone().isoformat(" ")
    assert first == f"{time} INFO step 5, loss 1.5"
    assert second.endswith(" ERROR red \\x1b[31m\ttab")
    assert third == "    second line"


def test_a_job_without_lines_is_reported(google, log, capsys):
    """For a job without lines, which may not have started, a message is printed; a job that does not exist is an error."""
    google.answers[JOB] = job("PENDING")
    assert show_log(FLAGS) == 0
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == "Job 123 has written nothing yet; textgen vertex status 123 shows its state.\n"
    del google.answers[JOB]
    assert show_log(FLAGS) == 66
    assert show_log([*FLAGS, "--follow"]) == 66
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"])
def test_following_ends_with_the_job(google, log, capsys, end):
    """--follow ends when the job has reached any final state."""
    log.add("x")
    states = iter([job("PENDING"), job("RUNNING"), job(end)])
    google.answers[JOB] = lambda _: next(states)
    assert show_log([*FLAGS, "--follow"]) == 0
    assert capsys.readouterr().out.endswith(" DEFAULT x\n")
    assert next(states, None) is None


def test_ctrl_c_ends_following_in_one_line(google, log):
    """Ctrl-C ends --follow with 130 and one line, after the lines so far."""
    log.add("x")
    google.answers[JOB] = job("RUNNING")
    script = f"import sys\nfrom textgen.cli.vertex.existing_jobs import logs\nsys.exit(logs({json.dumps([*FLAGS, '--follow'])}))"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith(" DEFAULT x\n")
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert (process.returncode, rest, error) == (130, "", "textgen vertex logs: stopped by Ctrl-C\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["abc", "--project=my-project"], "JOB must be a custom job's id, a number such as"),
        (['1" OR resource.type="x', "--project=my-project"], "JOB must be a custom job's id"),
        (["123"], "missing: --project, --region; give them as flags, or in vertex.yaml"),
        ([], "the following arguments are required: JOB"),
    ],
)
def test_bad_input_is_refused_without_asking(google, capsys, arguments, text):
    """Invalid arguments, such as an id that would change the filter, are refused in one line without a request."""
    assert show_log(arguments) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert google.requests == []
