import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.commands import installed
from textgen import errors
from textgen.cli import compare, curve, export, inspect, jobs, main, sample, serve, train
from textgen.cli.entry import run_command
from textgen.version import __version__

ROOT = Path(__file__).resolve().parents[2]
FAILURES = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.TextgenError)]

STOPS = (errors.StoppedError, errors.CancelledError)


def scripts():
    """Returns the entry points of pyproject.toml: the names of the commands and the functions that they call."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def start(target, *arguments, before=""):
    """Runs the lines `before` and then an entry point, in another process."""
    module, function = target.split(":")
    program = f"import sys\n{before}\nfrom {module} import {function}\nsys.exit({function}())"
    return subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True)


def output_of(command, arguments, capsys):
    """Returns the exit code of a command and its output on both streams."""
    code = command(arguments)
    return code, *capsys.readouterr()


@pytest.mark.parametrize(("name", "command"), [("train", train.main), ("sample", sample.main)])
def test_the_commands_are_the_same_programs(name, command, capsys):
    """`textgen train` and `textgen sample` do and print the same as `textgen-train` and `textgen-sample`."""
    for arguments in (["--help"], ["--version"], ["--nonsense"], ["missing", "--seed=-1"]):
        assert output_of(main.main, [name, *arguments], capsys) == output_of(command, arguments, capsys)


def test_without_a_command_the_help_page_is_shown(capsys):
    """`textgen` without arguments prints its help page, which lists the commands."""
    alone = output_of(main.main, [], capsys)
    assert alone == output_of(main.main, ["--help"], capsys)
    code, out, err = alone
    assert (code, err) == (0, "")
    assert all(re.search(rf"^  {name} .*textgen-{name}", out, re.MULTILINE) for name in ("train", "sample"))
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in main.COMMANDS.known)


def test_export_is_a_command_of_textgen_alone(capsys):
    """`textgen export` runs `export.main`, whose messages begin with `textgen export`."""
    code, out, err = output_of(main.main, ["export", "job", "--format=onix"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("textgen export: error: --format must be one of")
    assert output_of(main.main, ["export", "--help"], capsys) == output_of(export.main, ["--help"], capsys)


@pytest.mark.parametrize(
    "command",
    [
        *(main.main, train.main, sample.main, serve.main, export.main),
        *(jobs.main, compare.main, curve.main, inspect.main),
    ],
)
def test_each_command_prints_its_version(command, capsys):
    """--version prints one line with the version."""
    assert output_of(command, ["--version"], capsys) == (0, f"textgen {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "there is no command 'trian'; did you mean train?"),
        (["smaple", "--help"], "did you mean sample?"),
        (["bake"], "there is no command 'bake'; see textgen --help"),
        ([""], "there is no command ''"),
        (["a\nb"], r"there is no command 'a\nb'"),
        (["--layers", "2"], "unknown argument --layers"),
        (["--versoin"], "did you mean --version?"),
        (["-x"], "unknown argument -x"),
    ],
)
def test_an_unknown_command_is_refused_with_the_nearest(arguments, message, capsys):
    """An unknown command ends with 2 and one line, which suggests a command with a similar name."""
    code, out, err = output_of(main.main, arguments, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("textgen: error: ")
    assert message in err


def test_the_declared_scripts_are_these_commands():
    """Each entry point in pyproject.toml starts the command of its name."""
    assert scripts() == {
        "textgen": "textgen.cli.start:textgen",
        "textgen-train": "textgen.cli.start:textgen_train",
        "textgen-sample": "textgen.cli.start:textgen_sample",
    }
    for name, target in scripts().items():
        done = start(target, "--help")
        assert done.stdout.startswith(f"usage: {name} ")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["textgen.cli.entry", "argparse", "textgen.cli.train"])
@pytest.mark.parametrize("name", ["textgen", "textgen-train"])
def test_ctrl_c_during_the_imports_is_quiet(name, module):
    """Ctrl-C during the imports ends a command with 130 and without a traceback."""
    interrupt = f"""
import os, signal
class Interrupt:
    def find_spec(name, path, target):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt)
"""
    done = start(scripts()[name], *(["train"] if name == "textgen" else []), "absent.txt", before=interrupt)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_exit_code_and_one_line(failure, capsys):
    """Each of our errors ends the program with its exit code and one line, even if its message has several."""

    def fail(_):
        raise failure("one\n  line")

    assert output_of(lambda _: run_command("it", fail, []), [], capsys) == (
        failure.exit_code,
        "",
        "it: one line\n" if issubclass(failure, STOPS) else "it: error: one line\n",
    )


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "it: stopped by Ctrl-C"),
        (
            OSError(28, "No space left on device"),
            74,
            "it: error: input or output failed: No space left on device; free some space",
        ),
        (PermissionError(13, "Permission denied", "x.txt"), 77, "it: error: cannot use x.txt: Permission denied"),
    ],
)
def test_unexpected_failures_of_the_system_are_one_line(error, code, line, capsys):
    """Ctrl-C, and an OSError that no other code has translated, end with one line and no traceback."""

    def fail(_):
        raise error

    found, out, err = output_of(lambda _: run_command("it", fail, []), [], capsys)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(line)


def test_our_own_mistakes_keep_their_traceback():
    """A bug in the program is raised unchanged."""

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command("it", fail, [])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_no_fault(closed):
    """A command works even if its caller has closed a standard stream."""
    run = subprocess.run(
        ["/bin/sh", "-c", f'"$0" "$1" train --help {closed}', *installed("textgen")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert bool(run.stdout) == (">&-" not in closed.replace("2>&-", ""))
