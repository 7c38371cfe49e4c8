"""Model files that somebody made to break the reader, with the right hash wherever that is looked at."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from textgen.errors import FormatError
from textgen.generation import read_model, write_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textgen.generation import ModelFile

MARK = b'\\"sha256\\":\\"'
"""Stands before the hash, as the first of its kind."""


def pack(header: str, data: bytes = b"") -> bytes:
    """A safetensors file."""
    encoded = header.encode()
    return len(encoded).to_bytes(8, "little") + encoded + data


def sign(content: bytes) -> bytes:
    """Puts the right hash into a file."""
    start = content.index(MARK) + len(MARK)
    before, behind = content[:start], content[start + 64 :]
    return before + hashlib.sha256(before + b"0" * 64 + behind).hexdigest().encode() + behind


class Parts:
    """A model file in parts, to be changed and put together again."""

    def __init__(self, content: bytes) -> None:
        end = 8 + int.from_bytes(content[:8], "little")
        self.tensors: dict[str, Any] = json.loads(content[8:end])
        self.fields: dict[str, Any] = json.loads(self.tensors.pop("__metadata__")["textgen"])
        self.data = content[end:]

    def join(self, before: str = "", after: str = "") -> bytes:
        """The file, in whose metadata one text takes the place of another; its hash is right."""
        metadata = json.dumps(self.fields, separators=(",", ":"))
        assert before in metadata
        header = {"__metadata__": {"textgen": metadata.replace(before, after, 1)}, **self.tensors}
        return sign(pack(json.dumps(header), self.data))

    def join_with(self, name: str, entry: Any) -> bytes:
        """The file, with one tensor more; its hash is right."""
        header = {
            "__metadata__": {"textgen": json.dumps(self.fields, separators=(",", ":"))},
            **self.tensors,
            name: entry,
        }
        return sign(pack(json.dumps(header), self.data))


@pytest.fixture
def path(tmp_path: Path, make_model: Callable[..., ModelFile], plain: dict[str, Any]) -> Path:
    """A sound model file."""
    path = tmp_path / "model.safetensors"
    write_model(path, make_model(plain))
    return path


@pytest.fixture
def parts(path: Path) -> Parts:
    """Its parts."""
    return Parts(path.read_bytes())


@pytest.fixture
def refuse(path: Path) -> Callable[[bytes, str], None]:
    """Reads a file of this content, which must be refused on one short line that names it and says this."""

    def read(content: bytes, message: str) -> None:
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message) as caught:
            read_model(path)
        line = str(caught.value)
        assert line.startswith((f"cannot use {path}: its ", f"cannot use {path}: it is "))
        assert line.isprintable()
        assert len(line) < 300 + len(str(path))

    return read


def test_the_parts_make_a_sound_file(path: Path, parts: Parts) -> None:
    """What the other tests change is accepted when nothing is changed."""
    path.write_bytes(parts.join())
    assert read_model(path).step == 7


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\0" * 100,
        b"Once upon a time. " * 100,
        b"<!DOCTYPE html>\n<html><body>Not found</body></html>\n",
        (2**63).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}",
        (3).to_bytes(8, "little") + b"{}",
        (1).to_bytes(8, "little") + b"{}",
        pack("\ufeff{}"),
        pack("{}{}"),
        pack("[]"),
        pack('"x"'),
        pack("null"),
        pack("NaN"),
        pack("9" * 5000),
        pack("{} {"),
        pack("[" * 100_000),
        pack('{"a":' * 100_000),
        pack('{"__metadata__":{"textgen":"{}"},"__metadata__":{"textgen":"{}"}}'),
        pack('{"__metadata__":["textgen"]}'),
        pack('{"__metadata__":{"textgen":{}}}'),
        pack('{"__metadata__":{"textgen":"[]"}}'),
        pack(json.dumps({"__metadata__": {"textgen": "[" * 100_000}})),
        pack(json.dumps({"__metadata__": {"textgen": '{"format_version":' + "9" * 5000}})),
        pack("{}").replace(b"{}", b"\xff\xfe"),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_no_model_file(refuse: Callable[[bytes, str], None], content: bytes) -> None:
    """Anything that does not begin as a model file does is called damaged, or no model file."""
    refuse(content, "it is damaged or no model file")


def test_a_model_is_asked_for(refuse: Callable[[bytes, str], None]) -> None:
    """A sound header that tells of no model is one of another safetensors file."""
    for metadata in ({}, {"textgen": "{}"}, {"textgen": '{"format": "textgen-lstm"}'}, {"format": "\ud800"}):
        refuse(pack(json.dumps({"__metadata__": metadata})), "a safetensors file, but no textgen model")
    for version in ("1", "0", "-1", "true", "2.0", '"2"', "null"):
        text = f'{{"format": "textgen-lstm", "format_version": {version}}}'
        refuse(pack(json.dumps({"__metadata__": {"textgen": text}})), "a safetensors file, but no textgen model")


def test_every_truncation(path: Path, refuse: Callable[[bytes, str], None]) -> None:
    """A file that was cut off anywhere is refused, and so is one that something was added to."""
    content = path.read_bytes()
    for length in [*range(20), *range(20, len(content), 37), len(content) - 1]:
        refuse(content[:length], "it is damaged")
    for more in (b"\0", b"\0\0\0\0", content):
        refuse(content + more, "it is damaged")


def test_every_digit_of_the_hash(path: Path, refuse: Callable[[bytes, str], None]) -> None:
    """The hash itself may not be changed either, not even in the case of a letter."""
    content = path.read_bytes()
    start = content.index(MARK) + len(MARK)
    for place in range(start, start + 64):
        for digit in {b"0", b"f"} - {content[place : place + 1]}:
            refuse(content[:place] + digit + content[place + 1 :], "does not have the sha256 that is in it")
    upper = content[start : start + 64].upper()
    refuse(content[:start] + upper + content[start + 64 :], "its sha256 must be 64 digits of hex")


@pytest.mark.parametrize("value", [None, "", 0, True, [], "0" * 63, "g" * 64, "0" * 65])
def test_the_hash_is_demanded(parts: Parts, refuse: Callable[[bytes, str], None], value: object) -> None:
    """A file of version 2 without a hash is not let through."""
    content = parts.join()
    parts.fields["sha256"] = value
    header = {"__metadata__": {"textgen": json.dumps(parts.fields)}, **parts.tensors}
    refuse(pack(json.dumps(header), parts.data), "its sha256 must be 64 digits of hex")
    refuse(content.replace(MARK, MARK.replace(b"6", b"7"), 1), "its sha256 must be 64 digits of hex")


WRONG_NUMBERS: list[Any] = [None, True, "7", -1, 1.5, [], {}, 2**63]


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("step", WRONG_NUMBERS, "its step must be a whole number"),
        ("shape", [None, [], 1, "{}"], "its shape must be a JSON object"),
        ("shape", [{}], "its shape has no layers"),
        ("scores", [None, [], 1, "{}"], "its scores must be a JSON object"),
        ("scores", [{"valid_loss": None}, {"valid_loss": True}, {"valid_loss": "1"}, {"valid_loss": [1]}], "its score valid_loss must be a number"),
        ("scores", [{"a\0": 1.0}, {"\ud800": 1.0}, {"x" * 65: 1.0}, {"a\n": 1.0}], "its name of a score must be"),
        ("data_sha256", [None, 1, [], "a\nb", "a\0", "\ud800", "a" * 65], "its data_sha256 must be at most 64 printable"),
        ("textgen_version", [None, 1, [], "\x1b[2J", "a\0", "\udcff"], "its textgen_version must be at most 64 printable"),
        ("vocabulary", [None, [], 1, "{}"], "its vocabulary must be a JSON object"),
        ("vocabulary", [{}, {"tokens": ["", "[UNK]", "a"]}], "its vocabulary is damaged"),
    ],
)  # fmt: skip
def test_fields_of_another_kind(
    parts: Parts, refuse: Callable[[bytes, str], None], field: str, values: list[Any], message: str
) -> None:
    """A field that is missing, of another type or out of range is refused by name."""
    for value in values:
        parts.fields[field] = value
        refuse(parts.join(), message)
    del parts.fields[field]
    refuse(parts.join(), f"its {field} must be")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["", "[UNK]"], "holds no token that could be written"),
        (["", "[UNK]", "a\0b", "b", "c", "d"], "NUL"),
        (["", "[UNK]", "\ud800", "b", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", "\ud83d", "\ude00", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", "a", "a", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", "", "b", "c", "d"], "its vocabulary is damaged"),
        (["[UNK]", "", "a", "b", "c", "d"], "its vocabulary is damaged"),
        (["x" * 10**6, "[UNK]", "a", "b", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", 1, "b", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", None, "b", "c", "d"], "its vocabulary is damaged"),
        (["", "[UNK]", ["a"], "b", "c", "d"], "its vocabulary is damaged"),
        ("", "its vocabulary is damaged"),
        ({"": 0, "[UNK]": 1, "a": 2}, "its vocabulary is damaged"),
        (["", "[UNK]", "a", "b", "c"], r"must have shape \[5, 16\], not \[6, 16\]"),
    ],
)
def test_vocabularies_that_cannot_write(
    parts: Parts, refuse: Callable[[bytes, str], None], tokens: Any, message: str
) -> None:
    """Tokens are distinct texts behind the padding and `[UNK]`, as many as the tensors say, even where their hash fits."""
    vocabulary = parts.fields["vocabulary"] | {"tokens": tokens}
    content = json.dumps([vocabulary["tokenizer"], vocabulary["lowercase"], tokens])
    parts.fields["vocabulary"] = vocabulary | {"sha256": hashlib.sha256(content.encode()).hexdigest()}
    refuse(parts.join(), message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *((value, "must be a JSON object") for value in (None, True, 1, "", [], [["\n", "\n"]])),
        *(({token: []}, "must name white space of its vocabulary") for token in ("a", "", " ", "[UNK]", "x" * 10**6)),
        *(({"\n": value}, "must list white space") for value in (None, "\n", {"\n": 1}, [["\n"]], [1], [None], ["a"])),
        ({"\n": [","]}, "must list white space"),
        ({"\n": ["\n", "\n"]}, "lists a token twice"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_follows_white_space_is_in_the_vocabulary(
    parts: Parts, refuse: Callable[[bytes, str], None], value: object, message: str
) -> None:
    """Each token is white space or punctuation of the vocabulary, and nothing is listed twice."""
    parts.fields["after_white_space"] = value
    refuse(parts.join(), f"its after_white_space {message}")


@pytest.mark.parametrize("value", [None, 0, 1, "yes", [], {}])
def test_unwrapped_is_a_switch(parts: Parts, refuse: Callable[[bytes, str], None], value: object) -> None:
    """Whether the training text was unwrapped is true or false, and nothing else."""
    parts.fields["unwrapped"] = value
    refuse(parts.join(), "its unwrapped must be true or false")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tokenizer", "x" * 10**6),
        ("tokenizer", 3),
        ("lowercase", 0),
        ("tokenizer_version", 0),
        ("tokenizer_version", True),
        ("tokenizer_version", "1"),
        ("tokenizer_version", None),
    ],
)
def test_tokenizers_that_there_are_not(
    parts: Parts, refuse: Callable[[bytes, str], None], field: str, value: object
) -> None:
    """What splits the text must be a tokenizer of ours."""
    parts.fields["vocabulary"][field] = value
    refuse(parts.join(), "its vocabulary is damaged")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 20, "9" * 5000, "1" * 10**6, "0x1", "01", "+1"]
)
def test_numbers_that_json_does_not_have(parts: Parts, refuse: Callable[[bytes, str], None], number: str) -> None:
    """NaN, infinities, and numbers that it would take Python long to read are refused wherever they stand."""
    refuse(parts.join("1.25", number), "its metadata is not sound JSON")
    refuse(parts.join('"0.1.0"', f'{{"deep":[{number}]}}'), "its metadata is not sound JSON")
    refuse(pack(f'{{"__metadata__":{{}},"a":[{number}]}}'), "its header is not sound JSON")


def test_keys_that_are_there_twice(parts: Parts, refuse: Callable[[bytes, str], None]) -> None:
    """Which of two values with the same key is meant would be anyone's guess."""
    refuse(parts.join('"step":7', '"step":7,"step":7'), "its metadata is not sound JSON")
    refuse(parts.join('"layers":2', '"layers":1,"layers":2'), "its metadata is not sound JSON")
    bias = json.dumps({"output.bias": parts.tensors["output.bias"]})[1:-1]
    metadata = json.dumps({"textgen": json.dumps(parts.fields, separators=(",", ":"))})
    tensors = json.dumps(parts.tensors)[1:-1]
    content = pack(f'{{"__metadata__": {metadata}, {bias}, {tensors}}}', parts.data)
    refuse(sign(content), "its header is not sound JSON")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "its tensor output.bias must have a dtype, a shape and data_offsets, not None"),
        ([], "its tensor output.bias must have a dtype, a shape and data_offsets"),
        ({"dtype": "F32"}, "its tensor output.bias must have a dtype, a shape and data_offsets"),
        ({"more": 1}, "its tensor output.bias must have a dtype, a shape and data_offsets"),
        ({"dtype": "F64"}, "its tensor output.bias must contain F32 numbers, not 'F64'"),
        ({"dtype": ["F32"]}, "its tensor output.bias must contain F32 numbers"),
        ({"dtype": "x" * 10**6}, "its tensor output.bias must contain F32 numbers, not 'xxx"),
        ({"shape": [2**60]}, r"its tensor output.bias must have shape \[6\], not \[1152921504606846976\]"),
        ({"shape": [6, 1]}, r"its tensor output.bias must have shape \[6\], not \[6, 1\]"),
        ({"shape": [6.0]}, r"its tensor output.bias must have shape \[6\], not \[6.0\]"),
        ({"shape": ["6"]}, r"its tensor output.bias must have shape \[6\]"),
        ({"shape": 6}, r"its tensor output.bias must have shape \[6\], not 6"),
        ({"shape": [10**18] * 100_000}, r"its tensor output.bias must have shape \[6\]"),
        ({"data_offsets": None}, "its tensor output.bias must be between two offsets"),
        ({"data_offsets": [0.0, 24.0]}, "its tensor output.bias must be between two offsets"),
        ({"data_offsets": []}, "its tensor [a-z0-9.]+ does not start where the one before it ends"),
        ({"data_offsets": [0, 2**60]}, "its tensor [a-z0-9.]+ does not start where the one before it ends"),
        ({"data_offsets": [-24, 0]}, "its tensor [a-z0-9.]+ does not start where the one before it ends"),
        ({"data_offsets": [0, 24, 48]}, "its tensor [a-z0-9.]+ does not start where the one before it ends"),
    ],
)
def test_tensors_that_are_not_there(
    parts: Parts, refuse: Callable[[bytes, str], None], entry: Any, message: str
) -> None:
    """A tensor's type, shape and place are exactly those of the model; two may not share their numbers."""
    known = parts.tensors["output.bias"]
    parts.tensors["output.bias"] = known | entry if isinstance(entry, dict) and entry != {"dtype": "F32"} else entry
    refuse(parts.join(), message)


