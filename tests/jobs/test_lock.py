import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

from textgen.errors import AccessError, InputOutputError, LockedError
from textgen.jobs import JobDirectory, is_locked, job_lock

TRAINER = """
import sys
from pathlib import Path
from textgen.errors import LockedError
from textgen.jobs import JobDirectory, job_lock
job = JobDirectory(Path(sys.argv[1]))
sys.stdin.readline()
try:
    if sys.argv[2] == "fresh":
        with job_lock(job, print):
            job.move_aside()
    with job_lock(job, print):
        print("held", flush=True)
        sys.stdin.readline()
except LockedError as error:
    print(error, flush=True)
"""
"""Waits for a line, takes the lock, prints the result, and holds the lock until the next line."""


@pytest.fixture
def trainers():
    """A function that starts processes that lock a directory when they get a line."""
    started = []

    def start(job, number=1, kind="plain"):
        command = [sys.executable, "-c", TRAINER, str(job.root), kind]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            for _ in range(number)
        ]
        started.extend(processes)
        return processes

    yield start
    for process in started:
        process.kill()
        process.communicate()


def go(*processes):
    """Sends a line to all processes at once, and returns what each prints then."""
    for process in processes:
        process.stdin.write("\n")
    return [process.stdout.readline().strip() for process in processes]


@pytest.fixture
def job(tmp_path):
    return JobDirectory(tmp_path / "jobs" / "job")


def test_the_second_is_turned_away_with_the_name_of_the_first(job, trainers):
    """The error names the holder's process and host and what to do; the lock is free when the holder ends."""
    [holder] = trainers(job)
    assert go(holder) == ["held"]
    assert is_locked(job)
    with pytest.raises(LockedError) as refused, job_lock(job, pytest.fail):
        pytest.fail("two hold the lock")
    text = str(refused.value)
    assert f"{job.root}: process {holder.pid} on {socket.gethostname()} since 20" in text
    assert "name another job_dir" in text
    assert "\n" not in text
    assert go(holder) == [""]
    holder.wait()
    assert not is_locked(job)
    with job_lock(job, pytest.fail):
        assert is_locked(job)


def test_a_killed_process_leaves_no_lock(job, trainers):
    """Its description stays in the file, and keeps nobody out."""
    [holder] = trainers(job)
    assert go(holder) == ["held"]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert f"process {holder.pid} " in job.lock.read_text()
    assert not is_locked(job)
    with job_lock(job, pytest.fail):
        assert f"process {os.getpid()} " in job.lock.read_text()
        assert f"process {holder.pid} " not in job.lock.read_text()


def test_of_many_that_begin_at_once_one_wins(job, trainers):
    """If several start at the same moment in a directory that does not exist yet, exactly one gets the lock."""
    said = go(*trainers(job, 6))
    assert said.count("held") == 1
    assert sum("another trainer works in" in line for line in said) == 5


def test_of_many_that_begin_anew_at_once_one_wins(job, trainers):
    """Also with --fresh: one trains in the new directory, and the old job is moved once, and is complete."""
    job.root.mkdir(parents=True)
    job.config.write_text("the old job")
    said = go(*trainers(job, 6, "fresh"))
    assert said.count("held") == 1
    assert sorted(path.name for path in job.root.parent.iterdir()) == ["job", "job.1"]
    assert (job.root.parent / "job.1" / "config.yaml").read_text() == "the old job"
    assert job.is_empty
    assert is_locked(job)


def test_the_lock_goes_with_a_directory_that_is_moved(job):
    """After the move, others lock the new directory, and not the old one's file."""
    with job_lock(job, pytest.fail):
        job.config.touch()
        aside = JobDirectory(job.move_aside())
        with job_lock(job, pytest.fail):
            assert is_locked(job)
            assert is_locked(aside)
        assert not is_locked(job)


def test_a_file_that_was_moved_before_it_was_locked_is_let_go(job, monkeypatch):
    """Another trainer's --fresh can move the file between opening and locking; then the new one is locked."""
    real = filelock.lock_descriptor
    moved: list[Path] = []

    def move_first(descriptor, **options):
        if not moved:
            job.config.touch()
            moved.append(job.move_aside())
        return real(descriptor, **options)

    monkeypatch.setattr(filelock, "lock_descriptor", move_first)
    with job_lock(job, pytest.fail):
        assert is_locked(job)
        assert not is_locked(JobDirectory(moved[0]))
        assert job.lock.exists()


def test_the_file_stays_and_is_empty(job):
    """After the work the file is empty, and not removed, because somebody may be waiting for it."""
    for _ in range(2):
        with job_lock(job, pytest.fail):
            assert job.lock.read_text().startswith(" process ")
        assert job.lock.read_bytes() == b""


def test_a_fault_or_ctrl_c_lets_go(job):
    """However the work ends, the lock is free."""
    for fault in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(fault), job_lock(job, pytest.fail):
            raise fault
        assert not is_locked(job)


def test_whoever_holds_it_for_an_instant_turns_nobody_away(job, monkeypatch):
    """`textgen jobs` takes the lock for a moment; a trainer that starts then tries again."""
    job.root.mkdir(parents=True)
    descriptor = os.open(job.lock, os.O_RDWR | os.O_CREAT)
    assert filelock.lock_descriptor(descriptor, blocking=False)
    monkeypatch.setattr(time, "sleep", lambda _: filelock.unlock_descriptor(descriptor))
    with job_lock(job, pytest.fail):
        assert is_locked(job)
    os.close(descriptor)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_warned_of(job, code, monkeypatch):
    """The work continues after a warning, and only the file's content shows who works there."""

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    warnings: list[str] = []
    with job_lock(job, warnings.append):
        assert is_locked(job)
    assert not is_locked(job)
    assert warnings == [
        f"cannot lock {job.lock}, {os.strerror(code)}: see to it that no other trainer works in this directory"
    ]


def test_what_the_system_refuses_is_one_error(job, monkeypatch):
    """Any other failure of the system ends the work before it begins."""

    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(filelock, "lock_descriptor", fail)
    with (
        pytest.raises(
            InputOutputError, match=r"^cannot lock .*lock: Input/output error; try again, or choose another place$"
        ),
        job_lock(job, pytest.fail),
    ):
        pytest.fail("it went on")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to(job):
    """Without permission there is no lock, and the error is one line."""
    job.root.mkdir(parents=True, mode=0o500)
    with pytest.raises(AccessError, match=r"^cannot lock .*check the permissions"), job_lock(job, pytest.fail):
        pytest.fail("it went on")


def test_what_is_no_file_is_not_locked(job, tmp_path):
    """A link is not followed, because its target would be emptied; a directory of that name is no lock either."""
    precious = tmp_path / "precious"
    precious.write_text("text")
    job.root.mkdir(parents=True)
    job.lock.symlink_to(precious)
    with pytest.raises(InputOutputError, match=r"^cannot lock "), job_lock(job, pytest.fail):
        pytest.fail("it went on")
    assert precious.read_text() == "text"
    job.lock.unlink()
    job.lock.mkdir()
    with pytest.raises(InputOutputError, match=r"^cannot lock "), job_lock(job, pytest.fail):
        pytest.fail("it went on")
    assert not is_locked(job)


def test_nonsense_in_the_file_does_no_harm(job):
    """The error skips bytes that are not text, and shortens a long description."""
    with job_lock(job, pytest.fail):
        job.lock.write_bytes(b" \x1b[31m\xff\0red\n" + b"x" * 10_000)
        with pytest.raises(LockedError) as refused, job_lock(job, pytest.fail):
            pytest.fail("two hold the lock")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500 + len(str(job.root))
