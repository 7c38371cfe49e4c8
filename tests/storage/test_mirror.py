import itertools
import os
import threading
import time

import pytest

from tests.storage_front import STALL_SECONDS
from textgen import errors
from textgen.storage import BucketDirectory, Mirror, Upload, fetch_directory, mirror, service

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

PATIENCE = 60.0
"""Seconds until a test that waits for something gives up; nothing here takes so long, even on a busy machine."""


@pytest.fixture
def place(bucket, front, monkeypatch):
    """A place in a bucket; uploads and retries follow each other much faster than usual."""
    monkeypatch.setattr(mirror, "_INTERVAL_SECONDS", 0.1)
    monkeypatch.setattr(mirror, "_LAST_PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0.6)
    return f"gs://{bucket.name}/place"


@pytest.fixture
def local(tmp_path):
    local = tmp_path / "local"
    local.mkdir()
    return local


class Told:
    """What a mirror tells."""

    def __init__(self):
        self.warnings = []
        self.lost = []
        self.is_lost = threading.Event()

    def lose(self, failure):
        self.lost.append(failure)
        self.is_lost.set()


@pytest.fixture
def told():
    return Told()


def follow(place, local, told, **options):
    def scan():
        return [Upload(path.relative_to(local).as_posix(), path) for path in sorted(local.rglob("*")) if path.is_file()]

    settings = {"disposable": lambda name: name.startswith("old/"), "advice": "it is all here"}
    return Mirror(place, **{"scan": scan, "warn": told.warnings.append, "lost": told.lose, **settings, **options})


def contents(bucket):
    return {blob.name.removeprefix("place/"): blob.download_as_bytes() for blob in bucket.list_blobs(prefix="place/")}


def files(local):
    return {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*") if path.is_file()}


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_bucket_follows_while_the_body_runs(place, local, told, bucket):
    """New, changed and longer files arrive; what is disposable goes once it has a successor, anything else stays."""
    (local / "x").write_bytes(b"one")
    (local / "old").mkdir()
    (local / "old" / "1").write_bytes(b"1")
    with follow(place, local, told):
        wait_for(lambda: contents(bucket) == files(local))
        with (local / "x").open("ab") as file:
            file.write(b" and more")
        (local / "old" / "2").write_bytes(b"2")
        wait_for(lambda: contents(bucket) == files(local))
        (local / "old" / "1").unlink()
        wait_for(lambda: contents(bucket) == files(local))
        kept = files(local)
        for path in (local / "x", local / "old" / "2"):
            path.unlink()
    assert contents(bucket) == kept
    assert told.warnings == []


def test_the_rest_is_uploaded_at_the_end(place, local, told, bucket, monkeypatch):
    """What was written since the last look is there when the body has ended, also when it has failed."""
    monkeypatch.setattr(mirror, "_INTERVAL_SECONDS", 1000.0)
    with follow(place, local, told):
        (local / "x").write_bytes(b"one")
    assert contents(bucket) == {"x": b"one"}
    with pytest.raises(ZeroDivisionError), follow(place, local, told):
        (local / "x").write_bytes(b"two")
        raise ZeroDivisionError
    assert contents(bucket) == {"x": b"two"}


def test_what_is_there_already_is_not_uploaded_again(place, local, told, front):
    """A job that goes on does not send its checkpoints a second time."""
    (local / "x").write_bytes(os.urandom(1000))
    for expected in (1, 0):
        with follow(place, local, told):
            pass
        assert sum(method == "POST" for method, _ in front.requests) == expected
        front.requests.clear()


def test_files_arrive_in_the_order_of_the_scan(place, local, told, front):
    """So a manifest comes after what it speaks of; bytes that were read before are uploaded as they were."""
    names = ["c", "a", "b"]
    for name in names:
        (local / name).write_bytes(name.encode())
    uploads = [*(Upload(name, local / name) for name in names), Upload("last", b"read before")]
    with follow(place, local, told, scan=lambda: uploads):
        pass
    assert sum(method == "POST" for method, _ in front.requests) == 4
    with BucketDirectory(place) as directory:
        generations = {name: facts.generation for name, facts in directory.list().items()}
    assert sorted(generations, key=lambda name: generations[name]) == [*names, "last"]


def test_failures_of_a_third_of_the_requests_lose_nothing(place, local, told, front, monkeypatch):
    """Refusals, hang-ups, time-outs and lost answers, also of writes that went through: everything arrives."""
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 30.0)
    monkeypatch.setattr(service, "ANSWER_SECONDS", STALL_SECONDS / 2)
    fates = itertools.cycle([fate for bad in ("refuse", "hang up", "stall", "lose") for fate in (bad, None, None)])
    with follow(place, local, told):
        front.rule = lambda *_: next(fates)
        for number in range(6):
            (local / "x").write_bytes(os.urandom(100 * number))
            (local / f"y{number}").write_bytes(os.urandom(10))
    front.rule = lambda *_: None
    brought = local.with_name("brought")
    fetch_directory(place, brought)
    assert files(brought) == files(local)
    assert told.lost == []


def test_an_outage_delays_uploads_and_nothing_else(place, local, told, bucket, front):
    """However many requests fail: one warning when it begins, one when it ends."""
    (local / "x").write_bytes(b"one")
    with follow(place, local, told):
        wait_for(lambda: contents(bucket) == files(local))
        front.rule = lambda *_: "refuse"
        (local / "x").write_bytes(b"two, during the outage")
        wait_for(lambda: told.warnings)
        failed = len(front.requests)
        wait_for(lambda: len(front.requests) > failed + 3)
        front.rule = lambda *_: None
        wait_for(lambda: contents(bucket) == files(local))
        wait_for(lambda: len(told.warnings) == 2)
    begins, ends = told.warnings
    assert begins.startswith(f"uploads to {place} wait, nothing is lost: cannot ")
    assert ends == f"uploads to {place} go on"


def test_a_look_that_fails_is_made_again(place, local, told, bucket):
    """Whatever goes wrong in the thread, uploads do not end unseen."""
    failures = [PermissionError(13, "Permission denied"), ValueError("a fault of ours")]

    def scan():
        if failures:
            raise failures.pop()
        return [Upload("x", local / "x")]

    (local / "x").write_bytes(b"one")
    with follow(place, local, told, scan=scan):
        wait_for(lambda: contents(bucket) == {"x": b"one"})
        wait_for(lambda: len(told.warnings) == 2)
    assert "ValueError: a fault of ours" in told.warnings[0]


def test_an_outage_at_the_end_is_waited_out(place, local, told, bucket, front):
    """The last uploads are tried for as long as ten minutes."""
    with follow(place, local, told):
        (local / "x").write_bytes(b"one")
        refusals = iter(5 * ["refuse"])
        front.rule = lambda *_: next(refusals, None)
    assert contents(bucket) == {"x": b"one"}


def test_what_never_arrives_is_an_error(place, local, told, front, monkeypatch):
    """It names the place and says where everything is; a failure of the body goes before it."""
    monkeypatch.setattr(mirror, "_LAST_PATIENCE_SECONDS", 0.5)
    failure = pytest.raises(errors.InputOutputError, match=rf"^cannot write {place}/x: .*; it is all here$")
    with failure, follow(place, local, told):
        (local / "x").write_bytes(b"one")
        front.rule = lambda *_: "refuse"
    front.rule = lambda *_: None
    with pytest.raises(ZeroDivisionError), follow(place, local, told):
        (local / "x").write_bytes(b"two")
        front.rule = lambda *_: "refuse"
        raise ZeroDivisionError
    assert told.warnings[-1].endswith("; it is all here")


def test_ctrl_c_ends_it_at_once(place, local, told, bucket, front):
    """A second one, when the first has brought what there was to save: nobody waits for an outage to end."""
    with pytest.raises(KeyboardInterrupt), follow(place, local, told):
        (local / "x").write_bytes(b"one")
        front.rule = lambda *_: "refuse"
        raise KeyboardInterrupt
    assert told.lost == []
    for thread in threading.enumerate():
        if thread.name == "mirror":
            thread.join()
    assert all(warning.startswith("uploads to ") for warning in told.warnings)


def test_another_writer_ends_it(place, local, told, bucket):
    """What somebody else wrote is not overwritten; the body is told, and its own failure goes before."""
    (local / "x").write_bytes(b"one")
    with pytest.raises(errors.LockedError, match="another process has written"), follow(place, local, told):
        wait_for(lambda: contents(bucket) == files(local))
        bucket.blob("place/x").upload_from_string(b"another's")
        (local / "x").write_bytes(b"two")
        assert told.is_lost.wait(PATIENCE)
    assert contents(bucket) == {"x": b"another's"}
    assert len(told.lost) == 1


def test_nothing_is_written_once_the_check_fails(place, local, told, bucket):
    """A holder that has lost its lease leaves the place alone, where nothing of the files would show it."""

    def check():
        raise errors.LockedError("taken over")

    with pytest.raises(errors.LockedError, match="taken over"), follow(place, local, told, check=check):
        (local / "x").write_bytes(b"one")
    assert contents(bucket) == {}


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_at_once(local, told):
    """Before anything is trained for nothing."""
    with pytest.raises(errors.MissingError, match="no-such-bucket"), follow("gs://no-such-bucket/x", local, told):
        pytest.fail("it began")
