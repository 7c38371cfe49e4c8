import json
import shlex
from pathlib import Path

import pytest

from textgen import errors
from textgen.cli import sample
from textgen.cli.typed import typed
from textgen.cli.vertex import existing_jobs
from textgen.cloud.fetching import fetch_job, local_directory
from textgen.config import TrainingConfig
from textgen.config.yaml_text import to_yaml
from textgen.generation import write_model
from textgen.jobs import JobDirectory, JobState, job_lock
from textgen.storage.bucket_directory import crc32c

pytestmark = pytest.mark.cloud

JOB = "GET europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/customJobs/123"
FLAGS = ["--project=my-project", "--region=europe-west4"]
NAME = "book-8-states-2-layers"


class Remote:
    """A job that is trained in a bucket, far away."""

    def __init__(self, bucket, model, scratch):
        self.bucket = bucket
        self.uri = f"gs://{bucket.name}/jobs/{NAME}"
        self.model = model
        self.scratch = scratch
        self.metrics = ""

    def put(self, name, content):
        self.bucket.blob(f"jobs/{NAME}/{name}").upload_from_string(content)

    def remove(self, name):
        self.bucket.blob(f"jobs/{NAME}/{name}").delete()

    def train(self, steps, seconds=1.0):
        """Trains up to a step, and leaves what a trainer leaves, with the newest checkpoint alone."""
        for blob in self.bucket.list_blobs(prefix=f"jobs/{NAME}/checkpoints/"):
            blob.delete()
        self.metrics += json.dumps({"steps": steps, "valid_loss": 1.5, "seconds": seconds}) + "\n"
        state = self.scratch / "state.json"
        JobState("running", steps=steps).write(state)
        write_model(self.scratch / "model.safetensors", self.model(seed=steps))
        self.put("config.yaml", to_yaml(TrainingConfig()))
        self.put("vocabulary.json", "{}")
        self.put("metrics.jsonl", self.metrics)
        self.put(f"checkpoints/step-{steps}.safetensors", f"weights {steps}")
        self.put(f"checkpoints/step-{steps}.json", "{}")
        self.put("model.safetensors", (self.scratch / "model.safetensors").read_bytes())
        self.put("logs/train/events", "x" * steps)
        self.put("lock", '{"name": "a worker", "held": true}')
        self.put("state.json", state.read_text())

    @property
    def files(self):
        """The job's files in the bucket, by name, except the lock."""
        prefix = f"jobs/{NAME}/"
        found = {
            blob.name.removeprefix(prefix): blob.download_as_bytes() for blob in self.bucket.list_blobs(prefix=prefix)
        }
        return {name: content for name, content in found.items() if name != "lock"}


@pytest.fixture
def remote(bucket, random_model, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    remote = Remote(bucket, random_model, tmp_path / "scratch")
    remote.train(100)
    return remote


@pytest.fixture
def home():
    """Where the job comes to; the remote job is there before."""
    return local_directory(f"gs://any/jobs/{NAME}")


def files(directory):
    """The files of a local directory, but for what a job does not keep in the bucket."""
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in {"lock", ".fetched.json"}}


def fetch(remote, target):
    said: list[str] = []
    fetched = fetch_job(remote.uri, target, said.append, pytest.fail)
    return fetched, said


def test_a_job_comes_home_and_writes(remote, home, capsys):
    """The command that `fetch` prints works."""
    assert existing_jobs.fetch([remote.uri]) == 0
    written = capsys.readouterr()
    assert written.out == f"{typed('textgen-sample')} job/{NAME}\n"
    assert written.err.startswith("downloading 8 files, ")
    assert written.err.endswith(f", from {remote.uri} to job/{NAME}\n")
    assert files(home) == remote.files
    assert sample.main([*shlex.split(written.out)[1:], "--length=5"]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("place", ["gs://bucket/job", "s3://bucket/job"])
def test_a_job_is_fetched_to_a_local_place_alone(place, capsys):
    """A URI as --output is no name of a local directory."""
    assert existing_jobs.fetch(["123", *FLAGS, f"--output={place}"]) == 2
    assert f"--output must be a local path, got {place}; name one" in capsys.readouterr().err


def test_a_tilde_as_output_is_refused(capsys):
    """A shell leaves ~ as it is after =, and a folder of that name would be made."""
    assert existing_jobs.fetch(["123", *FLAGS, "--output=~/job"]) == 2
    assert "--output must not begin with ~, got ~/job" in capsys.readouterr().err


def test_a_job_is_found_by_its_id(remote, home, google, capsys):
    """Vertex AI says where its directory is."""
    spec = {"baseOutputDirectory": {"outputUriPrefix": f"{remote.uri}/"}}
    name = JOB.partition("v1/")[2]
    google.answers[JOB] = (200, {"name": name, "jobSpec": spec})
    assert existing_jobs.fetch(["123", *FLAGS, "--output=elsewhere"]) == 0
    assert existing_jobs.fetch([name, *FLAGS]) == 0
    google.answers[JOB] = (200, {"name": name, "jobSpec": {}})
    assert existing_jobs.fetch(["123", *FLAGS]) == 66
    assert files(Path("elsewhere")) == files(home) == remote.files
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error
        == f"textgen vertex fetch: error: the job {name} names no output directory, so textgen has not submitted it; give its directory in the bucket instead of its id"
    )


