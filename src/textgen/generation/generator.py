"""The public interface of sampling: continues prompts, and yields the text piece by piece, one per token."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.config import OutOfVocabulary, SamplingConfig
from textgen.corpus import FIRST_TOKEN_ID, UNKNOWN_ID
from textgen.errors import DataError, UsageError, named
from textgen.generation.copy_guard import CopyGuard
from textgen.generation.engine import CACHED_BYTES, BatchEngine, Row
from textgen.generation.model_file import ModelFile
from textgen.generation.model_place import open_model
from textgen.generation.prefix_cache import PrefixCache
from textgen.generation.prompt import Prompt, read_prompt
from textgen.generation.sample import Sample
from textgen.generation.samplers import Sampler
from textgen.generation.spacing import Spacing
from textgen.generation.step import LSTMStep
from textgen.generation.text import Text, TokenGuard, write_texts

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex


def load(path: str | Path) -> TextGenerator:
    """Opens a trained model to write text with.

    Args:
        path: a model file, or a job directory that contains one; a string that starts with `gs://` names one in a bucket.

    Returns:
        The generator.

    Raises:
        TextgenError: if the model cannot be read, as in `open_model`.
    """
    return TextGenerator(open_model(path))


class TextGenerator:
    """Continues texts in the style of the training text.

    It keeps no state between texts, so several can be generated at the same time.

    Args:
        model: the model file.

    Example:
        >>> generator = load("job/story-384-states-1-layers-384-embed")
        >>> text = "".join(generator.generate("Once upon", length=100, seed=7))
    """

    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self._vocabulary = model.vocabulary
        self._network = LSTMStep(model)
        self._cache = PrefixCache(CACHED_BYTES)
        followers = model.after_white_space
        self._spacing = None if followers is None else Spacing(model.vocabulary.tokens, followers)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = SamplingConfig.length,
        until: str | Sequence[str] = SamplingConfig.until,
        lines: int | None = SamplingConfig.lines,
        temperature: float = SamplingConfig.temperature,
        top_k: int | None = SamplingConfig.top_k,
        top_p: float = SamplingConfig.top_p,
        min_p: float = SamplingConfig.min_p,
        repetition_penalty: float = SamplingConfig.repetition_penalty,
        seed: int | None = SamplingConfig.seed,
        oov: OutOfVocabulary = SamplingConfig.oov,
    ) -> Iterator[str]:
        """Writes a text, piece by piece.

        Args:
            prompt: the text to continue. Without one, the text starts as if after a blank line. The prompt is read like a
                file: a byte order mark is dropped, and CRLF becomes LF. Hard-wrapped prose is unwrapped if the training text
                was. Quotes, dashes, accents and white space that the vocabulary lacks are respelled as it has them.
            length: the maximum number of tokens.
            until: a text, or several; the first one that appears ends the generated text, and is included.
            lines: the number of lines after which the text ends.
            temperature: lower is safer, higher is wilder, and 0 always takes the most likely token.
            top_k: choose among this many of the most likely tokens.
            top_p: choose among the most likely tokens that together have this probability; 1 means all.
            min_p: leave out tokens that are less probable than this fraction of the most likely token.
            repetition_penalty: above 1, recent tokens become less likely.
            seed: fixes the random numbers, so that the same seed gives the same text; None gives a different text each
                time.
            oov: what to do with tokens of the prompt that the vocabulary lacks: raise an error ("error"), skip them
                ("skip"), or read `[UNK]` in their place ("unk"). If no token is left, the text starts as without a prompt.

        Returns:
            The pieces of the text without the prompt, one per token.

        Raises:
            UsageError: if an argument is invalid.
            DataError: if the vocabulary lacks tokens of the prompt and `oov` is "error". Both errors are raised by the
                call itself, not by the iterator.
        """
        config = SamplingConfig(
            length=length,
            until=(until,) if isinstance(until, str) else tuple(until),
            lines=lines,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            oov=oov,
        )
        return (piece for sample, piece in self.write(prompt, config) if sample.pieces)

    def read(self, prompt: str) -> Prompt:
        """Reads a prompt as the model does; see `generate`."""
        return read_prompt(prompt, self._vocabulary, unwraps=self.model.unwrapped)

    def changes(self, prompt: str) -> tuple[str, ...]:
        """Lists how the prompt is respelled for the model, in words such as `’ for '`; see `generate`."""  # noqa: RUF002 - as in print
        return self.read(prompt).changes

    def write(
        self,
        prompt: str,
        config: SamplingConfig,
        *,
        samples: int = 1,
        scored: bool = False,
        copies: CopyIndex | None = None,
    ) -> Iterator[tuple[Sample, str]]:
        """Writes several texts in batches.

        Args:
            prompt: the text to continue; see `generate`.
            config: the settings. The first text has their seed, and each following text has the next one.
            samples: the number of texts.
            scored: whether to sum the samples' `nats`, which takes some time.
            copies: the copy index of the training text, required if the config sets `max_copy`.

        Returns:
            The pieces, each with the sample to which it was added. A text has ended when its sample's `finish_reason` is
            not None. Each text has at least one piece; if the length is 0, an empty one.

        Raises:
            UsageError: if the config sets `max_copy` and there is no copy index.
            DataError: if the vocabulary lacks tokens of the prompt and `oov` is "error". Both errors are raised by the
                call itself, not by the iterator.
        """
        if config.max_copy is not None and copies is None:
            raise UsageError(
                f"{named('max_copy')} needs the training text to compare with; leave it out, or name the job directory"
            )
        read = self.read(prompt)
        before, ids = read.text, self._prompt_ids(read.tokens, config.oov)
        if not ids:
            before, ids = "", self._start_ids()
        seed = int.from_bytes(os.urandom(4), "little") if config.seed is None else config.seed

        if config.length == 0:
            return ((Sample(prompt, seed + number, number, finish_reason="length"), "") for number in range(samples))

        vocabulary, sampler = self._vocabulary, Sampler(config)
        written: list[tuple[Sample, str]] = []

        def start(number: int) -> tuple[Row, Sample]:
            sample = Sample(prompt, seed + number, number)
            text = Text(sample, written, config, vocabulary.tokens, vocabulary.tokenizer.joiner(before))
            guard = None
            if config.max_copy is not None and copies is not None:
                # These include the tokens that the model does not know, because a copy can start in them.
                by_token = CopyGuard(copies, config.max_copy, vocabulary.tokenizer, read.tokens)
                guard = TokenGuard(by_token, vocabulary.tokens)
            row = Row(ids, sampler, seed=sample.seed, length=config.length, stop=text.add, guard=guard, scored=scored)
            return row, sample

        engine = BatchEngine(self._network, spacing=self._spacing, cache=self._cache)
        return write_texts(engine, map(start, range(samples)), written)

    def _prompt_ids(self, tokens: Sequence[str], oov: OutOfVocabulary) -> list[int]:
        """Returns the token ids of a prompt, without the skipped tokens."""
        unknown = self._vocabulary.unknown(tokens)
        if unknown and oov == "error":
            raise DataError(
                f"the model does not know these tokens of the prompt: {self._vocabulary.listed(unknown)}; "
                f"leave them out with {named('oov')} skip, or let the model read [UNK] in their place with {named('oov')} unk"
            )
        if oov == "skip":
            tokens = [token for token in tokens if token not in unknown]
        return self._vocabulary.ids(tokens)

    def _start_ids(self) -> list[int]:
        """Returns the token ids that the model reads if there is no prompt."""
        ids = self._vocabulary.ids(self._vocabulary.tokenizer.start)
        return [FIRST_TOKEN_ID if token_id == UNKNOWN_ID else token_id for token_id in ids]
