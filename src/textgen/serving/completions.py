"""POST /v1/completions: continues prompts, as OpenAI's completions do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter, time
from typing import Annotated, Any, Literal, NoReturn

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from textgen.config import SamplingConfig
from textgen.corpus import FIRST_TOKEN_ID
from textgen.errors import DataError, TextgenError, UsageError
from textgen.formatting import one_line, shown
from textgen.generation import Sample
from textgen.generation.prompt import Prompt
from textgen.generation.row import Row
from textgen.serving import body
from textgen.serving.choices import Choice, ChoiceWriter
from textgen.serving.failures import RequestError
from textgen.serving.models import Models, ServedModel
from textgen.serving.streaming import EventStream
from textgen.serving.worker import Texts

MOST_TOKENS = 4096
"""The most tokens of a text."""

MOST_TEXTS = 128
"""The most texts that one request can have written."""

_MOST_STOPS = 4
_MOST_BANS = 32
_LONGEST_BAN = 100
_LEFT = 499
"""The status that is counted for a client that left before its answer; nobody receives it."""

_SETTINGS = {"length": "max_tokens", "until": "stop"}
"""The fields by the names of the settings that they set, where these differ."""


class StreamOptions(Struct, forbid_unknown_fields=True):
    """How to stream."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of the request. Null stands for the default, as in OpenAI's API."""

    model: str | None = None
    prompt: str | list[str | int | list[int]] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    best_of: Annotated[int, Meta(ge=1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, float] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    suffix: str | None = None
    user: str | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    max_copy: int | None = None
    ban: str | list[str] | None = None
    lines: int | None = None
    oov: Literal["error", "skip", "unk"] | None = None


class Usage(Struct):
    """The tokens that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(Struct, kw_only=True):
    """The answer, or an event of a streamed answer."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None
    seed: int
    system_fingerprint: str


@dataclass(frozen=True, eq=False)
class Job:
    """A request whose texts are being written.

    Attributes:
        request: the request.
        served: the model that writes.
        texts: its texts, `of_each` after one another for each prompt.
        of_each: the number of texts for each prompt.
        kept: the number of them that are returned.
        seed: the seed of the first text for each prompt.
        prompts: the prompts.
        prompt_tokens: the number of tokens in all prompts.
        stops: texts that end a text, and are not part of it.
        started: when the request arrived, by `perf_counter`.
    """

    request: CompletionRequest
    served: ServedModel
    texts: Texts
    of_each: int
    kept: int
    seed: int
    prompts: Sequence[Prompt]
    prompt_tokens: int
    stops: Sequence[str]
    started: float
    id: str
    created: int

    def writers(self) -> list[ChoiceWriter]:
        """Returns the writers of the choices. If only the best texts are kept, all texts must have ended."""
        samples = self.texts.samples
        writers: list[ChoiceWriter] = []
        for number, prompt in enumerate(self.prompts):
            of_prompt = samples[number * self.of_each : (number + 1) * self.of_each]
            if self.kept < self.of_each:
                of_prompt = sorted(of_prompt, key=lambda sample: sample.nats_per_token)[: self.kept]
            for sample in of_prompt:
                echoed = prompt.typed if self.request.echo else ""
                scored = self.request.logprobs is not None
                writers.append(ChoiceWriter(len(writers), sample, self.stops, echoed=echoed, scored=scored))
        return writers

    def completion(self, choices: list[Choice], usage: Usage | None = None) -> Completion:
        """Returns the answer, or an event, with some choices."""
        return Completion(
            id=self.id,
            created=self.created,
            model=self.served.name,
            choices=choices,
            usage=usage,
            seed=self.seed,
            system_fingerprint=self.served.fingerprint,
        )

    def usage(self) -> Usage:
        """Returns the tokens that were read and written so far."""
        written = sum(len(sample.pieces) for sample in self.texts.rows.values())
        return Usage(self.prompt_tokens, written, self.prompt_tokens + written)

    def close(self, metrics: Any) -> None:
        """Retires the texts that have not ended, and counts what was written."""
        self.served.worker.retire(self.texts)
        metrics.wrote(self.served.name, self.usage().completion_tokens)
        if self.texts.began is not None:
            metrics.waited(self.served.name, self.texts.began - self.started)


async def answer(request: Request) -> Response:
    """Answers POST /v1/completions."""
    fields = await body.read(request, CompletionRequest)
    if fields.stream:
        job = await _start(request, fields)
        return EventStream(job, request.app.state.metrics)
    completion = await complete(request, fields)
    if completion is None:
        return Response(status_code=_LEFT)
    return Response(msgspec.json.encode(completion), media_type="application/json")


async def complete(request: Request, fields: CompletionRequest) -> Completion | None:
    """Writes the texts of a request to their ends.

    Args:
        request: the HTTP request. If its client leaves, the texts are given up.
        fields: what to write; `stream` is ignored.

    Returns:
        The answer; None if the client has left.

    Raises:
        RequestError: if the request is not valid, or cannot be answered.
    """
    job = await _start(request, fields)
    try:
        if not await _ends_before_client_leaves(job.texts, request):
            return None
        if job.texts.error is not None:
            raise job.texts.error
        choices = [choice for writer in job.writers() if (choice := writer.take()) is not None]
        return job.completion(choices, job.usage())
    finally:
        job.close(request.app.state.metrics)


async def _ends_before_client_leaves(texts: Texts, request: Request) -> bool:
    """Waits until texts have ended, and returns True, or until the client leaves, and returns False."""
    ended = asyncio.ensure_future(texts.wait_for_end())
    left = asyncio.ensure_future(_wait_until_client_leaves(request))
    try:
        await asyncio.wait([ended, left], return_when=asyncio.FIRST_COMPLETED)
        return texts.is_done
    finally:
        ended.cancel()
        left.cancel()


async def _wait_until_client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _start(request: Request, fields: CompletionRequest) -> Job:
    """Checks a request, and lets its texts join the batch.

    Raises:
        RequestError: if it is not valid, or cannot be answered.
    """
    started = perf_counter()
    models: Models = request.app.state.models
    served = models.find(fields.model)
    return await run_in_threadpool(_start_in_thread, served, fields, started, asyncio.get_running_loop())


def _start_in_thread(
    served: ServedModel, fields: CompletionRequest, started: float, loop: asyncio.AbstractEventLoop
) -> Job:
    _check_combinations(fields)
    prompts = _read_prompts(served, fields.prompt)
    count = fields.n or 1
    of_each = max(fields.best_of or 1, count)
    _check_limits(fields, of_each * len(prompts))
    config = _read_settings(served, fields, best_of=of_each if of_each > count else 1)
    with served.worker.reserve(of_each * len(prompts)):
        rows: list[tuple[Row, Sample]] = []
        try:
            for prompt in prompts:
                rows += _make_rows(served, prompt, config, samples=1 if of_each > count else count, fields=fields)
        except (UsageError, DataError) as error:
            _refuse(error)
        texts = Texts(rows, loop)
        served.worker.admit(texts)
    assert config.seed is not None  # noqa: S101 - `_read_settings` sets it
    return Job(
        request=fields,
        served=served,
        texts=texts,
        of_each=of_each,
        kept=count,
        seed=config.seed,
        prompts=prompts,
        prompt_tokens=sum(len(prompt.tokens) for prompt in prompts),
        stops=config.until,
        started=started,
        id=f"cmpl-{os.urandom(12).hex()}",
        created=int(time()),
    )


def _make_rows(
    served: ServedModel, prompt: Prompt, config: SamplingConfig, *, samples: int, fields: CompletionRequest
) -> Iterator[tuple[Row, Sample]]:
    copies = None
    if config.max_copy is not None:
        try:
            copies = None if served.text is None else served.text.copies
        except TextgenError:
            copies = None
        if copies is None:
            raise RequestError(
                400,
                f"max_copy needs the training text of {served.name}, which is not at hand; leave it out",
                param="max_copy",
            )
    return served.generator.start(prompt, config, samples=samples, alternatives=fields.logprobs, copies=copies)


def _check_combinations(fields: CompletionRequest) -> None:
    """Refuses what cannot be done, and what would otherwise be ignored."""
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(fields, name):
            raise RequestError(
                400,
                f"{name} must be 0, got {shown(getattr(fields, name))}; repetition_penalty makes recent tokens less likely",
                param=name,
            )
    if fields.suffix:
        raise RequestError(400, "suffix must be null, because these models only continue texts", param="suffix")
    if fields.stream_options is not None and not fields.stream:
        raise RequestError(400, "stream_options needs stream to be true; leave one out", param="stream_options")
    if fields.best_of is not None:
        if fields.best_of < (fields.n or 1):
            raise RequestError(
                400, f"best_of must be at least n, {fields.n or 1}, got {fields.best_of}", param="best_of"
            )
        if fields.stream and fields.best_of > (fields.n or 1):
            raise RequestError(
                400,
                "best_of and stream cannot be combined, because the best is only known at the end; leave one out",
                param="best_of",
            )
    _check_lists(fields)


def _check_lists(fields: CompletionRequest) -> None:
    """Refuses lists that would make each step slow for all texts."""
    for name, most in (("stop", _MOST_STOPS), ("ban", _MOST_BANS)):
        texts = getattr(fields, name)
        if isinstance(texts, list) and len(texts) > most:
            raise RequestError(400, f"{name} must have at most {most} texts, got {len(texts)}", param=name)
    bans = [fields.ban] if isinstance(fields.ban, str) else fields.ban or []
    if any(len(banned) > _LONGEST_BAN for banned in bans):
        raise RequestError(400, f"ban must have texts of at most {_LONGEST_BAN} characters", param="ban")


def _check_limits(fields: CompletionRequest, texts: int) -> None:
    if fields.max_tokens is not None and fields.max_tokens > MOST_TOKENS:
        raise RequestError(
            422, f"max_tokens must be at most {MOST_TOKENS}, got {shown(fields.max_tokens)}", param="max_tokens"
        )
    if texts > MOST_TEXTS:
        name = "best_of" if (fields.best_of or 1) > (fields.n or 1) else "n"
        raise RequestError(
            422,
            f"a request can have at most {MOST_TEXTS} texts written, got {shown(texts)}: {name} for each prompt",
            param=name,
        )


def _read_settings(served: ServedModel, fields: CompletionRequest, *, best_of: int) -> SamplingConfig:
    """Returns the settings of the texts, with a seed."""
    given = {
        "length": fields.max_tokens,
        "until": fields.stop,
        "logit_bias": _read_biases(served, fields.logit_bias),
        **{name: getattr(fields, name) for name in ("temperature", "top_p", "seed", "top_k", "min_p")},
        **{name: getattr(fields, name) for name in ("repetition_penalty", "max_copy", "ban", "lines", "oov")},
    }
    defaults = {"length": 16, "temperature": 1.0, "seed": int.from_bytes(os.urandom(4), "little"), "best_of": best_of}
    try:
        return SamplingConfig.from_keywords(
            **defaults | {name: value for name, value in given.items() if value is not None}
        )
    except UsageError as error:
        _refuse(error)


def _read_biases(served: ServedModel, biases: dict[str, float] | None) -> dict[str, float] | None:
    """Returns the biases by the tokens whose ids they have in the request."""
    if biases is None:
        return None
    tokens = served.generator.model.vocabulary.tokens
    found: dict[str, float] = {}
    for key, bias in biases.items():
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else -1  # noqa: PLR2004 - an id is short
        if not FIRST_TOKEN_ID <= number < len(tokens):
            raise RequestError(
                400,
                f"logit_bias must have token ids from {FIRST_TOKEN_ID} to {len(tokens) - 1}, got {shown(key)}",
                param="logit_bias",
            )
        found[tokens[number]] = bias
    return found


def _read_prompts(served: ServedModel, given: str | list[str | int | list[int]] | None) -> list[Prompt]:
    """Reads one prompt or several, each as a text or as token ids."""
    generator = served.generator
    prompts: list[str | int | list[int]] = [given or ""] if isinstance(given, str | None) else given
    if prompts and all(isinstance(part, int) for part in prompts):
        prompts = [[part for part in prompts if isinstance(part, int)]]
    if not prompts:
        raise RequestError(400, "prompt must not be an empty list; give it a text or leave it out", param="prompt")
    if len(prompts) > MOST_TEXTS:
        raise RequestError(422, f"prompt must have at most {MOST_TEXTS} texts, got {len(prompts)}", param="prompt")
    try:
        if all(isinstance(part, str) for part in prompts):
            return [generator.read(part) for part in prompts if isinstance(part, str)]
        if all(isinstance(part, list) for part in prompts):
            return [generator.read_ids(part) for part in prompts if isinstance(part, list)]
    except UsageError as error:
        _refuse(error)
    raise RequestError(400, "prompt must have only texts, or only token ids, got a list of both", param="prompt")


def _refuse(error: TextgenError) -> NoReturn:
    """Translates an error about settings to one about the fields that set them.

    Raises:
        RequestError: with 400.
    """
    message = error.on_command_line
    for setting in error.settings:
        message = message.replace(f"--{setting}", _SETTINGS.get(setting, setting))
    param = "prompt" if isinstance(error, DataError) else next(iter(error.settings), None)
    raise RequestError(400, one_line(message), param=_SETTINGS.get(param or "", param)) from error