def test_a_copy_of_a_running_job_is_brought_up_to_date(remote, home):
    """Only what is new comes, checkpoints that the trainer has done with go, and what was made here beside them stays."""
    fetch(remote, home)
    (home / "model.onnx").write_text("made here")
    (home / "checkpoints" / "step-50.json").write_text("made here")
    fetched, said = fetch(remote, home)
    assert (fetched.files, fetched.bytes) == (0, 0)
    assert said == [f"{home} is up to date with {remote.uri}"]
    remote.train(200)
    fetched, said = fetch(remote, home)
    assert fetched.files == 6
    assert files(home) == remote.files | dict.fromkeys(["model.onnx", "checkpoints/step-50.json"], b"made here")


def test_an_interrupted_download_resumes(remote, home):
    """What came is kept, whatever the job has done meanwhile."""
    fetch(remote, home)
    remote.train(200)

    def hang_up(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_job(remote.uri, home, hang_up, pytest.fail)
    before = remote.files
    (home / "state.json").write_bytes(before["state.json"])  # as if it had come before Ctrl-C
    (home / "model.safetensors").write_bytes(before["model.safetensors"])
    remote.train(300)
    fetch(remote, home)
    assert files(home) == remote.files


@pytest.mark.parametrize(
    "name", ["state.json", "model.safetensors", "metrics.jsonl", "config.yaml", "logs/train/events"]
)
def test_what_was_made_here_stays(remote, home, name):
    """A file that training has changed since is not replaced, nor any other."""
    fetch(remote, home)
    with (home / name).open("a") as file:
        file.write(" ")
    before = files(home)
    remote.train(200)
    with pytest.raises(
        errors.UsageError,
        match=rf"^{home / name} differs from the one in {remote.uri}, and was made here; name another --output, or move {home} away$",
    ):
        fetch(remote, home)
    assert files(home) == before


def test_a_job_that_was_trained_here_stays(remote, home):
    """The same name does not make it the same job."""
    fetch(remote, home)
    (home / ".fetched.json").unlink()
    fetch(remote, home)  # nothing differs, so that nothing can be lost
    (home / ".fetched.json").write_text("{")
    (home / "model.safetensors").write_text("mine")
    with pytest.raises(errors.UsageError, match=r"model\.safetensors differs from"):
        fetch(remote, home)
    assert (home / "model.safetensors").read_text() == "mine"


def test_another_run_in_the_same_place_does_not_replace_the_first(remote, home):
    """After --fresh in the cloud, what was fetched before may be the only copy."""
    fetch(remote, home)
    before = files(home)
    remote.metrics = ""
    remote.train(300, seconds=2.0)
    with pytest.raises(
        errors.UsageError, match=rf"^{home} contains another run than {remote.uri}; name another --output"
    ):
        fetch(remote, home)
    remote.remove("metrics.jsonl")
    with pytest.raises(errors.UsageError, match="contains another run than"):
        fetch(remote, home)
    assert files(home) == before


def test_what_is_newer_stays(remote, home):
    """A job that went back in the bucket does not take the newer state away."""
    remote.train(200)
    fetch(remote, home)
    before = files(home)
    remote.train(150)
    with pytest.raises(
        errors.UsageError, match=rf"^{home} is newer, at step 200, than {remote.uri}, at step 150; name"
    ):
        fetch(remote, home)
    assert files(home) == before


def test_a_job_that_is_trained_here_is_locked(remote, home, capsys):
    """With 73, and what to do."""
    fetch(remote, home)
    with job_lock(JobDirectory(home), pytest.fail):
        assert existing_jobs.fetch([remote.uri]) == 73
    error = capsys.readouterr().err
    assert (
        error
        == f"textgen vertex fetch: error: a trainer works in {home}; wait for its end or stop it, or name another --output\n"
    )


@pytest.mark.parametrize(
    "make",
    [lambda path: (path.mkdir(), (path / "letter.txt").write_text("dear")), lambda path: path.write_text("dear")],
)
def test_what_is_no_job_stays_as_it_is(remote, tmp_path, make):
    """A directory of something else, or a file, is not touched, not even by a lock."""
    target = tmp_path / "here" / "letters"
    make(target)
    with pytest.raises(errors.UsageError, match=r"letters exists and contains no job; name another --output$"):
        fetch(remote, target)
    assert (
        target.read_text() == "dear" if target.is_file() else [path.name for path in target.iterdir()] == ["letter.txt"]
    )


def test_an_object_that_would_leave_the_directory_is_left_alone(remote, home, front):
    """A bucket can hold names that lead elsewhere: nothing is read, written or removed there."""
    mine = Path("mine")
    mine.write_text("mine")
    remote.put("checkpoints/UP/UP/UP/mine", "mine")
    remote.put("UP/UP/escaped", "x")
    remote.put("..\\..\\escaped", "x")

    def lead_out(status, headers, content):
        return status, headers, content.replace(b"UP/", b"../")

    front.faults = [lead_out] * 99  # the server of the tests would tidy such names
    fetch(remote, home)
    assert not [path for path in Path().rglob("*") if "escaped" in path.name]
    assert "mine" not in (home / ".fetched.json").read_text()
    remote.remove("checkpoints/UP/UP/UP/mine")
    remote.train(200)
    fetch(remote, home)
    assert mine.read_text() == "mine"


def test_a_record_that_would_lead_out_of_the_directory_removes_nothing(remote, home):
    """Whoever wrote the hidden file, only the job's own checkpoints go."""
    fetch(remote, home)
    mine = Path("mine")
    mine.write_text("mine")
    record = json.loads((home / ".fetched.json").read_text())
    record["contents"]["checkpoints/../../../mine"] = [crc32c(mine)]
    (home / ".fetched.json").write_text(json.dumps(record))
    fetch(remote, home)
    assert mine.read_text() == "mine"


def test_a_checkpoint_that_was_changed_here_stays(remote, home):
    """Though the trainer far away has done with it."""
    fetch(remote, home)
    changed = home / "checkpoints" / "step-100.json"
    changed.write_text("changed here")
    remote.train(200)
    fetch(remote, home)
    assert changed.read_text() == "changed here"


def test_a_checkpoint_that_goes_meanwhile_is_no_failure(remote, home):
    """A trainer removes old ones while others are on their way."""
    steps = iter([200, 300])

    def train_on(_):
        if (step := next(steps, None)) is not None:
            remote.train(step)

    fetch_job(remote.uri, home, train_on, pytest.fail)
    assert files(home) == remote.files
    steps = iter(range(400, 1000, 100))
    with pytest.raises(
        errors.MissingError, match=r"changes faster than it can be downloaded; run the same command again"
    ):
        fetch_job(remote.uri, home, train_on, pytest.fail)
    fetch(remote, home)
    assert files(home) == remote.files


def test_a_log_that_grows_while_it_comes_is_known_again(remote, home, front):
    """What came is what the bucket had, though more than was listed; it is not taken for something made here."""
    grown: list[str] = []

    def grow(method, path):
        if "/download/" in path and not grown:
            grown.append(path)
            remote.put("logs/train/events", "x" * 150)

    front.rule = grow
    fetch(remote, home)
    assert grown
    assert (home / "logs" / "train" / "events").read_text() == "x" * 150
    remote.train(200)
    fetch(remote, home)
    assert files(home) == remote.files


def test_a_job_without_a_model_says_so(remote, home, capsys):
    """Before the first evaluation there is nothing to write with."""
    remote.remove("model.safetensors")
    assert existing_jobs.fetch([remote.uri]) == 0
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines()[-1] == f"{home} has no model file yet; fetch it again when the job has evaluated."


@pytest.mark.parametrize(
    ("place", "code", "text"),
    [
        ("gs://{bucket}/jobs", 66, "there is no job in gs://{bucket}/jobs: it contains no config.yaml; check the name"),
        (
            "gs://{bucket}/absent",
            66,
            "there is no job in gs://{bucket}/absent: it contains no config.yaml; check the name",
        ),
        ("gs://no-such-bucket/job", 66, "cannot list gs://no-such-bucket/job: it does not exist"),
        ("gs://{bucket}", 2, "JOB must name a job directory, got gs://{bucket}; name one in gs://{bucket}"),
        ("gs://{bucket}/a/..", 2, "JOB must name a job directory, got gs://{bucket}/a/.."),
        ("gs://", 2, "a place in a bucket must be gs://BUCKET/PATH"),
        ("my job", 2, "JOB must be a custom job's id"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(remote, capsys, tmp_path, place, code, text):
    """And nothing is made here."""
    assert existing_jobs.fetch([place.format(bucket=remote.bucket.name)]) == code
    error = capsys.readouterr().err
    assert error.startswith(f"textgen vertex fetch: error: {text.format(bucket=remote.bucket.name)}")
    assert error.count("\n") == 1
    assert list((tmp_path / "here").iterdir()) == []


def test_what_a_disk_takes_for_the_lock_or_the_record_is_not_downloaded(remote, home):
    """A disk that does not tell upper from lower case would put it in their place."""
    for name in ("LOCK", ".FETCHED.json", "loc\u212a"):
        remote.put(name, "anything")
    fetch(remote, home)
    assert {"LOCK", ".FETCHED.json", "loc\u212a"}.isdisjoint(files(home))
    assert "config.yaml" in files(home)
