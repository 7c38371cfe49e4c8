import os
import stat
import time

import pytest

from textgen.errors import AccessError, FormatError, InputOutputError, MissingError
from textgen.storage import atomic_path, open_atomic, read_text, remove_old_temporaries, write_atomic


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path):
    """After a write the file has the new content, and no temporary file stays."""
    path = tmp_path / "deep" / "file.txt"
    write_atomic(path, "old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """If the disk fails in the middle, the old content stays and the temporary file is removed."""
    path = tmp_path / "file.txt"
    write_atomic(path, "old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputOutputError, match="free some space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    """Ctrl-C in the middle is passed on, the old content stays, and the temporary file is removed."""
    path = tmp_path / "file.txt"
    write_atomic(path, "old")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    """Two threads, or two containers with the same process id, can write a file at the same time; the last content stays."""
    path = tmp_path / "file.txt"
    with open_atomic(path) as first:
        first.write(b"the first")
        with open_atomic(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"the first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_what_killed_processes_left_is_known_by_its_age(tmp_path):
    """Temporary files are removed after a day, at any depth; newer ones and all other files stay."""
    (tmp_path / "deep").mkdir()
    now, day = time.time(), 24 * 3600
    ages = {
        ".a.0123456789abcdef.tmp": 25,
        "deep/.b.4711.tmp": 25,
        ".c.0123456789abcdef.tmp": 23,
        ".mine.tmp": 25,
        "d.4711.tmp": 25,
    }
    for name, hours in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, times=(now, now - hours / 24 * day))
    with open_atomic(tmp_path / "e"):
        before = {path.name for path in tmp_path.iterdir()}
        remove_old_temporaries(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == before - {".a.0123456789abcdef.tmp"}
    assert list((tmp_path / "deep").iterdir()) == []
    remove_old_temporaries(tmp_path / "nowhere")


def test_a_file_has_the_usual_permissions(tmp_path):
    """A written file is as readable as any other file of the user's."""
    plain = tmp_path / "plain"
    plain.touch()
    write_atomic(tmp_path / "written", "x")
    with atomic_path(tmp_path / "moved") as temporary:
        temporary.touch()
    for name in ("written", "moved"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_library_writes_a_whole_file_to_a_path(tmp_path):
    """What is written to the temporary path becomes the file at the end; until then the old file is there."""
    path = tmp_path / "deep" / "file.txt"
    write_atomic(path, "old")
    with atomic_path(path) as temporary:
        assert temporary.name == path.name
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(28, "No space left on device"), InputOutputError),
        (FormatError("no good"), FormatError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_library_that_fails_leaves_the_old_file(tmp_path, failure, raised):
    """If the body fails, the old content stays and the new file is removed."""
    path = tmp_path / "file.txt"
    write_atomic(path, "old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            raise failure

    with pytest.raises(raised):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_what_the_system_refuses_becomes_an_error_that_names_the_path(tmp_path):
    """A missing file, a file where a directory should be and bytes that are not UTF-8 are one line each."""
    with pytest.raises(MissingError, match="absent"):
        read_text(tmp_path / "absent")
    (tmp_path / "bad").write_bytes(b"\xff")
    with pytest.raises(FormatError, match="byte 0 is not UTF-8"):
        read_text(tmp_path / "bad")
    with pytest.raises((AccessError, InputOutputError, MissingError), match="bad"):
        write_atomic(tmp_path / "bad" / "below", "x")
