import contextlib
import itertools
import math
import os
import threading
import time

import pytest
from google.api_core.exceptions import NotFound

from textgen import errors
from textgen.storage import BucketDirectory, Mirror, StoredObject, Upload, fetch_directory, mirror, service
from textgen.storage.bucket_directory import crc32c

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

PATIENCE = 60.0
"""How many seconds a test waits before it fails; nothing here takes so long, even on a busy machine."""


@pytest.fixture
def place(bucket, front, monkeypatch):
    """A directory in a bucket; the times between uploads and between retries are much shorter than usual."""
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
    """Records what a mirror reports."""

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
    found = {}
    for blob in bucket.list_blobs(prefix="place/"):
        with contextlib.suppress(NotFound):  # the mirror has removed it meanwhile
            found[blob.name.removeprefix("place/")] = blob.download_as_bytes()
    return found


def files(local):
    return {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*") if path.is_file()}


def only_writes(fate):
    """A rule of `front` for uploads alone."""
    return lambda method, _: fate if method == "POST" else None


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_bucket_follows_while_the_body_runs(place, local, told, bucket):
    """New, changed and longer files are uploaded; a disposable object is removed once it has a successor, others stay."""
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
    """Data written since the last scan is uploaded after the body, even if the body failed."""
    monkeypatch.setattr(mirror, "_INTERVAL_SECONDS", 1000.0)
    with follow(place, local, told):
        (local / "x").write_bytes(b"one")
    assert contents(bucket) == {"x": b"one"}
    with pytest.raises(ZeroDivisionError), follow(place, local, told):
        (local / "x").write_bytes(b"two")
        raise ZeroDivisionError
    assert contents(bucket) == {"x": b"two"}


def test_what_is_there_already_is_not_uploaded_again(place, local, told, front):
    """A job that resumes does not upload its checkpoints again."""
    (local / "x").write_bytes(os.urandom(1000))
    for expected in (1, 0):
        with follow(place, local, told):
            pass
        assert sum(method == "POST" for method, _ in front.requests) == expected
        front.requests.clear()


@pytest.fixture
def compared(local, told, monkeypatch):
    """A mirror of a bucket that contains `x`, the file `x` with the same bytes, and a list of the files whose bytes were read."""
    path = local / "x"
    path.write_bytes(b"one")
    read = []

    def checksum(path):
        read.append(path.name)
        return crc32c(path)

    monkeypatch.setattr(mirror, "crc32c", checksum)
    watched = follow("gs://bucket/place", local, told)
    watched._objects = {"x": StoredObject(3, 1, crc32c(path))}
    return watched, path, read


def test_a_file_is_compared_with_its_object_once(compared):
    """A file with the bytes of its object does not differ, and is not read again while its size and time stay the same."""
    watched, path, read = compared
    assert not watched._differs(Upload("x", path))
    assert not watched._differs(Upload("x", path))
    assert read == ["x"]
    os.utime(path, (1, 1))
    assert watched._differs(Upload("x", path))
    assert read == ["x"]


def test_a_file_with_other_bytes_differs(compared):
    """If only the checksum shows the difference, the file differs, each time until it is uploaded."""
    watched, path, read = compared
    path.write_bytes(b"two")
    assert watched._differs(Upload("x", path))
    assert watched._differs(Upload("x", path))
    assert read == ["x", "x"]


def test_a_file_without_an_object_differs(compared, local):
    """A new file differs and need not be read for that; one that is gone does not differ."""
    watched, _, read = compared
    (local / "y").write_bytes(b"one")
    assert watched._differs(Upload("y", local / "y"))
    watched._uploaded["z"] = (1, 2, 3)
    assert not watched._differs(Upload("z", local / "z"))
    assert read == []


def test_a_file_that_cannot_be_read_differs(compared, monkeypatch):
    """The upload then reports why."""
    watched, path, _ = compared

    def fail(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mirror, "crc32c", fail)
    assert watched._differs(Upload("x", path))


def test_bytes_are_compared_with_those_that_were_uploaded(compared):
    """Bytes that were read before differ unless the last upload was of the same bytes."""
    watched, _, read = compared
    assert watched._differs(Upload("x", b"one"))
    watched._uploaded["x"] = b"one"
    assert not watched._differs(Upload("x", b"one"))
    assert watched._differs(Upload("x", b"two"))
    assert read == []


def test_files_arrive_in_the_order_of_the_scan(place, local, told, front):
    """So a manifest arrives after its tensors; bytes that were read before are uploaded unchanged."""
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
    """Everything arrives despite refusals, hang-ups, time-outs and lost answers, also to successful writes."""
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", PATIENCE)
    monkeypatch.setattr(service, "ANSWER_SECONDS", 3.0)
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
    """However many requests fail, there is one warning at the start and one at the end."""
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
    assert begins.startswith(f"uploads to {place} are delayed, nothing is lost: cannot ")
    assert ends == f"uploads to {place} have resumed"


def test_a_refusal_that_lasts_ends_it(place, local, told, front, monkeypatch):
    """A permission does not come back by itself: the body gets the error to end with, and nothing is tried again."""
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", 0.0)
    refused = rf"^uploads have been refused for 0 minutes: cannot write {place}/x: out of order; ask for the role Storage Object User; it is all here$"
    with pytest.raises(errors.AccessError, match=refused) as raised, follow(place, local, told):
        front.rule = only_writes("forbid")
        (local / "x").write_bytes(b"one")
        assert told.is_lost.wait(PATIENCE)
        asked = len(front.requests)
    assert told.lost == [raised.value]
    assert len(front.requests) == asked
    assert told.warnings == []


def test_what_the_body_ends_with_is_not_said_twice(place, local, told, front, monkeypatch):
    """The command ends with the failure that was reported to the body, and reports it once."""
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", 0.0)
    with pytest.raises(errors.AccessError), follow(place, local, told):
        front.rule = lambda *_: "forbid"
        (local / "x").write_bytes(b"one")
        assert told.is_lost.wait(PATIENCE)
        raise told.lost[0]
    assert told.warnings == []


def test_a_refusal_that_ends_is_no_failure(place, local, told, bucket, front, monkeypatch):
    """The permission may be granted in time; there is one warning, which does not call the refusal harmless."""
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", math.inf)
    with follow(place, local, told):
        front.rule = only_writes("forbid")
        (local / "x").write_bytes(b"one")
        wait_for(lambda: len(front.requests) > 9)
        front.rule = lambda *_: None
        wait_for(lambda: contents(bucket) == files(local))
    refused, ends = told.warnings
    assert refused.startswith(
        f"uploads to {place} are refused, and after inf minutes of that this run stops: cannot write"
    )
    assert ends == f"uploads to {place} have resumed"
    assert told.lost == []


def test_an_outage_is_no_refusal(place, local, told, bucket, front, monkeypatch):
    """Whatever the time limit for refusals, an outage of the network is waited out."""
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", 0.0)
    with follow(place, local, told):
        front.rule = lambda *_: "refuse"
        (local / "x").write_bytes(b"one")
        wait_for(lambda: told.warnings)
        front.rule = lambda *_: None
        wait_for(lambda: contents(bucket) == files(local))
    assert told.lost == []


def test_an_outage_amid_refusals_starts_their_time_again(place, local, told, monkeypatch):
    """Only uninterrupted refusals count as permanent."""
    monkeypatch.setattr(mirror, "_REFUSAL_SECONDS", 10.0)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watched = follow(place, local, told)
    refused, outage = errors.AccessError("no"), errors.UnavailableError("nobody answers")
    for moment, failure in [(0, refused), (9, outage), (11, refused), (20, refused)]:
        now[0] = moment
        watched._note(failure)
    now[0] = 21
    with pytest.raises(errors.AccessError, match="refused for 0 minutes: no; it is all here"):
        watched._note(refused)
    assert len(told.warnings) == 3


def test_what_somebody_removes_is_uploaded_again(place, local, told, bucket):
    """The next change uploads all removed objects again."""
    for name in ("x", "y"):
        (local / name).write_bytes(b"one")
    with follow(place, local, told):
        wait_for(lambda: contents(bucket) == files(local))
        for name in ("x", "y"):
            bucket.blob(f"place/{name}").delete()
        (local / "x").write_bytes(b"two")
        wait_for(lambda: contents(bucket) == files(local))
    assert contents(bucket) == files(local)
    assert told.lost == []
    assert told.warnings == []


def test_whatever_ends_the_thread_ends_the_body(place, local, told):
    """Even a failure to report a failure ends it."""

    def scan():
        raise ValueError("a fault of ours")

    def warn(line):
        raise BrokenPipeError("nobody listens")

    expected = rf"^cannot upload to {place} \(BrokenPipeError: nobody listens\); it is all here$"
    with pytest.raises(errors.InputOutputError, match=expected), follow(place, local, told, scan=scan, warn=warn):
        assert told.is_lost.wait(PATIENCE)
    assert len(told.lost) == 1


def test_a_look_that_fails_is_made_again(place, local, told, bucket):
    """Any error in a scan delays uploads, and does not end them unnoticed."""
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
        refusals = iter(5 * ["refuse"])
        front.rule = lambda *_: next(refusals, None)
        (local / "x").write_bytes(b"one")
    assert contents(bucket) == {"x": b"one"}


def test_what_never_arrives_is_an_error(place, local, told, front, monkeypatch):
    """The error names the directory and where the data is; an error of the body takes precedence."""
    monkeypatch.setattr(mirror, "_LAST_PATIENCE_SECONDS", 0.5)
    failure = pytest.raises(errors.InputOutputError, match=rf"^cannot write {place}/x: .*; it is all here$")
    with failure, follow(place, local, told):
        front.rule = only_writes("refuse")
        (local / "x").write_bytes(b"one")
    front.rule = lambda *_: None
    with pytest.raises(ZeroDivisionError), follow(place, local, told):
        front.rule = only_writes("refuse")
        (local / "x").write_bytes(b"two")
        raise ZeroDivisionError
    assert told.warnings[-1].endswith("; it is all here")


def test_ctrl_c_ends_it_at_once(place, local, told, bucket, front):
    """After a second Ctrl-C nobody waits for an outage to end."""
    with pytest.raises(KeyboardInterrupt), follow(place, local, told):
        front.rule = lambda *_: "refuse"
        (local / "x").write_bytes(b"one")
        raise KeyboardInterrupt
    assert told.lost == []
    for thread in threading.enumerate():
        if thread.name == "mirror":
            thread.join()
    assert all(warning.startswith("uploads to ") for warning in told.warnings)


def test_another_writer_ends_it(place, local, told, bucket):
    """The other process's object is not overwritten, and the body is told."""
    (local / "x").write_bytes(b"one")
    with pytest.raises(errors.LockedError, match="another process has written"), follow(place, local, told):
        wait_for(lambda: contents(bucket) == files(local))
        bucket.blob("place/x").upload_from_string(b"another's")
        (local / "x").write_bytes(b"two")
        assert told.is_lost.wait(PATIENCE)
    assert contents(bucket) == {"x": b"another's"}
    assert len(told.lost) == 1


def test_nothing_is_written_once_the_check_fails(place, local, told, bucket):
    """A holder that has lost its lease writes nothing, even if no object shows the loss."""

    def check():
        raise errors.LockedError("taken over")

    with pytest.raises(errors.LockedError, match="taken over"), follow(place, local, told, check=check):
        (local / "x").write_bytes(b"one")
    assert contents(bucket) == {}


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_at_once(local, told):
    """The error comes before any training."""
    with pytest.raises(errors.MissingError, match="no-such-bucket"), follow("gs://no-such-bucket/x", local, told):
        pytest.fail("it began")
