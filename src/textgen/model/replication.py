"""What the replicas of a model do together in a training step: each has its own device, and its own rows of the joint batch.

Each replica has a copy of every variable, which it alone updates (see `textgen.training.replicas`). The copies of a weight stay equal,
because all replicas make the same update, from the gradient of the joint batch. Without a distribution strategy there is one replica, and
these functions return their arguments.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def part_of_mean(mean: Any) -> Any:
    """Returns the part of a replica in a mean over the joint batch. The sum over all replicas is that mean.

    Keras' losses do the same.

    Args:
        mean: the mean over the rows of this replica. All replicas have equally many rows.
    """
    count = tf.distribute.get_strategy().num_replicas_in_sync
    return mean if count == 1 else mean / count


def sum_over_replicas(tensors: list[Any]) -> list[Any]:
    """Sums each tensor over all replicas, and returns the sums to every replica."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tensors
    sums: list[Any] = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)
    return sums


def own_seed(seed: Any) -> Any:
    """Makes a seed that differs between the replicas from one that does not.

    Args:
        seed: two integers.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return seed
    return tf.random.fold_in(seed, tf.distribute.get_replica_context().replica_id_in_sync_group)
