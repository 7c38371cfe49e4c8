"""How a command is typed where the user is: by its name, or by its path where the shell would not find it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys


def typed(name: str) -> str:
    """How to type a command that was installed together with the running one.

    Args:
        name: of the command, such as `tensorboard`.

    Returns:
        The name if the shell finds this very command by it. Else its path, relative if the running command was started by
        a relative path, and quoted. The name again where there is no such command next to the running one.
    """
    for program in (sys.argv[0], sys.executable):
        path = os.path.join(os.path.dirname(program) or os.curdir, name)  # noqa: PTH118, PTH120 - pathlib drops "./"
        if os.path.isfile(path):  # noqa: PTH113 - as above
            found = shutil.which(name)
            ours = found is not None and os.path.samefile(found, path)  # noqa: PTH121 - as above
            return name if ours else shlex.quote(path)
    return name
