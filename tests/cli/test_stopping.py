import os
import signal
import subprocess
import sys
import threading

import pytest

HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""

PAUSED = """
import sys, time
event, text, *arguments = sys.argv[1:]

def pause(name, values):
    if name == event and text in str(values[0]):
        print("paused", flush=True)
        while True:
            time.sleep(0.01)

from textgen.cli.start import textgen_train
sys.argv[1:] = arguments
sys.addaudithook(pause)
sys.exit(textgen_train())
"""
"""Runs `textgen-train` and pauses it at a given audit event of Python, until a signal arrives."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
@pytest.mark.parametrize(("event", "text"), [("import", "keras.src.trainers"), ("open", "/ids/")])
def test_a_signal_before_the_first_step_leaves_no_partial_file(book, tmp_path, number, code, event, text):
    """A signal while TensorFlow is loading or the text is being encoded ends the command at once; only the lock file remains."""
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, event, text, str(book), "--max_steps=9"],
        cwd=tmp_path,
        env={**os.environ, "TEXTGEN_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        timer = threading.Timer(HANG_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "paused\n"
        process.send_signal(number)
        _, err = process.communicate()
        timer.cancel()
    assert process.returncode == code
    last = "textgen-train: stopped; there was nothing new to save; run the same command again to resume"
    assert err.splitlines()[-1] == last
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "job").rglob("*") if path.is_file()] == ["lock"]
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(("environment", "code"), [({}, 75), ({"CLOUD_ML_JOB_ID": "7"}, 134)], ids=["home", "cloud"])
def test_a_sigterm_during_the_imports_is_handled_after_them(book, environment, code):
    """A SIGTERM during the imports ends the command with its usual exit code once the imports are done."""
    program = """
import os, signal, sys

def interrupt(name, values):
    if name == "import" and values[0] == "textgen.runs.automatic":
        os.kill(os.getpid(), signal.SIGTERM)

sys.addaudithook(interrupt)
from textgen.cli import start
import textgen.signals
textgen.signals.wait_to_be_killed = lambda seconds: None
sys.exit(start.textgen_train())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(book), "--max_steps=1"],
        env={"PATH": os.environ["PATH"], **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert ended.returncode == code, ended.stderr
    assert "stopped; there was nothing new to save" in ended.stderr
