import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from textgen.corpus.cached_array import StoredArray, cached_array, open_array, stored_array
from textgen.errors import AccessError, DataError, InputOutputError, MissingError, TextgenError

PARTS = [np.arange(300, dtype=np.uint16), np.array([], np.uint16), np.array([7, 65535], np.uint16)]
WHOLE = [*range(300), 7, 65535]


class Maker:
    """Makes the parts of an array, and counts how often."""

    calls = 0

    def __call__(self):
        self.calls += 1
        yield from PARTS


@pytest.fixture
def made():
    return Maker()


def test_an_array_is_made_once(tmp_path, made):
    """The parts are made by the first call alone; the array is read-only, and its file ends with a hash."""
    first, second = (cached_array(tmp_path / "ids", np.uint16, made) for _ in range(2))
    assert first.tolist() == second.tolist() == WHOLE
    assert made.calls == 1
    assert not second.flags.writeable
    assert (tmp_path / "ids").stat().st_size == 2 * len(WHOLE) + 32


def test_an_array_can_be_read_in_slices(tmp_path, made):
    """A stored array has the values of a mapped one, in the same file; what is read belongs to the caller."""
    mapped = cached_array(tmp_path / "ids", np.uint16, made)
    stored = stored_array(tmp_path / "ids", np.uint16, made)
    assert made.calls == 1
    assert len(stored) == len(WHOLE)
    assert stored.dtype == np.dtype(np.uint16)
    for first, last in ((None, None), (0, 0), (3, 7), (290, 400), (400, 500), (7, 3), (-3, None)):
        assert stored[first:last].tolist() == mapped[first:last].tolist()
    stored[:][0] = 9
    assert stored[:1].tolist() == [0]


def test_a_stored_array_outlives_its_name(tmp_path, made):
    """Another process may remove the file from the cache, or replace it."""
    stored = stored_array(tmp_path / "ids", np.uint16, made)
    (tmp_path / "ids").unlink()
    assert stored[:].tolist() == WHOLE


def test_a_stored_array_that_becomes_shorter_is_an_error(tmp_path, made):
    """If the file is cut, what is missing is an error, not zeros."""
    stored = stored_array(tmp_path / "ids", np.uint16, made)
    os.truncate(tmp_path / "ids", 100)
    assert stored[:50].tolist() == WHOLE[:50]
    with pytest.raises(OSError, match="has become shorter"):
        stored[:51]


def test_a_missing_stored_array_is_one_error(tmp_path):
    """An array that is to be there, and is not, is named."""
    with pytest.raises(MissingError, match=r"^cannot read .*ids: there is no such file"):
        open_array(tmp_path / "ids", np.uint16)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is measured as Linux does")
def test_reading_a_long_array_takes_no_memory(tmp_path):
    """Reading a stored array from start to end leaves none of it in memory, unlike a mapped one."""
    path, size = tmp_path / "ids", 1 << 28
    with path.open("wb") as file:
        file.truncate(size)

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    stored, before = StoredArray(path, np.dtype(np.uint8), size), resident()
    for begin in range(0, size, 1 << 20):
        stored[begin : begin + (1 << 20)].sum()
    assert resident() - before < size // 4


@pytest.mark.parametrize("parts", [[], [np.array([], np.uint64)]])
def test_an_empty_array_is_cached(tmp_path, parts):
    """An array without numbers is kept like any other."""
    assert cached_array(tmp_path / "keys", np.uint64, lambda: parts).tolist() == []
    assert cached_array(tmp_path / "keys", np.uint64, lambda: [np.zeros(3)]).tolist() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:-1],
        lambda content: content[:-8],
        lambda content: content[8:],
        lambda content: content[:101],
        lambda content: content[:100],
        lambda content: content[-32:],
        lambda content: content + b"\0",
        lambda content: content + content,
        lambda content: bytes(len(content)),
        lambda content: content[:100] + b"\xff\xff" + content[102:],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: content[:-1] + bytes([content[-1] ^ 128]),
        lambda content: content[8:16] + content[:8] + content[16:],
    ],
    ids=[
        "empty",
        "one byte too short",
        "cut inside the hash",
        "without its first numbers",
        "cut inside a number",
        "cut after a number",
        "a hash alone",
        "one byte too long",
        "twice as long",
        "zeros",
        "another number",
        "a bit of a number",
        "a bit of the hash",
        "numbers in another order",
    ],
)
def test_a_damaged_file_is_replaced(tmp_path, made, damage):
    """A file that differs in any way from what was written is noticed, and the array is made again."""
    path = tmp_path / "ids"
    cached_array(path, np.uint16, made)
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert cached_array(path, np.uint16, made).tolist() == WHOLE
    assert made.calls == 2
    assert path.read_bytes() == good


def test_a_part_that_cannot_be_made_leaves_no_file(tmp_path, made):
    """The error is the maker's own."""

    def fail():
        yield PARTS[0]
        raise DataError("the text changed")

    with pytest.raises(DataError, match=r"^the text changed$"):
        cached_array(tmp_path / "ids", np.uint16, fail)
    assert not list(tmp_path.iterdir())
    assert cached_array(tmp_path / "ids", np.uint16, made).tolist() == WHOLE


def test_a_missing_cache_is_one_error(tmp_path, made):
    """If the directory of the cache is missing or a file, there is an error of one line that names it."""
    (tmp_path / "file").touch()
    for directory in (tmp_path / "gone", tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TextgenError, match=rf"^cannot write {re.escape(str(directory))}[^\n]*$"):
            cached_array(directory / "ids", np.uint16, made)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_cache_without_permission_is_one_error(tmp_path, made):
    """If the directory cannot be written to, the error advises to check the permissions."""
    tmp_path.chmod(0o500)
    with pytest.raises(AccessError, match="check the permissions"):
        cached_array(tmp_path / "ids", np.uint16, made)


def test_a_directory_in_place_of_the_array_is_one_error(tmp_path, made):
    """If a directory has the name of the array, the error names it, and the directory stays."""
    (tmp_path / "ids" / "something").mkdir(parents=True)
    with pytest.raises(TextgenError, match="ids"):
        cached_array(tmp_path / "ids", np.uint16, made)
    assert [path.name for path in (tmp_path / "ids").iterdir()] == ["something"]


@pytest.mark.parametrize("operation", ["replace", "fsync"])
def test_a_disk_that_fails_leaves_nothing(tmp_path, made, monkeypatch, operation):
    """If the disk is full, no array and no temporary file are left, and a later call succeeds."""

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"replace": (Path, "replace"), "fsync": (os, "fsync")}[operation], fail)
    with pytest.raises(InputOutputError, match="free some space"):
        cached_array(tmp_path / "ids", np.uint16, made)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert cached_array(tmp_path / "ids", np.uint16, made).tolist() == WHOLE
