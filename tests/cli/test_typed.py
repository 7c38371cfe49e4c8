import os
import shlex
import subprocess
import sys

import pytest

from textgen.cli.typed import typed, typed_path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that writes a command into a folder below the current one; PATH contains none of these folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))

    def add(folder, name="textgen-sample"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        path = tmp_path / folder / name
        path.write_text(f"#!/bin/sh\necho {shlex.quote(str(folder))}\n")
        path.chmod(0o755)
        return path

    return add


def start(monkeypatch, program, *path):
    """Sets the name by which the running command was started, and puts folders first on PATH."""
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setenv("PATH", os.pathsep.join([*path, "/usr/bin:/bin"]))


@pytest.mark.parametrize("folder", [".venv/bin", "a folder/it's/bin", "."])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("other", [False, True])
def test_a_command_outside_of_path_is_typed_with_its_path(folder, absolute, other, install, tmp_path, monkeypatch):
    """If PATH has no command of the name, or another one, the line has the path, relative or absolute as the user typed it."""
    path = install(folder)
    program = str(tmp_path / folder / "textgen-train") if absolute else f"./{folder}/textgen-train"
    start(monkeypatch, program, *([str(install("other").parent)] if other else []))
    line = typed(path.name)
    assert line != path.name
    assert shlex.split(line)[0].startswith("/" if absolute else "./")
    done = subprocess.run(line, shell=True, check=True, capture_output=True, text=True)  # noqa: S602 - as a user types it
    assert done.stdout.strip() == folder


@pytest.mark.parametrize("program", ["{}/bin/textgen-train", "bin/textgen-train", "bin/../bin/textgen-train"])
def test_a_command_on_the_path_is_typed_by_its_name(program, install, tmp_path, monkeypatch):
    """A command on PATH is typed by its name, whether the running command was started by name or path."""
    path = install("bin")
    start(monkeypatch, program.format(tmp_path), str(path.parent))
    assert typed(path.name) == path.name


def test_a_link_to_the_command_counts(install, tmp_path, monkeypatch):
    """A link on PATH to the command counts as the command, because installers of applications make such links."""
    path = install("venv/bin")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / path.name).symlink_to(path)
    start(monkeypatch, "venv/bin/textgen-train", str(tmp_path / "links"))
    assert typed(path.name) == path.name


def test_a_module_uses_the_commands_of_its_python(install, tmp_path, monkeypatch):
    """With `python -m textgen`, the commands are next to the interpreter, not next to the started file."""
    path = install("venv/bin")
    monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
    start(monkeypatch, str(tmp_path / "src" / "textgen" / "__main__.py"))
    assert typed(path.name) == str(path)


@pytest.mark.parametrize("program", ["", "-c", "textgen-train", "/nowhere/textgen-train"])
def test_a_command_that_is_not_found_is_typed_by_its_name(program, install, monkeypatch):
    """If the command is not next to the running one, the line has only its name."""
    install("elsewhere")
    start(monkeypatch, program)
    assert typed("textgen-sample") == "textgen-sample"


@pytest.mark.parametrize("path", ["job/story", "-job", "--help", "my job", "~/job", "it's"])
def test_a_path_is_typed_as_an_argument(path, tmp_path, monkeypatch):
    """The shell gives a command this path and nothing else, and the command does not take it for a flag."""
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(f"printf %s {typed_path(path)}", shell=True, check=True, capture_output=True, text=True)  # noqa: S602 - as typed
    assert os.path.normpath(done.stdout) == path
    assert not done.stdout.startswith("-")
