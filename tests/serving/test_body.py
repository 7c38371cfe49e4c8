import json
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from textgen.errors import (
    AccessError,
    DataError,
    FormatError,
    InputOutputError,
    MissingError,
    UnavailableError,
    UsageError,
    named,
)
from textgen.serving.body import convert, parse
from textgen.serving.failures import RequestError, answer_error, as_request_error, error_object


class Wanted(Struct, forbid_unknown_fields=True):
    prompt: str
    count: Annotated[int, Meta(ge=1, le=8)] = 1
    heat: float | None = None
    stop: str | list[str] | None = None
    biases: dict[str, float] | None = None


HALVES = (b"\\ud800", b"\\uD83D and more", b"a\\udc00", b"\\ud800\\u0041", b"\\udbff\\ud800", b"\\ud800\\n")
"""Strings with only half of the surrogate pair of a character."""


def test_a_body_is_read_as_its_struct():
    """Fields that are left out have their defaults, and a whole number is a number too."""
    body = {"prompt": "é\n", "heat": 1, "stop": ["a"], "biases": {"5": -100}}
    assert parse(json.dumps(body).encode(), Wanted) == Wanted("é\n", 1, 1.0, ["a"], {"5": -100.0})


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ('{"prompt": 1}', "prompt must be a string, got a whole number", "prompt"),
        ("{}", "prompt is required", "prompt"),
        ('{"prompt": "", "cuont": 1}', "unknown field 'cuont'; did you mean count?", "cuont"),
        ('{"prompt": "", "xyz": 1}', "unknown field 'xyz'", "xyz"),
        ('{"prompt": "", "a`b": 1}', "unknown field 'a`b'", "a`b"),
        ('{"prompt": "", "count": "1"}', "count must be a whole number, got a string", "count"),
        ('{"prompt": "", "count": 1.5}', "count must be a whole number, got a decimal number", "count"),
        ('{"prompt": "", "count": true}', "count must be a whole number, got a boolean", "count"),
        ('{"prompt": "", "count": null}', "count must be a whole number, got null", "count"),
        ('{"prompt": "", "count": 0}', "count must be a whole number, at least 1", "count"),
        ('{"prompt": "", "count": 99999999999999999999999999}', "count must be a whole number, at most 8", "count"),
        ('{"prompt": "", "heat": 1e999}', "heat is not valid: number out of range", "heat"),
        ('{"prompt": "", "heat": []}', "heat must be a number or null, got a list", "heat"),
        ('{"prompt": "", "stop": 1}', "stop must be a string, a list or null, got a whole number", "stop"),
        ('{"prompt": "", "stop": ["a", 1]}', "stop[1] must be a string, got a whole number", "stop"),
        ('{"prompt": "", "biases": {"a": "b"}}', "biases[...] must be a number, got a string", "biases"),
        ("[]", "the body must be an object, got a list", None),
        ('"text"', "the body must be an object, got a string", None),
        ("null", "the body must be an object, got null", None),
    ],
)
def test_a_wrong_field_is_named(body, message, param):
    """A field that is unknown, missing or wrong gives 400 with the rule, the type that was received and the field."""
    with pytest.raises(RequestError) as caught:
        parse(body.encode(), Wanted)
    assert (caught.value.status, caught.value.message, caught.value.param) == (400, message, param)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b'{"prompt": "a"} x', b'{"prompt": NaN}', b'{"prompt": "\xff"}', b"\xef\xbb\xbf{}", b"\0"),
        *(b'{"prompt": "\\ud800"}', b"{'prompt': 'a'}", b'{"prompt": "a",}', b'{"prompt": "a\nb"}'),
    ],
)
def test_anything_but_json_is_refused(body):
    """A body that is not JSON gives 400 with the reason."""
    with pytest.raises(RequestError, match=r"^the body must be JSON: ") as caught:
        parse(body, Wanted)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *((b'{"prompt": "%b"}' % half, "a string has only half of a surrogate pair") for half in HALVES),
        *((body, "it is empty") for body in (b"", b" \n")),
        *((body, "input data was truncated") for body in (b"{", b'{"prompt": "\\ud83d\\ude00')),
    ],
)
def test_the_reason_is_what_is_wrong(body, reason):
    """Half of a surrogate pair is named, wherever it stands, and so is a body without content."""
    with pytest.raises(RequestError) as caught:
        parse(body, Wanted)
    assert caught.value.message.startswith(f"the body must be JSON: {reason}")


@pytest.mark.parametrize("start", [b"[", b'{"prompt":', b'{"prompt": "a", "stop": [', b'{"a":'])
def test_deep_nesting_is_refused(start):
    """A body that nests thousands of levels is refused like any other."""
    for body in (start * 6000, start + b"[" * 60_000):
        with pytest.raises(RequestError):
            parse(body, Wanted)


def refusal_of(body):
    """Returns the error about a body; None if it can be read."""
    try:
        parse(body, Wanted)
    except RequestError as error:
        return error
    return None


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(body):
    """No body causes any other error than one of one line."""
    error = refusal_of(body)
    assert error is None or (error.status == 400 and "\n" not in error.message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Wanted.__struct_fields__, "other", "a.b[0]`", "\n"]), json_values))
def test_any_values_are_read_or_refused(body):
    """An error about any object of JSON names one of its fields, or the one that it lacks."""
    error = refusal_of(json.dumps(body).encode())
    assert error is None or (error.status == 400 and "\n" not in error.message)
    assert error is None or error.param in {*body, "prompt", "a"}


def test_a_part_of_a_body_is_read_in_the_same_way():
    """`convert` reads an object that is decoded already, with the same errors."""
    assert convert({"prompt": "a", "count": 2}, Wanted) == Wanted("a", 2)
    with pytest.raises(RequestError, match=r"^count must be a whole number, got a string$"):
        convert({"prompt": "a", "count": "2"}, Wanted)


@pytest.mark.parametrize(
    ("error", "status", "param"),
    [
        (UsageError(f"{named('top_p')} must be above 0, got 0"), 400, "top_p"),
        (DataError("the model does not know 'x'"), 400, None),
        (RequestError(422, "too long", param="max_tokens"), 422, "max_tokens"),
        (UnavailableError("there is no /home/a"), 503, None),
        (MemoryError(), 503, None),
        (MissingError("there is no /home/a"), 500, None),
        (AccessError("/home/a may not be read"), 500, None),
        (InputOutputError("/home/a cannot be read"), 500, None),
        (FormatError("/home/a is damaged"), 500, None),
        (ZeroDivisionError("/home/a"), 500, None),
    ],
)
def test_failures_become_errors_of_the_request_or_the_server(error, status, param):
    """Failures of the client have their message and the field; those of the server show no path."""
    found = as_request_error(error)
    assert (found.status, found.param) == (status, param)
    if status >= 500:
        assert "/home" not in found.message
    else:
        assert found.message == str(error)


def test_errors_have_the_shape_of_openai():
    """An error is an object with message, type, param and code, in an answer with its status and headers."""
    error = RequestError(503, "the queue is full", param="n", code="queue_full", headers={"Retry-After": "2"})
    wanted = {"error": {"message": "the queue is full", "type": "server_error", "param": "n", "code": "queue_full"}}
    assert error_object(error) == wanted
    answer = answer_error(error)
    assert (answer.status_code, json.loads(bytes(answer.body))) == (503, wanted)
    assert answer.headers["Retry-After"] == "2"
    assert error_object(RequestError(400, "no"))["error"]["type"] == "invalid_request_error"
