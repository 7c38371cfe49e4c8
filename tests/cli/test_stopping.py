import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
@pytest.mark.parametrize("after", ["  job ", "  text "])
def test_a_signal_before_the_first_step_leaves_nothing_half_made(book, tmp_path, number, code, after):
    """While TensorFlow is loaded, or the text is encoded, it ends at once in one line; all that is left is the lock."""
    command = [sys.executable, str(Path(sysconfig.get_path("scripts"), "textgen-train")), str(book), "--max_steps=9"]
    environment = {**os.environ, "TEXTGEN_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        for line in lines:
            if line.startswith(after):
                process.send_signal(number)
                break
        rest = list(lines)
    assert process.returncode == code
    assert rest[-1].startswith("textgen-train: error: stopped; run the same command again")
    assert "Traceback" not in "".join(rest)
    assert [path.name for path in (tmp_path / "job").rglob("*") if path.is_file()] == ["lock"]
    assert not list(tmp_path.rglob("*.tmp"))
