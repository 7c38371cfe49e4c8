"""Evaluates a model that learns from the text while it is tested: dynamic evaluation.

The text is read in order, as one stream, in segments. The tokens of a segment are scored first, with the weights so far. Then one step of
gradient descent on this segment changes the weights for the next one. So a name or a phrase that the text repeats becomes likelier, and
yet no token is known before it is scored.

A weight w takes the step

    w <- w - rate * g / (RMS + scale) + min(decay * RMS / scale, 1) * (trained w - w)

where g is the gradient of the segment's mean loss, RMS is the root mean square of the gradients of this weight over many segments, and
scale is that over all weights. The second part pulls the weights back to the trained ones, so that text from long ago is forgotten.

Source: Krause, Kahembwe, Murray and Renals, "Dynamic evaluation of neural sequence models" (2018), section 5. There, the gradients for RMS
are those of the training text. Here, the model writes the text for them itself, because the training text is not always at hand, and a score
must not depend on that. The source also adds a constant instead of the scale, which would not suit models of all sizes.
docs/experiments.md compares these choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from textgen.config import TrainingConfig
from textgen.errors import DivergedError, UnavailableError, UsageError, named
from textgen.evaluation import Scores
from textgen.evaluation.evaluated_text import EvaluatedText
from textgen.generation import LSTMStep, ModelFile
from textgen.generation.prompt import start_ids
from textgen.generation.samplers.categorical import Categorical
from textgen.model import build_model, can_train
from textgen.model.tensorflow_ops import fused
from textgen.planning.model_shape import shape_values
from textgen.training.conversion import take_weights
from textgen.training.device import choose_device

SEGMENT = 20
"""The number of tokens in a segment, as in the source for characters. Longer segments are faster, and learn later what is new."""

RATE = 6e-4
"""The usual change of a weight in one step."""

DECAY = 0.001
"""The share of the distance to its trained value by which a weight returns in one step, if its RMS is the scale."""

_WRITTEN_SEGMENTS = 320
_WRITTEN_TEXTS = 16
_SEED = 0

_TOKENS_AT_ONCE = 1 << 16


def evaluate_dynamically(
    model: ModelFile,
    text: EvaluatedText,
    show: Callable[[str, float], None] = lambda _doing, _share: None,
    *,
    rate: float = RATE,
) -> Scores:
    """Evaluates a model that learns while it reads. Neither the model nor its file changes.

    It always runs on the CPU, because a single stream of short segments gives a GPU little to do.

    Args:
        model: the model file.
        text: the text. It may have any length.
        show: called with what is being done, and the share of it that is done, from 0 to 1.
        rate: the learning rate; 0 for an evaluation without learning.

    Returns:
        The scores of all tokens but the first, as for an evaluation without learning.

    Raises:
        UsageError: if the model has layers that cannot be trained.
        UnavailableError: if there is not enough memory.
        DivergedError: if its weights or gradients become too large to compute with.
        DataError: if the text changes while it is read.
        TextgenError: if it cannot be read.
    """
    if not can_train(model.shape):
        raise UsageError(
            f"this model is layer-normalised and projected, which cannot be trained; leave out {named('dynamic')}"
        )
    choose_device("cpu")
    try:
        nats, tokens = _read(Learner(model, rate), model, text, show)
    except tf.errors.ResourceExhaustedError as error:
        raise UnavailableError(
            f"there is not enough memory for the gradients of this model; free some, or leave out {named('dynamic')}"
        ) from error
    if not np.isfinite(nats):
        raise DivergedError(f"the model diverged while it learned from the text; leave out {named('dynamic')}")
    return Scores(nats, tokens, text.characters_per_token, text.unknown_share)


def _read(
    learner: Learner, model: ModelFile, text: EvaluatedText, show: Callable[[str, float], None]
) -> tuple[float, int]:
    """Returns the nats of a text and the number of scored tokens; see `evaluate_dynamically`."""
    for number, segment in enumerate(_cut(_write(model))):
        show("measuring gradients", number / _WRITTEN_SEGMENTS)
        learner.measure(segment)
    learner.start()
    nats, tokens = 0.0, 0
    for segment in _cut(block.ids for block in text.blocks(_TOKENS_AT_ONCE, 0)):
        show("reading and learning", tokens / text.tokens)
        found = learner.read(segment)
        nats += float(found.sum(dtype=np.float64))
        tokens += len(found)
    return nats, tokens


class Learner:
    """A model that learns from each segment that it has scored.

    First, `measure` is called for many segments, then `start`, then `read` for the segments of a text.

    Args:
        model: the model file.
        rate: the learning rate.
    """

    def __init__(self, model: ModelFile, rate: float = RATE) -> None:
        config = TrainingConfig(**shape_values(model.shape), dropout=0.0)
        self._network = build_model(config, model.vocabulary.size, streams=1, window=SEGMENT)
        take_weights(self._network, model)
        self._weights = [variable.value for variable in self._network.trainable_variables]
        self._trained = [tf.constant(weight) for weight in self._weights]
        self._rms = [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in self._weights]
        self._scale = tf.Variable(0.0, trainable=False)
        self._measured = 0
        self._rate = rate
        add_squares, update = fused(self._add_squares), fused(self._update)
        tokens = tf.TensorSpec(SEGMENT + 1, tf.int32)

        @tf.function(input_signature=[tokens], autograph=False)
        def measure(tokens: tf.Tensor) -> None:
            _, gradients = self._score(tokens)
            add_squares(gradients)

        @tf.function(input_signature=[tokens], autograph=False)
        def read(tokens: tf.Tensor) -> tf.Tensor:
            nats, gradients = self._score(tokens)
            update(gradients)
            return nats

        self._measure_segment, self._read_segment = measure, read

    def measure(self, tokens: NDArray[np.integer]) -> None:
        """Adds the squared gradients of a segment to those that RMS is computed from.

        Args:
            tokens: `(SEGMENT + 1,)`, the segment, after the last token before it.
        """
        self._measure_segment(tf.constant(tokens, tf.int32))
        self._measured += 1

    def start(self) -> None:
        """Computes RMS and the scale, and resets the states."""
        for squares in self._rms:
            squares.assign(tf.sqrt(squares / self._measured))
        weights = sum(rms.shape.num_elements() for rms in self._rms)
        self._scale.assign(tf.linalg.global_norm(self._rms) / weights**0.5)
        self._network.reset_states()

    def read(self, tokens: NDArray[np.integer]) -> NDArray[np.float32]:
        """Scores a segment, and then learns from it.

        Args:
            tokens: `(SEGMENT + 1,)`, the segment, after the last token before it. The last segment of a text may be shorter.

        Returns:
            The nats of each token of the segment.
        """
        padded = np.zeros(SEGMENT + 1, np.int32)
        padded[: len(tokens)] = tokens
        found: NDArray[np.float32] = self._read_segment(tf.constant(padded)).numpy()
        return found[: len(tokens) - 1]

    def _score(self, tokens: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the nats of each token of a segment, and the gradients of their mean."""
        with tf.GradientTape() as tape:
            logits = self._network(tokens[tf.newaxis, :-1], training=False)[0]
            nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[1:], logits)
            loss = tf.reduce_mean(nats)
        return nats, tape.gradient(loss, self._weights)

    def _add_squares(self, gradients: list[tf.Tensor]) -> None:
        for squares, gradient in zip(self._rms, gradients, strict=True):
            squares.assign_add(gradient * gradient)

    def _update(self, gradients: list[tf.Tensor]) -> None:
        scale = tf.maximum(self._scale, np.finfo(np.float32).tiny)
        for weight, trained, rms, gradient in zip(self._weights, self._trained, self._rms, gradients, strict=True):
            step = self._rate * gradient / (rms + scale)
            decay = tf.minimum(DECAY * rms / scale, 1.0)
            weight.assign_add(decay * (trained - weight) - step)


