import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.commands import JOB, TEXT, run_installed
from textgen.cli import eval as evaluate
from textgen.cli import eval_dynamic, train
from textgen.console import Console

HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""

PAUSED = """
import sys, time

def pause(name, values):
    if name == "import" and "keras.src.trainers" in str(values[0]):
        print("paused", flush=True)
        while True:
            time.sleep(0.01)

from textgen.cli.start import textgen
sys.addaudithook(pause)
sys.exit(textgen())
"""
"""Runs `textgen` and pauses it while TensorFlow is loaded."""


def test_a_learning_model_has_a_row_and_a_key_of_its_own(copied, tmp_path):
    """With --dynamic, the barely trained model learns the text while it reads; the usual figures and its file are unchanged."""
    model = (JOB / "model.safetensors").read_bytes()
    Path("text.txt").write_text(TEXT)
    usual, learning = (
        run_installed("textgen", "eval", str(JOB), "text.txt", "--json", *flags) for flags in ([], ["--dynamic"])
    )
    assert (usual.returncode, learning.returncode) == (0, 0), learning.stderr
    found = json.loads(learning.stdout)
    bits = found.pop("dynamic_bits_per_character")
    assert 1 < bits < found["bits_per_character"]
    assert {**found, "dynamic_bits_per_character": None} == json.loads(usual.stdout)
    table = run_installed("textgen", "eval", str(JOB), "text.txt", "--dynamic")
    assert table.returncode == 0, table.stderr
    [row] = re.findall(r"\n  this model, learning +(\d+\.\d{3})  it learns", table.stdout)
    assert float(row) == pytest.approx(bits, abs=1e-3)
    assert (JOB / "model.safetensors").read_bytes() == model


def test_missing_tensorflow_is_refused_before_anything_else(copied, refusal, monkeypatch):
    """Without TensorFlow, --dynamic and training say in one line what to install."""
    for module in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, module, None)
    advice = "needs keras and tensorflow, which this installation of textgen lacks; in the clone of textgen, run pip install .\n"
    assert refusal(evaluate, [str(JOB), "--dynamic"]) == (69, f"--dynamic {advice}")
    Path("other.txt").write_text(TEXT)
    code = train.main(["other.txt", "--max_steps=1"])
    assert code == 69
    assert not Path("job").exists()
    assert evaluate.main([str(JOB)]) == 0


def test_ctrl_c_while_tensorflow_is_loaded_ends_at_once(copied):
    """Ctrl-C during the imports leaves no traceback."""
    arguments = [sys.executable, "-c", PAUSED, "eval", str(JOB), "--dynamic"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        timer = threading.Timer(HANG_SECONDS, process.kill)
        timer.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "paused\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        timer.cancel()
    assert (process.returncode, out, err) == (130, "", "")


def test_progress_in_a_pipe_is_a_line_now_and_then(capfd, monkeypatch):
    """In a pipe, a line is written at most every ten seconds."""
    times = iter([0.0, 1.0, 11.0, 11.0, 12.0, 25.0, 25.0])
    monkeypatch.setattr("textgen.cli.eval_dynamic.time.monotonic", lambda: next(times))
    with eval_dynamic._showing(Console()) as show:
        for share in (0.0, 0.25, 0.3, 0.75):
            show("reading and learning", share)
    assert capfd.readouterr().err == "reading and learning  25% done\nreading and learning  75% done\n"
