"""The session of `textgen-sample --interactive`: reads lines and commands, and shows passages of a `Draft`.

The text goes to standard output; remarks, errors and the prompt for input go to standard error. So a session also works over
pipes.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.cli.editor import edit, find_editor
from textgen.cli.prompt_text import say_changes
from textgen.cli.sample import PROGRAM
from textgen.cli.standard_output import encode_output, put, text_writer
from textgen.config import SamplingConfig
from textgen.console import Console, report_failure
from textgen.errors import TextgenError, UsageError, from_os_error
from textgen.formatting import described, nearest, shown
from textgen.generation.draft import Draft
from textgen.runs.places import refuse_bucket
from textgen.storage import write_atomic

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import TextGenerator

HELP = """\
an empty line      continues the text
any other line     is added to the text, which then continues; start it with a space to start a new word
//...              adds a line that starts with a single slash
/retry             writes the last passage again, with another seed
/undo              removes the last passage, with what you added to it; repeat it to remove earlier ones
/edit              opens the text in $VISUAL or $EDITOR; if neither is set, the lines that follow replace the last
                   passage, up to a line with a single dot
/set NAME VALUE    sets length, temperature, until or another sampling flag; without VALUE, restores its default;
                   without NAME, shows all of them
/temperature 1.2   is short for /set temperature 1.2; the other flags have the same short form
/show              shows the whole text
/save FILE         saves the text to a new file; /save! FILE replaces an existing one
/help              shows this page
/quit              ends the session, as Ctrl-D does
Ctrl-C             stops the current passage, and keeps what it has so far"""

_INPUT_PROMPT = "> "
_COMMAND_PREFIX = "/"
_END_OF_LINES = "."
_CHARACTERS_SHOWN = 60


def write_together(
    generator: TextGenerator,
    config: SamplingConfig,
    open_copies: Callable[[], CopyIndex],
    prompt: str,
    *,
    echo: bool,
) -> None:
    """Runs a session to its end.

    Args:
        generator: writes the model's passages.
        config: the sampling settings at the start.
        open_copies: opens the copy index of the training text, if it is needed.
        prompt: the start of the text, which the first passage continues; empty to wait for a line first.
        echo: whether a passage is shown together with what the user added to it.

    Raises:
        TextgenError: if the prompt cannot be continued. Later failures are reported, and the session continues.
        KeyboardInterrupt: on Ctrl-C while a line is read from a pipe. On a terminal, Ctrl-C does not end the session: it may
            have been meant for a passage that has just ended.
    """
    session = Session(Draft(generator, config, open_copies), echo=echo)
    session.begin(prompt.removeprefix("\ufeff").replace("\r\n", "\n"))
    session.run()


class Session:
    """A session: reads lines and carries them out.

    Args:
        draft: the text.
        echo: whether a passage is shown together with what the user added to it.
    """

    def __init__(self, draft: Draft, *, echo: bool) -> None:
        self._draft = draft
        self._echo = echo
        self._console = Console()
        self._is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self._put = text_writer()
        self._saved = ""
        self._commands: dict[str, Callable[[], None]] = {
            "retry": self._retry,
            "undo": self._undo,
            "edit": self._edit,
            "show": self._show,
            "help": self._help,
            "quit": self._quit,
        }
        self._commands_with_value: dict[str, Callable[[str], None]] = {
            "set": self._set,
            "save": self._save,
            "save!": self._save_over,
        }

    def begin(self, prompt: str) -> None:
        """Prepares the standard streams, and writes the first passage if there is a prompt."""
        encode_output("surrogateescape")
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
        pieces = self._draft.write(prompt) if prompt else None
        if self._is_terminal:
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401 - gives `input` history and editing
            self._console.say(
                "An empty line continues the text; any other line is added to it first. /help shows all commands."
            )
        if pieces is not None:
            say_changes(self._draft.changes())
            self._show_passage(pieces)

    def run(self) -> None:
        """Reads lines and carries them out, until the input ends."""
        while True:
            try:
                self._execute(self._ask())
            except EOFError:
                break
            except TextgenError as error:
                report_failure(PROGRAM, error)
            except KeyboardInterrupt:
                if not self._is_terminal:
                    raise
                self._console.say("\nUse /quit or Ctrl-D to end the session.", kept="\n")
        if self._is_terminal and self._draft.text != self._saved:
            self._console.say("The text was not saved; use /save FILE before /quit.")

    def _ask(self) -> str:
        """Reads the next line, without its line end.

        Raises:
            EOFError: if the input has ended.
        """
        if sys.stdin.isatty() and not sys.stdout.isatty():
            self._console.rich.print(_INPUT_PROMPT, end="")
        try:
            return input(_INPUT_PROMPT if self._is_terminal else "")
        except EOFError:
            put("\n" if self._is_terminal else "")
            raise

    def _execute(self, line: str) -> None:
        command = line.removeprefix(_COMMAND_PREFIX)
        if command == line or command.startswith(_COMMAND_PREFIX):
            self._write(command)
            return
        name, _, value = command.partition(" ")
        value = value.strip()
        settings = asdict(self._draft.config)
        if name in self._commands_with_value:
            self._commands_with_value[name](value)
        elif name.replace("-", "_") in settings:
            self._set(command)
        elif name not in self._commands:
            known = [*self._commands, *self._commands_with_value, *settings]
            suggestion = nearest(name, known, dashes=_COMMAND_PREFIX)
            raise UsageError(f"there is no command {shown(line)}{suggestion}; /help shows all commands")
        elif value:
            raise UsageError(f"/{name} takes no value, got {shown(value)}; leave it out")
        else:
            self._commands[name]()

    def _write(self, added: str) -> None:
        pieces = self._draft.write(added)
        say_changes(self._draft.changes())
        self._show_passage(pieces)

    def _show_passage(self, pieces: Iterator[str]) -> None:
        """Shows the last passage as it is written, until it ends or Ctrl-C stops it."""
        with contextlib.suppress(KeyboardInterrupt):
            self._put(self._draft.passages[-1].added if self._echo else "")
            for piece in pieces:
                self._put(piece)
        self._put("\n")

    def _retry(self) -> None:
        self._show_passage(self._draft.retry())

    def _undo(self) -> None:
        self._draft.undo()
        self._show_end()

    def _edit(self) -> None:
        editor = find_editor() if self._is_terminal else None
        if editor is not None:
            edit(editor, self._draft.text, self._draft.replace)
        else:
            self._console.say("Type the new last passage, then a line with a single dot.")
            self._draft.replace_last("\n".join(iter(self._ask, _END_OF_LINES)))
        say_changes(self._draft.changes())
        self._show_end()

    def _set(self, assignment: str) -> None:
        name, _, value = assignment.partition(" ")
        name = name.replace("-", "_")
        if name:
            self._draft.set(name, value.strip() or None)
        for each, setting in asdict(self._draft.config).items():
            if not name or each == name:
                self._console.say(f"{each} {described(setting)}")

    def _show(self) -> None:
        self._put(f"{self._draft.text}\n")

    def _save(self, name: str) -> None:
        self._save_in(name, replaces=False)

    def _save_over(self, name: str) -> None:
        self._save_in(name, replaces=True)

    def _save_in(self, name: str, *, replaces: bool) -> None:
        refuse_bucket("/save", name)
        text = self._draft.text
        try:
            path = Path(name).expanduser()
            if "\0" in name or (path.exists() and not path.is_file()):
                raise UsageError(f"/save must name a file, got {shown(name)}; use /save FILE")
            if not replaces and (path.exists() or path.is_symlink()):
                raise UsageError(f"{path} already exists; use /save! {name} to replace it, or name another file")
        except OSError as error:
            raise from_os_error(error, f"cannot write {name}") from error
        except RuntimeError as error:
            raise UsageError(f"cannot save to {name}: there is no such home directory; name another file") from error
        write_atomic(
            path.resolve() if path.is_symlink() else path,
            (text if text.endswith("\n") else f"{text}\n").encode("utf-8", "surrogateescape"),
        )
        self._saved = text
        self._console.say(f"Saved {len(text):,} characters to {path}.")

    def _help(self) -> None:
        self._console.say(HELP, kept="\n")

    def _quit(self) -> None:
        raise EOFError

    def _show_end(self) -> None:
        """Shows how the text now ends; the screen does not show it otherwise."""
        text = self._draft.text
        more = "..." if len(text) > _CHARACTERS_SHOWN else ""
        self._console.say(
            f"The text now ends with {more}{text[-_CHARACTERS_SHOWN:]!r}" if text else "The text is empty."
        )
