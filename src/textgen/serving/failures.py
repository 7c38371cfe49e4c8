"""Turns failures into answers, in the error shape of OpenAI's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from textgen.errors import DataError, TextgenError, UnavailableError, UsageError
from textgen.formatting import one_line

_FIRST_SERVER_ERROR = 500


class RequestError(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status, such as 400.
        message: one line: what is wrong, the value received, and what to do. It must not contain a path of this machine.
        param: the field of the request that is wrong.
        code: a word by which a program recognises the error.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers


def try_again(message: str, seconds: int, *, code: str | None = None) -> RequestError:
    """Returns the error for a request that can be answered later.

    Args:
        message: as in `RequestError`.
        seconds: after how many seconds a client should send the request again.
        code: as in `RequestError`.
    """
    return RequestError(503, message, code=code, headers={"Retry-After": str(seconds)})


def server_ends() -> RequestError:
    """Returns the error for a request that arrives, or still runs, when the server ends."""
    return try_again("the server is shutting down; try again in a moment", 2)


def refusal(
    error: UsageError | DataError, *, fields: Mapping[str, str] | None = None, text: str | None = None
) -> RequestError:
    """Returns the error for a request with a value that textgen refuses.

    Args:
        error: why it is refused.
        fields: the fields by the names of the settings that they set, where these differ.
        text: the field with the text that a `DataError` is about.
    """
    names = {setting: (fields or {}).get(setting, setting) for setting in error.settings}
    message = error.on_command_line
    for setting, field in names.items():
        message = message.replace(f"--{setting}", field)
    about_text = text if isinstance(error, DataError) else None
    return RequestError(400, one_line(message), param=about_text or next(iter(names.values()), None))


def as_request_error(error: Exception) -> RequestError:
    """Translates any failure to the one that the client is shown.

    A failure that the client did not cause is shown without its message, which may contain a path of this machine.
    """
    if isinstance(error, RequestError):
        return error
    if isinstance(error, UsageError | DataError):
        return refusal(error)
    if isinstance(error, UnavailableError | MemoryError):
        return try_again("the server cannot answer this now; try again later", 10)
    if isinstance(error, TextgenError):
        return RequestError(500, "the server cannot use a file that it needs; its log names the file")
    return RequestError(500, "the server failed because of a bug; its log has the details")


def error_object(error: RequestError) -> dict[str, Any]:
    """Returns the JSON of an error, for an answer or for an event of a stream."""
    kind = "server_error" if error.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


def answer_error(error: RequestError) -> Response:
    """Returns the answer to a request that failed."""
    return JSONResponse(error_object(error), error.status, error.headers)
