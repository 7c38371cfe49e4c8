import io
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textgen.cli import interactive
from textgen.cli.sample import main
from textgen.config import SamplingConfig
from textgen.config import settings as settings_of
from textgen.generation import load

SCRIPT = Path(sysconfig.get_path("scripts")) / "textgen-sample"
OPTIONS = ("--interactive", "--seed=1", "--length=20")
PATIENCE = 60  # seconds

# Takes the terminal as its own, as a shell does with what it starts, so that Ctrl-C reaches it; then becomes the command.
TERMINAL_OWNER = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def job(trained):
    return str(trained.job)


@pytest.fixture
def writes(job):
    """A function that says what the model writes after a text, with a seed."""
    generator = load(job)
    return lambda text, seed, length=20, **how: "".join(generator.generate(text, seed=seed, length=length, **how))


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def session(job, capsys, monkeypatch):
    """A function that runs a session of some lines, over pipes but in this process; it returns what came on both streams."""

    def run(*lines, options=()):
        content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
        assert main([job, *OPTIONS, *options]) == 0
        return capsys.readouterr()

    return run


class Terminal:
    """A session on a terminal of its own."""

    def __init__(self, job, *options, **environment):
        ours, theirs = os.openpty()
        self._file = ours
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", TERMINAL_OWNER, sys.executable, str(SCRIPT), job, *OPTIONS, *options],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb", "INPUTRC": os.devnull, **environment},
        )
        os.close(theirs)

    def type(self, text):
        os.write(self._file, text.encode())

    def expect(self, pattern, again=""):
        """Waits until a pattern is on the screen, and forgets what stands up to its end.

        While nothing comes, something can be typed again and again: readline sees Ctrl-C late that comes while it looks
        at a key.
        """
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < until, self.seen
            if select.select([self._file], [], [], 1)[0]:
                self.seen += self._read()
            else:
                self.type(again)
        self.seen = self.seen[found.end() :]

    def end(self):
        """Waits for the end; returns the exit code and what still came."""
        while select.select([self._file], [], [], PATIENCE)[0] and (text := self._read()):
            self.seen += text
        return self.process.wait(PATIENCE), self.seen

    def close(self):
        os.close(self._file)
        self.process.kill()
        self.process.wait(PATIENCE)

    def _read(self):
        try:
            return os.read(self._file, 1 << 16).decode().replace("\r\n", "\n")
        except OSError:  # Linux' way to say that nobody writes any more
            return ""


