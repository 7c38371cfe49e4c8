"""Makes random bodies of requests, half of them almost valid, to find out what a service cannot bear."""

import json
import math
import random
from collections.abc import Mapping
from typing import Any

COMPLETION: dict[str, Any] = {
    "model": None,
    "prompt": "aa",
    "max_tokens": 8,
    "temperature": 0.8,
    "top_p": 0.9,
    "n": 1,
    "best_of": 1,
    "stop": ["z", "yz"],
    "seed": 1,
    "echo": False,
    "logprobs": 2,
    "logit_bias": {"5": 1.0},
    "stream": True,
    "stream_options": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "suffix": None,
    "user": "me",
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "max_copy": None,
    "ban": "zz",
    "lines": 2,
    "oov": "skip",
}
_PARAMETERS = {
    name: value
    for name, value in COMPLETION.items()
    if name not in {"prompt", "n", "stream", "stream_options", "echo", "logprobs"}
}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/completions": COMPLETION,
    "/v1/score": {"text": "aaa", "model": None, "top": 3, "next": 3},
    "/predict": {"instances": ["a", {"prompt": "aa"}], "parameters": _PARAMETERS},
    "/playground/states": {"text": "aaa", "layer": 0, "unit": 1, "model": None},
    "/playground/passages": {"layer": 0, "unit": 1, "count": 3, "model": None},
    "/playground/copies": {"text": "aaa", "model": None},
}
"""A body with all fields for each path."""

_REQUIRED = {"text", "instances", "layer", "unit"}

_WHOLE = (0, 1, 2, 3, -1, 5, 20, 21, 1000, 4096, 4097, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**400)
_DECIMAL = (0.0, -0.0, 0.5, 1.0, 1.5, -0.1, 1e-320, 1e308, math.inf, -math.inf, math.nan)
_TEXTS = ("", "a", "b" * 5000, "\0", "\n", "🙂", "\ud800", "e\u0301", "none", "error", "-1", "../x", "\u202e")
_LISTS = ([], [[]], ["a", "a"], [1, 2, 3], [[2, 3], [4]], ["a", 1], [0], [-1], [2**40], ["a"] * 200, [None], [{}])
_OBJECTS = ({}, {"5": 1}, {"x": 1}, {"-1": 2}, {"5": 1e300}, {"99999": 1}, {"prompt": "a"}, {"include_usage": True})
WILD: tuple[Any, ...] = (None, True, False, *_WHOLE, *_DECIMAL, *_TEXTS, *_LISTS, *_OBJECTS)
"""Values that a field may have."""

_BREAKING = (b"{", b"[" * 10_000, b'"', b",", b"\\u", b"\xff", b"\0", b"1e999", b"NaN")
"""What makes JSON invalid, in most places."""


def random_request(rng: random.Random) -> tuple[str, bytes]:
    """Returns a path and a body: half of the bodies are almost valid, the others are wild JSON, damaged JSON or any bytes."""
    path = rng.choice(["/v1/completions", *BODIES])
    make = rng.choice([_near, _near, _near, _wild, _damaged, _binary])
    return path, make(rng, BODIES[path])


def _near(rng: random.Random, fields: Mapping[str, Any]) -> bytes:
    """Returns most of the fields, up to two of them with wild values, and rarely one that does not exist."""
    body = _some(rng, fields)
    if _happens(rng, 0.1):
        body[rng.choice(["nonsense", "Prompt", "", "model\0", "text"])] = rng.choice(WILD)
    return _encode(rng, body)


def _some(rng: random.Random, fields: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in fields.items() if name in _REQUIRED or _happens(rng, 0.6)}
    for name in rng.sample(list(fields), rng.choice([0, 0, 1, 1, 2])):
        kind = type(fields[name])
        body[name] = rng.choice([value for value in WILD if type(value) is kind or _happens(rng, 0.2)])
    if body.get("parameters") is _PARAMETERS:
        body["parameters"] = _some(rng, _PARAMETERS)
    return body


def _wild(rng: random.Random, fields: Mapping[str, Any]) -> bytes:
    """Returns some of the fields, and others, with wild values, or no object at all."""
    names = [*fields, "x", "", "é"]
    body = {rng.choice(names): _nested(rng, rng.randrange(4)) for _ in range(rng.randrange(8))}
    return _encode(rng, body if _happens(rng, 0.8) else _nested(rng, 3))


def _nested(rng: random.Random, depth: int) -> Any:
    if depth == 0:
        return rng.choice(WILD)
    if _happens(rng, 0.5):
        return [_nested(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {str(rng.choice(WILD))[:20]: _nested(rng, depth - 1) for _ in range(rng.randrange(4))}


def _damaged(rng: random.Random, fields: Mapping[str, Any]) -> bytes:
    """Returns an almost valid body, in which bytes are changed, added or missing."""
    body = bytearray(_near(rng, fields))
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(body) + 1)
        until = rng.choice([place, place + 1, len(body)])
        body[place:until] = rng.choice([b"", b"", rng.randbytes(1), *_BREAKING])
    return bytes(body)


def _binary(rng: random.Random, fields: Mapping[str, Any]) -> bytes:
    del fields
    return rng.randbytes(rng.choice([0, 1, 2, 100, 5000]))


def _encode(rng: random.Random, body: Any) -> bytes:
    """Returns JSON as Python writes it, which also has NaN, Infinity and lone surrogates."""
    return json.dumps(body, ensure_ascii=_happens(rng, 0.5)).encode(errors="surrogatepass")


def _happens(rng: random.Random, probability: float) -> bool:
    return rng.random() < probability
