"""Model files that chance has changed: each is refused, or it is a model all the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from textgen.errors import FormatError
from textgen.generation import read_model, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textgen.generation import ModelFile

MARK = b'\\"sha256\\":\\"'
"""Stands before the hash, as the first of its kind."""

ODD = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    64,
    65,
    2**31,
    2**63,
    0.5,
    1e308,
    "",
    "x",
    "\0",
    "\ud800",
    "word",
    [],
    [0],
    {},
    {"a": 1},
]
"""What takes the place of a JSON value."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the changed files lie."""
    return tmp_path / "model.safetensors"


@pytest.fixture(params=["plain", "all together"])
def content(request: pytest.FixtureRequest, path: Path, make_model: Callable[..., ModelFile], plain: Any) -> bytes:
    """A sound model file."""
    more = {"embedding_size": 5, "num_proj": 2, "layer_norm": True}
    write_model(path, make_model(plain if request.param == "plain" else plain | more))
    return path.read_bytes()


def sign(content: bytes) -> bytes:
    """Puts the right hash into a file, if the place for it can still be found."""
    start = content.find(MARK) + len(MARK)
    before, behind = content[:start], content[start + 64 :]
    return before + hashlib.sha256(before + b"0" * 64 + behind).hexdigest().encode() + behind


def header_end(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def change_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Changes, inserts, removes or swaps some bytes anywhere; the shorter a region is, the likelier each byte of it."""
    changed = bytearray(content)
    regions = [(0, 8), (8, header_end(content)), (header_end(content), len(content))]
    low, high = regions[rng.integers(3)]
    start, other = (int(place) for place in rng.integers(low, high, 2))
    length = int(rng.integers(1, 20))
    match rng.integers(8):
        case 0:
            changed[start] ^= 1 << rng.integers(8)
        case 1:
            changed[start : start + length] = rng.bytes(length)
        case 2:
            changed[start] = rng.integers(32, 127)
        case 3:
            changed[start:start] = rng.bytes(length)
        case 4:
            del changed[start : start + length]
        case 5:
            del changed[start:]
        case 6:
            block, there = changed[start : start + length], changed[other : other + length]
            changed[start : start + length], changed[other : other + length] = there, block
        case _:
            lengths = [0, 1, 2**15, 2**31, 2**62, header_end(content) - 8 + int(rng.integers(-9, 9))]
            changed[:8] = lengths[rng.integers(len(lengths))].to_bytes(8, "little")
    return bytes(changed)


def change_json(content: bytes, rng: np.random.Generator) -> bytes:
    """Puts something odd in the place of a JSON value, of the header or of the metadata, or takes it away."""
    end = header_end(content)
    header: dict[str, Any] = json.loads(content[8:end])
    fields = json.loads(header.pop("__metadata__")["textgen"])
    within: Any = header if rng.random() < 0.3 else fields
    while True:
        keys = list(within) if isinstance(within, dict) else list(range(len(within)))
        key = keys[rng.integers(len(keys))]
        if not isinstance(within[key], dict | list) or not within[key] or rng.random() < 0.2:
            break
        within = within[key]
    if rng.random() < 0.2:
        del within[key]
    else:
        within[key] = ODD[rng.integers(len(ODD))]
    metadata = json.dumps(fields, separators=(",", ":"))
    encoded = json.dumps({"__metadata__": {"textgen": metadata}, **header}).encode()
    return len(encoded).to_bytes(8, "little") + encoded + content[end:]


def check_invariants(model: ModelFile) -> None:
    """What everything behind the reader relies on."""
    assert model.shape.vocabulary_size == model.vocabulary.size
    assert {name: tensor.shape for name, tensor in model.tensors.items()} == model.shape.tensors
    for tensor in model.tensors.values():
        assert tensor.dtype == np.float32
        assert np.isfinite(tensor).all()
    tokens = model.vocabulary.tokens
    assert tokens[:2] == ("", "[UNK]")
    assert len(set(tokens)) == len(tokens) > 2
    assert "\0" not in "".join(tokens)
    assert "".join(tokens).encode().decode() == "".join(tokens)
    assert type(model.step) is int
    assert model.step >= 0
    assert all(np.isfinite(float(score)) for score in model.scores.values())
    assert f"{model.data_sha256}{model.textgen_version}".isprintable()


def refused(path: Path, changed: bytes | bytearray) -> bool:
    """Whether reading refuses a file; what it does not refuse must be a model."""
    with path.open("r+b") as file:  # many times faster than to empty it first
        file.write(changed)
        file.truncate()
    try:
        model = read_model(path)
    except FormatError:
        return True
    check_invariants(model)
    return False


def try_changes(path: Path, content: bytes, first: int, last: int) -> None:
    """Tries two changes per seed: one as it is, and one with the right hash, which for odd seeds changes the JSON."""
    accepted = 0
    for seed in range(first, last):
        rng = np.random.default_rng(seed)
        changed = change_bytes(content, rng)
        signed = sign(change_json(content, rng) if seed % 2 else changed)
        try:
            assert changed == content or refused(path, changed)
            accepted += not refused(path, signed)
        except Exception as error:
            raise AssertionError(f"the change with seed {seed}") from error
    assert accepted < (last - first) / 2


def test_some_changes(path: Path, content: bytes) -> None:
    """A changed file is refused; one whose hash fits again is refused, or is a sound model."""
    try_changes(path, content, 0, 250)


@pytest.mark.slow
def test_many_changes(path: Path, content: bytes) -> None:
    """A changed file is refused, as above, for many more changes."""
    try_changes(path, content, 1000, 6000)


def test_every_bit(path: Path, make_model: Callable[..., ModelFile]) -> None:
    """No single bit of a file can be flipped without a refusal, be it in the length, the header, the hash or a weight."""
    write_model(path, make_model({"layers": 1, "lstm_state_size": 2}))
    content = bytearray(path.read_bytes())
    check_invariants(read_model(path))
    for place in range(len(content)):
        for bit in range(8):
            content[place] ^= 1 << bit
            assert refused(path, content), f"bit {bit} of byte {place}"
            content[place] ^= 1 << bit
