import json
import os
import subprocess
import sys
import textwrap
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.console import Console, report_failure
from textgen.errors import FormatError, named

TEXTS = [
    "[UNK]",
    "[red]",
    "[/]",
    "[bold]not bold[/bold]",
    "[link=https://example.org]a[/link]",
    ":smile: and :warning:",
    "a line " * 40,
    "  indented, with trailing spaces   ",
    "back\\slash [\\]",
    "Zażółć 漢字 👩\u200d👧 e\u0301",
    "2026-01-01 'quoted' 123 {'a': 1} None True /a/path",
    "two\nlines",
    "",
]
ESCAPE = "\x1b"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """Hides the terminal settings of the machine that runs the tests."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def run(body: str, **options) -> "subprocess.CompletedProcess[str]":
    """Runs a program that can use the console, in another process."""
    script = f"from textgen.console import Console, report_failure\nfrom textgen.errors import FormatError, PreemptedError\n{textwrap.dedent(body)}"
    return subprocess.run(
        [sys.executable, "-c", script], check=False, text=True, encoding="utf-8", capture_output=True, **options
    )


def run_on_terminal(body: str) -> str:
    """Runs a program with a console on a terminal; returns what the terminal shows."""
    master, slave = os.openpty()
    script = f"from textgen.console import Console\nconsole = Console()\n{textwrap.dedent(body)}"
    with subprocess.Popen([sys.executable, "-c", script], stderr=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while block := os.read(master, 4096):
                shown += block
        except OSError:  # raised by Linux once the other side is closed
            pass
        assert process.wait() == 0, shown.decode()
    os.close(master)
    return shown.decode().replace("\r\n", "\n")


on_terminal = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("style", [None, "bold"])
def test_texts_are_written_unchanged(capfd, text, style):
    """In a pipe a text is written unchanged: rich adds no markup, emoji, line breaks or colours."""
    Console().say(text, style, kept="\n")
    captured = capfd.readouterr()
    assert captured.err == f"{text}\n"
    assert captured.out == ""


def test_a_line_stays_one_line(capfd):
    """A line break, a tab or an escape sequence in a line, as a path can contain it, is written as an escape."""
    Console().say("a\n\tb\x1b[31m")
    Console().warn("c\nd")
    assert capfd.readouterr().err == "a\\n\\tb\\x1b[31m\nwarning: c\\nd\n"


def test_a_warning_begins_with_the_word(capfd):
    """A warning is a line that begins with `warning:`."""
    Console().warn("passing over [UNK]")
    assert capfd.readouterr().err == "warning: passing over [UNK]\n"


def test_standard_output_stays_clean():
    """The console writes only to standard error, and plain lines without a spinner if that is not a terminal."""
    result = run("""
        console = Console()
        assert not console.is_terminal
        console.say("[UNK]", style="bold")
        console.warn("careful")
        with console.busy("working"):
            console.say("in between")
        report_failure("textgen", FormatError("failed"))
    """)
    assert result.stdout == ""
    assert result.stderr == "[UNK]\nwarning: careful\nin between\ntextgen: error: failed\n"


@on_terminal
def test_a_terminal_has_colours():
    """On a terminal a warning is coloured, and its text is unchanged."""
    shown = run_on_terminal("console.warn('passing over [UNK] :smile: [red]')")
    assert f"{ESCAPE}[33mwarning: passing over [UNK] :smile: [red]{ESCAPE}[0m" in shown


@on_terminal
def test_no_color_is_respected(monkeypatch):
    """With NO_COLOR set, a terminal gets no colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    shown = run_on_terminal("console.warn('passing over [UNK]'); assert console.is_terminal")
    assert shown == "warning: passing over [UNK]\n"


@on_terminal
def test_live_lines_show_texts_unchanged():
    """A spinner and a progress bar do not treat brackets in their texts as markup."""
    shown = run_on_terminal("""
        with console.busy("reading [red].txt"):
            console.say("in between")
        with console.progress() as progress:
            progress.add_task("learning [UNK]", total=1.0)
            progress.refresh()
            console.say("and [again]")
    """)
    for text in ("reading [red].txt", "in between", "learning [UNK]", "and [again]"):
        assert text in shown


def test_silence_hides_what_libraries_write(capfd):
    """Inside `silenced`, output to descriptor 2 is hidden, except the console's own lines; before and after, it is shown."""
    console = Console()
    os.write(2, b"before\n")
    with console.silenced():
        os.write(2, b"noise\n")
        sys.stderr.flush()
        console.say("[we] speak")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\n[we] speak\nafter\n"


@pytest.mark.parametrize(
    "noise", [b"the reason\n", b"the reason without a line end", b"\xff no text \xfe\n", b"x" * 10**6]
)
@pytest.mark.parametrize("failure", [RuntimeError("failed"), SystemExit(1)])
def test_silence_ends_when_the_body_fails(capfd, noise, failure):
    """If the body of `silenced` raises, the hidden output is shown once, and the exception propagates."""
    console = Console()

    def fail():
        with console.silenced():
            os.write(2, noise)
            raise failure

    with pytest.raises(type(failure)) as raised:
        fail()
    assert raised.value is failure
    assert capfd.readouterr().err == noise.decode(errors="replace")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


