import functools
import json
import subprocess
import sys

import numpy as np
import pytest

from textgen.cli.main import VERTEX_COMMANDS
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile, write_model
from textgen.planning import ModelShape

HEAVY = {
    *("tensorflow", "keras", "tensorboard"),
    *("google.cloud.aiplatform", "google.cloud.aiplatform_v1", "google.cloud.storage"),
}
LIBRARIES = {
    *("numpy", "yaml", "rich", "safetensors", "platformdirs", "pydantic", "requests", "filelock"),
    *("ai_edge_litert", "onnx", "onnxruntime"),
    *("starlette", "uvicorn", "msgspec", "prometheus_client", "asyncio"),
}
"""More modules that a help page must not load; other commands may load them, but only a few may load those in `HEAVY`."""


def modules_after(body, cwd=None):
    """Returns the modules that a new interpreter has loaded after running a program."""
    script = f"import sys\n{body}\nsys.__stderr__.write('\\n' + ' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=cwd)
    assert run.returncode == 0, run.stderr
    return set(run.stderr.split("\n")[-1].split())


def loaded(command, *arguments, cwd=None):
    """Returns the modules that a command has loaded, after it has ended with 0, except those of a bare start."""
    body = f"from textgen.cli.{command} import main\nassert main({json.dumps(arguments)}) == 0"
    return modules_after(body, cwd) - modules_at_bare_start()


@functools.cache
def modules_at_bare_start():
    """Returns the modules of an interpreter that runs nothing; a .pth file of google-cloud adds an empty `google` to them."""
    return modules_after("")


@pytest.mark.parametrize("flag", ["--help", "--version"])
@pytest.mark.parametrize(
    "command",
    ["main", "train", "sample", "score", "serve", "export", "jobs", "eval", "compare", "curve", "report", "inspect"],
)
def test_help_and_version_load_nothing_heavy(command, flag):
    """--help and --version need only the standard library."""
    assert loaded(command, flag) & (HEAVY | LIBRARIES) == set()


@pytest.mark.parametrize("command", ["", *VERTEX_COMMANDS.known])
def test_help_of_the_cloud_commands_loads_nothing_heavy(command):
    """The help pages of `textgen vertex` do not load Google's client, which takes seconds."""
    assert loaded("main", "vertex", *filter(None, [command]), "--help") & (HEAVY | LIBRARIES) == set()


def test_a_dry_run_of_a_cloud_job_loads_no_client(tmp_path):
    """`submit --dry_run` and `yaml` do not load Google's client."""
    (tmp_path / "text.txt").write_text("A line of the text.\n" * 200)
    place = ["--project=my-project", "--region=europe-west4", "--bucket=my-bucket", "--image=gcr.io/my-project/textgen"]
    for command in (["submit", "--dry_run"], ["yaml"]):
        assert loaded("main", "vertex", *command, "text.txt", *place, cwd=tmp_path) & HEAVY == set()


def test_the_package_loads_nothing_heavy():
    """`import textgen` loads only the version."""
    names = modules_after("import textgen") - modules_at_bare_start()
    assert {name for name in names if name.startswith("textgen")} == {"textgen", "textgen.version"}
    assert names & (HEAVY | LIBRARIES) == set()


def test_names_of_the_package_load_nothing_heavy():
    """Each name of the package is imported at its first use, without TensorFlow; an exception loads only the exceptions."""
    body = "import textgen\ntextgen.LockedError"
    names = modules_after(body) - modules_at_bare_start()
    assert {name for name in names if name.startswith("textgen")} == {"textgen", "textgen.errors", "textgen.version"}
    names = (
        modules_after("import textgen\nfor name in textgen.__all__: getattr(textgen, name)") - modules_at_bare_start()
    )
    assert {"textgen.runs.train", "textgen.generation"} < names
    assert names & HEAVY == set()


def test_a_command_handles_ctrl_c_before_it_loads_anything_else():
    """The entry point handles Ctrl-C before it loads any other module, because until then Ctrl-C gives a traceback."""
    names = modules_after("import textgen.cli.start") - modules_at_bare_start()
    assert {name for name in names if name.startswith("textgen")} == {
        *("textgen", "textgen.version", "textgen.cli", "textgen.cli.start")
    }
    assert names & {"typing", "re", "importlib", "argparse", "dataclasses"} == set()


