import pytest
import tensorflow as tf

from textgen.training.tensorflow_failures import reason_of


def test_the_reason_of_a_failed_graph_is_given():
    """The lines that TensorFlow puts before the reason, such as where the node was defined, are left out."""

    @tf.function
    def reshape(count):
        return tf.reshape(tf.zeros((count,)), (2, 2))

    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        reshape(tf.constant(3))
    assert reason_of(error.value) == "Input to reshape is a tensor with 3 values, but the requested shape has 4"


def test_the_first_line_of_another_error_is_its_reason():
    """An error of the operating system has one line."""
    assert reason_of(OSError(28, "No space left on device")) == "[Errno 28] No space left on device"