def test_names_of_tensors(parts: Parts, refuse: Callable[[bytes, str], None]) -> None:
    """One tensor less, more, or by another name."""
    entry = parts.tensors.pop("layers.1.bias")
    refuse(parts.join(), r"its tensor layers\.1\.bias is missing")
    refuse(parts.join_with("layers.1.Bias", entry), r"its tensor layers\.1\.bias is missing")
    parts.tensors["layers.1.bias"] = entry
    for name in ("", "\0", "\ud800", "a\nb", "../../etc/passwd", "x" * 10**6):
        refuse(parts.join_with(name, entry), "its tensor .* has no place in a model of its shape")


def test_bytes_between_tensors(parts: Parts, refuse: Callable[[bytes, str], None]) -> None:
    """No byte of the file belongs to no tensor, where something could be hidden."""
    for entry in parts.tensors.values():
        entry["data_offsets"] = [offset + 4 for offset in entry["data_offsets"]]
    parts.data = b"\0\0\0\0" + parts.data
    refuse(parts.join(), "does not start where the one before it ends")


def test_tensors_may_be_in_any_order(path: Path, parts: Parts) -> None:
    """The header decides where the tensors are."""
    expected = read_model(path).tensors
    begin = 0
    data = b""
    for name in sorted(parts.tensors, reverse=True):
        data += expected[name].tobytes()
        parts.tensors[name]["data_offsets"] = [begin, len(data)]
        begin = len(data)
    parts.data = data
    path.write_bytes(parts.join())
    for name, tensor in read_model(path).tensors.items():
        assert tensor.tobytes() == expected[name].tobytes()


