"""The predictions of Vertex AI: continues the text of each instance."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from textgen.config import SamplingConfig
from textgen.formatting import shown
from textgen.serving import body
from textgen.serving.completion_request import MOST_TEXTS, CompletionRequest
from textgen.serving.completions import complete
from textgen.serving.failures import RequestError
from textgen.serving.worker import MOST_OF_ONE

_DEFAULTS = {"max_tokens": SamplingConfig.length, "temperature": SamplingConfig.temperature}
"""The parameters that are as for `textgen-sample`, if they are not given."""

_LENGTH = "length"
"""The name of `max_tokens` as a setting of textgen."""

_NOT_HERE = ("prompt", "n", "stream", "stream_options", "echo", "logprobs")
"""The fields of a completion that are no parameters: a prediction is one text."""


class Instance(Struct, forbid_unknown_fields=True):
    """An instance that is an object."""

    prompt: str


class PredictionRequest(Struct, forbid_unknown_fields=True):
    """The body of the request (Vertex AI's documentation, "Get online inferences from a custom trained model").

    Attributes:
        instances: the prompts: each a string, or an object with a field `prompt`.
        parameters: how all of them are continued: fields of a completion, and `length` for `max_tokens`.
    """

    instances: list[Any]
    parameters: dict[str, Any] | None = None


async def answer(request: Request) -> Response:
    """Answers a request for predictions: an object with the text and its `finish_reason` for each instance."""
    fields = await body.read(request, PredictionRequest)
    if len(fields.instances) > MOST_TEXTS:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"instances must have at most {MOST_TEXTS} texts, got {len(fields.instances)}",
            param="instances",
        )
    prompts = [_read_instance(number, instance) for number, instance in enumerate(fields.instances)]
    parameters = fields.parameters or {}
    wanted = _read_parameters(parameters)
    _check_number(len(prompts), parameters)
    places = asyncio.Semaphore(MOST_OF_ONE)
    tasks = [asyncio.ensure_future(_predict(request, *each, wanted, places)) for each in enumerate(prompts)]
    try:
        predictions = await asyncio.gather(*tasks)
    except RequestError as error:
        if error.param != "parameters" or _LENGTH not in parameters:
            raise
        message = error.message.replace("max_tokens", _LENGTH)
        raise RequestError(error.status, message, param=error.param, code=error.code) from None
    finally:
        for task in tasks:
            task.cancel()
    return JSONResponse({"predictions": predictions})


async def _predict(
    request: Request, number: int, prompt: str, wanted: Mapping[str, Any], places: asyncio.Semaphore
) -> dict[str, str | None]:
    """Returns the prediction of an instance; without a text if the client has left."""
    try:
        async with places:
            fields = body.convert({**wanted, "prompt": prompt}, CompletionRequest)
            completion = await complete(request, fields, group=places)  # all instances have the same
    except RequestError as error:
        if error.param == "prompt":
            raise _about(f"instances[{number}]", error, "instances") from None
        raise _about("parameters", error, "parameters" if error.param else None) from None
    if completion is None:
        return {}
    [choice] = completion.choices
    return {"text": choice.text, "finish_reason": choice.finish_reason}


def _check_number(instances: int, parameters: Mapping[str, Any]) -> None:
    """Refuses more texts in all than a request can have, which would never find room in the queue."""
    of_each = parameters.get("best_of")
    if isinstance(of_each, int) and of_each > 1 and instances * of_each > MOST_TEXTS:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"parameters: best_of must be at most {MOST_TEXTS // instances} for {instances} instances, got {shown(of_each)}",
            param="parameters",
        )


def _read_instance(number: int, instance: object) -> str:
    """Returns the prompt of an instance."""
    if isinstance(instance, str):
        return instance
    place = f"instances[{number}]"
    if not isinstance(instance, dict):
        raise RequestError(
            HTTPStatus.BAD_REQUEST,
            f"{place} must be a string, or an object with a prompt, got {shown(instance)}",
            param="instances",
        )
    try:
        return body.convert(instance, Instance).prompt
    except RequestError as error:
        raise _about(place, error, "instances") from None


def _read_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of the completions."""
    for name in _NOT_HERE:
        if name in given:
            raise RequestError(
                HTTPStatus.BAD_REQUEST, f"parameters must not have {name}; leave it out", param="parameters"
            )
    if _LENGTH in given and "max_tokens" in given:
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "length and max_tokens mean the same; leave one out", param="parameters"
        )
    renamed = {"max_tokens" if name == _LENGTH else name: value for name, value in given.items()}
    return {**_DEFAULTS, **renamed}


def _about(place: str, error: RequestError, param: str | None) -> RequestError:
    """Returns an error that names a part of the body."""
    message = error.message if param is None else f"{place}: {error.message}"
    return RequestError(error.status, message, param=param, code=error.code, headers=error.headers)
