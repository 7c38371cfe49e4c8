"""Memory that training gives back stays with the process."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import tensorflow as tf
from textgen.training.memory import keep_memory

keep_memory()
tensor = tf.zeros([1 << 22])
tensor + 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    tensor + 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment):
    """How often the kernel had to give a page, while twenty tensors of 4096 pages were made and dropped."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
def test_tensors_are_made_where_others_were():
    """The pages of a tensor that was dropped serve the next, unless the user turns the pool off, which is obeyed."""
    environment = {"TF_CPU_ALLOCATOR_USE_BFC": "false"}
    assert faults() < 4096 < faults(**environment)
