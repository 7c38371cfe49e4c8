"""Memory that training gives back stays with the process."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import tensorflow as tf
from textgen.training.memory import keep_memory

keep_memory()
tensor = tf.zeros([1 << 20])
try:
    print(tf.config.experimental.get_memory_info("CPU:0")["current"])
except ValueError:  # nothing is counted without a pool
    print(0)
"""


@pytest.mark.parametrize(("said", "kept"), [(None, 4 << 20), ("false", 0)])
def test_tensors_have_a_pool_unless_the_user_turns_it_off(said, kept):
    """TensorFlow counts the bytes that its pool has given away; what the environment says of the pool is obeyed.

    oneDNN, which TensorFlow turns on where the processor has instructions for neural networks, counts without a pool too.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    environment.pop("TF_CPU_ALLOCATOR_USE_BFC", None)
    if said is not None:
        environment["TF_CPU_ALLOCATOR_USE_BFC"] = said
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert kept <= int(done.stdout) < kept + (1 << 20)
