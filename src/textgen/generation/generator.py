"""The public interface of sampling: continues prompts, and yields the text piece by piece, one per token."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.config import SamplingConfig
from textgen.config.sampling import choice_settings
from textgen.corpus import UNKNOWN_ID
from textgen.errors import UsageError, named
from textgen.formatting import shown
from textgen.generation.bans import Bans
from textgen.generation.biases import make_bias
from textgen.generation.copy_guard import CopyGuard
from textgen.generation.engine import CACHED_BYTES, BatchEngine
from textgen.generation.model_file import ModelFile
from textgen.generation.model_place import open_model
from textgen.generation.prefix_cache import PrefixCache
from textgen.generation.prompt import Prompt, prompt_ids, read_prompt, start_ids
from textgen.generation.row import Row
from textgen.generation.sample import Sample
from textgen.generation.samplers import find_sampler
from textgen.generation.scored_text import ScoredText, check_temperatures, score_text
from textgen.generation.spacing import Spacing
from textgen.generation.step import LSTMStep
from textgen.generation.text import Text, TokenGuard, keep_best, write_texts
from textgen.generation.text_tokens import split_text

if TYPE_CHECKING:
    from textgen.corpus.copy_index import CopyIndex
    from textgen.generation.layers import Floats
    from textgen.generation.samplers.custom import CustomSampler


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

    Attributes:
        model: likewise.
        network: its network.

    Example:
        >>> generator = load("job/story-384-states-1-layers-384-embed")
        >>> text = "".join(generator.generate("Once upon", length=100, seed=7))
    """

    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self._vocabulary = model.vocabulary
        self.network = LSTMStep(model)
        self._cache = PrefixCache(CACHED_BYTES)
        self._last_bias: tuple[SamplingConfig, Floats | None] | None = None
        followers = model.after_white_space
        self._spacing = None if followers is None else Spacing(model.vocabulary.tokens, followers)

    def generate(self, prompt: str = "", *, sampler: CustomSampler | None = None, **settings: Any) -> Iterator[str]:
        """Writes a text, piece by piece.

        Args:
            prompt: the text to continue. Without one, the text starts as if after a blank line. The prompt is read like a
                file: a byte order mark is dropped, and CRLF becomes LF. Hard-wrapped prose is unwrapped if the training text
                was. Quotes, dashes, accents and white space that the vocabulary lacks are respelled as it has them.
            sampler: chooses the tokens in the place of the settings from `repetition_penalty` to `min_p`; see `CustomSampler`.
            **settings: the settings of `SamplingConfig`, such as `length`, `temperature` and `seed`. Several texts of `until` and
                `ban` are a list, and `logit_bias` maps tokens to numbers.

        Returns:
            The pieces of the text without the prompt, one per token. With `best_of`, the only piece is the whole text.

        Raises:
            UsageError: if there is no such setting, its value is not valid, or the prompt is not a text. It is raised by the call
                itself. If the sampler chooses anything but a token that is allowed, it is raised by the iterator.
            DataError: if the vocabulary lacks tokens of the prompt and `oov` is "error". It is raised by the call itself.
        """
        replaced = [name for name in choice_settings() if name in settings]
        if sampler is not None and replaced:
            raise UsageError(
                f"{named('sampler')} and {named(replaced[0])} cannot be combined, because the sampler alone chooses; leave one out"
            )
        config = SamplingConfig.from_keywords(**settings)
        return (piece for sample, piece in self.write(prompt, config, sampler=sampler) if sample.pieces)

    def read(self, prompt: str) -> Prompt:
        """Reads a prompt as the model does; see `generate`.

        Raises:
            UsageError: if it is not a text.
        """
        if not isinstance(prompt, str):
            raise UsageError(f"prompt must be a text, got {shown(prompt)}")
        return read_prompt(prompt, self._vocabulary, unwraps=self.model.unwrapped)

    def read_ids(self, ids: Sequence[int]) -> Prompt:
        """Reads a prompt that is given as the ids of its tokens.

        Raises:
            UsageError: if there is no token with one of the ids.
        """
        size = self._vocabulary.size
        if (wrong := next((number for number in ids if not UNKNOWN_ID <= number < size), None)) is not None:
            raise UsageError(
                f"{named('prompt')} must have token ids from {UNKNOWN_ID} to {size - 1}, got {shown(wrong)}; leave it out"
            )
        tokens = tuple(self._vocabulary.tokens[number] for number in ids)
        text = self._vocabulary.tokenizer.join(tokens)
        return Prompt(text, tokens, (), text)

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
        sampler: CustomSampler | None = None,
    ) -> Iterator[tuple[Sample, str]]:
        """Writes several texts in batches.

        Args:
            prompt: the text to continue; see `generate`.
            config: the settings. The first text has their seed, and each following text has the next one.
            samples: the number of texts.
            scored: whether to sum the samples' `nats`, which takes some time.
            copies: the copy index of the training text, required if the config sets `max_copy`.
            sampler: chooses the tokens; see `generate`. It is called for each token of each text.

        Returns:
            The pieces, each with the sample to which it was added. A text has ended when its sample's `finish_reason` is
            not None. Each text has at least one piece; if the length is 0, an empty one.

        Raises:
            UsageError: if the config sets `max_copy` and there is no copy index, if the bans leave no token, or if `logit_bias` has
                a token that the vocabulary lacks.
            DataError: if the vocabulary lacks tokens of the prompt and `oov` is "error". Both errors are raised by the
                call itself, not by the iterator.
        """
        written: list[tuple[Sample, str]] = []
        texts = self.start(
            self.read(prompt), config, samples=samples, scored=scored, copies=copies, sampler=sampler, written=written
        )
        if config.length == 0:
            pieces: Iterator[tuple[Sample, str]] = ((sample, "") for _, sample in texts)
        else:
            pieces = write_texts(self.engine(), texts, written)
        return keep_best(pieces, config.best_of) if config.best_of > 1 else pieces

    def score(
        self,
        text: str,
        *,
        top: int = 0,
        after: int = 0,
        temperatures: Sequence[float] = (),
        check: Callable[[], None] = lambda: None,
    ) -> ScoredText:
        """Scores the tokens of a text, which may be anyone's.

        Args:
            text: the text. It is not respelled, unlike a prompt: what the vocabulary lacks is read as `[UNK]`.
            top: the number of alternatives to list for each token.
            after: the number of tokens to list that may follow the text. For an empty one, they are those that may start a text.
            temperatures: the temperatures, from 0.01, at which to compute the `probabilities` that the alternatives are written.
            check: is called before each part of the reading. To end the computation of a long text, it raises an exception.

        Returns:
            The tokens with their scores; its `bits_per_character` is that of the text.

        Raises:
            UsageError: if an argument has the wrong type or is out of range.

        Example:
            >>> scored = load("job/story-384-states-1-layers-384-embed").score("Once upon a time")
            >>> for token in scored:
            ...     print(repr(token.text), token.nats, token.rank)
        """
        for name, value in {"top": top, "after": after}.items():
            if type(value) is not int or value < 0:
                raise UsageError(f"{named(name)} must be a whole number from 0, got {shown(value)}")
        check_temperatures(temperatures)
        tokens = split_text(text, self._vocabulary)
        start = start_ids(self._vocabulary)
        return score_text(self.network, tokens, start, top=top, after=after, temperatures=temperatures, check=check)

    def engine(self) -> BatchEngine:
        """Returns a new engine for the rows of `start`. All engines of a generator share the states behind texts."""
        return BatchEngine(self.network, spacing=self._spacing, cache=self._cache)

    def start(
        self,
        prompt: Prompt,
        config: SamplingConfig,
        *,
        samples: int = 1,
        scored: bool = False,
        alternatives: int | None = None,
        copies: CopyIndex | None = None,
        sampler: CustomSampler | None = None,
        written: list[tuple[Sample, str]] | None = None,
    ) -> Iterator[tuple[Row, Sample]]:
        """Makes the rows of texts, for an `engine` that writes them.

        Args:
            prompt: the prompt, from `read` or `read_ids`.
            config: as in `write`.
            samples: as in `write`. Of each sample, there are `best_of` texts.
            scored: whether to sum the samples' `nats`, as for `best_of`.
            alternatives: the number of the likeliest tokens to list in the samples' `scores`; None for no scores.
            copies: as in `write`.
            sampler: as in `write`.
            written: a list to which each new piece is added together with its sample; None to add it to the sample itself.

        Returns:
            The rows, each with its sample. The row of a text of length 0 has ended already. After the end of a row,
            `Sample.end` completes its sample.

        Raises:
            UsageError: as in `write`, by the call itself.
            DataError: likewise.
        """
        if sampler is not None:
            from textgen.generation.samplers.custom import check_sampler

            check_sampler(sampler)
        if config.max_copy is not None and copies is None:
            raise UsageError(
                f"{named('max_copy')} needs the training text to compare with; leave it out, or name the job directory"
            )
        before, ids = prompt.text, prompt_ids(prompt.tokens, self._vocabulary, config.oov)
        if not ids:
            before, ids = "", start_ids(self._vocabulary)
        seed = int.from_bytes(os.urandom(4), "little") if config.seed is None else config.seed
        vocabulary, bias = self._vocabulary, self._bias(config)
        choose = find_sampler(config) if sampler is None else sampler

        def start(number: int, candidate: int) -> tuple[Row, Sample]:
            sample = Sample(prompt.typed, seed + number, number)
            take = sample.pieces.append if written is None else lambda piece: written.append((sample, piece))
            text = Text(sample, take, config, vocabulary.tokens, vocabulary.tokenizer.joiner(before))
            guard = None
            if config.max_copy is not None and copies is not None:
                # These include the tokens that the model does not know, because a copy can start in them.
                by_token = CopyGuard(copies, config.max_copy, vocabulary.tokenizer, prompt.tokens)
                guard = TokenGuard(by_token, vocabulary.tokens)
            row = Row(
                ids,
                choose,
                seed=[sample.seed, candidate] if candidate else sample.seed,
                length=config.length,
                stop=text.add,
                guard=guard,
                bias=bias,
                bans=self._bans(config, before),
                scored=scored or config.best_of > 1 or alternatives is not None,
            )
            sample.finish_reason = row.finish_reason
            if alternatives is not None:
                row.stop = partial(text.add_scored, row, alternatives)
            return row, sample

        return (start(number, candidate) for number in range(samples) for candidate in range(config.best_of))

    def _bans(self, config: SamplingConfig, before: str) -> Bans | None:
        """Returns the bans of a text that continues another one; None if no text is banned."""
        if not config.ban:
            return None
        vocabulary = self._vocabulary
        return Bans(config.ban, vocabulary.tokens, vocabulary.tokenizer.joiner(before))

    def _bias(self, config: SamplingConfig) -> Floats | None:
        """Returns the numbers to add to the logits, `(vocabulary_size,)`, -inf for tokens that contain a banned text; None for zeros."""
        last = self._last_bias
        if last is None or last[0] is not config:  # a request can have many prompts, all with the same settings
            last = self._last_bias = config, make_bias(config, self._vocabulary)
        return last[1]
