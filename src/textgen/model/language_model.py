"""Builds the functional Keras model of a config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.corpus import make_tokenizer
from textgen.model.batch_parts import losses_of_parts
from textgen.model.dropout import Dropout
from textgen.model.frequencies import Frequencies
from textgen.model.recurrent import CellLSTM, FastLSTM, HoistedLoop
from textgen.model.replication import sum_over_replicas
from textgen.model.tensorflow_ops import make_update
from textgen.model.token_lstm import ReadsTokens, TokenCellLSTM, TokenLSTM
from textgen.planning import ModelShape
from textgen.planning.model_shape import EMBEDDING, OUTPUT_BIAS, OUTPUT_KERNEL, layer_tensor, tensors_of_layer

MOST_STEPS_PER_CALL = 10
"""The maximum number of steps in one call of TensorFlow."""
_FIRST_DROPOUT = 0.1
"""The dropout of a model whose config leaves it open, until `next_dropout` is set."""

LAYERS: dict[str, tuple[type[ReadsTokens], type[HoistedLoop]]] = {
    "lstm": (TokenLSTM, FastLSTM),
    "lstm-norm": (TokenCellLSTM, CellLSTM),
    "lstm-proj": (TokenCellLSTM, CellLSTM),
}
"""The first layer and the others by `ModelShape.kind`. Their weights have the names of `planning.cells`."""
_OUTPUT = "output"


class LanguageModel(keras.Model):
    """A functional model whose `fit` runs several steps in one call of TensorFlow, each with its own learning rate.

    It also records the norm of the gradient before clipping as a metric.

    Attributes:
        next_rates: the learning rate of each step of the next call, up to `MOST_STEPS_PER_CALL` of them. A callback sets them.
        next_dropout: the dropout of these steps, for a model that was built with dropout; None leaves it unchanged. A callback sets it.
        frequencies: the token frequencies of the training text, by which unseen tokens keep their probability in the loss; None if
            they are not known.
    """

    train_function: Callable[[Any], dict[str, Any]] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gradient_norm = keras.metrics.Mean(name="gradient_norm")
        self.next_rates: list[float] = []
        self.next_dropout: float | None = None
        self._dropout: float | None = None
        self.frequencies: Frequencies | None = None

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that `fit` calls with its iterator over the data of `train_step`.

        Args:
            force: whether to make it again if it exists.
        """
        if self.train_function is not None and not force:
            return
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        self._update = make_update(self.optimizer, self.trainable_variables)

        @tf.function(reduce_retracing=True, autograph=False)
        def run(iterator: Any, rates: Any, steps: Any) -> dict[str, Any]:
            def step(count: Any) -> Any:
                self.optimizer.learning_rate.assign(rates[count])
                self.distribute_strategy.run(self.train_step, (next(iterator),))
                return count + 1

            tf.while_loop(lambda count: count < steps, step, [0], parallel_iterations=1)
            return dict(self.get_metrics_result())

        def train_function(iterator: Any) -> dict[str, Any]:
            self._set_dropout()
            rates = np.zeros(MOST_STEPS_PER_CALL, np.float32)
            rates[: len(self.next_rates)] = self.next_rates
            logs: dict[str, Any] = run(iterator, tf.constant(rates), tf.constant(len(self.next_rates)))
            return logs

        self.train_function = train_function

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing. With a strategy, Keras would take a step's data from `iterator` to build the model, which it already is."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Updates the weights once and returns the running metrics.

        Args:
            data: a pair. The first part is a dict of `tokens`, `(batch_size, unroll_steps)` int32, and `keep`, `(batch_size, 1)`
                float32, which is 1 if a stream's text continues from the previous window and otherwise 0. The second part is
                the targets, shaped like the tokens.
        """
        inputs, targets = data
        tokens, keep = inputs["tokens"], inputs["keep"]
        with tf.GradientTape() as tape:
            if all(layer.runs_hoisted(tokens, None) for layer in self._recurrent_layers):
                loss, to_minimise = losses_of_parts(self.layers[1:], self._measure, (tokens, targets), keep)
            else:
                self.keep_states(keep)
                loss, to_minimise = self._measure(targets, self(tokens, training=True))
            scaled_loss = self.optimizer.scale_loss(to_minimise)
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        loss, *gradients = sum_over_replicas([loss, *gradients])
        norm, known = self._update(gradients)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(norm, sample_weight=known)
        return dict(self.get_metrics_result())

    def _measure(self, targets: Any, logits: Any) -> tuple[Any, Any]:
        """Returns the mean nats of the targets, and the loss to minimise."""
        loss = self.compute_loss(None, targets, logits)
        return loss, loss if self.frequencies is None else self.frequencies.loss(loss, logits)

    def keep_states(self, keep: Any) -> None:
        """Keeps the states of some streams, and sets the others to zero.

        Args:
            keep: 1 for each stream whose state is kept, else 0; `(batch_size, 1)`.
        """
        for layer in self._recurrent_layers:
            for state in layer.states:
                state.assign(state * keras.ops.cast(keep, state.dtype))

    def reset_states(self) -> None:
        """Sets the states of all streams to zero."""
        for layer in self._recurrent_layers:
            layer.reset_state()

    def _set_dropout(self) -> None:
        """Sets the rate of every dropout layer to `next_dropout`, if that has changed."""
        if self.next_dropout not in {None, self._dropout}:
            self._dropout = self.next_dropout
            for layer in self.layers:
                if isinstance(layer, Dropout):
                    layer.set_rate(self.next_dropout)

    @property
    def _recurrent_layers(self) -> list[keras.layers.RNN]:
        return [layer for layer in self.layers if isinstance(layer, keras.layers.RNN)]


def build_model(
    config: TrainingConfig,
    vocabulary_size: int,
    *,
    counts: np.ndarray | None = None,
    streams: int | None = None,
    window: int | None = None,
) -> LanguageModel:
    """Builds the model of a config, from tokens to logits. Its state is carried over from call to call.

    The input is `(batch_size, unroll_steps)` int32; the output is `(batch_size, unroll_steps, vocabulary_size)` float32
    logits under any precision policy.

    Args:
        config: the settings.
        vocabulary_size: the number of ids, including padding and `[UNK]`.
        counts: how often each id occurs in the training text, `(vocabulary_size,)`; None if not known.
        streams: the batch size, if it differs from the config's, as for validation.
        window: the unroll steps, if they differ from the config's.
    """
    policy = config.precision
    shape = ModelShape.of(vars(config), vocabulary_size)
    windows = (streams or config.batch_size, window or config.unroll_steps)
    tokens = keras.Input(batch_shape=windows, dtype="int32", name="tokens")
    hidden = tokens
    for index in range(shape.layers):
        hidden = _make_layer(shape, index, policy)(hidden)
        if config.dropout != 0:
            hidden = Dropout(config.dropout or _FIRST_DROPOUT, dtype=policy, name=f"dropout_{index}")(hidden)
    is_open = not make_tokenizer(config.language_model).closed_vocabulary
    frequencies = None if counts is None else Frequencies(counts, open_vocabulary=is_open)
    bias = "zeros" if frequencies is None else keras.initializers.Constant(frequencies.bias())
    logits = keras.layers.Dense(vocabulary_size, bias_initializer=bias, dtype="float32", name=_OUTPUT)(hidden)
    model = LanguageModel(tokens, logits, name="textgen")
    if frequencies is not None:
        vectors = model.get_layer(_layer_name(0)).token_vectors
        vectors.assign(vectors * frequencies.seen[:, None])
    model.frequencies = frequencies
    return model


def can_train(shape: ModelShape) -> bool:
    """Returns whether there are layers for training a model of this shape. A model file may have other ones."""
    return shape.kind in LAYERS


def variables_of(shape: ModelShape) -> dict[str, tuple[str, str]]:
    """Returns the variable of a model for each tensor of a model file: the name of the layer, and that of the variable.

    Args:
        shape: the shape of the model.
    """
    found = {
        OUTPUT_KERNEL: (_OUTPUT, "kernel"),
        OUTPUT_BIAS: (_OUTPUT, "bias"),
        EMBEDDING: (_layer_name(0), "embedding"),
    }
    for index in range(shape.layers):
        for name in tensors_of_layer(shape.tensors, index):
            found[layer_tensor(index, name)] = (_layer_name(index), name)
    return {name: found[name] for name in shape.tensors}


def _layer_name(index: int) -> str:
    """Returns the name of a recurrent layer, of any cell. It is part of the names in checkpoints."""
    return f"lstm_{index}"


def _make_layer(shape: ModelShape, index: int, policy: str) -> keras.layers.RNN:
    """Makes one of the recurrent layers. The first one reads tokens."""
    first, other = LAYERS[shape.kind]
    options: dict[str, Any] = {"return_sequences": True, "stateful": True, "dtype": policy, "name": _layer_name(index)}
    if index == 0:
        options |= {"vocabulary_size": shape.vocabulary_size, "embedding_size": shape.embedding_size}
        return first(shape.lstm_state_size, **first.options(shape), **options)
    return other(shape.lstm_state_size, **other.options(shape), **options)