@pytest.fixture
def terminal(job):
    """A function that starts a session on a terminal."""
    started = []

    def start(*options, **environment):
        started.append(Terminal(job, *options, **environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_lines_are_added_and_empty_lines_continue(session, writes):
    """A line is added as it is, then the text goes on from all that stands there; each passage has its own seed."""
    first = "The sea" + writes("The sea", 1)
    second = writes(first, 2)
    third = " and he" + writes(first + second + " and he", 3)
    assert session("The sea", "", " and he") == (f"{first}\n{second}\n{third}\n", "")


@pytest.mark.parametrize("before", [[], ["The sea", "/edit"]], ids=["line", "edit"])
def test_a_line_in_another_spelling_is_read_in_that_of_the_text(session, before):
    """What is read otherwise is said in one line on standard error; the text keeps what was typed."""
    typed = "It’s — so"  # noqa: RUF001 - as in print
    out, err = session(*before, typed, ".", "/show")
    remarks = [line for line in err.splitlines() if line.startswith("The prompt is read")]
    assert remarks == ["The prompt is read with ' for ’ and -- for —, as in the training text."]  # noqa: RUF001
    assert "error" not in err
    assert typed in out


def test_it_works_as_a_process_over_pipes(job, writes):
    """Text comes on standard output, nothing else; remarks and errors on standard error; the end of input ends it with 0."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), job, *OPTIONS],
        check=False,
        input="The sea\n/undo\n/nonsense\nThe sea",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    first, again = (f"The sea{writes('The sea', seed)}\n" for seed in (1, 2))
    assert (done.returncode, done.stdout) == (0, first + again)
    remark, error = done.stderr.splitlines()
    assert remark == "The text is empty."
    assert error.startswith("textgen-sample: error: there is no command '/nonsense'")


def test_without_an_own_line_the_model_begins(session, writes):
    """An empty line at the beginning lets the model begin a text of its own."""
    assert session("").out == writes("", 1) + "\n"


def test_a_prompt_is_continued_at_once(session, writes, tmp_path):
    """--prompt is the beginning of the first passage, wherever it stands."""
    (tmp_path / "opening.txt").write_bytes(b"\xef\xbb\xbfThe sea\r\nwas")
    first = "The sea\nwas" + writes("The sea\nwas", 1)
    expected = f"{first}\n{writes(first, 2)}\n"
    assert session("", options=["--prompt", "The sea\nwas"]) == (expected, "")
    assert session("", options=["--prompt", "@opening.txt"]) == (expected, "")


def test_without_echo_only_the_models_words_come(session, writes):
    """--no-echo leaves out what the user added."""
    assert session("The sea", options=["--no-echo"]).out == writes("The sea", 1) + "\n"


def test_retry_undo_and_show(session, writes):
    """/retry takes another seed, /undo says how the text ends now, /show writes all of it."""
    first = "The sea" + writes("The sea", 1)
    again = writes(first, 3)
    out, err = session("The sea", "", "/retry", "/show", "/undo", "/show", "/undo", "/show", "/undo")
    assert out == f"{first}\n{writes(first, 2)}\n{again}\n{first}{again}\n{first}\n\n"
    assert err == (
        f"The text now ends with {first!r}\nThe text is empty.\n"
        "textgen-sample: error: there is no passage yet; type a line, or press Enter to let the model start\n"
    )


def test_edit_takes_the_lines_up_to_a_dot(session, writes):
    """Without a terminal /edit replaces the last passage by the lines that follow; nothing is written until asked for."""
    out, err = session("The sea", "/edit", "The captain", "", "/undo", ".", "/show", "", options=["--oov=skip"])
    edited = "The captain\n\n/undo"
    assert out == f"The sea{writes('The sea', 1)}\n{edited}\n{writes(edited, 2, oov='skip')}\n"
    assert err.splitlines()[1:] == [f"The text now ends with {edited!r}"]


def test_an_edit_that_is_not_ended_changes_nothing(session, writes):
    """When the input ends before the dot, so does the session."""
    assert session("The sea", "/edit", "The").out == f"The sea{writes('The sea', 1)}\n"


def test_settings_hold_for_what_follows(session, writes):
    """/set NAME VALUE and its short form /NAME VALUE change how the text is written, and say so."""
    out, err = session("/set length 5", "", "/temperature 0", "/top-k 3", "/seed 9", "", "/until e o", "/until")
    first = writes("", 1, 5)
    assert out == f"{first}\n{writes(first, 9, 5, temperature=0)}\n"
    assert err.splitlines() == ["length 5", "temperature 0", "top_k 3", "seed 9", "until 'e o'", "until none"]


def test_set_alone_shows_every_setting(session):
    """/set without a name lists what holds now."""
    lines = session("/set").err.splitlines()
    assert [line.split()[0] for line in lines] == [setting.name for setting in settings_of(SamplingConfig)]
    assert {"length 20", "seed 1", "temperature 0.8", "until none"} <= set(lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/", "there is no command '/'; /help shows all commands"),
        ("/ undo", "there is no command '/ undo'"),
        ("/unod", "there is no command '/unod'; did you mean undo?"),
        ("/undo 3", "/undo takes no value, got '3'"),
        ("/undo", "there is no passage yet"),
        ("/retry", "there is no passage yet"),
        ("/set lenght 3", "there is no setting 'lenght'; did you mean length?"),
        ("/set length -3", "--length must be at least 0, got -3"),
        ("/temperature hot", "--temperature must be a number, got 'hot'"),
        ("/set top_p 1.5", "--top_p must be above 0 and at most 1, got 1.5"),
        ("/set oov no", "--oov must be one of error, skip, unk"),
        ("/set until a\0b", "--until must be text, got NUL"),
        ("/max_copy 5", "--max_copy must be at least 16, got 5"),
        ("/save", "/save must name a file, got ''"),
        ("/save a\0b", "/save must name a file, got 'a\\x00b'"),
        ("/save .", "/save must name a file, got '.'"),
        ("/save! mine/..", "cannot make the directory mine"),
        ("/save gs://bucket/x", "/save must be a local path, got gs://bucket/x"),
        ("/save " + "x" * 300, "File name too long"),
        ("/save ~nobody-of-this-name/x", "there is no such home directory"),
        ("/save mine/x/y", "cannot make the directory mine/x"),
        ("☃ Ω", "the model does not know '☃', 'Ω'; set oov to skip"),
        ("a\udcff", r"the model does not know '\udcff'"),
        ("a\0", r"the model does not know '\x00'"),
        ("".join(map(chr, range(0x400, 0x500))), "and 246 more"),
    ],
)
def test_a_wrong_line_is_one_line_and_the_session_goes_on(line, message, session, writes):
    """What cannot be done is said in one line on standard error; the text and the settings stay."""
    Path("mine").touch()
    out, err = session(line, "The sea")
    assert out == f"The sea{writes('The sea', 1)}\n"
    assert err.count("\n") == 1
    assert err.startswith("textgen-sample: error: ")
    assert message in err


def test_a_prompt_that_the_model_does_not_know_is_refused(job, monkeypatch, capsys):
    """What stands on the command line is refused with the exit code of the class, before the session begins."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"The sea\n"), encoding="ascii"))
    assert main([job, *OPTIONS, "--prompt=☃"]) == 65
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_what_the_model_does_not_know_can_be_accepted(job):
    """With oov skip any line is accepted, bytes that are no text included; they are shown and saved as they came."""
    line = "☃ ".encode() + b"\xff\0"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), job, *OPTIONS],
        check=False,
        input=b"/set oov skip\n" + line + b"\n/save x.txt\n",
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(line)
    assert Path("x.txt").read_bytes().startswith(line)


