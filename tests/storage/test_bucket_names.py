import ntpath
import posixpath
from pathlib import PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textgen import errors
from textgen.storage import can_be_local, check_local_name
from textgen.storage.bucket_names import find_collision

DEVICES = ["CON", "nul", "aux", "prn", "COM1", "lpt9", "com¹", "CONIN$", "conout$"]

PARTS = st.sampled_from(
    ["..", ".", "", "a", "a.", "a ", " a", "C:", "a:b", "\\", "..\\x", "\\\\host", "a\0b", *DEVICES]
)
"""What names that lead elsewhere are made of."""

NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.one_of(PARTS, st.text("aZ.: \\~$1é\x01"))).map("/".join),
    st.builds("{}{}".format, st.sampled_from(DEVICES), st.sampled_from(["", ".txt", " .txt", ":x", "x", "."])),
)

ESCAPES = [
    *("../x", "a/../../b", "..", ".", "", "/x", "//host/share/x", "a//b", "a/", "a/./b"),
    *("..\\x", "a\\..\\..\\x", "\\x", "\\\\host\\share\\x", "a\0b", "a\nb", "\x1b[2J", "a\x9bb"),
]
WINDOWS_ESCAPES = ["C:/x", "C:x", "a:b", "a/b:c", "a.", "a./b", "a ", "a /b", "...", *DEVICES, "nul.txt", "a/con .x/b"]
PLAIN = [
    "x",
    "a/b/c.txt",
    ".fetched.json",
    "checkpoints/step-00000001.json",
    "é ☃/two words",
    "console",
    "common",
    "a..b",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_what_leads_elsewhere_is_no_local_file(name):
    """Neither on Windows nor on any other system."""
    assert not can_be_local(name, is_windows=True)
    assert not can_be_local(name, is_windows=False)


@pytest.mark.parametrize("name", WINDOWS_ESCAPES)
def test_what_windows_takes_for_something_else_is_none_there(name):
    """Drives, streams, devices, and ends that Windows drops; elsewhere such a text can be learned from."""
    assert not can_be_local(name, is_windows=True)
    assert can_be_local(name, is_windows=False)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_name_is_a_local_file(name):
    """Whatever the language, everywhere."""
    assert can_be_local(name, is_windows=True)
    assert can_be_local(name, is_windows=False)


@given(NAMES)
@example("C:/x")
@example("a/../../b")
def test_a_name_that_is_taken_stays_below_the_folder_on_windows(name):
    """Windows reads it as the very parts that it has, none of them a drive, a device or a way up."""
    if can_be_local(name, is_windows=True):
        path = PureWindowsPath("C:\\target") / name
        assert path.parts == ("C:\\", "target", *name.split("/"))
        assert ntpath.normpath(str(path)) == str(path)
        assert PureWindowsPath(name).parts == tuple(name.split("/"))
        is_reserved = getattr(ntpath, "isreserved", None) or (lambda part: PureWindowsPath(part).is_reserved())
        assert not any(map(is_reserved, name.split("/")))
        assert not any(part.rstrip(". ") != part for part in path.parts)


@given(NAMES)
def test_a_name_that_is_taken_stays_below_the_folder_elsewhere(name):
    """It is the path that it seems to be; and Windows takes no name that others refuse."""
    if can_be_local(name, is_windows=False):
        assert posixpath.normpath(f"/target/{name}") == f"/target/{name}"
    else:
        assert not can_be_local(name, is_windows=True)


@pytest.mark.parametrize("names", [["a/B", "a/b"], ["Straße", "STRASSE"], ["e\u0301", "é"], ["x", "A", "b", "a"]])
def test_names_that_collide_are_found(names):
    """Names that differ in case alone, or in how an accent is encoded, are one file on Windows or macOS."""
    assert find_collision(names, folds_case=True) is not None
    assert find_collision(names, folds_case=False) is None


def test_other_names_do_not_collide():
    """Each of them is a file of its own."""
    assert find_collision(["a", "b", "a/b", "é", "e"], folds_case=True) is None


def test_a_refusal_names_the_whole_place():
    """In one line that cannot steer a terminal."""
    with pytest.raises(
        errors.UsageError, match=r"^'gs://bucket/a/\\x1b\[2J' ends in a name that no file here can have"
    ):
        check_local_name("\x1b[2J", "gs://bucket/a/\x1b[2J")