def _cut(blocks: Iterator[NDArray[np.integer]]) -> Iterator[NDArray[np.integer]]:
    """Cuts a text into segments, each after the last token before it. The last one may be shorter."""
    rest = np.zeros(0, np.int64)
    for block in blocks:
        rest = np.append(rest, block)
        whole = (len(rest) - 1) // SEGMENT * SEGMENT
        for first in range(0, whole, SEGMENT):
            yield rest[first : first + SEGMENT + 1]
        rest = rest[max(whole, 0) :]
    if len(rest) > 1:
        yield rest


def _write(model: ModelFile) -> Iterator[NDArray[np.integer]]:
    """Writes texts with the model, always with the same seed, and yields the token ids of each, after a first token."""
    length = _WRITTEN_SEGMENTS * SEGMENT // _WRITTEN_TEXTS
    run, rng = LSTMStep(model).start(_WRITTEN_TEXTS), np.random.default_rng(_SEED)
    choose = Categorical()
    *before, last = start_ids(model.vocabulary)
    for token in before:
        run(np.full(_WRITTEN_TEXTS, token))
    yield np.array([last])
    ids = np.full(_WRITTEN_TEXTS, last)
    texts = np.empty((length, _WRITTEN_TEXTS), np.int64)
    for column in texts:
        ids = choose(run(ids), Categorical.noise(rng, run.logits.shape))
        column[:] = ids
    yield from texts.T
