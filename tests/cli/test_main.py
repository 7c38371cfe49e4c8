import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from textgen import errors
from textgen.cli import export, inspect, jobs, main, sample, train
from textgen.cli.entry import run_command
from textgen.version import __version__

ROOT = Path(__file__).resolve().parents[2]
FAILURES = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.TextgenError)]

STOPS = (errors.StoppedError, errors.CancelledError)


def scripts():
    """The installed commands: names and the functions they call."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def start(target, *arguments, before=""):
    """Runs some lines, and then what an installed command runs, in another process."""
    module, function = target.split(":")
    program = f"import sys\n{before}\nfrom {module} import {function}\nsys.exit({function}())"
    return subprocess.run([sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True)


def output_of(command, arguments, capsys):
    """The exit code of a command and what it wrote."""
    code = command(arguments)
    return code, *capsys.readouterr()


@pytest.mark.parametrize(("name", "command"), [("train", train.main), ("sample", sample.main)])
def test_the_commands_are_the_same_programs(name, command, capsys):
    """`textgen train` and `textgen sample` say and do what `textgen-train` and `textgen-sample` say and do."""
    for arguments in (["--help"], ["--version"], ["--nonsense"], ["missing", "--seed=-1"]):
        assert output_of(main.main, [name, *arguments], capsys) == output_of(command, arguments, capsys)


def test_without_a_command_the_help_page_is_shown(capsys):
    """`textgen` alone prints what `textgen --help` prints, which lists the commands."""
    alone = output_of(main.main, [], capsys)
    assert alone == output_of(main.main, ["--help"], capsys)
    code, out, err = alone
    assert (code, err) == (0, "")
    assert all(re.search(rf"^  {name} .*textgen-{name}", out, re.MULTILINE) for name in ("train", "sample"))
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in main.COMMANDS.known)


def test_export_is_a_command_of_textgen_alone(capsys):
    """`textgen export` hands its arguments on, and calls itself so in its messages."""
    code, out, err = output_of(main.main, ["export", "job", "--format=onix"], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("textgen export: error: --format must be one of")
    assert output_of(main.main, ["export", "--help"], capsys) == output_of(export.main, ["--help"], capsys)


@pytest.mark.parametrize("command", [main.main, train.main, sample.main, export.main, jobs.main, inspect.main])
def test_each_command_tells_its_version(command, capsys):
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
    """What is no command ends with 2 and one line, which names the command that was likely meant."""
    code, out, err = output_of(main.main, arguments, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("textgen: error: ")
    assert message in err


def test_the_declared_scripts_are_these_commands():
    """Each script of pyproject.toml leads to the function that starts the command of its name."""
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
    """A command ends with 130, and without a traceback, however early it is interrupted."""
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
    """An expected failure ends the program with the code of its class and one line, even if its message has several."""

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
def test_what_nobody_expected_of_the_system_is_one_line_too(error, code, line, capsys):
    """Ctrl-C and a failure of the operating system that no other place has translated give no traceback either."""

    def fail(_):
        raise error

    found, out, err = output_of(lambda _: run_command("it", fail, []), [], capsys)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(line)


def test_our_own_mistakes_keep_their_traceback():
    """A fault of the program is not taken for one of the user's."""

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command("it", fail, [])


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_no_fault(closed):
    """A command whose caller has closed a standard stream does its work all the same."""
    script = Path(sysconfig.get_path("scripts")) / "textgen"
    run = subprocess.run(
        ["/bin/sh", "-c", f'"$0" "$1" train --help {closed}', sys.executable, str(script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert bool(run.stdout) == (">&-" not in closed.replace("2>&-", ""))
