from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from textgen.corpus import longest_after_white_space
from textgen.corpus.tokenizers import make_tokenizer
from textgen.corpus.vocabulary import Vocabulary
from textgen.errors import AccessError, FormatError, MissingError
from textgen.generation import read_model, write_model
from textgen.generation.model_file import longest_header
from textgen.generation.model_header import header_size
from textgen.planning import ModelShape

if TYPE_CHECKING:
    from collections.abc import Callable

    from textgen.generation import ModelFile

FIELDS = ("shape", "vocabulary", "scores", "data_sha256", "step", "textgen_version")


@pytest.fixture
def path(tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> Path:
    """A sound model file."""
    path = tmp_path / "model.safetensors"
    write_model(path, make_model(plain))
    return path


def hash_by_definition(content: bytes) -> str:
    """The hash that a file must name: the characters of the hash it does name are zeros."""
    found = re.search(rb'\\"sha256\\":\\"([0-9a-f]{64})\\"', content)
    assert found is not None
    return hashlib.sha256(content[: found.start(1)] + b"0" * 64 + content[found.end(1) :]).hexdigest()


def test_round_trip(tmp_path: Path, make_model: Callable[..., ModelFile], kind: dict[str, Any]) -> None:
    """What is written comes back: every tensor bit by bit, and everything beside them."""
    model = make_model(kind)
    write_model(tmp_path / "m.safetensors", model)
    read = read_model(tmp_path / "m.safetensors")
    assert read.tensors.keys() == model.tensors.keys()
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == np.float32
    for field in FIELDS:
        assert getattr(read, field) == getattr(model, field)


def test_numbers_become_float32(tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> None:
    """Weights of another type or memory order are stored as what they say, in float32."""
    model = make_model(plain)
    other = {name: np.asfortranarray(tensor.astype(np.float64)) for name, tensor in model.tensors.items()}
    write_model(tmp_path / "m.safetensors", make_model(plain, other))
    read = read_model(tmp_path / "m.safetensors")
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor)
        assert read.tensors[name].dtype == np.float32


@pytest.mark.parametrize("tokens", [("日", "é", "☃", "\\", '"', "\u2028", "\x1b", "😀"), ("\\u0041", "]}", "0" * 64)])
def test_any_token_comes_back(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], tokens: tuple[str, ...]
) -> None:
    """Tokens that JSON or the search for the hash could stumble over are written and read like others."""
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("word"))
    write_model(tmp_path / "m.safetensors", make_model(plain, vocabulary=vocabulary))
    assert read_model(tmp_path / "m.safetensors").vocabulary == vocabulary


@pytest.mark.parametrize(
    "tokens", [("a",), ("日", "é", '"', "\\", "\n", " ", "\t" * 500, "\x1b", "\x7f", "\u2028", "😀")]
)
def test_the_length_of_the_header_is_known_before(
    tmp_path: Path, make_model: Callable[..., ModelFile], kind: dict[str, Any], tokens: tuple[str, ...]
) -> None:
    """It is computed from metadata and shapes to the byte; a file's own is at most a little shorter than the longest."""
    vocabulary = Vocabulary(("", "[UNK]", *tokens), make_tokenizer("word"))
    scores = {f"valid_{name}": -1 / 3e100 for name in ("loss", "perplexity", "bits_per_character", "unknown_share")}
    followers = longest_after_white_space(tokens)
    model = dataclasses.replace(
        make_model(kind, vocabulary=vocabulary),
        settings={"language_model": "word", "lowercase": True, "use_fp16": True, "vocab_size": None},
        scores=scores,
        after_white_space={space: [token for token in after if token in tokens] for space, after in followers.items()},
    )
    write_model(tmp_path / "m", model)
    content = (tmp_path / "m").read_bytes()
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + size])["__metadata__"]
    assert header_size(model.shape.tensors, metadata) == size
    assert size <= longest_header(model.shape, vocabulary) <= size + 1200


def test_any_safetensors_reader_opens_it(path: Path) -> None:
    """The library reads the same weights; the metadata has one entry, and that is JSON with the documented fields."""
    ours, theirs = read_model(path).tensors, load_file(path)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor)
    with safe_open(path, framework="numpy") as file:
        [(key, text)] = file.metadata().items()
    assert key == "textgen"
    assert json.loads(text).keys() == {"format", "format_version", "sha256", *FIELDS}
    assert json.loads(text)["format_version"] == 2


def test_the_file_knows_whether_the_text_was_unwrapped(path: Path, tmp_path: Path) -> None:
    """The entry is written only if it was, so that all other files are the same as those of earlier versions."""
    assert b"unwrapped" not in path.read_bytes()
    model = read_model(path)
    assert model.unwrapped is False
    write_model(tmp_path / "unwrapped", dataclasses.replace(model, unwrapped=True))
    assert read_model(tmp_path / "unwrapped").unwrapped is True