def test_a_dry_run_loads_no_tensorflow(tmp_path):
    """The plan is printed without loading TensorFlow, even for a word model and with a preset."""
    (tmp_path / "text.txt").write_text("A line of the text.\n" * 200)
    names = loaded("train", "text.txt", "--config", "overnight", "--language_model=word", "--dry_run", cwd=tmp_path)
    assert "textgen.planning" in names
    assert names & HEAVY == set()
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.txt"]


@pytest.fixture
def job(tmp_path):
    """A directory with a model file."""
    vocabulary = Vocabulary(tokens=("", "[UNK]", "\n", "a", "b"), tokenizer=make_tokenizer("char"))
    shape = ModelShape(layers=1, lstm_state_size=4, vocabulary_size=vocabulary.size)
    write_model(
        tmp_path / "model.safetensors",
        ModelFile(
            tensors={name: np.zeros(size, np.float32) for name, size in shape.tensors.items()},
            shape=shape,
            vocabulary=vocabulary,
            scores={},
            data_sha256="",
            step=1,
            textgen_version="0.1.0",
        ),
    )
    return tmp_path


def test_sampling_loads_no_tensorflow(job):
    """Sampling from a model file loads neither TensorFlow, Keras nor Google's libraries."""
    names = loaded("sample", str(job), "--prompt", "ab", "--length", "20", cwd=job)
    assert "numpy" in names
    assert names & (HEAVY | {"onnx", "onnxruntime", "ai_edge_litert"}) == set()


def test_scoring_loads_no_tensorflow(job):
    """Scoring a text, and writing its page, loads neither TensorFlow, Keras nor Google's libraries."""
    (job / "text.txt").write_text("abab\n")
    names = loaded("score", str(job), "text.txt", "--html=page.html", cwd=job)
    assert "numpy" in names
    assert names & (HEAVY | {"onnx", "onnxruntime", "ai_edge_litert"}) == set()


def test_serving_loads_no_tensorflow(job):
    """Serving a model, and answering a request, loads neither TensorFlow, Keras, requests nor Google's libraries."""
    body = f"""
import os, re, signal, socket, threading
from textgen.cli import serve
from textgen.console import Console

def ask(self, text, fields=()):
    def run():
        with socket.create_connection(("127.0.0.1", int(text.rpartition(":")[2]))) as connection:
            body = b'{{"prompt": "ab", "max_tokens": 3}}'
            connection.sendall(
                b"POST /v1/completions HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Type: application/json\\r\\n"
                b"Connection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)
            )
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=run).start()

Console.say = ask
assert serve.main([{str(job)!r}, "--port=0"]) == 0
"""
    names = modules_after(body, cwd=job) - modules_at_bare_start()
    assert {"numpy", "starlette", "uvicorn", "textgen.serving.app"} < names
    assert {name for name in names if name.split(".")[0] in {"tensorflow", "keras", "google", "requests"}} == set()


def test_listing_and_inspecting_jobs_loads_no_tensorflow(job):
    """Jobs are listed without NumPy, and inspected without TensorFlow."""
    (job / "config.yaml").touch()
    assert loaded("jobs", ".", cwd=job) & (HEAVY | {"numpy", "safetensors", "rich"}) == set()
    assert loaded("inspect", ".", cwd=job) & HEAVY == set()


def test_evaluating_loads_no_tensorflow(job):
    """A model is evaluated on a text without TensorFlow, Keras or Google's libraries."""
    (job / "text.txt").write_text("ab\n" * 100)
    names = loaded("eval", str(job), "text.txt", "--json", cwd=job)
    assert "numpy" in names
    assert names & HEAVY == set()


def test_comparing_drawing_and_reporting_loads_no_tensorflow(job):
    """Jobs are compared, curves drawn and reports made without TensorFlow and Google's libraries."""
    (job / "config.yaml").touch()
    (job / "metrics.jsonl").write_text('{"steps": 1, "valid_loss": 1.5, "valid_bits_per_character": 2.0}\n')
    for command in ("compare", "curve", "report"):
        assert loaded(command, ".", cwd=job) & HEAVY == set()


def test_an_onnx_file_is_written_without_tensorflow(job):
    """Exporting to ONNX loads only the libraries of that format, not Keras."""
    names = loaded("export", str(job), "--format", "onnx", cwd=job)
    assert "onnxruntime" in names
    assert names & (HEAVY | {"ai_edge_litert"}) == set()
