"""The whole way: submit, train, be preempted, go on, finish, sample, with Google's own libraries against local stand-ins."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import JobState
from safetensors.numpy import load

from textgen.cli import main, sample, train

pytestmark = [pytest.mark.cloud, pytest.mark.slow]

SETTINGS = [
    *("--lstm_state_size=8", "--batch_size=4", "--unroll_steps=16", "--sample_length=10", "--max_steps=8000"),
    *("--eval_steps=2000", "--save_steps=400", "--deterministic", "--dropout=0.2"),
]
NAME = "book-8-states-1-layers"


class Machines:
    """Runs a custom job's container as a local process, as Vertex AI would: on a new machine after each preemption.

    `preemptions` are the signals that end the first processes, once they have brought a new checkpoint to the bucket.
    """

    def __init__(self, place, bucket, preemptions):
        self.place = place
        self.bucket = bucket
        self.preemptions = list(preemptions)
        self.codes = []
        self.logs = []

    def run(self, job):
        spec = job.job_spec.worker_pool_specs[0].container_spec
        output = job.job_spec.base_output_directory.output_uri_prefix.rstrip("/")
        while True:
            process = subprocess.Popen(
                [sys.executable, str(Path(sysconfig.get_path("scripts"), "textgen-train")), *spec.args],
                env={
                    **os.environ,
                    "CLOUD_ML_JOB_ID": job.name.rsplit("/", 1)[1],
                    "AIP_MODEL_DIR": f"{output}/model/",
                    "AIP_CHECKPOINT_DIR": f"{output}/checkpoints/",
                    "AIP_TENSORBOARD_LOG_DIR": f"{output}/logs/",
                    "CLUSTER_SPEC": '{"cluster": {}, "task": {"type": "workerpool0", "index": 0}}',
                    "TEXTGEN_CACHE": str(self.place / f"machine{len(self.codes)}"),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            if self.preemptions:
                self.wait_for_news(process)
                process.send_signal(self.preemptions.pop(0))
            _, err = process.communicate(timeout=300)
            self.codes.append(process.returncode)
            self.logs.append(err)
            if process.returncode == 0:
                return JobState.JOB_STATE_SUCCEEDED, ""
            if process.returncode not in {75, -signal.SIGKILL}:
                return JobState.JOB_STATE_FAILED, f"The replica exited with a non-zero status of {process.returncode}."

    def wait_for_news(self, process):
        before = self.newest()
        while self.newest() == before and process.poll() is None:
            time.sleep(0.1)

    def newest(self):
        """The name of the newest checkpoint's manifest in the bucket."""
        blobs = self.bucket.list_blobs(prefix="textgen/job/")
        return max(
            (blob.name for blob in blobs if "/checkpoints/" in blob.name and blob.name.endswith(".json")), default=""
        )


def tensors(content):
    return {key: value.tobytes() for key, value in load(content).items()}


def test_a_preempted_job_ends_as_one_that_never_left_home(folder, vertex, bucket, tmp_path, capfd):
    """SIGTERM, then SIGKILL, each followed by a new machine, then fetched: the weights of an undisturbed run, bit for bit."""
    machines = Machines(tmp_path, bucket, [signal.SIGTERM, signal.SIGKILL])
    vertex.runner = machines.run
    arguments = ["book.txt", *SETTINGS, f"--bucket={bucket.name}", "--machine=cpu"]
    assert main.main(["vertex", "submit", *arguments, "--wait"]) == 0, machines.logs
    assert machines.codes == [75, -signal.SIGKILL, 0]
    for log in machines.logs:
        entries = [json.loads(line) for line in log.splitlines()]
        assert all({"severity", "message", "time"} <= set(entry) for entry in entries)
    assert "restoring " in machines.logs[1]
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


def test_a_job_that_cannot_be_ends_with_its_class_and_its_remedy(folder, vertex, bucket, tmp_path, capfd):
    """What submit could not know, a GPU that is not there, is said in the job's log, and the wait ends with where to look."""
    machines = Machines(tmp_path, bucket, [])
    vertex.runner = machines.run
    arguments = ["book.txt", *SETTINGS, f"--bucket={bucket.name}", "--machine=l4"]
    assert main.main(["vertex", "submit", *arguments, "--wait"]) == 69
    entry = json.loads(machines.logs[-1].splitlines()[-1])
    assert (entry["severity"], entry["error"]) == ("ERROR", "UnavailableError")
    assert "--device gpu needs a GPU, and TensorFlow finds none" in entry["message"]
    assert "textgen vertex logs" in capfd.readouterr().err.splitlines()[-1]
