"""The body of a completion request: its fields, its limits, and the settings and prompts that it stands for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from textgen.config import SamplingConfig
from textgen.config.sampling import LARGEST_BIAS
from textgen.corpus import FIRST_TOKEN_ID, Vocabulary
from textgen.errors import DataError, UsageError
from textgen.formatting import shown
from textgen.generation import TextGenerator
from textgen.generation.prompt import Prompt
from textgen.serving.failures import RequestError, refusal
from textgen.serving.threads import LONG

MOST_TOKENS = 4096
"""The most tokens of a text."""

MOST_TEXTS = 128
"""The most texts that one request can have written."""

_MOST_SCORED = 2 * MOST_TOKENS
"""The most tokens of all texts of a request with log-probabilities, which take a hundred times the memory of the text."""

_MOST_STOPS = 4
_MOST_BANS = 32
_LONGEST_BAN = 100

_SETTINGS = {"length": "max_tokens", "until": "stop"}
"""The fields by the names of the settings that they set, where these differ."""

_DEFAULTS: dict[str, Any] = {"length": 16, "temperature": 1.0}
"""OpenAI's defaults, where they are not those of the settings."""


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


def is_long(fields: CompletionRequest) -> bool:
    """Returns whether it takes long to start the texts: the prompts are long, or the training text may have to be read."""
    prompts = fields.prompt if isinstance(fields.prompt, list) else [fields.prompt or ""]
    return sum(1 if isinstance(part, int) else len(part) for part in prompts) > LONG or fields.max_copy is not None


