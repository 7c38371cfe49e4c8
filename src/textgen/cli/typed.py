"""Returns a command as the user must type it: its name, or its path if the shell does not find it by name."""

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
