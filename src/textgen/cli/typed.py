"""Returns a command, or a path in its arguments, as the user must type it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys


def typed(name: str) -> str:
    """Returns what to type to run a command that is installed next to the running one.

    Args:
        name: the name of the command, such as `tensorboard`.

    Returns:
        The name, if the shell finds this command by it, or if no such command is next to the running one. Otherwise its
        quoted path, which is relative if the running command was started by a relative path.
    """
    for program in (sys.argv[0], sys.executable):
        path = os.path.join(os.path.dirname(program) or os.curdir, name)  # noqa: PTH118, PTH120 - pathlib drops "./"
        if os.path.isfile(path):  # noqa: PTH113 - as above
            found = shutil.which(name)
            ours = found is not None and os.path.samefile(found, path)  # noqa: PTH121 - as above
            return name if ours else shlex.quote(path)
    return name


def typed_path(path: str) -> str:
    """Returns a path as an argument in the shell: quoted, and not taken for a flag if it begins with a dash."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
