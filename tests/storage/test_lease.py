import json
import threading

import pytest

from textgen import errors
from textgen.storage import BucketDirectory, Holder, Lease, lease

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def uri(bucket, monkeypatch):
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 0.6)
    return f"gs://{bucket.name}/job"


class Kept(Lease):
    """A lease that records its messages."""

    def __init__(self, uri, name="", copy="", lost=None):
        self.said: list[str] = []

        def fail(failure):
            pytest.fail(str(failure))

        super().__init__(uri, Holder(name, copy, f"worker {name or copy}"), waiting=self.said.append, lost=lost or fail)


def test_a_new_place_is_taken_at_once(uri):
    """There is nobody to wait for, and the local copy gets a new name."""
    with Kept(uri) as first:
        assert not first.has_newest_copy
        assert first.copy
        assert first.said == []


def test_a_place_that_was_left_in_order_is_taken_at_once(uri):
    """By the same local copy, which is the newest, or by another one, which is not."""
    with Kept(uri) as first:
        pass
    with Kept(uri, copy=first.copy) as second:
        assert second.has_newest_copy
        assert second.copy == first.copy
    with Kept(uri, copy="another") as third:
        assert not third.has_newest_copy
        assert third.copy not in {first.copy, "another"}
        assert third.said == []


class Second(Kept):
    """A lease whose present holder renews it as soon as this one starts to wait."""

    def __init__(self, first, uri, name):
        super().__init__(uri, name)
        self._first = first

    def _wait(self, generation, other):
        self._first.renew()
        return super()._wait(generation, other)


def test_a_second_holder_is_refused_and_told_who_works_there(uri):
    """It waits only until the lease is renewed."""
    with Kept(uri, "one") as first:
        second = Second(first, uri, "two")
        with pytest.raises(errors.LockedError, match=rf"^another trainer works in {uri}: worker one; wait for its end"):
            second.__enter__()
        assert second.said == [f"waiting up to 1 seconds for worker one, who may still work in {uri}"]


def abandon(taken):
    """Ends a lease like a kill, after which nothing is written."""
    taken._end.set()
    taken._thread.join()
    taken._directory.__exit__(None, None, None)


def test_the_lease_of_a_killed_holder_runs_out(uri):
    """Another holder waits and takes over; its local copy is not the newest."""
    first = Kept(uri, "one").__enter__()
    abandon(first)
    with Kept(uri, "two") as second:
        assert len(second.said) == 1
        assert not second.has_newest_copy


def test_a_lease_that_is_given_back_meanwhile_is_taken(uri):
    """A waiting holder is not refused because the other gives the lease back, which also changes the lock."""
    first = Kept(uri, "one").__enter__()

    class Waiting(Kept):
        def _wait(self, generation, other):
            first.__exit__(None, None, None)
            return super()._wait(generation, other)

    with Waiting(uri, "two") as second:
        assert len(second.said) == 1


@pytest.mark.parametrize("by", ["name", "copy"])
def test_the_same_holder_takes_over_at_once(uri, by):
    """A restart after a kill is not locked out: the name identifies a cloud job, the local copy a machine."""
    first = Kept(uri, "job 1").__enter__()
    abandon(first)
    with Kept(uri, "job 1") if by == "name" else Kept(uri, copy=first.copy) as second:
        assert second.said == []
        assert second.has_newest_copy == (by == "copy")


def test_who_loses_the_lease_is_told(uri):
    """A holder that was suspended for long notices the other's lease at its next renewal."""
    told = threading.Event()
    failures = []

    def lost(failure):
        failures.append(failure)
        told.set()

    with Kept(uri, "job 1", lost=lost) as first:
        with Kept(uri, "job 1"):  # a restart of the same, while the old one still lives
            assert told.wait(60)
        assert isinstance(failures[0], errors.LockedError)
        with pytest.raises(errors.LockedError, match="another process has written"):
            first.renew()


def test_an_outage_does_not_end_a_lease(uri, front, monkeypatch):
    """A failed renewal is no loss; the next one succeeds."""
    from textgen.storage import service

    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0.1)
    with Kept(uri, "one") as first:
        front.rule = lambda *_: "refuse"
        with pytest.raises(errors.UnavailableError):
            first.renew()
        front.rule = lambda *_: None
        first.renew()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"name": "x"}'])
def test_a_lock_that_makes_no_sense_keeps_nobody_out(uri, content):
    """A damaged lock is not a running holder's, which would have replaced it."""
    with BucketDirectory(uri) as directory:
        directory.write("lock", content, 0)
    with Kept(uri) as first:
        assert not first.has_newest_copy


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ("you\nwarning: all is lost\x1b[2J\u202e", r"you warning: all is lost\x1b[2J\u202e"),
        ("y" * 10**6, "[...]"),
        (7, "7"),
        (["you"], "['you']"),
    ],
)
def test_what_a_lock_says_of_its_holder_is_shown_on_one_line(uri, description, shown):
    """Anybody who may write to the bucket can write it."""
    lock = {"name": "", "copy": "", "description": description, "held": True}
    with BucketDirectory(uri) as directory:
        directory.write("lock", json.dumps(lock).encode(), 0)
    with Kept(uri) as first:
        assert first.said == [f"waiting up to 1 seconds for {shown}, who may still work in {uri}"]


def test_what_a_lock_says_stays_on_one_short_line(bucket, uri):
    """Anyone who may write to the bucket can write it, and it is shown to the user."""
    description = "a\nNext:\n  rm -r . " + 1000 * "x"
    lock = {"name": "", "copy": "", "description": description, "held": True}
    bucket.blob("job/lock").upload_from_string(json.dumps(lock))
    said: list[str] = []
    Lease.check(uri, said.append)
    assert "\n" not in said[0]
    assert len(said[0]) < len(description)


def test_a_lock_that_somebody_removes_is_made_again(uri, bucket):
    """The holder still holds the lease, and another is refused."""
    with Kept(uri, "one") as first:
        bucket.blob("job/lock").delete()
        first.renew()
        with pytest.raises(errors.LockedError, match="another trainer works in"):
            Second(first, uri, "two").__enter__()


def test_a_lock_that_another_has_made_again_is_lost(uri, bucket):
    """After the removal another can take the lease, and the first holder loses it."""
    with Kept(uri, "one", lost=lambda _: None) as first:
        with first._writing:
            bucket.blob("job/lock").delete()
            second = Kept(uri, "two").__enter__()
        with pytest.raises(errors.LockedError, match="another process has written"):
            first.renew()
        second.__exit__(None, None, None)


def test_whatever_ends_the_thread_is_told(uri, monkeypatch):
    """Without renewals the lease would expire, and another would work there too."""
    told = threading.Event()
    failures = []

    def lost(failure):
        failures.append(failure)
        told.set()

    def write(**_):
        raise KeyError("a fault of ours")

    with Kept(uri, "one", lost=lost) as first, monkeypatch.context() as patch:
        patch.setattr(first, "_write", write)
        assert told.wait(60)
    assert isinstance(failures[0], errors.InputOutputError)
    assert str(failures[0]).startswith(f"cannot renew the lease on {uri} (KeyError: 'a fault of ours'); train again to")
