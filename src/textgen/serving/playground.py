"""Answers the requests of the playground: what a unit of the network does, and what a text copies from the training text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated
from weakref import WeakKeyDictionary

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from textgen.errors import TextgenError
from textgen.evaluation.novelty import find_copies
from textgen.evaluation.units import (
    StrongestPlaces,
    find_strongest_places,
    outputs_of_unit,
    strongest_units,
)
from textgen.formatting import one_line
from textgen.generation.text_tokens import split_text
from textgen.serving import body
from textgen.serving.failures import RequestError
from textgen.serving.threads import Check, Threads, threads_for

if TYPE_CHECKING:
    from textgen.evaluation.training_text import TrainingText
    from textgen.serving.models import ServedModel

_log = logging.getLogger(__name__)

_STRONGEST = 12
_DIGITS = 5

_Index = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class StatesFields(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /playground/states.

    Attributes:
        text: the text to read.
        layer: the index of a layer.
        unit: the index of a unit in the layer; None for the strongest units after the last token.
        model: the name of the model; None for the first.
    """

    text: str
    layer: _Index
    unit: _Index | None = None
    model: str | None = None


class PassagesFields(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /playground/passages.

    Attributes:
        layer: the index of a layer.
        unit: the index of a unit in the layer.
        count: the number of passages.
        model: the name of the model; None for the first.
    """

    layer: _Index
    unit: _Index
    count: Annotated[int, msgspec.Meta(ge=1, le=50)] = 8
    model: str | None = None


class CopiesFields(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /playground/copies.

    Attributes:
        text: the text in which to find copied passages.
        model: the name of the model; None for the first.
    """

    text: str
    model: str | None = None


async def answer_states(request: Request) -> Response:
    """Answers POST /playground/states with the outputs of a unit along a text, or with the strongest units after it.

    Raises:
        RequestError: with 400 or 404 for a wrong field, and with 503 if there are too many requests.
    """
    fields = await body.read(request, StatesFields)
    model = request.app.state.models.find(fields.model)
    _check_unit(model, fields.layer, fields.unit)

    def read(check: Check) -> Response:
        network, ids = model.generator.network, split_text(fields.text, model.generator.model.vocabulary).ids
        if fields.unit is None:
            strongest = strongest_units(network, ids, fields.layer, _STRONGEST, check=check)
            return JSONResponse({"strongest": [[unit, round(value, _DIGITS)] for unit, value in strongest]})
        values = outputs_of_unit(network, ids, fields.layer, fields.unit, check=check)
        return JSONResponse({"values": _rounded(values.tolist())})

    return await threads_for(request, len(fields.text)).run_for(request, read)


async def answer_passages(request: Request) -> Response:
    """Answers POST /playground/passages with the passages of the training text in which a unit is strongest.

    Raises:
        RequestError: with 400 or 404 for a wrong field or a text that is not at hand, and with 503 if there are too many requests.
    """
    fields = await body.read(request, PassagesFields)
    model = request.app.state.models.find(fields.model)
    _check_unit(model, fields.layer, fields.unit)

    finder: PassageFinder = request.app.state.passage_finder

    def find(check: Check) -> Response:
        del check  # what is found is kept for all
        places = finder.strongest_places(model, fields.layer)
        passages = [
            {
                "text": "".join(passage.pieces),
                "tokens": passage.pieces,
                "values": _rounded(passage.values),
                "peak": passage.peak,
            }
            for passage in places.passages(fields.unit, fields.count)
        ]
        return JSONResponse({"passages": passages})

    return await finder.threads.run_for(request, find)


async def answer_copies(request: Request) -> Response:
    """Answers POST /playground/copies with the passages of a text that the training text contains.

    Raises:
        RequestError: with 400 or 404 for a wrong field or a text that is not at hand, and with 503 if there are too many requests.
    """
    fields = await body.read(request, CopiesFields)
    model = request.app.state.models.find(fields.model)

    def find(check: Check) -> Response:
        text = _text_of(model)
        try:
            copies = text.copies
        except TextgenError as error:
            raise _not_at_hand(model, error) from error
        check()  # to open the copies may have taken long
        found = find_copies(split_text(fields.text, model.generator.model.vocabulary), copies)
        return JSONResponse({"copies": [{"start": start, "end": end} for start, end in found]})

    return await threads_for(request, len(fields.text)).run_for(request, find)


class PassageFinder:
    """Finds the passages in which units are strongest, and keeps what it has found as long as the models are served.

    Attributes:
        threads: compute one at a time. For the first unit of a layer, the work takes seconds, and other requests should not wait for it.
    """

    def __init__(self) -> None:
        self.threads = Threads(at_once=1)
        self._found: WeakKeyDictionary[ServedModel, dict[int, StrongestPlaces]] = WeakKeyDictionary()

    def strongest_places(self, model: ServedModel, layer: int) -> StrongestPlaces:
        """Returns the strongest places of the units of a layer. Only a computation of `threads` may call this.

        Raises:
            RequestError: with 404 if the training text is not at hand.
        """
        of_model = self._found.setdefault(model, {})
        if layer not in of_model:
            text, generator = _text_of(model), model.generator
            try:
                of_model[layer] = find_strongest_places(generator.network, generator.model, text.section, layer)
            except TextgenError as error:
                raise _not_at_hand(model, error) from error
        return of_model[layer]


def _text_of(model: ServedModel) -> TrainingText:
    if model.text is None:
        raise _not_at_hand(model)
    return model.text


def _not_at_hand(model: ServedModel, reason: TextgenError | None = None) -> RequestError:
    """Returns the error for a model without its training text. The reason, which may contain a path, is only logged."""
    if reason is not None:
        _log.warning("the training text of %s cannot be used: %s", model.name, one_line(reason))
    return RequestError(
        404,
        f"the server does not have the training text of {model.name}; name another model, or serve the job where its text is",
        param="model",
        code="no_training_text",
    )


def _check_unit(model: ServedModel, layer: int, unit: int | None) -> None:
    """Refuses a layer or a unit that a model does not have.

    Raises:
        RequestError: with 400, which names the field.
    """
    layers = model.generator.network.layers
    for name, index, number in (
        ("layer", layer, len(layers)),
        ("unit", unit or 0, layers[min(layer, len(layers) - 1)].output_size),
    ):
        if index >= number:
            raise RequestError(
                400, f"{name} must be below {number} for {model.name}, got {index}", param=name, code="invalid_value"
            )


def _rounded(numbers: list[float]) -> list[float]:
    """Rounds numbers to digits that can be seen."""
    return [round(number, _DIGITS) for number in numbers]
