"""Trains in a process that is not the chief: makes the steps that the chief decides, on this process' part of the streams.

Such a process has no progress, evaluates nothing and writes no file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from textgen.config import Cluster, TrainingConfig
from textgen.console import Console
from textgen.corpus.cached_array import StoredArray, open_array
from textgen.dataset import PartOfIds, Streams, training_windows
from textgen.errors import from_os_error
from textgen.signals import Signals
from textgen.storage import fetch_part, is_bucket
from textgen.training.attempt import compile_model
from textgen.training.capture import hash_weights, local_rows, local_states, restore
from textgen.training.determinism import fix_kernels, fix_threads
from textgen.training.device import Device, choose_count, choose_device
from textgen.training.replicas import Replicas, check_port
from textgen.training.tensorflow_failures import explaining_memory, naming_lost_processes
from textgen.workers import Chief, Message

_SECONDS_TO_NOTICE = 20.0
"""How long TensorFlow may be ahead of the chief in noticing that a process is gone; longer than the chief waits."""


@explaining_memory()
def follow(
    config: TrainingConfig,
    chief: Chief,
    cluster: Cluster,
    *,
    ids_directory: Path,
    signals: Signals,
    console: Console,
    device: Device = "auto",
) -> None:
    """Trains until the chief ends, which raises `Ended`.

    Args:
        config: the settings of the chief.
        chief: tells what to do.
        cluster: the processes that train.
        ids_directory: the cache of encoded texts.
        signals: handles SIGINT and SIGTERM; already entered.
        console: shows on what this process trains.
        device: the device to train on.

    Raises:
        Ended: at the end.
        TextgenError: if the chief has failed or is gone, or this process fails.
    """
    with naming_lost_processes(partial(chief.wait_for_end, _SECONDS_TO_NOTICE)):
        prepare = chief.next()
        console.say(f"Worker {cluster.index} trains on {choose_device(device)}")
        choose_count(prepare.facts["devices"], config.batch_size, processes=cluster.count)
        if config.deterministic:
            fix_threads({"threads": prepare.facts["threads"]}, lambda _: None)
        check_port(cluster)
        chief.answer("ready", {})
        chief.next()  # as soon as all are ready
        replicas = Replicas.in_cluster(cluster, signals)
        if config.deterministic:
            fix_kernels()
        text = chief.next()
        streams = _open_streams(config, replicas, text, ids_directory)
        chief.next()
        while True:
            _attempt(config, chief, replicas, streams, text)


def _open_streams(config: TrainingConfig, replicas: Replicas, text: Message, ids_directory: Path) -> Streams:
    """Opens the text that the chief has encoded. Of one in a bucket, only the part of the streams in this process is downloaded."""
    place, dtype = text.facts["ids"], np.dtype(text.facts["dtype"])
    whole = Streams(PartOfIds(text.facts["tokens"]), config.batch_size, config.unroll_steps, config.seed)
    if not is_bucket(place):
        return replace(whole, ids=open_array(Path(place), dtype))
    rows = replicas.rows(config.batch_size)
    begin, end = whole.part(slice(rows[0].start, rows[-1].stop))
    path = ids_directory / f"{place.rpartition('/')[2]}.{begin}-{end}"
    fetch_part(place, path, begin * dtype.itemsize, end * dtype.itemsize)
    try:
        ids = StoredArray(path, dtype, end - begin)
    except OSError as error:
        raise from_os_error(error, f"cannot read {path}") from error
    return replace(whole, ids=PartOfIds(text.facts["tokens"], ids, begin))


def _attempt(config: TrainingConfig, chief: Chief, replicas: Replicas, streams: Streams, text: Message) -> None:
    """Trains a model, from the state that the chief sends, until the chief makes another attempt."""
    model = compile_model(config, text.facts["vocabulary_size"], text.arrays["counts"], replicas)
    start = chief.next()
    rows = replicas.rows(config.batch_size)
    epoch, step, continues = (start.facts[name] for name in ("epoch", "epoch_step", "continues"))
    missing = restore(model, local_rows(start.arrays, rows, config.batch_size), optimizer=True, states=continues)
    assert not missing, f"the chief has sent no {missing}"  # noqa: S101 - our own mistake
    windows = replicas.distribute(lambda: training_windows(streams, epoch, step, continues=continues, rows=rows))
    model.make_train_function()
    iterator = iter(windows)
    while (message := chief.next()).kind in {"steps", "states"}:
        if message.kind == "states":
            chief.answer("states", local_states(model), weights=hash_weights(model))
            continue
        model.next_rates = message.facts["rates"]
        model.next_dropout = message.facts["dropout"]
        assert model.train_function is not None  # noqa: S101 - it was just made
        model.train_function(iterator)
