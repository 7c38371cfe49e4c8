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
    """The table in the module's docstring: names and exit codes."""
    lines = re.findall(r"^ +(\w+Error) +(\d+) ", errors.__doc__ or "", re.MULTILINE)
    return {name: int(code) for name, code in lines}


def test_exit_codes_are_the_documented_ones():
    """The tree in the docstring has every error with its exit code, and none that is not there; finer ones end alike."""
    kinds = all_below(TextgenError)
    assert documented() == {kind.__name__: kind.exit_code for kind in kinds if kind.__module__ == errors.__name__}
    assert {kind.exit_code for kind in kinds} == set(documented().values())
    assert len(documented()) == 13


def test_exit_codes_tell_the_errors_apart():
    """No two kinds end the program alike, and none ends it as if all were well."""
    codes = list(documented().values())
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 for code in codes)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no sysexits.h")
def test_exit_codes_are_those_of_sysexits():
    """Where sysexits.h has a code for the case, it is this one."""
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
        (errno.ENOTDIR, MissingError, "check the path"),
        (errno.EACCES, AccessError, "check the permissions"),
        (errno.EPERM, AccessError, "check the permissions"),
        (errno.EROFS, AccessError, "choose another place"),
        (errno.ENOSPC, InputOutputError, "free some space"),
        (errno.EDQUOT, InputOutputError, "free some space"),
        (errno.EIO, InputOutputError, os.strerror(errno.EIO)),
        (errno.EISDIR, InputOutputError, os.strerror(errno.EISDIR)),
    ],
)
def test_what_the_system_says_is_translated(code, kind, advice):
    """Each refusal of the operating system has its kind, says what was tried, why it failed, and what helps."""
    found = from_os_error(OSError(code, os.strerror(code), "book.txt"), "cannot read book.txt")
    assert type(found) is kind
    assert str(found).startswith("cannot read book.txt: ")
    assert advice in str(found)


def test_every_errno_becomes_one_line():
    """Whatever the operating system says becomes one line with a reason."""
    for code in errno.errorcode:
        found = from_os_error(OSError(code, os.strerror(code)), "cannot write it")
        assert re.fullmatch(r"cannot write it: \S[^\n]*\S", str(found))
        assert isinstance(found, MissingError | AccessError | InputOutputError)


@pytest.mark.parametrize("error", [OSError("the network is down"), OSError(), TimeoutError()])
def test_an_error_without_a_number_has_a_reason_too(error):
    """Libraries raise OSErrors of their own; what they say, or at least what they are, is passed on."""
    found = from_os_error(error, "cannot read it")
    assert type(found) is InputOutputError
    assert str(found) == f"cannot read it: {str(error) or type(error).__name__}; try again, or choose another place"


def raised_texts(tree: ast.Module) -> list[str]:
    """The texts given to our errors, as far as they stand in the source."""
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
    """No message in the source has a line break in it."""
    found = [text for path in SOURCES for text in raised_texts(ast.parse(path.read_text(encoding="utf-8")))]
    assert any("the training text is too short" in text for text in found)
    assert [text for text in found if "\n" in text] == []


def test_a_setting_is_named_for_who_reads():
    """Python callers read the setting's name, the command line shows the flag; a copy of the error keeps both."""
    error = UsageError(f"{named('layers')} must be at least 1, got 0; set {named('minutes')} instead")
    for found in (error, copy.copy(error)):
        assert str(found) == "layers must be at least 1, got 0; set minutes instead"
        assert found.on_command_line == "--layers must be at least 1, got 0; set --minutes instead"
    assert str(TextgenError()) == TextgenError().on_command_line == ""


@pytest.mark.parametrize("job_id", ["", "1"])
def test_what_ends_a_command_names_flags(job_id, capsys, monkeypatch):
    """In a pipe and in a log of the cloud."""
    monkeypatch.setenv("CLOUD_ML_JOB_ID", job_id)
    report_failure("textgen-train", UsageError(f"{named('layers')} must be at least 1, got 0"))
    assert "--layers must be at least 1, got 0" in capsys.readouterr().err


def written_texts(tree: ast.Module) -> list[str]:
    """The texts in a module's code; neither docstrings nor help."""
    spared = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    helps = (node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "help")
    spared |= {id(part) for text in helps for part in ast.walk(text)}
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in spared)
    return [node.value for node in nodes if isinstance(node.value, str)]


def test_only_the_command_line_writes_flags():
    """Code below `cli` names a setting by `named`, or plainly; what only commands use is spared."""
    package = Path(textgen.__file__).parent
    commands = {"cli", "cloud", "flags.py", "api_endpoint.py", "vertex.py", "vertex_command.py"}
    library = [path for path in SOURCES if commands.isdisjoint(path.relative_to(package).parts)]
    assert len(library) > 80
    texts = [text for path in library for text in written_texts(ast.parse(path.read_text(encoding="utf-8")))]
    assert [text for text in texts if re.search(r"--[a-z]", text)] == []
