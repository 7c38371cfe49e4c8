"""`textgen-sample --interactive`, in this process: what its lines do to the text."""

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textgen.cli import interactive
from textgen.cli.sample import main
from textgen.config import SamplingConfig
from textgen.config import settings as settings_of
from textgen.generation import load

OPTIONS = ("--interactive", "--seed=1", "--length=20")


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def job(trained):
    return str(trained.job)


@pytest.fixture
def writes(job):
    """A function that returns what the model writes after a text, with a given seed."""
    generator = load(job)
    return lambda text, seed, length=20, **how: "".join(generator.generate(text, seed=seed, length=length, **how))


@pytest.fixture
def session(job, capsys, monkeypatch):
    """A function that runs a session on the given lines, and returns its output on both streams."""

    def run(*lines, options=()):
        content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
        assert main([job, *OPTIONS, *options]) == 0
        return capsys.readouterr()

    return run


def test_lines_are_added_and_empty_lines_continue(session, writes):
    """Each line is added unchanged and continued from the whole text so far; each passage has its own seed."""
    first = "The sea" + writes("The sea", 1)
    second = writes(first, 2)
    third = " and he" + writes(first + second + " and he", 3)
    assert session("The sea", "", " and he") == (f"{first}\n{second}\n{third}\n", "")


@pytest.mark.parametrize("before", [[], ["The sea", "/edit"]], ids=["line", "edit"])
def test_a_line_in_another_spelling_is_read_in_that_of_the_text(session, before):
    """Characters that are replaced for the model are reported in one line on standard error; the text keeps the original."""
    typed = "It’s — so"  # noqa: RUF001 - as in print
    out, err = session(*before, typed, ".", "/show")
    remarks = [line for line in err.splitlines() if line.startswith("The prompt is read")]
    assert remarks == ["The prompt is read with ' for ’ and -- for —, as in the training text."]  # noqa: RUF001
    assert "error" not in err
    assert typed in out


def test_a_prompt_in_another_spelling_is_reported(session):
    """The characters of --prompt that are replaced for the model are reported, too."""
    out, err = session(options=["--prompt=It’s"])  # noqa: RUF001 - as in print
    assert err == "The prompt is read with ' for ’, as in the training text.\n"  # noqa: RUF001
    assert out.startswith("It’s")  # noqa: RUF001


def test_without_an_own_line_the_model_begins(session, writes):
    """After an empty first line the model begins the text."""
    assert session("").out == writes("", 1) + "\n"


def test_a_prompt_is_continued_at_once(session, writes, tmp_path):
    """A prompt from the command line or a file begins the first passage, before any line is read."""
    (tmp_path / "opening.txt").write_bytes(b"\xef\xbb\xbfThe sea\r\nwas")
    first = "The sea\nwas" + writes("The sea\nwas", 1)
    expected = f"{first}\n{writes(first, 2)}\n"
    assert session("", options=["--prompt", "The sea\nwas"]) == (expected, "")
    assert session("", options=["--prompt", "@opening.txt"]) == (expected, "")


def test_without_echo_only_the_models_words_are_shown(session, writes):
    """--no-echo does not show the user's lines."""
    assert session("The sea", options=["--no-echo"]).out == writes("The sea", 1) + "\n"


def test_retry_undo_and_show(session, writes):
    """/retry uses the next seed, /undo prints the new end of the text, and /show the whole text."""
    first = "The sea" + writes("The sea", 1)
    again = writes(first, 3)
    out, err = session("The sea", "", "/retry", "/show", "/undo", "/show", "/undo", "/show", "/undo")
    assert out == f"{first}\n{writes(first, 2)}\n{again}\n{first}{again}\n{first}\n\n"
    assert err == (
        f"The text now ends with {first!r}\nThe text is empty.\n"
        "textgen-sample: error: there is no passage yet; write one first\n"
    )


def test_edit_takes_the_lines_up_to_a_dot(session, writes):
    """Without a terminal, /edit replaces the last passage by the following lines, and the model does not continue them."""
    out, err = session("The sea", "/edit", "The captain", "", "/undo", ".", "/show", "", options=["--oov=skip"])
    edited = "The captain\n\n/undo"
    assert out == f"The sea{writes('The sea', 1)}\n{edited}\n{writes(edited, 2, oov='skip')}\n"
    assert err.splitlines()[1:] == [f"The text now ends with {edited!r}"]


def test_an_edit_that_is_not_ended_changes_nothing(session, writes):
    """If the input ends before the dot, the session ends with the old text."""
    assert session("The sea", "/edit", "The").out == f"The sea{writes('The sea', 1)}\n"


def test_settings_apply_to_the_following_passages(session, writes):
    """/set NAME VALUE and /NAME VALUE change a setting for the following passages, and print it."""
    out, err = session("/set length 5", "", "/temperature 0", "/top-k 3", "/seed 9", "", "/until e o", "/until")
    first = writes("", 1, 5)
    assert out == f"{first}\n{writes(first, 9, 5, temperature=0)}\n"
    assert err.splitlines() == ["length 5", "temperature 0", "top_k 3", "seed 9", "until 'e o'", "until none"]


def test_set_alone_shows_every_setting(session):
    """/set without a name lists the current settings."""
    lines = session("/set").err.splitlines()
    assert [line.split()[0] for line in lines] == [setting.name for setting in settings_of(SamplingConfig)]
    assert {"length 20", "seed 1", "temperature 0.8", "until none"} <= set(lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/", "there is no command '/'; /help shows all commands"),
        ("/ undo", "there is no command '/ undo'"),
        ("/unod", "there is no command '/unod'; did you mean /undo?"),
        ("/temp 0.5", "there is no command '/temp 0.5'; did you mean /temperature?"),
        ("/undo 3", "/undo takes no value, got '3'"),
        ("/undo", "there is no passage yet"),
        ("/retry", "there is no passage yet"),
        ("/set lenght 3", "there is no setting --lenght; did you mean length?"),
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
def test_an_error_is_one_line_and_the_session_continues(line, message, session, writes):
    """A line that cannot be carried out gives one line on standard error, and changes neither text nor settings."""
    Path("mine").touch()
    out, err = session(line, "The sea")
    assert out == f"The sea{writes('The sea', 1)}\n"
    assert err.count("\n") == 1
    assert err.startswith("textgen-sample: error: ")
    assert message in err


def test_a_prompt_that_the_model_does_not_know_is_refused(job, monkeypatch, capsys):
    """An unknown character in --prompt ends the command with 65 before the session begins."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"The sea\n"), encoding="ascii"))
    assert main([job, *OPTIONS, "--prompt=☃"]) == 65
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_two_slashes_are_one(session):
    """Two slashes at the start of a line add one slash; elsewhere a slash has no special meaning."""
    assert session("//undo", "a//b/", options=["--oov=skip", "--length=0"]) == ("/undo\na//b/\n", "")


def test_a_text_is_saved_whole_with_a_line_end(session):
    """/save writes the whole text, ended by a line end; only /save! replaces an existing file."""
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
    """/help lists all commands on standard error, and each of them exists."""
    out, err = session("/help")
    assert out == ""
    assert err == interactive.HELP + "\n"
    commands = re.findall(r"^/(\w+)", err, re.MULTILINE)
    assert {"retry", "undo", "edit", "set", "show", "save", "help", "quit"} <= set(commands)
    for command in commands:
        assert "there is no command" not in session(f"/{command}").err


def test_quit_ends_the_session(session):
    """Lines after /quit are not read."""
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
    """Any lines end the session with 0 and without a traceback."""
    err = session(*lines, options=["--length=3"]).err
    assert "Traceback" not in err
