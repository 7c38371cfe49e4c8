"""How much memory reading a model file takes; other processes read, with a limit to their address space."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from textgen.planning import ModelShape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textgen.corpus.vocabulary import Vocabulary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a limit to the address space, and /proc")

MEGABYTE = 1 << 20

READ = """
import resource, sys
from pathlib import Path
from textgen.errors import TextgenError
from textgen.generation import read_model
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
for name in sys.argv[2:]:
    try:
        print("step", read_model(Path(name)).step)
    except TextgenError as error:
        print(error.exit_code, error)
"""


@pytest.fixture
def read() -> Callable[..., list[str]]:
    """A function that reads files in a process with `left` bytes of memory, and returns a line for each: the step, or exit code and message."""

    def read(left: int, *paths: Path) -> list[str]:
        command = [sys.executable, "-c", READ, str(left), *map(str, paths)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return read


@pytest.fixture
def write_zeros(plain: dict[str, Any], vocabulary: Vocabulary) -> Callable[..., int]:
    """Writes a model file that is all zeros behind its header, and takes no room on the disk; returns its size."""

    def write(path: Path, state_size: int, sha256: str | None = None) -> int:
        shape = plain | {"layers": 1, "lstm_state_size": state_size}
        fields = {
            "format": "textgen-lstm",
            "format_version": 2,
            "sha256": "0" * 64,
            "shape": shape,
            "vocabulary": vocabulary.to_json(),
            "scores": {},
            "data_sha256": "",
            "step": 7,
            "textgen_version": "0.1.0",
        }
        tensors, end = {}, 0
        for name, (*sizes, last) in ModelShape.of(shape, vocabulary.size).tensors.items():
            begin, end = end, end + 4 * (sizes[0] if sizes else 1) * last
            tensors[name] = {"dtype": "F32", "shape": [*sizes, last], "data_offsets": [begin, end]}
        header = json.dumps({"__metadata__": {"textgen": json.dumps(fields)}, **tensors}).encode()
        content = len(header).to_bytes(8, "little") + header
        if sha256 is None:
            hashed = hashlib.sha256(content)
            for size in [MEGABYTE] * (end // MEGABYTE) + [end % MEGABYTE]:
                hashed.update(bytes(size))
            sha256 = hashed.hexdigest()
        path.write_bytes(content.replace(b"0" * 64, sha256.encode(), 1))
        with path.open("r+b") as file:
            file.truncate(len(content) + end)
        return len(content) + end

    return write


def test_a_model_is_read_once(tmp_path: Path, write_zeros: Callable[..., int], read: Callable[..., list[str]]) -> None:
    """Reading takes the room of the weights, and not twice that."""
    size = write_zeros(tmp_path / "model", 2048)
    assert size > 64 * MEGABYTE
    assert read(size * 3 // 2, tmp_path / "model") == ["step 7"]


def test_a_model_for_which_there_is_no_memory(
    tmp_path: Path, write_zeros: Callable[..., int], read: Callable[..., list[str]]
) -> None:
    """A sound model that does not fit says how large it is; a damaged one of that size is called damaged."""
    size = write_zeros(tmp_path / "model", 2048)
    write_zeros(tmp_path / "damaged", 2048, sha256="f" * 64)
    large, damaged = read(size * 3 // 4, tmp_path / "model", tmp_path / "damaged")
    assert large.startswith(
        f"69 cannot load {tmp_path / 'model'}: it has {size:,} bytes, for which there is not enough"
    )
    assert damaged.startswith(f"78 cannot use {tmp_path / 'damaged'}: it is damaged")


@pytest.mark.parametrize("left", [12 * MEGABYTE, 25 * MEGABYTE, 90 * MEGABYTE])
def test_headers_that_eat_memory(tmp_path: Path, read: Callable[..., list[str]], left: int) -> None:
    """However little memory there is, a header that asks for more than there is gets a refusal and crashes nothing."""
    headers = {
        "empty keys": b"{" + b'"":{},' * 1_300_000 + b'"":{}}',
        "keys": b"{" + b",".join(b'"%x":0' % number for number in range(800_000)) + b"}",
        "lists": b'{"a":[' + b"[]," * 2_600_000 + b"[]]}",
        "nested": b"[" * 21_300_000,
        "digits": b'{"a":' + b"9" * 21_300_000 + b"}",
        "text": b'{"a":"' + b"x" * 21_300_000 + b'"}',
        "metadata": b'{"__metadata__":{"textgen":"[' + b"{}," * 2_600_000 + b'{}]"}}',
        "vocabulary": b'{"__metadata__":{"textgen":"{\\"vocabulary\\":[' + b"0," * 2_600_000 + b'0]}"}}',
        "no characters": b"\xff" * 21_300_000,
    }
    paths = [tmp_path / name for name in headers]
    for path, header in zip(paths, headers.values(), strict=True):
        path.write_bytes(len(header).to_bytes(8, "little") + header)
    for path, line in zip(paths, read(left, *paths), strict=True):
        assert line.startswith(f"78 cannot use {path}: it is ")


def test_sparse_files(tmp_path: Path, write_zeros: Callable[..., int], read: Callable[..., list[str]]) -> None:
    """A file that claims to have gigabytes is refused for its header: it is not read through."""
    zeros, longer = tmp_path / "zeros", tmp_path / "longer"
    zeros.touch()
    write_zeros(longer, 4)
    for path in (zeros, longer):
        with path.open("r+b") as file:
            file.truncate(20 * 10**9)
    for path, line in zip((zeros, longer), read(20 * MEGABYTE, zeros, longer), strict=True):
        assert line.startswith(f"78 cannot use {path}: it is damaged")