def test_the_hash_is_that_of_the_whole_file(path: Path) -> None:
    """The file names the hash of all its bytes, that of the hash itself being zeros; reading it says so."""
    content = path.read_bytes()
    assert read_model(path).sha256 == hash_by_definition(content)
    assert content.count(read_model(path).sha256.encode()) == 1


def test_the_hash_of_the_file_that_was_read_is_not_written(path: Path, tmp_path: Path) -> None:
    """A model that was read and is written again gives the same file."""
    model = read_model(path)
    for same in (model, dataclasses.replace(model, sha256="f" * 64)):
        write_model(tmp_path / "again", same)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


WRITE = """
import sys
from pathlib import Path
from textgen.generation import ModelFile, read_model, write_model
model = read_model(Path(sys.argv[1]))
scores, tensors, settings = (dict(reversed(part.items())) for part in (model.scores, model.tensors, model.settings))
facts = (model.data_sha256, model.step, "0.1.0")
write_model(Path(sys.argv[2]), ModelFile(tensors, model.shape, model.vocabulary, scores, *facts, settings=settings))
"""


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_bytes_depend_on_the_content_alone(path: Path, tmp_path: Path, hash_seed: str) -> None:
    """Another process writes the same model as the same bytes, in whatever order tensors, scores and settings are given."""
    other = tmp_path / "other"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", WRITE, str(path), str(other)], check=True, env=environment)
    assert other.read_bytes() == path.read_bytes()


