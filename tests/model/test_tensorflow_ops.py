import numpy as np
import pytest
import tensorflow as tf

from textgen.model import tensorflow_ops


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_of_a_repeated_id_are_summed(monkeypatch, on_gpu, dtype):
    """Lookup and gradient equal a product with one-hot rows, for both ways to sum. The gradient of an absent id is zero."""
    monkeypatch.setattr(tensorflow_ops, "has_gpu", lambda: on_gpu)
    rng = np.random.default_rng(1)
    ids = rng.integers(1, 6, (4, 9))
    upstream = rng.integers(-4, 5, (4, 9, 3))
    table = tf.constant(rng.integers(-4, 5, (7, 3)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(table)
        rows = tensorflow_ops.gather_rows(table, tf.constant(ids, tf.int32))
    gradient = tape.gradient(rows, table, output_gradients=tf.constant(upstream, dtype))
    one_hot = np.eye(7, dtype=int)[ids]
    np.testing.assert_array_equal(rows, one_hot @ table.numpy())
    np.testing.assert_array_equal(gradient, np.einsum("btv,btw->vw", one_hot, upstream))
    assert gradient.dtype == table.dtype
