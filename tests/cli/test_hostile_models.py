"""`textgen-sample` with hostile model files and 512 MB of address space."""

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.commands import installed
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.generation import ModelFile, write_model
from textgen.planning import ModelShape

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a limit to the address space, and /proc")

VOCABULARY = Vocabulary(("", "[UNK]", "\n", "a", "b"), make_tokenizer("char"))
SHAPE = ModelShape(layers=1, lstm_state_size=4, vocabulary_size=VOCABULARY.size)
LIMIT = 'ulimit -v 524288; exec "$@"'


@pytest.fixture
def sample_limited(tmp_path):
    """A function that runs `textgen-sample` on a file of the test's folder, with limited memory."""

    def sample(name):
        return subprocess.run(
            ["/bin/sh", "-c", LIMIT, "sh", *installed("textgen-sample"), name, "--length=5"],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    return sample


@pytest.fixture
def sound(tmp_path):
    """The content of a valid model file, which is also in the test's folder as `sound`."""
    tensors = {name: np.zeros(size, np.float32) for name, size in SHAPE.tensors.items()}
    write_model(tmp_path / "sound", ModelFile(tensors, SHAPE, VOCABULARY, {}, "", 1, "0.1.0"))
    return (tmp_path / "sound").read_bytes()


def pack(header, data=b""):
    return len(header).to_bytes(8, "little") + header + data


def sign(content):
    """Returns the content of a model file with the right hash in it."""
    mark = b'\\"sha256\\":\\"'
    start = content.index(mark) + len(mark)
    before, behind = content[:start], content[start + 64 :]
    return before + hashlib.sha256(before + b"0" * 64 + behind).hexdigest().encode() + behind


def change_header(content, before, after):
    """Returns a model file with some bytes of the header replaced, and with the right hash."""
    end = 8 + int.from_bytes(content[:8], "little")
    assert before in content[8:end]
    return sign(pack(content[8:end].replace(before, after, 1), content[end:]))


CONTENTS = {
    "empty": (lambda _: b"", "it is damaged or no model file"),
    "text": (lambda _: b"Call me Ishmael. " * 1000, "it is damaged or no model file"),
    "page": (lambda _: b"<!DOCTYPE html>\n<html><body><h1>404</h1></body></html>\n", "it is damaged or no model file"),
    "cut": (lambda sound: sound[:-1], "it is damaged (it must have"),
    "longer": (lambda sound: sound + b"\0", "it is damaged (it must have"),
    "flipped": (lambda sound: sound[:-1] + bytes([sound[-1] ^ 1]), "it is damaged (its content does not have the sha256"),
    "length": (lambda _: (2**63).to_bytes(8, "little") + b"{}", "at most 32,000,000 bytes, not 9,223,372,036,854,775,808"),
    "nested": (lambda _: pack(b"[" * 10_000_000), "its header is not sound JSON"),
    "keys": (lambda _: pack(b"{" + b'"":{},' * 5_000_000 + b'"":{}}'), "its header is not sound JSON"),
    "floats": (lambda sound: change_header(sound, b"[5]", b"[%d]" % 2**60), "must have shape [5], not [1152921504606846976]"),
    "layers": (lambda sound: change_header(sound, rb"layers\":1", rb"layers\":1000000000"), "its layers must be a whole number from 1"),
    "digits": (lambda sound: change_header(sound, rb"step\":1", rb"step\":" + b"9" * 99_999), "its metadata is not sound JSON"),
    "surrogate": (lambda sound: change_header(sound, b"0.1.0", rb"\\ud800"), "its textgen_version must be"),
    "no number": (lambda sound: sign(sound[:-4] + b"\0\0\xc0\x7f"), "holds numbers that are not finite"),
}  # fmt: skip


def check_refusal(done, name):
    """Checks that a run ended with 78 and one short line on standard error."""
    assert (done.returncode, done.stdout) == (78, ""), done.stderr
    assert done.stderr.startswith(f"textgen-sample: error: cannot use {name}: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 400


def test_a_sound_model_writes(sound, sample_limited):
    """The memory limit is high enough for a valid model."""
    done = sample_limited("sound")
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 6, "")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_hostile_file_is_refused(name, sound, sample_limited, tmp_path):
    """A damaged or hostile model file is refused in one line, without a crash and before any text is written."""
    make, message = CONTENTS[name]
    (tmp_path / name).write_bytes(make(sound))
    done = sample_limited(name)
    check_refusal(done, name)
    assert message in done.stderr


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "socket", "sparse"])
def test_endless_and_huge_files_are_refused(name, sample_limited, tmp_path, monkeypatch):
    """A device, a pipe, a socket and a sparse file of gigabytes are refused without being read."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening, Path("sparse").open("wb") as sparse:
        listening.bind("socket")
        sparse.truncate(20 * 10**9)
        check_refusal(sample_limited(name), name)