def test_two_slashes_are_one(session):
    """A line that begins with two slashes is added with one; in the middle of a line a slash is nothing special."""
    assert session("//undo", "a//b/", options=["--oov=skip", "--length=0"]) == ("/undo\na//b/\n", "")


def test_a_text_is_saved_whole_with_a_line_end(session):
    """/save writes all of the text and a line end where it has none; a file that is there is replaced by /save! alone."""
    shown, err = session(
        "The sea", "", "/save my text.txt", "/save my text.txt", "/undo", "/save! my text.txt", "/show"
    )
    saved, refused, _, replaced = err.splitlines()
    assert saved == "Saved 47 characters to my text.txt."
    assert "my text.txt already exists; use /save! my text.txt to replace it" in refused
    assert replaced == "Saved 27 characters to my text.txt."
    text = Path("my text.txt").read_text()
    assert len(text) == 27 + (not text.endswith("\n\n"))
    assert shown.endswith(text)


def test_help_lists_every_command(session):
    """/help shows each command, on standard error; what it lists there is."""
    out, err = session("/help")
    assert out == ""
    assert err == interactive.HELP + "\n"
    commands = re.findall(r"^/(\w+)", err, re.MULTILINE)
    assert {"retry", "undo", "edit", "set", "show", "save", "help", "quit"} <= set(commands)
    for command in commands:
        assert "there is no command" not in session(f"/{command}").err


def test_quit_ends_the_session(session):
    """What stands behind /quit is not read."""
    assert session("/quit", "The sea") == ("", "")


