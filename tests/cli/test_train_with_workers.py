import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests import paused_trainer
from tests.commands import installed
from textgen.cli import train
from textgen.workers import local_cluster

HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""

SETTINGS = [
    *("book.txt", "--lstm_state_size=8", "--batch_size=6", "--unroll_steps=16", "--sample_length=10"),
    *("--learning_rate=0.01", "--save_steps=20", "--deterministic"),
]


def run(*arguments, expected=0, **environment):
    """Runs `textgen-train` in another process; returns its standard error."""
    done = subprocess.run(
        [*installed("textgen-train"), *SETTINGS, *arguments],
        env={**os.environ, **environment},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == expected, done.stderr
    return done.stderr


def last_state(job):
    """Returns every array of the newest checkpoint."""
    return load_file(max(Path(job, "checkpoints").glob("*.safetensors")))


def workers_of(pid):
    """Returns the ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition):
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def paused(book):
    """A function that starts a trainer with workers; returns its process and theirs when it has saved for the first time.

    It is paused in that save until it gets a signal.
    """
    started = []

    def start(job, *arguments):
        process = subprocess.Popen(
            [sys.executable, str(Path(paused_trainer.__file__)), "0", *SETTINGS, f"--job_dir={job}", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        wait_for(lambda: list(Path(job, "checkpoints").glob("*.json")) or process.poll() is not None)
        return process, workers_of(process.pid)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_workers_train_what_one_process_trains(book, count):
    """After 50 steps, two or three processes have the weights and states of one with the joint batch, to 1e-4, and all the same."""
    arguments = ["--dropout=0", "--max_steps=50"]
    run(*arguments, "--job_dir=one")
    shown = run(*arguments, "--job_dir=several", f"--workers={count}")
    one, several = last_state("one"), last_state("several")
    assert one.keys() == several.keys()
    for name, value in one.items():
        np.testing.assert_allclose(several[name], value, atol=1e-4, err_msg=name)
    assert shown.count("Training on") == 1
    assert "warning" not in shown  # of a worker that has other weights


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "chief"])
def test_after_a_kill_the_job_ends_like_an_undisturbed_one(paused, victim):
    """A SIGKILL of any process ends all; run again, the job has the final weights of an undisturbed run, bit for bit."""
    arguments = ["--dropout=0.2", "--max_steps=60", "--workers=2"]
    chief, [worker] = paused("killed", *arguments)
    os.kill(worker if victim == "worker" else chief.pid, signal.SIGKILL)
    shown = chief.communicate(timeout=HANG_SECONDS)[1]
    if victim == "worker":
        assert chief.returncode == 69
        assert shown.splitlines()[-1].endswith(
            "error: worker 1 was killed by SIGKILL; run the same command again to resume from the last checkpoint"
        )
    wait_for(lambda: not is_running(worker))
    assert "Resuming from step 20" in run(*arguments, "--job_dir=killed")
    run(*arguments, "--job_dir=undisturbed")
    found, expected = last_state("killed"), last_state("undisturbed")
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in expected.items()
    }


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_to_the_chief_stops_all(paused, number, code):
    """Ctrl-C and SIGTERM end all processes with one exit code, once the chief has saved."""
    chief, workers = paused("job", "--workers=2", "--max_steps=100000", "--dropout=0")
    chief.send_signal(number)
    shown = chief.communicate(timeout=HANG_SECONDS)[1]
    assert chief.returncode == code
    assert re.search(r"stopped at step \d+, which is saved", shown)
    assert not any(map(is_running, workers))


@pytest.mark.slow
def test_sigterm_to_a_worker_stops_all(paused):
    """A worker whose machine is taken away lets the chief save, and all processes end."""
    chief, [worker] = paused("job", "--workers=2", "--max_steps=100000", "--dropout=0")
    os.kill(worker, signal.SIGTERM)
    shown = chief.communicate(timeout=HANG_SECONDS)[1]
    assert chief.returncode == 75
    assert "worker 1 was stopped by SIGTERM" in shown
    assert not is_running(worker)


KILLED_WHILE_LOADING = """
import os, signal, sys

def kill(name, values):
    if name == "import" and values[0] == "tensorflow":
        print(*open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

from textgen.cli.start import textgen_train
sys.addaudithook(kill)
sys.exit(textgen_train())
"""


def test_no_worker_outlives_a_chief_that_is_killed_early(book):
    """Workers that are still loading TensorFlow end as well."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_LOADING, *SETTINGS, "--workers=3"],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    workers = [int(pid) for pid in done.stdout.split()]
    assert (done.returncode, len(workers)) == (-signal.SIGKILL, 2), done.stderr
    wait_for(lambda: not any(map(is_running, workers)))


CONNECTING = """
import os, signal, sys
from textgen.cli import train
from textgen.training import replicas

replicas._SECONDS_TO_CONNECT = 5
connect, mode = replicas.tf.distribute.MultiWorkerMirroredStrategy, sys.argv.pop(1)
if mode == "vanishes":
    replicas.tf.distribute.MultiWorkerMirroredStrategy = lambda: os._exit(1)
elif mode == "stops":
    replicas.tf.distribute.MultiWorkerMirroredStrategy = lambda: (connect(), os.kill(os.getpid(), signal.SIGTERM))[0]
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.fixture
def machines(book):
    """A function that runs a chief and a worker as if on two machines; returns their exit codes and standard errors."""
    started = []

    def start(cluster, *commands):
        for index, command in enumerate(commands):
            process = subprocess.Popen(
                [*command, *SETTINGS, "--max_steps=20"],
                env={**os.environ, "TF_CONFIG": cluster.of(index).to_json()},
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
        shown = [process.communicate(timeout=HANG_SECONDS)[1] for process in started]
        return [process.returncode for process in started], shown

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_in_use_ends_all(machines, index):
    """If another program uses the port of TensorFlow's server in one process, all end, before any waits for TensorFlow in another."""
    cluster = local_cluster(2)
    address = cluster.addresses[index]
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        codes, shown = machines(cluster, *2 * [installed("textgen-train")])
    assert codes == [69, 69]
    reason = f"TensorFlow cannot listen at {address}: Address already in use; end the program that uses this port"
    assert all(reason in text.splitlines()[-1] for text in shown), shown


@pytest.mark.slow
def test_a_worker_that_vanishes_before_tensorflow_connects_ends_the_chief(machines):
    """The chief, which waits in TensorFlow for a process that has ended, ends as well, and names that process."""
    script = [sys.executable, "-c", CONNECTING]
    (code, _), (shown, _) = machines(local_cluster(2), [*script, "waits"], [*script, "vanishes"])
    assert code == 69
    assert "error: worker 1 does not answer any more; run the same command again" in shown.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_sigterm_while_tensorflow_connects_stops_all(machines, victim):
    """A SIGTERM is not lost that comes when TensorFlow has replaced the handler of the chief, or of a worker."""
    modes = ["stops" if index == victim else "waits" for index in range(2)]
    codes, shown = machines(local_cluster(2), *([sys.executable, "-c", CONNECTING, mode] for mode in modes))
    assert codes == [75, 75], shown


def test_a_batch_that_workers_cannot_share_is_refused(book, refusal, no_training):
    """More workers than streams, or a number that does not divide them, is refused before any process is started."""
    for count, batch_size, fewer in ((4, 8, 3), (7, 7, 6)):
        code, line = refusal(train, [*SETTINGS, f"--workers={count}"])
        assert code == 2
        assert line == (
            f"--batch_size must be a multiple of the number of workers, {count}, got 6; use --batch_size {batch_size}, or --workers {fewer}\n"
        )


def test_workers_of_one_machine_do_not_share_its_gpus(book, refusal, no_training):
    """Several processes on one machine train on its processor, because one process uses all GPUs."""
    code, line = refusal(train, [*SETTINGS, "--workers=2", "--device=gpu"])
    assert code == 2
    assert line.startswith("--workers 2 would let 2 processes use the same GPUs; leave it out")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "{",
            "the environment variable TF_CONFIG must be JSON, got '{'; correct it, or unset it to train in one process",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            "the environment variable TF_CONFIG must have a task that is in its cluster, got 'worker 2'; correct it, or unset it to train in one process",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}',
            "--workers is 3, but the environment variable TF_CONFIG names 2 processes; leave out --workers, or unset TF_CONFIG",
        ),
    ],
)
def test_a_wrong_cluster_is_refused(book, refusal, no_training, monkeypatch, value, message):
    """A TF_CONFIG that is no JSON, does not contain its own task, or contradicts --workers is refused in one line."""
    monkeypatch.setenv("TF_CONFIG", value)
    assert refusal(train, [*SETTINGS, "--workers=3"]) == (2, f"{message}\n")


def test_one_worker_is_an_ordinary_run(book, training, monkeypatch):
    """With --workers 1, or a TF_CONFIG of a single machine, no other process is started."""
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}')
    assert train.main([*SETTINGS, "--workers=1"]) == 0
    assert training.calls[0].workers is None
