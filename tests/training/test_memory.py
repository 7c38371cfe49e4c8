"""Memory freed by one step is reused by the next, and running out of memory ends in one line."""

import ctypes
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PIECES = """
import ctypes
import sys
from pathlib import Path

from textgen.corpus import find_sources, open_corpus
from textgen.dataset import Streams, encode, training_windows

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Info
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

text = Path(sys.argv[1])
corpus = open_corpus(find_sources([str(text)], None, None), language_model="char")
ids = encode(corpus.train, corpus.vocabulary, text.parent)
next(iter(training_windows(Streams(ids, 4, 10, 1), 0, 0)))
library.free(library.malloc(16 << 20))
before = library.mallinfo2().hblks
library.malloc(8 << 20)
print(library.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="this is no GNU C library from 2.33 on")
def test_reading_a_text_leaves_the_c_library_free_to_keep_memory(tmp_path):
    """After a large block is freed, a smaller one maps no new memory, unless `from_generator` has changed malloc."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    text = tmp_path / "text.txt"
    text.write_text("The keeper wound the tide clock at dusk.\n" * 40)
    command = [sys.executable, "-c", PIECES, str(text)]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert int(done.stdout) == 0


@pytest.fixture
def limited(tmp_path):
    """A function that runs a step with a given state size and a memory pool of 8 MB."""

    def train(states, **environment):
        command = [sys.executable, "-m", "textgen", "train", "--device=cpu", f"--job_dir={tmp_path / 'job'}"]
        command += [f"--lstm_state_size={states}", "--batch_size=4", "--unroll_steps=10", "--max_steps=1"]
        limits = {"TF_CPU_BFC_MEM_LIMIT_IN_MB": "8", "TEXTGEN_CACHE": str(tmp_path / "cache")}
        given = {**os.environ, **limits, **environment}
        if not environment:
            given.pop("TF_CPU_ALLOCATOR_USE_BFC", None)
        return subprocess.run(command, check=False, env=given, capture_output=True, text=True)

    return train


def test_a_model_that_does_not_fit_ends_in_one_line(limited):
    """The message is the same if the weights themselves do not fit, before any step."""
    done = limited(400)
    assert done.returncode == 69
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert "error: training does not fit in memory (" in last
    assert "; lower --batch_size, --unroll_steps or --lstm_state_size" in last


def test_the_memory_pool_can_be_turned_off(limited):
    """A user can turn the pool off; its limit then has no effect."""
    assert limited(400, TF_CPU_ALLOCATOR_USE_BFC="false").returncode == 0
