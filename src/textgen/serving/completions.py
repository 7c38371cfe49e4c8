"""POST /v1/completions: continues prompts, as OpenAI's completions do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter, time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from textgen.config import SamplingConfig
from textgen.errors import TextgenError
from textgen.generation.prompt import Prompt
from textgen.generation.scored_text import ScoredText
from textgen.serving import body
from textgen.serving.choices import Choice, ChoiceWriter
from textgen.serving.completion_request import (
    CompletionRequest,
    check_fields,
    is_long,
    prompts_to_score,
    read_prompts,
    read_settings,
    refusing,
)
from textgen.serving.failures import RequestError
from textgen.serving.leaving import LEFT, ends_before_client_leaves
from textgen.serving.metrics import Metrics
from textgen.serving.models import Models, ServedModel
from textgen.serving.streaming import EventStream
from textgen.serving.threads import Check, Threads
from textgen.serving.worker import Texts

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation import Sample
    from textgen.generation.row import Row


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
    seed: int | None
    system_fingerprint: str


@dataclass(frozen=True, eq=False)
class StartedCompletion:
    """A request whose texts are being written.

    Attributes:
        fields: the request.
        served: the model that writes.
        config: the settings of the texts, with a seed.
        prompts: the prompts.
        scores: the scores of the prompts' tokens, if they are listed.
        texts: the texts, those for each prompt after those for the one before.
        arrived: when the request arrived, by `perf_counter`.
        id: the name of the answer.
        created: when the request was accepted, in seconds since 1970.
    """

    fields: CompletionRequest
    served: ServedModel
    config: SamplingConfig
    prompts: Sequence[Prompt]
    scores: Sequence[ScoredText]
    texts: Texts
    arrived: float
    id: str
    created: int

    def writers(self) -> list[ChoiceWriter]:
        """Returns the writers of the choices. If only the best texts are kept, all texts must have ended."""
        samples = self.texts.samples
        of_each, kept = len(samples) // len(self.prompts), self.fields.n or 1
        writers: list[ChoiceWriter] = []
        for number, prompt in enumerate(self.prompts):
            of_prompt = samples[number * of_each : (number + 1) * of_each]
            if kept < of_each:
                of_prompt = sorted(of_prompt, key=lambda sample: sample.nats_per_token)[:kept]
            writers += (
                ChoiceWriter(
                    number * kept + place,
                    sample,
                    self.config.until,
                    echoed=(prompt.text if self.scores else prompt.typed) if self.fields.echo else "",
                    echoed_scores=self.scores[number] if self.scores else (),
                    scored=self.fields.logprobs is not None,
                )
                for place, sample in enumerate(of_prompt)
            )
        return writers

    def completion(self, choices: list[Choice], usage: Usage | None = None) -> Completion:
        """Returns the answer, or an event, with some choices."""
        return Completion(
            id=self.id,
            created=self.created,
            model=self.served.name,
            choices=choices,
            usage=usage,
            seed=self.config.seed,
            system_fingerprint=self.served.fingerprint,
        )

    def whole(self) -> Completion:
        """Returns the answer with the whole texts, which have ended."""
        choices = [choice for writer in self.writers() if (choice := writer.take()) is not None]
        return self.completion(choices, self.usage())

    def usage(self) -> Usage:
        """Returns the tokens that were read and written so far."""
        read = sum(len(prompt.tokens) for prompt in self.prompts)
        written = sum(len(sample.pieces) for sample in self.texts.samples)
        return Usage(read, written, read + written)

    def close(self, metrics: Metrics) -> None:
        """Retires the texts that have not ended, and counts what was written."""
        self.served.worker.retire(self.texts)
        metrics.wrote(self.served.name, self.usage().completion_tokens)
        if self.texts.began is not None:
            metrics.waited(self.served.name, self.texts.began - self.arrived)


async def answer(request: Request) -> Response:
    """Answers POST /v1/completions."""
    fields = await body.read(request, CompletionRequest)
    if fields.stream:
        started = await _start(request, fields)
        return Response(status_code=LEFT) if started is None else EventStream(started, request.app.state.metrics)
    completion = await complete(request, fields)
    if completion is None:
        return Response(status_code=LEFT)
    # With log-probabilities, an answer can have millions of characters.
    content = await run_in_threadpool(msgspec.json.encode, completion)
    return Response(content, media_type="application/json")


async def complete(request: Request, fields: CompletionRequest, group: object | None = None) -> Completion | None:
    """Writes the texts of a request to their ends.

    Args:
        request: the HTTP request. If its client leaves, the texts are given up.
        fields: what to write; `stream` is ignored.
        group: as in `Texts`.

    Returns:
        The answer; None if the client has left.

    Raises:
        RequestError: if the request is not valid, or cannot be answered.
    """
    started = await _start(request, fields, group)
    if started is None:
        return None
    try:
        if not await ends_before_client_leaves(started.texts.wait_for_end(), request):
            return None
        if started.texts.error is not None:
            raise started.texts.error
        return await run_in_threadpool(started.whole)
    finally:
        started.close(request.app.state.metrics)


async def _start(request: Request, fields: CompletionRequest, group: object | None = None) -> StartedCompletion | None:
    """Checks a request, and lets its texts join the batch.

    Returns:
        The request; None if the client has left. If it leaves while its prompts wait to be read, they are not.

    Raises:
        RequestError: if it is not valid, or cannot be answered.
    """
    arrived = perf_counter()
    models: Models = request.app.state.models
    threads: Threads = request.app.state.threads
    served = models.find(fields.model)
    texts = Texts(asyncio.get_running_loop(), group)
    is_in_turn = is_long(fields)
    run = threads.run if is_in_turn else run_in_threadpool

    def check() -> None:
        if is_in_turn:
            threads.take_turns()
        texts.check()

    started = asyncio.ensure_future(run(_start_in_thread, fields, served, texts, arrived, check))
    try:
        if await ends_before_client_leaves(started, request):
            return await started
        served.worker.retire(texts)  # the thread may still be about to admit them
    except BaseException:
        served.worker.retire(texts)
        raise
    return None


def _start_in_thread(
    fields: CompletionRequest, served: ServedModel, texts: Texts, arrived: float, check: Check
) -> StartedCompletion:
    try:
        return _prepare(fields, served, texts, arrived, check)
    except BaseException:
        served.worker.retire(texts)  # whoever cancelled the request may have retired them before they had places
        raise


def _prepare(
    fields: CompletionRequest, served: ServedModel, texts: Texts, arrived: float, check: Check
) -> StartedCompletion:
    check_fields(fields)
    generator, worker = served.generator, served.worker
    config = read_settings(fields, generator.model.vocabulary)
    prompts = read_prompts(fields, generator)
    samples = 1 if config.best_of > 1 else fields.n or 1
    worker.reserve(texts, samples * config.best_of * len(prompts))
    scores = [
        generator.score(prompt.text, top=fields.logprobs or 0, check=check)
        for prompt in prompts_to_score(fields, prompts)
    ]
    copies = None if config.max_copy is None else _open_copies(served)
    rows: list[tuple[Row, Sample]] = []
    with refusing():
        for prompt in prompts:
            rows += generator.start(prompt, config, samples=samples, alternatives=fields.logprobs, copies=copies)
    worker.admit(texts, rows, check)
    return StartedCompletion(
        fields, served, config, prompts, scores, texts, arrived, f"cmpl-{os.urandom(12).hex()}", int(time())
    )


def _open_copies(served: ServedModel) -> CopyIndex:
    """Returns the copy index of a model's training text.

    Raises:
        RequestError: with 400 if the text is not at hand.
    """
    if served.text is not None:
        with suppress(TextgenError):
            return served.text.copies
    raise RequestError(
        400,
        f"max_copy needs the training text of {served.name}, which the server does not have; leave max_copy out",
        param="max_copy",
    )