@pytest.mark.parametrize("failure", [FormatError("damaged"), KeyboardInterrupt()])
def test_an_expected_failure_shows_no_hidden_output(capfd, failure):
    """If the body of `silenced` raises one of our own errors, or is interrupted, the hidden output is not shown."""
    console = Console()

    def fail():
        with console.silenced():
            os.write(2, b"noise\n")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_silence_hides_child_processes_too():
    """Output of child processes inside `silenced` is hidden too, and afterwards no descriptor is left open."""
    result = run("""
        import os, subprocess, sys
        console = Console()
        console.say("beginning")
        before = os.dup(2)
        os.close(before)
        for _ in range(3):
            with console.silenced():
                subprocess.run([sys.executable, "-c", "import os; os.write(2, b'noise')"], check=True)
                print("python's own", file=sys.stderr, end="")
        after = os.dup(2)
        assert before == after  # the lowest free descriptor: none is left open
        print("heard", file=sys.stderr)
    """)
    assert result.stderr == "beginning\nheard\n"
    assert result.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no /bin/sh")
def test_a_closed_standard_error_is_no_failure():
    """If standard error is closed, the console writes nothing, in particular not to standard output."""
    script = """if True:
        from textgen.console import Console, report_failure
        from textgen.errors import FormatError
        console = Console()
        console.say("x")
        console.warn("y")
        with console.busy("z"), console.silenced():
            print("result")
        report_failure("textgen", FormatError("failed"))
    """
    result = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, script], check=False, text=True, capture_output=True
    )
    assert (result.returncode, result.stdout) == (0, "result\n")


def test_a_silent_console_writes_nothing(capfd, monkeypatch):
    """A silent console writes nothing, on a terminal and in a cloud job too."""
    for name, value in (("FORCE_COLOR", ""), ("FORCE_COLOR", "1"), ("CLOUD_ML_JOB_ID", "7")):
        monkeypatch.setenv(name, value)
        console = Console()
        console.is_silent = True
        console.say("a line")
        console.warn("a warning")
        console.quote("a text")
        with console.busy("working"), console.silenced():
            os.write(2, b"noise")
        with console.progress() as live:
            live.add_task("training")
        assert not console.is_terminal
    assert capfd.readouterr() == ("", "")


def test_settings_are_named_for_the_reader(capfd):
    """Lines name flags on the command line, and settings for Python callers."""
    console = Console()
    console.say(f"raise {named('layers')}")
    console.dashes = ""
    console.warn(f"raise {named('layers')}")
    assert capfd.readouterr().err == "raise --layers\nwarning: raise layers\n"


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_shows_lines_in_the_cell(capfd, monkeypatch, widgets):
    """In a notebook, lines go to the cell; a line is replaced only if the notebook has widgets."""
    shown: list[Any] = []
    notebook = types.ModuleType("IPython.display")
    notebook.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("textgen.console.find_spec", lambda name: name if widgets else None)
    console = Console()
    console.say("a line")
    [cell] = shown
    assert cell.text == "a line\n"
    assert console.is_terminal == widgets
    assert capfd.readouterr() == ("", "")


def test_a_failure_is_one_line(capsys):
    """A failure is one line that begins with the program, even if its message contains line breaks and tabs."""
    report_failure("textgen-train", FormatError("cannot read a\nb.txt:\tno [such] file\n"))
    assert capsys.readouterr().err == "textgen-train: error: cannot read a b.txt: no [such] file\n"


@given(message=st.text(st.characters(), max_size=30))
def test_any_failure_can_be_reported(message):
    """Any message can be reported, even with characters that the encoding of standard error lacks, or lone surrogates."""
    report_failure("textgen", FormatError(message))


CLOUD = [{"CLOUD_ML_JOB_ID": "7"}, {"CLUSTER_SPEC": "{}"}]
"""By either of these variables a job of Vertex AI is known."""


@pytest.mark.parametrize("environment", CLOUD)
def test_a_cloud_job_writes_log_entries(environment):
    """In a cloud job, each line is a JSON object with severity, message, time and fields, and there is no other output."""
    result = run(
        """
        console = Console()
        console.say("[UNK]", style="bold", fields={"step": 7, "loss": 1.5})
        console.warn("careful")
        with console.busy("working"):
            pass
        report_failure("textgen-train", FormatError("of a\\nconfig"))
        report_failure("textgen-train", PreemptedError("stopped"))
        """,
        env={**os.environ, **environment},
    )
    entries = [json.loads(line) for line in result.stderr.splitlines()]
    assert [entry.pop("time")[:2] for entry in entries] == ["20", "20", "20", "20"]
    assert entries == [
        {"severity": "INFO", "message": "[UNK]", "step": 7, "loss": 1.5},
        {"severity": "WARNING", "message": "careful"},
        {
            "severity": "ERROR",
            "message": "textgen-train: FormatError: of a config",
            "error": "FormatError",
            "exit_code": 78,
        },
        {"severity": "NOTICE", "message": "textgen-train: stopped", "error": "PreemptedError", "exit_code": 134},
    ]


def test_a_crash_in_a_cloud_job_is_one_log_entry():
    """In a cloud job, a traceback is one log entry; elsewhere, Python prints it as usual."""
    script = "from textgen.console import report_crashes; report_crashes('textgen-train'); 1 / 0"
    for environment in ({}, *CLOUD):
        command = [sys.executable, "-c", script]
        result = subprocess.run(command, check=False, text=True, capture_output=True, env={**os.environ, **environment})
        assert result.returncode == 1
        assert "ZeroDivisionError" in result.stderr
        if environment:
            assert json.loads(result.stderr)["severity"] == "CRITICAL"
        else:
            assert result.stderr.startswith("Traceback")
