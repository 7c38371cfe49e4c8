"""A cloud job from submission to sampling, with preemptions: Google's own libraries with local stand-ins for its services."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import JobState
from safetensors.numpy import load

from tests import paused_trainer
from tests.cloud.vertex_service import starts_again
from textgen.cli import main, sample, train
from textgen.workers import local_cluster

pytestmark = [pytest.mark.cloud, pytest.mark.slow]

SETTINGS = [
    *("--lstm_state_size=8", "--batch_size=4", "--unroll_steps=16", "--sample_length=10", "--max_steps=2000"),
    *("--eval_steps=500", "--save_steps=200", "--deterministic", "--dropout=0.2"),
]
NAME = "book-8-states-1-layers"
HANG_SECONDS = 300.0
"""Longer than anything here takes, even on a busy machine."""


class Machines:
    """Runs a custom job's container as a local process, and starts it again on a new machine whenever Vertex AI would.

    Args:
        place: the parent directory of the machines' local directories.
        bucket: the bucket with the job directory.
        ends: functions that end the first processes, one each, when it has uploaded a new checkpoint and paused.

    Attributes:
        codes: the exit codes of the processes of the first machine.
        logs: their standard error.
        logs_of_others: that of the processes on the other machines.
    """

    def __init__(self, place, bucket, ends=()):
        self.place = place
        self.bucket = bucket
        self.ends = list(ends)
        self.codes = []
        self.logs = []
        self.logs_of_others = []
        self.cluster = {"chief": ["127.0.0.1:2222"]}

    def run(self, job):
        while True:
            self.codes.append(self.run_once(job))
            if self.codes[-1] == 0:
                return JobState.JOB_STATE_SUCCEEDED, ""
            if not starts_again(self.codes, job.job_spec.scheduling):
                code = self.codes[-1]
                return JobState.JOB_STATE_FAILED, f"The replica workerpool0-0 exited with a non-zero status of {code}."

    def run_once(self, job):
        """Runs one process; returns its exit code."""
        end = self.ends.pop(0) if self.ends else None
        before = self.newest()
        with self.started_others(job), self.start(job, end) as process, killed_if_it_hangs(process):
            if end is not None:
                while self.newest() == before and process.poll() is None:
                    time.sleep(0.05)
                end(process)
            self.logs.append(process.stderr.read())
        return process.returncode

    @contextlib.contextmanager
    def started_others(self, job):
        """Runs the machines of the second pool, if there is one, until the first machine has ended."""
        pools = job.job_spec.worker_pool_specs
        if len(pools) == 1:
            yield
            return
        count = 1 + pools[1].replica_count
        chief, *others = local_cluster(count).addresses
        self.cluster = {"chief": [chief], "worker": others}
        processes = [self.start(job, None, "worker", index) for index in range(count - 1)]
        yield
        for process in processes:
            process.kill()
            self.logs_of_others.append(process.communicate()[1])

    def start(self, job, end, kind="chief", index=0):
        spec = job.job_spec.worker_pool_specs[0].container_spec
        output = job.job_spec.base_output_directory.output_uri_prefix.rstrip("/")
        script = [str(Path(sysconfig.get_path("scripts"), "textgen-train"))]
        if end is not None:
            script = [str(Path(paused_trainer.__file__)), str(0 if end is terminate else 10 * HANG_SECONDS)]
        return subprocess.Popen(
            [sys.executable, *script, *spec.args],
            env={
                **os.environ,
                "CLOUD_ML_JOB_ID": job.name.rsplit("/", 1)[1],
                "AIP_MODEL_DIR": f"{output}/model/",
                "AIP_CHECKPOINT_DIR": f"{output}/checkpoints/",
                "AIP_TENSORBOARD_LOG_DIR": f"{output}/logs/",
                "CLUSTER_SPEC": '{"cluster": {}, "task": {"type": "workerpool0", "index": 0}}',
                "TF_CONFIG": json.dumps({"cluster": self.cluster, "task": {"type": kind, "index": index}}),
                "TEXTGEN_CACHE": str(self.place / f"{kind}{len(self.codes)}" / "cache"),
                "TEXTGEN_STATE": str(self.place / f"{kind}{len(self.codes)}" / "state"),
            },
            stderr=subprocess.PIPE,
            text=True,
        )

    def newest(self):
        """Returns the name of the newest checkpoint's manifest in the bucket."""
        blobs = self.bucket.list_blobs(prefix="textgen/")
        return max(
            (blob.name for blob in blobs if "/checkpoints/" in blob.name and blob.name.endswith(".json")), default=""
        )