@pytest.mark.parametrize("number", ["0000c07f", "0000807f", "000080ff", "010080ff"])
def test_weights_that_are_not_finite(parts: Parts, refuse: Callable[[bytes, str], None], number: str) -> None:
    """NaN, infinities and signalling NaN, each given by its bytes, are refused wherever they stand, first or last."""
    sound = parts.data
    for place in (0, len(sound) // 8 * 4, len(sound) - 4):
        parts.data = sound[:place] + bytes.fromhex(number) + sound[place + 4 :]
        refuse(parts.join(), "its tensor .* holds numbers that are not finite")


@pytest.mark.parametrize(("version", "wanted", "given"), [(2, "F32", "F16"), (3, "F16", "F32")])
def test_weights_of_the_other_type(
    parts: Parts, refuse: Callable[[bytes, str], None], version: int, wanted: str, given: str
) -> None:
    """A file of version 2 contains only float32, and one of version 3 only float16, so that sizes follow from the version."""
    parts.fields["format_version"] = version
    for entry in parts.tensors.values():
        entry["dtype"] = given
    refuse(parts.join(), f"its tensor [a-z0-9._]+ must contain {wanted} numbers, not '{given}'")
    for entry in parts.tensors.values():
        entry["dtype"] = wanted
    parts.tensors["output.bias"]["dtype"] = given
    refuse(parts.join(), f"its tensor output.bias must contain {wanted} numbers, not '{given}'")


def test_float16_with_the_sizes_of_float32(parts: Parts, refuse: Callable[[bytes, str], None]) -> None:
    """In a file of float16, a tensor that takes as many bytes as in float32 is refused."""
    parts.fields["format_version"] = 3
    for entry in parts.tensors.values():
        entry["dtype"] = "F16"
    refuse(parts.join(), "does not start where the one before it ends")


@pytest.mark.parametrize("content", ["null", "7", '"\\u0000"', '"' + "0" * 65 + '"'])
def test_a_source_that_is_no_hash(parts: Parts, refuse: Callable[[bytes, str], None], content: str) -> None:
    """The hash of the model that a model was started from is a short printable text."""
    parts.fields["started_from"] = json.loads(content)
    refuse(parts.join(), "its started_from must be at most 64 printable characters")
