import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import paused_trainer
from tests.commands import installed
from tests.with_workers import HANG_SECONDS, SETTINGS, is_running, last_state, run, wait_for, workers_of
from textgen.workers import local_cluster


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
    ("number", "code", "count"), [(signal.SIGTERM, 75, 2), pytest.param(signal.SIGINT, 130, 3, marks=pytest.mark.slow)]
)
def test_a_signal_to_the_chief_stops_all(paused, number, code, count):
    """Ctrl-C and SIGTERM end all processes with one exit code, once the chief has saved."""
    chief, workers = paused("job", f"--workers={count}", "--max_steps=100000", "--dropout=0")
    assert len(workers) == count - 1
    chief.send_signal(number)
    shown = chief.communicate(timeout=HANG_SECONDS)[1]
    assert chief.returncode == code
    assert re.search(r"stopped at step \d+, which is saved", shown)
    assert not any(map(is_running, workers))


@pytest.mark.slow
def test_sigterm_to_a_worker_stops_all(paused):
    """A worker whose machine is taken away lets the chief save, and all processes end."""
    chief, workers = paused("job", "--workers=3", "--max_steps=100000", "--dropout=0")
    os.kill(workers[1], signal.SIGTERM)
    shown = chief.communicate(timeout=HANG_SECONDS)[1]
    assert chief.returncode == 75
    assert "worker 2 was stopped by SIGTERM" in shown
    assert not any(map(is_running, workers))


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
from textgen.cli.blas_threads import use_one_blas_thread
use_one_blas_thread()  # as the command does before it imports NumPy, whose threads would take the signal
from textgen.training import replicas

replicas._SECONDS_TO_CONNECT = 5
distribute, mode = replicas.tf.distribute, sys.argv.pop(1)
connect = distribute.MultiWorkerMirroredStrategy

def connect_and_stop():
    distribute.MultiWorkerMirroredStrategy = connect  # Keras asks for its type
    strategy = connect()
    os.kill(os.getpid(), signal.SIGTERM)
    return strategy

if mode == "vanishes":
    distribute.MultiWorkerMirroredStrategy = lambda: os._exit(1)
elif mode == "stops":
    distribute.MultiWorkerMirroredStrategy = connect_and_stop
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.fixture
def processes(book):
    """A function that starts a chief and a worker as if on two machines."""
    started = []

    def start(cluster, *commands):
        for index, command in enumerate(commands):
            process = subprocess.Popen(
                [*command, *SETTINGS, "--max_steps=40"],
                env={**os.environ, "TF_CONFIG": cluster.of(index).to_json()},
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
        return started

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def machines(processes):
    """A function that does so until both have ended; returns their exit codes and standard errors."""

    def run_all(cluster, *commands):
        started = processes(cluster, *commands)
        shown = [process.communicate(timeout=HANG_SECONDS)[1] for process in started]
        return [process.returncode for process in started], shown

    return run_all


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


STOPPED = """
import sys
sys.path.insert(0, sys.argv.pop(1))

from tests.paused_trainer import write_and_pause
from textgen.cli import train
from textgen.jobs import CheckpointStore
from textgen.workers import link

link._MOST_SILENCE = 40
CheckpointStore.write = write_and_pause
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_stopped_ends_the_others(processes, victim):
    """A SIGSTOP of the chief or a worker, while the chief saves and no step is made, ends the other within the limit for silence."""
    found = processes(local_cluster(2), *2 * [[sys.executable, "-c", STOPPED, str(Path(__file__).parents[2])]])
    wait_for(lambda: list(Path("job").glob("*/checkpoints/*.json")) or any(process.poll() for process in found))
    found[victim].send_signal(signal.SIGSTOP)
    other = found[1 - victim]
    shown = other.communicate(timeout=HANG_SECONDS)[1]
    assert other.returncode == 69, shown
    assert "run the same command again to resume from the last checkpoint" in shown.splitlines()[-1]


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_loads_tensorflow_ends_all(book):
    """A worker that ends before any process is connected is named, and the others end."""
    with subprocess.Popen(
        [*installed("textgen-train"), *SETTINGS, "--workers=3", "--max_steps=100000"], stderr=subprocess.PIPE, text=True
    ) as chief:
        wait_for(lambda: len(workers_of(chief.pid)) == 2 or chief.poll() is not None)
        workers = workers_of(chief.pid)
        wait_for(lambda: "tensorflow" in Path(f"/proc/{workers[1]}/maps").read_text())
        os.kill(workers[1], signal.SIGKILL)
        shown = chief.communicate(timeout=HANG_SECONDS)[1]
    assert chief.returncode == 69
    assert "error: worker 2 was killed by SIGKILL; run the same command again" in shown.splitlines()[-1]
    assert not any(map(is_running, workers))


DRIFTING = """
import sys
from textgen.cli import train
from textgen.training import following

def restore_otherwise(model, tensors, restore=following.restore, **options):
    changed = {name: tensor + 1e-3 if name.endswith("kernel") else tensor for name, tensor in tensors.items()}
    return restore(model, changed, **options)

following.restore = restore_otherwise
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_process_with_other_weights_is_reported_once(machines):
    """If the weights of a worker differ from those of the chief, a warning says so at the first checkpoint, and training continues."""
    commands = [installed("textgen-train"), [sys.executable, "-c", DRIFTING]]
    codes, (shown, _) = machines(local_cluster(2), *commands)
    assert codes == [0, 0], shown
    assert (
        shown.count("warning: worker 1 no longer has the same weights as the chief; train on machines of the same type")
        == 1
    )
