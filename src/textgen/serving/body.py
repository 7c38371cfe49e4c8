"""Reads the body of a request: JSON with known fields of known types."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from starlette.requests import Request

from textgen.formatting import nearest, shown
from textgen.serving.failures import RequestError

Fields = TypeVar("Fields", bound=msgspec.Struct)

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "a boolean",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
"""The types of JSON in words."""

_HALF_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
"""The first half of a character that JSON writes as two, without the second."""

_LIMITS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


async def read(request: Request, fields: type[Fields]) -> Fields:
    """Reads the body of a request.

    Args:
        request: the request.
        fields: the struct that the body is read as, which should forbid unknown fields.

    Returns:
        The struct.

    Raises:
        RequestError: with 400 if the body is not JSON, or a field is unknown, missing or of the wrong type; it names the field.
    """
    return parse(await request.body(), fields)


def parse(body: bytes, fields: type[Fields]) -> Fields:
    """Reads a body, as `read` does."""
    try:
        return msgspec.json.decode(body, type=fields)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error), fields) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(400, f"the body must be JSON: {_reason(error, body)}", code="invalid_json") from None


def convert(value: object, fields: type[Fields]) -> Fields:
    """Reads an object that is a part of a body, as `read` reads a whole one."""
    try:
        return msgspec.convert(value, fields)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error), fields) from None


def _reason(error: Exception, body: bytes) -> str:
    """Returns what is wrong with a body that is not JSON."""
    reason = _lower(str(error).removeprefix("JSON is malformed: "))
    if not body.strip():
        return "it is empty"
    if "surrogate" in reason or ("truncated" in reason and _HALF_PAIR.search(body)):
        return "a string has only half of a surrogate pair; send whole characters"
    return reason


def _wrong_field(message: str, fields: type[msgspec.Struct]) -> RequestError:
    """Translates msgspec's message about a field, such as "Expected `int`, got `str` - at `$.n`"."""
    text, _, place = message.partition(" - at `$")
    path = place.rstrip("`").lstrip(".")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", text, re.DOTALL):
        name = _inside(path, unknown[1])
        suggestion = "" if path else nearest(name, fields.__struct_encode_fields__)
        return RequestError(400, f"unknown field {shown(name)}{suggestion}", param=_top(name), code="unknown_field")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", text):
        name = _inside(path, missing[1])
        return RequestError(400, f"{name} is required", param=_top(name), code="missing_field")
    subject = path or "the body"
    if wrong := re.fullmatch(r"Expected `([^`]*)`(.*?)(?:, got `([^`]*)`)?", text):
        wanted, limit, given = wrong.groups()
        limit = re.sub(r" (>=|<=|>|<) ", lambda found: f", {_LIMITS[found[1]]} ", limit)
        got = "" if given is None else f", got {'a decimal number' if given == 'float' else _in_words(given)}"
        text = f"must be {_in_words(wanted)}{limit}{got}"
    else:
        text = f"is not valid: {_lower(text)}"
    return RequestError(400, f"{subject} {text}", param=_top(path) or None, code="invalid_value")


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _top(path: str) -> str:
    """Returns the field of the body that a path such as `stop[0]` begins with."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _in_words(types: str) -> str:
    """Returns types that msgspec separates by bars, in words."""
    *others, last = (_TYPES.get(kind, kind) for kind in types.split(" | "))
    return f"{', '.join(others)} or {last}" if others else last


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
