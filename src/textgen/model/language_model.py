"""Builds the functional Keras model of a config; knows nothing of text, files or the fit loop."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from textgen.config import TrainingConfig
from textgen.model.recurrent import LSTM
from textgen.model.tensorflow_ops import gather_rows


class TokenEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` with a dense gradient (see `gather_rows`)."""

    def call(self, inputs: Any) -> Any:
        """Looks up `(batch_size, unroll_steps)` int32 ids: `(batch_size, unroll_steps, embedding_size)`."""
        return gather_rows(ops.cast(self.embeddings, self.compute_dtype), inputs)


class LanguageModel(keras.Model):
    """A functional model that also keeps the gradient's norm, before clipping, as a metric."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gradient_norm = keras.metrics.Mean(name="gradient_norm")

    def train_step(self, data: Any) -> dict[str, Any]:
        """Makes one update on a batch `(inputs, targets)` and returns the metrics so far."""
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            logits = self(inputs, training=True)
            loss = self.compute_loss(inputs, targets, logits)
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled_loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        norm = tf.linalg.global_norm(gradients) / self.optimizer.scale_loss(1.0)
        weight = 1.0
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            # Loss scaling tries too large a scale now and then, and skips the step; such a norm says nothing.
            known = tf.math.is_finite(norm)
            norm, weight = tf.where(known, norm, 0.0), tf.cast(known, norm.dtype)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(norm, sample_weight=weight)
        return dict(self.get_metrics_result())


def build_model(
    config: TrainingConfig, vocabulary_size: int, *, streams: int | None = None, window: int | None = None
) -> LanguageModel:
    """The model of a config: tokens in, logits out, the state carried from call to call.

    Inputs are a dict of `tokens`, `(batch_size, unroll_steps)` int32, and `keep`, `(batch_size, 1)` float32 (see
    `LSTM.call`); the output is `(batch_size, unroll_steps, vocabulary_size)` float32 logits under any precision policy.

    Args:
        config: the settings.
        vocabulary_size: the number of ids, padding and `[UNK]` included.
        streams: the batch size, when it is not the config's: a twin for validation has as many as it needs.
        window: likewise for the unroll steps.
    """
    shape = (streams or config.batch_size, window or config.unroll_steps)
    policy = "mixed_float16" if config.use_fp16 else "float32"
    tokens = keras.Input(batch_shape=shape, dtype="int32", name="tokens")
    keep = keras.Input(batch_shape=(shape[0], 1), dtype="float32", name="keep")
    hidden = tokens
    if config.embedding_size is not None:
        hidden = TokenEmbedding(vocabulary_size, config.embedding_size, dtype=policy, name="embedding")(hidden)
    for index in range(config.layers):
        reads_ids = index == 0 and config.embedding_size is None
        layer = LSTM(
            config.lstm_state_size,
            vocabulary_size=vocabulary_size if reads_ids else None,
            projection_size=config.num_proj,
            layer_norm=config.layer_norm,
            dtype=policy,
            name=f"lstm_{index}",
        )
        hidden = layer(hidden, keep)
        if config.dropout:
            hidden = keras.layers.Dropout(config.dropout, dtype=policy, name=f"dropout_{index}")(hidden)
    logits = keras.layers.Dense(vocabulary_size, dtype="float32", name="output")(hidden)
    return LanguageModel({"tokens": tokens, "keep": keep}, logits, name="textgen")
