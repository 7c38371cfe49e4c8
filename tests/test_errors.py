import ast
import copy
import errno
import os
import re
from pathlib import Path

import pytest

import textgen
from textgen import errors
from textgen.console import report_failure
from textgen.errors import (
    AccessError,
    InputOutputError,
    MissingError,
    TextgenError,
    UsageError,
    from_os_error,
    named,
)

SOURCES = sorted(Path(textgen.__file__).parent.rglob("*.py"))


def all_below(kind: type[TextgenError]) -> list[type[TextgenError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in all_below(below))]


def documented() -> dict[str, int]:
    """Returns the names and exit codes from the module's docstring."""
    lines = re.findall(r"^ +(\w+Error) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    return {name: int(code) for name, code in lines}


def test_exit_codes_are_the_documented_ones():
    """The tree in the docstring lists every error of the module with its exit code; subclasses elsewhere share these codes."""
    kinds = all_below(TextgenError)
    assert documented() == {kind.__name__: kind.exit_code for kind in kinds if kind.__module__ == errors.__name__}
    assert {kind.exit_code for kind in kinds} == set(documented().values())
    assert len(documented()) == 13


def test_exit_codes_differ():
    """Every error has its own exit code, and none has 0."""
    codes = list(documented().values())
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 for code in codes)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sysexits.h")
def test_exit_codes_are_those_of_sysexits():
    """An error that has a code in sysexits.h uses that code."""
    system = {
        "DataError": os.EX_DATAERR,
        "MissingError": os.EX_NOINPUT,
        "UnavailableError": os.EX_UNAVAILABLE,
        "DivergedError": os.EX_SOFTWARE,
        "LockedError": os.EX_CANTCREAT,
        "InputOutputError": os.EX_IOERR,
        "StoppedError": os.EX_TEMPFAIL,
        "AccessError": os.EX_NOPERM,
        "FormatError": os.EX_CONFIG,
    }
    assert {name: code for name, code in documented().items() if name in system} == system


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (errno.ENOENT, MissingError, "check the path"),
        (errno.ENOTDIR, MissingError, "a part of the path is a file, not a folder; check the path"),
        (errno.EACCES, AccessError, "check the permissions"),
        (errno.EPERM, AccessError, "check the permissions"),
        (errno.EROFS, AccessError, "choose another place"),
        (errno.ENOSPC, InputOutputError, "free some space"),
        (errno.EDQUOT, InputOutputError, "free some space"),
        (errno.EIO, InputOutputError, os.strerror(errno.EIO)),
        (errno.EISDIR, InputOutputError, os.strerror(errno.EISDIR)),
    ],
)
def test_errors_of_the_system_are_translated(code, kind, advice):
    """An OSError becomes an error of the right class, whose message has the action, the reason and some advice."""
    found = from_os_error(OSError(code, os.strerror(code), "book.txt"), "cannot read book.txt")
    assert type(found) is kind
    assert str(found).startswith("cannot read book.txt: ")
    assert advice in str(found)


def test_every_errno_becomes_one_line():
    """Every errno becomes an error with a message of one line."""
    for code in errno.errorcode:
        found = from_os_error(OSError(code, os.strerror(code)), "cannot write it")
        assert re.fullmatch(r"cannot write it: \S[^\n]*\S", str(found))
        assert isinstance(found, MissingError | AccessError | InputOutputError)


@pytest.mark.parametrize("error", [OSError("the network is down"), OSError(), TimeoutError()])
def test_an_error_without_errno_has_a_reason_too(error):
    """The message for an OSError without errno contains its text, or its class if it has no text."""
    found = from_os_error(error, "cannot read it")
    assert type(found) is InputOutputError
    assert str(found) == f"cannot read it: {str(error) or type(error).__name__}; try again, or choose another place"


def raised_texts(tree: ast.Module) -> list[str]:
    """Returns the string constants in the arguments of our errors."""
    kinds = {kind.__name__ for kind in all_below(TextgenError)}
    texts = []
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in kinds:
                constants = (
                    part.value
                    for argument in call.args
                    for part in ast.walk(argument)
                    if isinstance(part, ast.Constant)
                )
                texts += [text for text in constants if isinstance(text, str)]
    return texts


def test_every_message_is_one_line():
    """No error message in the source contains a line break."""
    found = [text for path in SOURCES for text in raised_texts(ast.parse(path.read_text(encoding="utf-8")))]
    assert any("the training text is too short" in text for text in found)
    assert [text for text in found if "\n" in text] == []


def test_a_setting_is_named_for_its_reader():
    """A message has the setting's name in Python and its flag on the command line; a copy of the error keeps both."""
    error = UsageError(f"{named('layers')} must be at least 1, got 0; set {named('minutes')} instead")
    for found in (error, copy.copy(error)):
        assert str(found) == "layers must be at least 1, got 0; set minutes instead"
        assert found.on_command_line == "--layers must be at least 1, got 0; set --minutes instead"
        assert found.settings == ("layers", "minutes")
    assert UsageError(f"use {named('oov')} skip or {named('oov')} unk").settings == ("oov",)
    assert str(TextgenError()) == TextgenError().on_command_line == ""


@pytest.mark.parametrize("job_id", ["", "1"])
def test_a_reported_failure_names_flags(job_id, capsys, monkeypatch):
    """A failure that ends a command names flags, in a pipe and in the log of a cloud job."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", job_id)
    report_failure("textgen-train", UsageError(f"{named('layers')} must be at least 1, got 0"))
    assert "--layers must be at least 1, got 0" in capsys.readouterr().err


def written_texts(tree: ast.Module) -> list[str]:
    """Returns the string constants in a module, except docstrings and help texts."""
    excluded = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    helps = (node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "help")
    excluded |= {id(part) for text in helps for part in ast.walk(text)}
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in excluded)
    return [node.value for node in nodes if isinstance(node.value, str)]


def test_only_commands_write_flags():
    """Code that Python callers can reach has no flag in its strings: it names a setting with `named`, or plainly."""
    package = Path(textgen.__file__).parent
    commands = {
        "cli",
        "cloud",
        "flags.py",
        "cloud_names.py",
        "vertex.py",
        "cloud_run.py",
        "access.py",
        "report_page",
    }  # cloud_run.py and report_page write command lines, and access.py tells clients which flag their server needs
    library = [path for path in SOURCES if commands.isdisjoint(path.relative_to(package).parts)]
    assert len(library) > 80
    texts = [text for path in library for text in written_texts(ast.parse(path.read_text(encoding="utf-8")))]
    of_gcloud = {" --project "}
    assert [text for text in texts if re.search(r"--[a-z]", text) and text not in of_gcloud] == []
