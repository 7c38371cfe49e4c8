"""The expected failures, each with the program's exit code.

The tree, with exit codes from `sysexits.h` where one fits::

    TextgenError                 1   never raised itself
      UsageError                 2   a flag, an argument or a combination of them
      DataError                 65   text that cannot be read as text, or does not suit the model
      MissingError              66   a file or directory that does not exist, or contains no model
      UnavailableError          69   a service, device or port that cannot be used
      DivergedError             70   the loss is no longer a finite number
      LockedError               73   another trainer is using this job directory
      InputOutputError          74   the disk or the network failed
      StoppedError              75   SIGTERM; running the same command again resumes
        PreemptedError         134   the same in a job of Vertex AI, which starts it again
      AccessError               77   no permission
      FormatError               78   a model file, a checkpoint or a config file that cannot be used
      CancelledError           130   Ctrl-C

Every message is one line: what is wrong, the value received, and what to do next. Python callers read
`layers` where the command line prints `--layers`: see `named`.
"""

from __future__ import annotations

import errno
from typing import ClassVar

_MARK = "\0"
"""Precedes a setting's name until the message is read. No argument, path or YAML file can contain it."""


def named(setting: str) -> str:
    """A setting's name for the message of a `TextgenError` or of the console, to which the command line adds the dashes.

    >>> error = UsageError(f"{named('layers')} must be at least 1, got 0")
    >>> print(error)
    layers must be at least 1, got 0
    >>> print(error.on_command_line)
    --layers must be at least 1, got 0
    """
    return _MARK + setting


def with_dashes(message: str, dashes: str = "--") -> str:
    """Returns a message in which the names of settings begin with dashes, or with nothing for a Python caller."""
    return message.replace(_MARK, dashes)


def _name(text: str) -> str:
    """Returns the name at the start of a text."""
    return next((text[:end] for end, letter in enumerate(text) if not (letter.isalnum() or letter == "_")), text)


class TextgenError(Exception):
    """An expected failure, which is shown as one line without a traceback.

    Args:
        message: the line; `named` makes the names of settings in it.

    Attributes:
        exit_code: the program's exit code.
        settings: the settings that the line names, each once, such as `("layers",)`.
        on_command_line: the line with flags for the names of settings.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(with_dashes(message, ""))
        self.on_command_line = with_dashes(message)
        self.settings = tuple(dict.fromkeys(_name(part) for part in message.split(_MARK)[1:]))


class UsageError(TextgenError):
    """A flag, an argument or a combination of them that makes no sense."""

    exit_code = 2


class DataError(TextgenError):
    """Text that cannot be read as text, or that does not suit the model."""

    exit_code = 65


class MissingError(TextgenError):
    """A file or directory that does not exist, or a directory without a model."""

    exit_code = 66


class UnavailableError(TextgenError):
    """A service, device or port that cannot be used."""

    exit_code = 69


class DivergedError(TextgenError):
    """Training whose loss is no longer a finite number."""

    exit_code = 70


class LockedError(TextgenError):
    """A job directory that another trainer is using."""

    exit_code = 73


class InputOutputError(TextgenError):
    """A disk or a network that failed."""

    exit_code = 74


class StoppedError(TextgenError):
    """SIGTERM while training: running the same command again resumes."""

    exit_code = 75


class PreemptedError(StoppedError):
    """SIGTERM while training in a job of Vertex AI, which starts the job again after this code."""

    # Vertex AI tries a job again after the codes of SIGABRT (134) and SIGSEGV (139) only; any other code but 0 ends the job
    # (Google's "Understand the Vertex AI training service"). Nothing aborts, and no core is dumped.
    exit_code = 134


class AccessError(TextgenError):
    """A file or directory that may not be read or written."""

    exit_code = 77


class FormatError(TextgenError):
    """A model file, a checkpoint or a config file that cannot be used."""

    exit_code = 78


class CancelledError(TextgenError):
    """Ctrl-C."""

    exit_code = 130


def from_os_error(error: OSError, doing: str) -> TextgenError:
    """Translates an error of the operating system.

    Args:
        error: the operating system's error.
        doing: what failed, with the path, such as `"cannot read book.txt"`.

    Returns:
        The error to raise `from error`; a `MissingError`, an `AccessError` or an `InputOutputError`.
    """
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno == errno.ENOENT:
        return MissingError(f"{doing}: there is no such file; check the path")
    if error.errno == errno.ENOTDIR:
        return MissingError(f"{doing}: a part of the path is a file, not a folder; check the path")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return AccessError(f"{doing}: {reason}; check the permissions or choose another place")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return InputOutputError(f"{doing}: {reason}; free some space and try again")
    return InputOutputError(f"{doing}: {reason}; try again, or choose another place")