def test_what_cannot_be_a_score_is_left_out(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]
) -> None:
    """A perplexity beyond the largest float has no JSON; the model is written without it."""
    scores = {"valid_loss": 1000.0, "valid_perplexity": np.inf, "valid_bits_per_character": np.nan}
    write_model(tmp_path / "m", dataclasses.replace(make_model(plain), scores=scores))
    assert read_model(tmp_path / "m").scores == {"valid_loss": 1000.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"shape": ModelShape(layers=10**9, lstm_state_size=4, vocabulary_size=6)},
            "its layers must be a whole number",
        ),
        ({"shape": ModelShape(layers=2, lstm_state_size=5, vocabulary_size=6)}, r"layers\.0\.kernel must have shape"),
        ({"settings": {"vocab_size": np.nan}}, "not JSON compliant"),
        ({"settings": {"dropout": 0.1}}, "its shape has the field 'dropout'"),
        ({"vocabulary": Vocabulary(("", "[UNK]"), make_tokenizer("char"))}, "holds no token that could be written"),
        ({"vocabulary": Vocabulary(("", "[UNK]", "\ud800"), make_tokenizer("char"))}, "surrogates not allowed"),
        ({"vocabulary": Vocabulary(("", "[UNK]", "a", "a"), make_tokenizer("char"))}, "its vocabulary is damaged"),
        ({"vocabulary": Vocabulary(("", "[UNK]", "\0"), make_tokenizer("char"))}, "NUL"),
        ({"vocabulary": Vocabulary(("", "[UNK]", "x" * 10**8), make_tokenizer("word"))}, "header too large"),
        (
            {"vocabulary": Vocabulary(("", "[UNK]", "x" * 32_000_000), make_tokenizer("word"))},
            "must take at most 32,000,000",
        ),
        ({"step": -1}, "its step must be a whole number from 0"),
        ({"textgen_version": "0.1\n"}, "its textgen_version must be at most 64 printable characters"),
        ({"data_sha256": None}, "its data_sha256 must be"),
        ({"tensors": {}}, r"its tensor layers\.0\.bias is missing"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    """A model that reading would refuse is refused by name, and no file is left."""
    with pytest.raises(FormatError, match=f"^cannot write .*{message}"):
        write_model(tmp_path / "m.safetensors", dataclasses.replace(make_model(plain), **changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_are_finite(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], number: float
) -> None:
    """A model with a weight that is no number, or infinite, is not written."""
    model = make_model(plain)
    model.tensors["layers.1.bias"][3] = number
    with pytest.raises(FormatError, match=r"cannot write .*layers\.1\.bias holds numbers that are not finite"):
        write_model(tmp_path / "m.safetensors", model)


def test_newer_format_asks_for_an_upgrade(path: Path) -> None:
    """A file of a later version says which it is, and what helps, even where nothing else in it is understood."""
    save_file({"?": np.zeros(1, np.int8)}, path, {"textgen": '{"format": "textgen-lstm", "format_version": 4}'})
    with pytest.raises(FormatError, match=r"format version 4, .* up to version 3; upgrade textgen$"):
        read_model(path)


@pytest.mark.parametrize("version", [1, 2])
def test_the_file_has_the_version_of_the_split(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], version: int
) -> None:
    """A prompt is split as the text was that the model was trained on, by its version of the split."""
    vocabulary = Vocabulary(("", "[UNK]", "\n", "ही", "ह", "ी"), make_tokenizer("word", version=version))
    write_model(tmp_path / "m", make_model(plain, vocabulary=vocabulary))
    assert read_model(tmp_path / "m").vocabulary == vocabulary
    assert read_model(tmp_path / "m").vocabulary.encode("ही") == {1: [4, 5], 2: [3]}[version]


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_another_safetensors_file(path: Path, metadata: dict[str, str] | None) -> None:
    """A file with the weights of something else is told from a damaged one."""
    save_file({"weights": np.zeros(3, np.float32)}, path, metadata)
    with pytest.raises(FormatError, match="it is a safetensors file, but no textgen model"):
        read_model(path)


def test_job_directory_stands_for_its_model(path: Path) -> None:
    """The path of a job directory opens the model in it."""
    assert read_model(path.parent).step == read_model(path).step == 7


def test_job_directory_without_model(tmp_path: Path) -> None:
    """A job that has exported nothing yet says so, and how to get a model."""
    with pytest.raises(MissingError, match="contains no model yet; train one with textgen-train"):
        read_model(tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    """A path that does not exist is named."""
    with pytest.raises(MissingError, match="nowhere: there is no such file"):
        read_model(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(path: Path) -> None:
    """A file that may not be read is named, with the reason."""
    path.chmod(0)
    with pytest.raises(AccessError, match=r"model\.safetensors: Permission denied"):
        read_model(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, for a socket with a short path")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """A pipe, a socket, a device or a directory in the model's place is refused at once, and not waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "model.safetensors").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
        for place in (tmp_path / "pipe", tmp_path / "link", tmp_path / "socket", Path("/dev/zero"), tmp_path):
            with pytest.raises(FormatError, match=r"cannot use .*: it is not a regular file"):
                read_model(place)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_that_is_replaced_meanwhile(path: Path, tmp_path: Path, in_place: bool) -> None:
    """Whoever reads while another model takes the file's place gets one model or the other; in place, or a refusal."""
    contents = []
    model = read_model(path)
    for number in (1, 2):
        tensors = {name: np.full_like(tensor, number) for name, tensor in model.tensors.items()}
        write_model(path, dataclasses.replace(model, tensors=tensors, step=number))
        contents.append(path.read_bytes())
    done = threading.Event()

    def replace_again_and_again() -> None:
        while not done.is_set():
            for content in contents:
                if in_place:
                    path.write_bytes(content)
                else:
                    (tmp_path / "new").write_bytes(content)
                    (tmp_path / "new").replace(path)

    thread = threading.Thread(target=replace_again_and_again)
    thread.start()
    try:
        for _ in range(300):
            try:
                read = read_model(path)
            except FormatError:
                assert in_place
            else:
                assert {float(number) for tensor in read.tensors.values() for number in np.unique(tensor)} == {
                    read.step
                }
    finally:
        done.set()
        thread.join()


def test_a_file_of_float16_is_read_as_float32(
    tmp_path: Path, make_model: Callable[..., ModelFile], kind: dict[str, Any]
) -> None:
    """A file of float16 has half the bytes of weights; its numbers are the rounded ones, as float32."""
    model = make_model(kind)
    write_model(tmp_path / "half", model, weights="F16")
    write_model(tmp_path / "whole", model)
    read = read_model(tmp_path / "half")
    for name, tensor in model.tensors.items():
        np.testing.assert_array_equal(read.tensors[name], tensor.astype(np.float16))
        assert read.tensors[name].dtype == np.float32
    numbers = sum(tensor.size for tensor in model.tensors.values())
    sizes = [(tmp_path / name).stat().st_size - 2 * numbers * factor for name, factor in (("half", 1), ("whole", 2))]
    assert abs(sizes[0] - sizes[1]) < 100  # the headers
    assert read.sha256 != read_model(tmp_path / "whole").sha256
    assert read.vocabulary == model.vocabulary


def test_only_a_file_of_float16_needs_a_later_version(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]
) -> None:
    """A textgen that knows only version 2 reads a file of float32, and refuses one of float16 by its version."""
    for weights, version in (("F32", 2), ("F16", 3)):
        write_model(tmp_path / "m", make_model(plain), weights=weights)  # type: ignore[arg-type]
        with safe_open(tmp_path / "m", framework="numpy") as file:
            assert json.loads(file.metadata()["textgen"])["format_version"] == version


@pytest.mark.parametrize("number", [65520.0, np.inf, np.nan])
def test_what_float16_cannot_hold_is_not_written(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any], number: float
) -> None:
    """A weight that would become infinite in float16 is refused, and nothing is written."""
    model = make_model(plain)
    model.tensors["output.bias"][0] = number
    with pytest.raises(FormatError, match=r"tensor output.bias holds numbers that are not finite"):
        write_model(tmp_path / "m", model, weights="F16")
    assert not (tmp_path / "m").exists()


def test_the_source_of_a_model_is_kept(
    tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]
) -> None:
    """A model that was started from another one names it; for a model from scratch, the field is left out."""
    for source in (None, "0a" * 32):
        write_model(tmp_path / "m", dataclasses.replace(make_model(plain), started_from=source))
        assert read_model(tmp_path / "m").started_from == source
        assert (b"started_from" in (tmp_path / "m").read_bytes()) == (source is not None)