LINES = st.one_of(
    st.text(),
    st.sampled_from(["", "The sea", "/retry", "/undo", "/edit", ".", "/show", "/help", "/set", "//", "/set oov skip"]),
    st.builds(
        "/{} {}".format,
        st.sampled_from([*SamplingConfig.__dataclass_fields__, "set", "undo", "save", "x"]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/.~"))
        | st.sampled_from(["0", "1", "-1", "none", "nan", "1e999"]),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(LINES.filter(lambda line: "length" not in line), max_size=8))
def test_nothing_that_can_be_typed_gives_a_traceback(session, lines):
    """Any lines leave the session with 0; each error is one line."""
    err = session(*lines, options=["--length=3"]).err
    assert "Traceback" not in err


def test_a_closed_pipe_ends_quietly(job):
    """When nobody reads on, the session ends with 0 and says nothing."""
    pipe = '{ yes "" | "$0" "$@"; echo "code $?" >&2; } | head -c 10'
    done = subprocess.run(
        ["/bin/sh", "-c", pipe, sys.executable, str(SCRIPT), job, *OPTIONS],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (len(done.stdout), done.stderr) == (10, "code 0\n")


@pytest.fixture
def process(job):
    """A session over pipes, in a process."""
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), job, *OPTIONS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        yield started
        started.kill()


def test_ctrl_c_stops_a_passage_and_keeps_what_was_written(process):
    """The session goes on behind a passage that was stopped; its text is what was shown."""
    process.stdin.write("/set length 2000000000\nThe sea\n")
    process.stdin.flush()
    shown = process.stdout.read(200)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate("/set length 0\n/save x.txt\n", timeout=PATIENCE)
    assert process.returncode == 0
    assert err.startswith("length 2000000000\nlength 0\nSaved ")
    text = Path("x.txt").read_text()
    assert text.startswith(shown)
    assert len(text) < 2000000000
    assert rest


def test_ctrl_c_ends_a_session_that_waits_for_a_program(process):
    """Where no terminal is, Ctrl-C between the passages ends the session quietly, with 130."""
    process.stdin.write("The sea\n")
    process.stdin.flush()
    process.stdout.read(len("The sea") + 20 + 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "")


def test_a_terminal_has_a_prompt_and_is_told_of_help(terminal):
    """On a terminal lines are asked for; at the end a text that was not saved is mentioned, and nothing is asked."""
    there = terminal()
    there.expect("/help shows all commands")
    there.expect("> $")
    there.type("The sea\r")
    there.expect("The sea\nThe sea.{20}\n> $")
    there.type("\x04")
    code, rest = there.end()
    assert code == 0
    assert "The text was not saved; use /save FILE before /quit." in rest
    assert rest.endswith("\n")


def test_a_saved_text_is_not_mentioned(terminal):
    """Neither is an empty one."""
    there = terminal()
    there.expect("> $")
    there.type("The sea\r/save x.txt\r")
    there.expect("Saved 27 characters")
    there.type("/quit\r")
    code, rest = there.end()
    assert (code, "not saved" in rest) == (0, False)


def test_lines_can_be_edited_and_come_back(terminal):
    """A terminal's lines are edited, and the arrow up brings the last one back."""
    there = terminal("--no-echo")
    there.expect("> $")
    there.type("/set length 3x\b\r")
    there.expect("\nlength 3\n")
    there.type("\x1b[A\b4\r")
    there.expect("\nlength 4\n")


def test_ctrl_c_at_the_prompt_of_a_terminal_loses_nothing(terminal):
    """It may have been meant for the passage that has just ended: it says how to end, and the text stays."""
    there = terminal("--prompt", "The sea")
    there.expect("The sea.{20}\n> $")
    there.type("half a li")
    there.expect("half a li")
    there.type("\x03")
    there.expect("Use /quit or Ctrl-D to end", again="\x03")
    there.expect("> $")
    there.type("/show\r")
    there.expect("The sea.{20}\n> $", again="/show\r")  # a late Ctrl-C may have cleared the line
    there.type("/quit\r")
    assert there.end()[0] == 0


def test_ctrl_c_on_a_terminal_stops_a_passage(terminal):
    """It stops what is written, and a new line is asked for."""
    there = terminal("--length=2000000000")
    there.expect("> $")
    there.type("The sea\r")
    there.expect("The sea\nThe sea(?s:.){50}")
    there.type("\x03")
    there.expect("\n> $")
    there.type("/quit\r")
    assert there.end()[0] == 0


def test_the_editor_of_the_user_gets_the_text(terminal):
    """/edit opens the whole text in $VISUAL; what comes out of it is the text."""
    there = terminal("--prompt", "The sea", VISUAL="sed -i s/sea/captain/", EDITOR="false", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect("The text now ends with ")
    there.expect("> $")
    there.type("/show\r")
    there.expect("The captain.{20}\n> $")
    there.type("/undo\r")
    there.expect("The text is empty")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("editor", "message"),
    [
        ("false", "false exited with code 1; the text is unchanged"),
        ("no-such-editor", "must name an editor, got no-such-editor, which cannot be started"),
        ("'", "must name an editor, got ', which cannot be started"),
        ("rm", "cannot edit .*there is no such file"),
    ],
)
def test_an_editor_that_fails_changes_nothing(editor, message, terminal):
    """A failure is one line, no file is left, and the session goes on."""
    there = terminal("--prompt", "The sea", EDITOR=editor, VISUAL="", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect(message)
    there.expect("> $")
    there.type("/show\r")
    there.expect("The sea.{20}\n> $")
    assert list(Path().iterdir()) == []


def test_an_edited_text_that_is_refused_is_not_lost(terminal):
    """The message names the file in which the user's work still stands."""
    there = terminal("--prompt", "The sea", EDITOR="sed -i s/sea/☃/", VISUAL="", TMPDIR=str(Path.cwd()))
    there.expect("> $")
    there.type("/edit\r")
    there.expect("does not know '☃'.*your text is kept in ")
    there.expect("> $")
    assert "The ☃" in next(Path().iterdir()).read_text()