@contextlib.contextmanager
def killed_if_it_hangs(process):
    timer = threading.Timer(HANG_SECONDS, process.kill)
    timer.start()
    yield
    timer.cancel()


def terminate(process):
    """Sends SIGTERM, which is not followed by SIGKILL."""
    process.send_signal(signal.SIGTERM)


def preempt(process):
    """Sends SIGTERM, and SIGKILL once everything is saved and uploaded."""
    process.send_signal(signal.SIGTERM)
    for line in process.stderr:
        if "which is saved" in line:
            break
    process.kill()


def kill(process):
    """Sends SIGKILL in the middle of a save."""
    process.kill()


def tensors(content):
    return {key: value.tobytes() for key, value in load(content).items()}


def test_a_preempted_job_ends_like_an_undisturbed_one(folder, vertex, bucket, tmp_path, capfd):
    """A job whose machines are preempted or fail is restarted on new ones, and ends with the weights of an undisturbed run."""
    machines = Machines(tmp_path, bucket, [preempt, terminate, kill])
    vertex.runner = machines.run
    arguments = ["book.txt", *SETTINGS, f"--bucket={bucket.name}", "--machine=cpu", "--spot"]
    assert main.main(["vertex", "submit", *arguments, "--wait"]) == 0, machines.logs
    assert machines.codes == [-signal.SIGKILL, 134, -signal.SIGKILL, 0]
    for log in machines.logs:
        entries = [json.loads(line) for line in log.splitlines()]
        assert all({"severity", "message", "time"} <= set(entry) for entry in entries)
    assert all("restoring " in log for log in machines.logs[1:])
    place = f"gs://{bucket.name}/textgen/job/{NAME}"

    assert train.main(["book.txt", *SETTINGS, "--job_dir=home"]) == 0
    home = tensors((folder / "home" / "model.safetensors").read_bytes())
    assert tensors(bucket.blob(f"textgen/job/{NAME}/model.safetensors").download_as_bytes()) == home
    assert tensors(bucket.blob(f"textgen/job/{NAME}/model/model.safetensors").download_as_bytes()) == home
    assert main.main(["vertex", "fetch", next(iter(vertex.jobs)).rsplit("/", 1)[1]]) == 0
    assert tensors((folder / "job" / NAME / "model.safetensors").read_bytes()) == home
    capfd.readouterr()
    for model in (f"job/{NAME}", place):
        assert sample.main([model, "--seed=1", "--length=50"]) == 0
    out = capfd.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]


def test_a_preempted_job_of_two_machines_ends_like_an_undisturbed_one(folder, vertex, bucket, tmp_path, capfd):
    """Two machines train one job; after a preemption both are started again, and the weights are those of an undisturbed run."""
    settings = ["--workers=2", "--max_steps=400", *(setting for setting in SETTINGS if "max_steps" not in setting)]
    models = []
    for name, ends, codes in (("disturbed", [preempt], [-signal.SIGKILL, 0]), ("undisturbed", [], [0])):
        machines = Machines(tmp_path / name, bucket, ends)
        vertex.runner = machines.run
        arguments = ["book.txt", *settings, f"--bucket={bucket.name}", "--machine=cpu", f"--job_dir={name}"]
        assert main.main(["vertex", "submit", *arguments, "--wait"]) == 0, machines.logs
        assert machines.codes == codes, (machines.logs, machines.logs_of_others)
        models.append(tensors(bucket.blob(f"textgen/{name}/model.safetensors").download_as_bytes()))
    assert models[0] == models[1]
    text = max(path.stat().st_size for path in (tmp_path / "undisturbed").glob("chief*/cache/ids/*.uint8"))
    [part] = (tmp_path / "undisturbed").glob("worker*/cache/ids/*")
    assert part.stat().st_size < 0.7 * text


def test_a_job_without_its_gpu_fails_once(folder, vertex, bucket, tmp_path, capfd):
    """A job on a machine that lacks its GPU ends with a log entry that has the class of the error, and is not restarted."""
    machines = Machines(tmp_path, bucket)
    vertex.runner = machines.run
    arguments = ["book.txt", *SETTINGS, f"--bucket={bucket.name}", "--machine=l4"]
    assert main.main(["vertex", "submit", *arguments, "--wait"]) == 69
    assert machines.codes == [69]
    entry = json.loads(machines.logs[-1].splitlines()[-1])
    assert (entry["severity"], entry["error"]) == ("ERROR", "UnavailableError")
    assert "--device gpu needs a GPU, and TensorFlow finds none" in entry["message"]
    assert "textgen vertex logs" in capfd.readouterr().err.splitlines()[-1]