def check_fields(fields: CompletionRequest) -> None:
    """Refuses what cannot be done, and what would otherwise be ignored.

    Raises:
        RequestError: with 400, or with 422 for what is beyond a limit.
    """
    for name in ("presence_penalty", "frequency_penalty"):
        if getattr(fields, name):
            raise RequestError(
                400,
                f"{name} must be 0, got {shown(getattr(fields, name))}; use repetition_penalty to make recent tokens less likely",
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
    _check_limits(fields)


def _check_lists(fields: CompletionRequest) -> None:
    """Refuses lists that would make each step slow for all texts."""
    for name, most in (("stop", _MOST_STOPS), ("ban", _MOST_BANS)):
        texts = getattr(fields, name)
        if isinstance(texts, list) and len(texts) > most:
            raise RequestError(400, f"{name} must have at most {most} texts, got {len(texts)}", param=name)
    bans = [fields.ban] if isinstance(fields.ban, str) else fields.ban or []
    if any(len(banned) > _LONGEST_BAN for banned in bans):
        raise RequestError(400, f"ban must have texts of at most {_LONGEST_BAN} characters", param="ban")


def _check_limits(fields: CompletionRequest) -> None:
    """Refuses what would take too much time or memory."""
    prompts = len(fields.prompt) if isinstance(fields.prompt, list) else 1
    if isinstance(fields.prompt, list) and all(isinstance(part, int) for part in fields.prompt):
        prompts = 1
    if prompts > MOST_TEXTS:
        raise RequestError(422, f"prompt must have at most {MOST_TEXTS} texts, got {prompts}", param="prompt")
    name = "best_of" if (fields.best_of or 1) > (fields.n or 1) else "n"
    each = max(fields.best_of or 1, fields.n or 1)
    if each * prompts > MOST_TEXTS:
        of_prompts = f" for each of {prompts} prompts" if prompts > 1 else ""
        raise RequestError(
            422, f"{name} must be at most {MOST_TEXTS // prompts}{of_prompts}, got {shown(each)}", param=name
        )
    length = fields.max_tokens or 0
    if length > MOST_TOKENS:
        raise RequestError(422, f"max_tokens must be at most {MOST_TOKENS}, got {shown(length)}", param="max_tokens")
    if fields.logprobs is not None and length * each * prompts > _MOST_SCORED:
        raise RequestError(
            422,
            f"logprobs needs at most {_MOST_SCORED} tokens in all texts, got {length * each * prompts}; lower max_tokens or {name}",
            param="logprobs",
        )


def read_settings(fields: CompletionRequest, vocabulary: Vocabulary) -> SamplingConfig:
    """Returns the settings of the texts, with a seed.

    Raises:
        RequestError: with 400 if a value is not valid.
    """
    of_each = max(fields.best_of or 1, fields.n or 1)
    same = ("temperature", "top_p", "seed", "top_k", "min_p", "repetition_penalty", "max_copy", "ban", "lines", "oov")
    given = {
        "length": fields.max_tokens,
        "until": fields.stop,
        "best_of": of_each if of_each > (fields.n or 1) else None,
        "logit_bias": _read_biases(fields.logit_bias, vocabulary),
        **{name: getattr(fields, name) for name in same},
    }
    settings = {name: value for name, value in given.items() if value is not None}
    with refusing():
        return SamplingConfig.from_keywords(**_DEFAULTS | {"seed": int.from_bytes(os.urandom(4), "little")} | settings)


def _read_biases(biases: dict[str, float] | None, vocabulary: Vocabulary) -> dict[str, float] | None:
    """Returns the biases by the tokens whose ids they have in the request."""
    if biases is None:
        return None
    tokens = vocabulary.tokens
    found: dict[str, float] = {}
    for key, bias in biases.items():
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else -1  # noqa: PLR2004 - an id is short
        if not FIRST_TOKEN_ID <= number < len(tokens):
            raise RequestError(
                400,
                f"logit_bias must have token ids from {FIRST_TOKEN_ID} to {len(tokens) - 1}, got {shown(key)}",
                param="logit_bias",
            )
        if abs(bias) > LARGEST_BIAS:
            raise RequestError(
                400,
                f"logit_bias must have numbers from -{LARGEST_BIAS} to {LARGEST_BIAS}, got {shown(bias)} for the token id {key}",
                param="logit_bias",
            )
        found[tokens[number]] = bias
    return found


def read_prompts(fields: CompletionRequest, generator: TextGenerator) -> list[Prompt]:
    """Reads one prompt or several, each as a text or as token ids.

    Raises:
        RequestError: with 400 if one is not valid.
    """
    given = fields.prompt
    prompts = [given or ""] if isinstance(given, str | None) else given
    texts = [part for part in prompts if isinstance(part, str)]
    lists = [part for part in prompts if isinstance(part, list)]
    numbers = [part for part in prompts if isinstance(part, int)]
    if not prompts:
        raise RequestError(400, "prompt must not be an empty list; give it a text or leave it out", param="prompt")
    if len(prompts) not in {len(texts), len(lists), len(numbers)}:
        raise RequestError(400, "prompt must be texts or token ids, got a list of both", param="prompt")
    with refusing():
        return [generator.read(text) for text in texts] + [
            generator.read_ids(ids) for ids in ([numbers] if numbers else lists)
        ]


def prompts_to_score(fields: CompletionRequest, prompts: Sequence[Prompt]) -> Sequence[Prompt]:
    """Returns the prompts if their tokens are listed with log-probabilities, else none.

    Raises:
        RequestError: with 422 if they have too many tokens.
    """
    if not fields.echo or fields.logprobs is None:
        return ()
    tokens = sum(len(prompt.tokens) for prompt in prompts) * (fields.n or 1)
    if tokens > _MOST_SCORED:
        raise RequestError(
            422,
            f"echo and logprobs together need at most {_MOST_SCORED} tokens in all prompts, got {tokens}; leave one out, or shorten them",
            param="echo",
        )
    return prompts


@contextmanager
def refusing() -> Iterator[None]:
    """Translates errors about settings to errors about the fields that set them.

    Raises:
        RequestError: with 400.
    """
    try:
        yield
    except (UsageError, DataError) as error:
        raise refusal(error, fields=_SETTINGS, text="prompt") from error
