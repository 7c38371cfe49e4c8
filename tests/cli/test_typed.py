import os
import shlex
import subprocess
import sys

import pytest

from textgen.cli.typed import typed


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a command of ours into a folder; the shell finds none of them, and the folder above is ours."""
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
    """Makes it look as if the running command had been started as this, with these folders on PATH first."""
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setenv("PATH", os.pathsep.join([*path, "/usr/bin:/bin"]))


@pytest.mark.parametrize("folder", [".venv/bin", "a folder/it's/bin", "."])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("other", [False, True])
def test_a_command_off_the_path_is_typed_with_its_path(folder, absolute, other, install, tmp_path, monkeypatch):
    """Where the shell finds no command of the name, or another one, the path runs ours; relative as the user typed."""
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
    """In an active environment the name is enough, however the running command was started."""
    path = install("bin")
    start(monkeypatch, program.format(tmp_path), str(path.parent))
    assert typed(path.name) == path.name


def test_a_link_to_the_command_counts(install, tmp_path, monkeypatch):
    """A tool that links commands into a folder on PATH, as installers of applications do, makes them found."""
    path = install("venv/bin")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / path.name).symlink_to(path)
    start(monkeypatch, "venv/bin/textgen-train", str(tmp_path / "links"))
    assert typed(path.name) == path.name


def test_a_module_finds_the_commands_of_its_python(install, tmp_path, monkeypatch):
    """`python -m textgen` is started by a file of the package; the commands are next to the interpreter."""
    path = install("venv/bin")
    monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
    start(monkeypatch, str(tmp_path / "src" / "textgen" / "__main__.py"))
    assert typed(path.name) == str(path)


@pytest.mark.parametrize("program", ["", "-c", "textgen-train", "/nowhere/textgen-train"])
def test_without_a_neighbour_the_name_has_to_do(program, install, monkeypatch):
    """Where nothing is known, no path is made up."""
    install("elsewhere")
    start(monkeypatch, program)
    assert typed("textgen-sample") == "textgen-sample"
