"""Evaluates the Keras model on a text without changing its LSTM states."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from textgen.config import TrainingConfig
from textgen.corpus import UNKNOWN_ID
from textgen.corpus.cached_array import StoredArray
from textgen.dataset import VALIDATION_WINDOW, count_tokens, validation_streams, validation_windows
from textgen.evaluation import Scores
from textgen.model import LanguageModel, build_model

_MOST_STREAMS = 64
"""More streams are hardly faster."""

_MOST_LOGITS = 1 << 25
"""The most logits in one window: 128 MB."""


class Validator:
    """Scores every token of a text after the first, as if it were read in one stream with the state carried.

    It runs a twin of the model that has its own states, because a stateful layer has one set of states and a fixed number
    of streams.

    Args:
        config: the settings.
        vocabulary_size: the number of token ids.
        ids: `(tokens,)`, the text, at least two tokens.
        characters: the text's length in characters, for bits per character.
    """

    def __init__(
        self, config: TrainingConfig, vocabulary_size: int, ids: np.ndarray | StoredArray, characters: int
    ) -> None:
        self._ids = ids
        self._characters_per_token = characters / len(ids)
        self._unknown_share = float(count_tokens(ids, vocabulary_size)[UNKNOWN_ID]) / len(ids)
        most = max(1, min(_MOST_STREAMS, _MOST_LOGITS // (VALIDATION_WINDOW * vocabulary_size)))
        self._streams = validation_streams(len(ids), most)
        shape = (self._streams, VALIDATION_WINDOW)
        self._twin = build_model(config, vocabulary_size, streams=shape[0], window=shape[1])
        targets = keras.Input(batch_shape=shape, dtype="int32", name="targets")
        nats = ops.sparse_categorical_crossentropy(targets, self._twin.output, from_logits=True)
        self._scorer = keras.Model({"tokens": self._twin.input, "targets": targets}, nats)
        self._scorer.compile(jit_compile=False)

    def __call__(self, model: LanguageModel, check: Callable[[], None] = lambda: None) -> Scores:
        """Scores the text with a model's current weights.

        Args:
            model: a model of the same config.
            check: called before each window; an exception from it ends the evaluation.
        """
        self._twin.set_weights(model.get_weights())
        self._twin.reset_states()
        nats, tokens = 0.0, 0
        for window in validation_windows(self._ids, self._streams):
            check()
            scored = self._scorer.predict_on_batch({"tokens": window.tokens, "targets": window.targets})
            nats += float(np.sum(scored * window.mask, dtype=np.float64))
            tokens += int(window.mask.sum())
        return self.scores(nats, tokens)

    def scores(self, nats: float, tokens: int = 1) -> Scores:
        """Returns the scores of this text.

        Args:
            nats: the loss, summed over the tokens.
            tokens: the number of tokens.
        """
        return Scores(nats, tokens, self._characters_per_token, self._unknown_share)
