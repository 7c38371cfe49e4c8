import json
import shutil
import socket

import pytest
import yaml

from tests.cloud.conftest import NAME, REGION, submitted, vertex_command
from tests.cloud.google_stand_in import refusal
from tests.markov import CHARACTERS, make_chain, make_model, write
from tests.storage_front import fail
from textgen.config import TrainingConfig
from textgen.config.flags import build
from textgen.corpus import find_sources, open_corpus
from textgen.generation import write_model
from textgen.jobs import JobState as State
from textgen.jobs import job_place
from textgen.storage import lease

pytestmark = pytest.mark.cloud


def names(bucket):
    return sorted(blob.name for blob in bucket.list_blobs())


def test_a_job_is_started_with_what_was_asked_for(folder, vertex, bucket, capsys):
    """`submit` uploads the text, requests a job with all fields, and prints the next commands."""
    labels = ["--labels", "team=writers", "--labels=stage=draft"]
    assert submitted(bucket, "--spot", "--dropout=0.3", "--no-layer_norm", "--max_hours=2", *labels) == 0
    (text,) = names(bucket)
    assert bucket.blob(text).download_as_text() == (folder / "book.txt").read_text()
    assert vertex.created == [
        {
            "displayName": NAME,
            "labels": {"team": "writers", "stage": "draft"},
            "jobSpec": {
                "workerPoolSpecs": [
                    {
                        "machineSpec": {
                            "machineType": "g2-standard-8",
                            "acceleratorType": "NVIDIA_L4",
                            "acceleratorCount": 1,
                        },
                        "replicaCount": "1",
                        "containerSpec": {
                            "imageUri": f"{REGION}-docker.pkg.dev/my-project/textgen/textgen:1",
                            "args": [
                                f"gs://{bucket.name}/{text}",
                                "--data_prefix=book",
                                "--lstm_state_size=8",
                                "--layers=1",
                                "--dropout=0.3",
                                "--device=gpu",
                            ],
                        },
                    }
                ],
                "scheduling": {"timeout": "7200s", "restartJobOnWorkerRestart": True, "strategy": "SPOT"},
                "baseOutputDirectory": {"outputUriPrefix": f"gs://{bucket.name}/textgen/job/{NAME}"},
            },
        }
    ]
    err = capsys.readouterr().err
    (job,) = vertex.jobs
    job_id = job.rsplit("/", 1)[1]
    assert f"Started job {job_id}\n" in err
    assert f"  textgen vertex fetch {job_id}\n" in err


def test_several_machines_train_together(folder, vertex, bucket, capsys):
    """`--workers` makes two pools of the same machines, the plan shows how many there are, and the container is not told."""
    assert submitted(bucket, "--workers=4", "--batch_size=16") == 0
    chief, others = vertex.created[0]["jobSpec"]["workerPoolSpecs"]
    assert (chief["replicaCount"], others["replicaCount"]) == ("1", "3")
    assert chief["containerSpec"] == others["containerSpec"]
    assert not [argument for argument in chief["containerSpec"]["args"] if "workers" in argument]
    assert "4 x g2-standard-8 with 1 x NVIDIA_L4 each\n" in capsys.readouterr().err


def test_a_batch_that_the_machines_cannot_share_is_refused(folder, vertex, bucket, capsys):
    """The number of machines must divide the batch; nothing is uploaded or started otherwise."""
    assert submitted(bucket, "--workers=3", "--batch_size=16") == 2
    assert "--batch_size must be a multiple of the number of workers, 3, got 16" in capsys.readouterr().err
    assert not vertex.created
    assert not names(bucket)


def test_the_container_gets_what_was_given_and_chooses_the_rest(folder, vertex, bucket):
    """A given value is passed on even if it is the default, because the container would choose another one."""
    given = ["--learning_rate=0.006", "--weight_decay=0.1", "--patience=none", "--epochs=none"]
    assert submitted(bucket, "--machine=cpu", *given) == 0
    _, *args = vertex.created[0]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
    shape = ["--data_prefix=book", "--lstm_state_size=8", "--layers=1"]
    assert args == [*shape, "--epochs=none", "--learning_rate=0.006", "--weight_decay=0.1", "--patience=none"]


def test_the_same_text_is_uploaded_once(folder, vertex, bucket, front):
    """A second job on the same text uses the upload of the first."""
    for uploads in (1, 0):
        front.requests.clear()
        assert submitted(bucket) == 0
        assert sum(method == "POST" for method, _ in front.requests) == uploads


def test_a_corpus_with_its_own_split_stays_together(folder, vertex, bucket):
    """The training and validation files of a corpus are uploaded to one folder, with their own names."""
    text = (folder / "book.txt").read_text()
    (folder / "jules").mkdir()
    for part in ("train", "valid"):
        (folder / "jules" / f"jules.{part}.txt").write_text(text)
    for arguments in (["jules"], ["--data_dir=jules", "--data_prefix=jules"]):
        assert vertex_command("submit", *arguments, f"--bucket={bucket.name}") == 0
    assert len(names(bucket)) == 2
    place = f"gs://{bucket.name}/{names(bucket)[0].rsplit('/', 1)[0]}"
    for job in vertex.created:
        args = job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
        assert [argument for argument in args if "=gs:" in argument] == [f"--data_dir={place}"]
        assert "--data_prefix=jules" in args


def test_a_text_in_a_bucket_stays_where_it_is(folder, vertex, bucket):
    """A text in a bucket is passed on to the container without an upload."""
    bucket.blob("texts/book.txt").upload_from_filename(folder / "book.txt")
    uri = f"gs://{bucket.name}/texts/book.txt"
    assert vertex_command("submit", uri, f"--bucket={bucket.name}", "--machine=cpu", "--epochs=2") == 0
    assert vertex.created[0]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"] == [uri, "--epochs=2"]
    assert names(bucket) == ["texts/book.txt"]


def test_texts_on_both_sides_are_refused(folder, vertex, bucket, capsys):
    """Texts of which some are local and some in a bucket are refused, before anything is uploaded."""
    bucket.blob("texts/other.txt").upload_from_filename(folder / "book.txt")
    assert submitted(bucket, f"gs://{bucket.name}/texts/other.txt", "--machine=cpu") == 2
    assert "the texts must all be in a bucket or all be local" in capsys.readouterr().err
    assert (vertex.created, names(bucket)) == ([], ["texts/other.txt"])


def test_the_container_understands_what_it_is_given(folder, vertex, bucket):
    """`textgen-train` parses the container's arguments into the settings that were given to `submit`."""
    from textgen.cli.train import make_parser

    given = ["--layers=2", "--embedding_size=16", "--deterministic", "--learning_rate=2e-3", "--epochs=3"]
    assert (
        submitted(
            bucket,
            *given,
            "--summary_dir=curves/%JOB%",
            "--config=overnight",
            "--lstm_state_size=8",
            "--job_dir=mine/%JOB%",
        )
        == 0
    )
    args = vertex.created[0]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
    config = build(TrainingConfig, make_parser().parse(args))
    name = "book-8-states-2-layers-16-embed"
    assert (config.layers, config.embedding_size, config.deterministic) == (2, 16, True)
    assert (config.learning_rate, config.epochs, config.lstm_state_size) == (2e-3, 3, 8)
    assert config.summary_dir == f"gs://{bucket.name}/textgen/curves/{name}"
    place = vertex.created[0]["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"]
    assert place == f"gs://{bucket.name}/textgen/mine/{name}"


@pytest.mark.parametrize("flags", [[], ["--unwrap=no"], ["--unwrap=yes"]])
def test_the_container_reads_the_text_as_it_was_shown(folder, vertex, bucket, capsys, flags):
    """An explicit choice is passed on. Without one, the container decides from the same files, or resumes with the job's value."""
    assert submitted(bucket, *flags) == 0
    assert ("  unwrapped     each paragraph is one line; " in capsys.readouterr().err) == (flags != ["--unwrap=no"])
    args = vertex.created[0]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
    assert [argument for argument in args if "unwrap" in argument] == flags


def test_a_job_of_an_earlier_version_is_submitted_again(folder, vertex, bucket, capsys):
    """Its text is compared with its own line breaks, which an explicit choice would change."""
    text = find_sources(["book.txt"], None, None)
    corpora = {choice: open_corpus(text, language_model="char", unwrap=choice) for choice in ("yes", "no")}
    assert corpora["yes"].sha256 != corpora["no"].sha256
    with job_place(f"gs://{bucket.name}/textgen/job/{NAME}").open(quiet()) as job:
        job.config.write_text("lstm_state_size: 8\n")
        job.vocabulary.write_text(json.dumps(corpora["no"].vocabulary.to_json()))
        State("stopped", steps=1, data_sha256=corpora["no"].sha256).write(job.state)
    assert submitted(bucket) == 0
    assert submitted(bucket, "--unwrap=yes") == 65
    assert "(unwrap is no in the job and yes in this run)" in capsys.readouterr().err
    assert len(vertex.created) == 1


def test_a_job_directory_in_the_bucket_is_no_local_folder(folder, vertex, bucket):
    """A relative --job_dir is a place in the bucket: texts in a local folder of the same name are uploaded."""
    (folder / "books").mkdir()
    for name in ("a.txt", "b.txt"):
        shutil.copy(folder / "book.txt", folder / "books" / name)
    arguments = ["--lstm_state_size=8", f"--bucket={bucket.name}"]
    assert vertex_command("submit", "books", "--job_dir=books", *arguments) == 0
    assert {name.rsplit("/", 1)[1] for name in names(bucket)} == {"a.txt", "b.txt"}
    place = vertex.created[0]["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"]
    assert place == f"gs://{bucket.name}/textgen/books"


class NoSocket(socket.socket):
    """A socket that fails the test if it is used."""

    def __init__(self, *_, **__):
        pytest.fail("the network was used")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An environment without network and credentials."""
    monkeypatch.setattr(socket, "socket", NoSocket)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))


@pytest.mark.parametrize("text", ["book.txt", "gs://my-bucket/book.txt"])
def test_a_dry_run_needs_no_network(folder, alone, capsys, text):
    """A dry run lists everything that would be created, without network and credentials."""
    arguments = [text, "--lstm_state_size=8", "--bucket=my-bucket", "--labels=team=writers", "--spot"]
    assert vertex_command("submit", *arguments, "--dry_run") == 0
    err = capsys.readouterr().err
    for line in (
        f"job           {NAME} in {REGION} of my-project",
        "machine       g2-standard-8 with 1 x NVIDIA_L4",
        "scheduling    SPOT, hard limit 24 hours",
        f"job directory gs://my-bucket/textgen/job/{NAME}",
        "labels        team=writers",
        *(["upload        book.txt (6.0 kB) to gs://my-bucket/textgen/data/"] if text == "book.txt" else []),
    ):
        assert line in err


def test_skipped_files_and_unusual_encodings_are_listed(folder, alone, capsys):
    """A dry run lists skipped files, files that are not UTF-8, and warnings about control characters."""
    for name, content in {"a.txt": b"a line\n" * 900, "b.txt": b"caf\xe9 \n" * 9, "c.md": b""}.items():
        (folder / "books" / name).parent.mkdir(exist_ok=True)
        (folder / "books" / name).write_bytes(content)
    arguments = ["books", "--bucket=my-bucket", "--lstm_state_size=8", "--dry_run"]
    assert vertex_command("submit", *arguments, "--encoding=auto") == 0
    err = capsys.readouterr().err
    assert "  skipped       1 other file (books/c.md)\n" in err
    assert (
        "  encoding      books/b.txt is read as cp1252: not UTF-8 at byte 3 (line 1); if it is not Western European, name its encoding\n"
        in err
    )
    (folder / "books" / "b.txt").write_bytes(b"It\x92s\n")
    assert vertex_command("submit", *arguments, "--encoding=latin-1") == 0
    assert "warning: books/b.txt has control characters such as U+0092 in line 1" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["yaml"], ["yaml", "--minutes=60"], ["submit", "--minutes=60", "--dry_run"]])
def test_no_model_is_chosen_for_a_text_that_is_not_read(folder, alone, capsys, arguments):
    """If a text in a bucket is not read, the model must be given, because the choice depends on the text."""
    given = [*arguments, "gs://my-bucket/book.txt", "--bucket=my-bucket"]
    assert vertex_command(*given) == 2
    said = capsys.readouterr().err
    assert "depends on the text, which is in a bucket and is not read here; name a model with --lstm_state_size" in said
    assert vertex_command(*given, "--config=gpu") == 0
    if "--minutes=60" not in arguments:
        assert vertex_command(*given, "--epochs=3") == 0


def test_the_file_for_gcloud_needs_no_network(folder, alone, capsys):
    """`yaml` writes the job to standard output and the commands that upload the text and create the job to standard error."""
    assert vertex_command("yaml", "book.txt", "--lstm_state_size=8", "--bucket=my-bucket") == 0
    out, err = capsys.readouterr()
    spec = yaml.safe_load(out)
    upload, create = err.splitlines()
    assert upload.startswith("gcloud storage cp --no-clobber book.txt gs://my-bucket/textgen/data/")
    assert spec["workerPoolSpecs"][0]["containerSpec"]["args"][0] == upload.split()[-1]
    assert create == (
        f"gcloud ai custom-jobs create --project=my-project --region={REGION} --display-name={NAME} --config=job.yaml"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--project=My"], 2, "--project must be a project's id"),
        (["--image=textgen"], 2, "--image must be REGISTRY/PATH:TAG"),
        (["--machine_type=n2-standard-8", "--accelerator=NVIDIA_L4"], 2, "takes no GPU"),
        (
            ["--tensorboard=projects/my-project/locations/europe-west4/tensorboards/1"],
            2,
            "--tensorboard needs --service_account",
        ),
        (
            ["--job_dir=/job/mine"],
            2,
            "--job_dir of a cloud job must be gs://BUCKET/PATH, or a path relative to gs://",
        ),
        (["--job_dir=gs://"], 2, "a place in a bucket must be gs://BUCKET/PATH"),
        (["--job_dir=a\nb"], 2, "a place in a bucket must be gs://BUCKET/PATH"),
        (["--job_dir=.", "--dry_run"], 2, "ends in a name that no file here can have"),
        (["--summary_dir=../logs"], 2, "--summary_dir of a cloud job must be gs://BUCKET/PATH"),
        (["--layers=0"], 2, "--layers must be at least 1"),
        (["--batch_size=5000"], 65, "the training text is too short"),
        (["absent.txt"], 66, "there is no absent.txt"),
        (["--region=europe-west4"], 2, "is in us-central1 and the job would run in europe-west4"),
        (["--bucket=no-such-bucket"], 66, "cannot read the settings of gs://no-such-bucket: it does not exist"),
        (["--vertex_config=absent.yaml"], 66, "there is no --vertex_config absent.yaml"),
        (["gs://no-such-bucket/book.txt"], 66, "cannot list gs://no-such-bucket/book.txt: it does not exist"),
    ],
)
def test_an_invalid_job_is_refused_before_anything_is_created(
    folder, google, vertex, bucket, capsys, arguments, code, message
):
    """An invalid job is refused in one line, without creating an object or a job."""
    texts = [] if any("//no-such" in argument or argument == "absent.txt" for argument in arguments) else ["book.txt"]
    assert vertex_command("submit", *texts, f"--bucket={bucket.name}", *arguments) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("textgen vertex submit: error: ")
    assert message in last
    assert vertex.created == []
    assert names(bucket) == []


def test_a_vocabulary_too_large_for_a_model_file_is_refused(folder, vertex, bucket, capsys, monkeypatch):
    """A vocabulary that no model file could contain is refused before anything is uploaded."""
    monkeypatch.setattr("textgen.generation.model_header.MOST_BYTES", 3000)
    assert submitted(bucket, "--language_model=word") == 65
    assert "the vocabulary must take at most 3,000 bytes in a model file" in capsys.readouterr().err
    assert (vertex.created, names(bucket)) == ([], [])


def test_a_job_of_another_shape_is_refused(folder, vertex, bucket, capsys):
    """If the job directory contains a model of another shape, no job is created."""
    with job_place(f"gs://{bucket.name}/mine").open(quiet()) as job:
        job.config.write_text("layers: 2\n")
        State("stopped", steps=1).write(job.state)
    assert submitted(bucket, f"--job_dir=gs://{bucket.name}/mine") == 78
    assert (
        f"gs://{bucket.name}/mine contains a model of a different shape: lstm_state_size is 384 in the job and 8 in this run, layers is 2"
        in capsys.readouterr().err.splitlines()[-1]
    )
    assert vertex.created == []


def test_fresh_renames_the_old_job_once(folder, vertex, bucket, capsys):
    """`submit --fresh` renames the old job itself; the container, which may be started several times, does not get the flag."""
    with job_place(f"gs://{bucket.name}/textgen/job/{NAME}").open(quiet()) as job:
        job.config.write_text("layers: 2\n")
    assert submitted(bucket, "--fresh") == 0
    assert f"The old job is now gs://{bucket.name}/textgen/job/{NAME}.1\n" in capsys.readouterr().err
    assert not any(
        "fresh" in word for word in vertex.created[0]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]
    )


def test_a_bucket_whose_region_may_not_be_read_is_no_failure(folder, vertex, bucket, front, capsys):
    """If the user may not read the region of the bucket, a warning is printed and the job is created."""
    words = "tester does not have storage.buckets.get access to the Google Cloud Storage bucket."
    front.faults.append(fail(403, words))
    assert submitted(bucket) == 0
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]
    assert f"cannot tell whether gs://{bucket.name} is in {REGION}: " in warning
    assert "storage.buckets.get" in warning
    assert len(vertex.created) == 1


def test_a_bucket_with_a_retention_policy_is_refused(folder, vertex, bucket, front, capsys):
    """A bucket whose retention policy forbids overwriting is refused, because a job could not renew its lock there."""

    def add_policy(status, headers, content):
        settings = json.loads(content) | {"retentionPolicy": {"retentionPeriod": "86400"}}
        return status, headers, json.dumps(settings).encode()

    front.faults.append(add_policy)
    assert submitted(bucket) == 77
    assert f"the retention policy of gs://{bucket.name} forbids replacing files for 1 day" in capsys.readouterr().err
    assert vertex.created == []
    assert names(bucket) == []


def test_a_job_directory_in_which_a_trainer_works_is_refused(folder, vertex, bucket, capsys, monkeypatch):
    """A job directory in use is refused before an upload, and its lease is not changed."""
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 0.6)
    wait = lease.Lease._wait

    def renew_and_wait(self, *arguments):
        held.renew()
        return wait(self, *arguments)

    monkeypatch.setattr(lease.Lease, "_wait", renew_and_wait)
    place = f"gs://{bucket.name}/textgen/job/{NAME}"
    holder = lease.Holder(name="", copy="", description="Vertex AI job 7")
    with lease.Lease(place, holder, waiting=pytest.fail, lost=lambda failure: pytest.fail(str(failure))) as held:
        before = names(bucket)
        assert submitted(bucket) == 73
        error = capsys.readouterr().err.splitlines()
        assert error[-1].startswith(
            f"textgen vertex submit: error: another trainer works in {place}: Vertex AI job 7; "
        )
        assert any(line.startswith("waiting up to 1 seconds for Vertex AI job 7") for line in error)
        assert names(bucket) == before
    assert vertex.created == []
    assert submitted(bucket) == 0


def test_a_lease_that_a_killed_trainer_left_is_no_obstacle(folder, vertex, bucket, monkeypatch):
    """A lease that is not renewed does not prevent a job, and is not changed."""
    monkeypatch.setattr(lease, "_LEASE_SECONDS", 0.3)
    held = bucket.blob(f"textgen/job/{NAME}/lock")
    held.upload_from_string(json.dumps({"name": "a", "copy": "b", "description": "c", "held": True}))
    assert submitted(bucket) == 0
    assert len(vertex.created) == 1
    generation = held.generation
    held.reload()
    assert held.generation == generation


def quiet():
    from textgen.jobs import Events

    return Events(lambda _: None, lambda _: None, lambda _: None, lambda: None)


def test_all_gpus_of_a_machine_train(folder, capsys):
    """The preset 8xa100 trains on its eight GPUs, and is refused if the batch cannot be shared by them."""
    command = ("submit", "book.txt", "--bucket=my-bucket", "--machine=8xa100", "--dry_run", "--batch_size=16")
    assert vertex_command(*command) == 0
    shown = capsys.readouterr().err
    assert "a2-highgpu-8g with 8 x NVIDIA_TESLA_A100\n" in shown
    assert " --devices=all --device=gpu\n" in shown
    assert vertex_command(*command, "--batch_size=20") == 2
    assert "error: --batch_size must be a multiple of the number of devices, 8, got 20; " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            refusal(403, "The aiplatform.googleapis.com API requires a quota project, which is not set by default."),
            69,
            "run `gcloud auth application-default set-quota-project my-project`",
        ),
        (
            refusal(
                400, "Vertex AI Service Agent a@b does not have permission to access Artifact Registry repository c."
            ),
            77,
            "give the role Artifact Registry Reader on its repository",
        ),
        (
            refusal(
                429,
                "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus",
            ),
            69,
            "the quota aiplatform.googleapis.com/custom_model_training_nvidia_l4_gpus of us-central1 is used up",
        ),
        (
            refusal(403, "Permission 'aiplatform.customJobs.create' denied on resource"),
            77,
            "ask for the role Vertex AI User",
        ),
        (
            refusal(
                403, "x is not enabled", "SERVICE_DISABLED", service="aiplatform.googleapis.com", consumer="projects/p"
            ),
            69,
            "gcloud services enable aiplatform.googleapis.com",
        ),
        (refusal(400, 'Machine type "g2-standard-8" is not supported.'), 2, "us-central1 cannot run this"),
        (
            refusal(400, "You do not have permission to act as service account"),
            77,
            "ask for the role Service Account User",
        ),
        (refusal(400, "something new"), 69, "Vertex AI refuses it: something new"),
        (refusal(401, "who are you"), 69, "log in with `gcloud auth application-default login`"),
    ],
)
def test_a_refusal_of_google_is_one_line(folder, vertex, bucket, capsys, answer, code, message):
    """A refusal of Google becomes one line with what to do, and an exit code."""
    vertex.refusals += 3 * [answer]  # Google's library asks again with a new token
    assert submitted(bucket) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("textgen vertex submit: error: ")
    assert message in last


def test_constants_of_the_project_are_checked_like_flags(folder, capsys):
    """An unknown key or an invalid value in vertex.yaml is reported in one line."""
    (folder / "vertex.yaml").write_text("projct: my-project\n")
    assert vertex_command("list") == 78
    assert "vertex.yaml has the unknown key 'projct'; did you mean project?" in capsys.readouterr().err
    (folder / "vertex.yaml").write_text("project: My\n")
    assert vertex_command("list") == 2
    (folder / "vertex.yaml").write_text("machine: 2xa100\n")
    assert vertex_command("list") == 78
    assert "vertex.yaml: machine must be one of" in (error := capsys.readouterr().err)
    assert error.endswith("got '2xa100'; did you mean 8xa100?\n")


def test_labels_of_the_file_are_a_list(folder, vertex, bucket):
    """Labels in vertex.yaml are a list, with the same result as repeated flags."""
    with (folder / "vertex.yaml").open("a") as file:
        file.write("labels: [team=writers, stage=draft]\n")
    assert submitted(bucket) == 0
    assert vertex.created[0]["labels"] == {"team": "writers", "stage": "draft"}
    assert json.dumps(vertex.created[0]["labels"])


CHAIN = make_chain(1)
STATES = len(CHARACTERS) + 2
SHAPE = [f"--lstm_state_size={STATES}", "--layers=1"]


@pytest.fixture
def known_text(folder, install_base):
    """Makes the text one that the base model knows."""
    (folder / "book.txt").write_text(write(CHAIN, 8000))
    return install_base(make_model(CHAIN))


def started(bucket, *arguments):
    """Submits the text without flags for the model; returns the exit code."""
    return vertex_command("submit", "book.txt", f"--bucket={bucket.name}", "--machine=cpu", *arguments)


def arguments_of(job):
    return job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"]


def test_the_start_is_decided_here_and_sent_along(known_text, vertex, bucket, capsys):
    """Where textgen chooses the base model, the container gets its name and shape, and decides nothing again."""
    assert started(bucket, "--minutes=3") == 0
    assert "start         from the base model: it knows English prose" in capsys.readouterr().err
    assert {"--init_from=base", *SHAPE} <= set(arguments_of(vertex.created[0]))
    assert vertex.created[0]["displayName"] == f"book-{STATES}-states-1-layers"
    assert len(names(bucket)) == 1
    assert started(bucket, "--minutes=3", "--init_from=none") == 0
    assert not [argument for argument in arguments_of(vertex.created[1]) if argument.startswith("--init_from")]


@pytest.mark.parametrize("name", ["mine", "job/mine", "job/mine/model.safetensors"])
def test_a_local_model_is_uploaded_once(known_text, folder, vertex, bucket, front, name):
    """A local model to start from is uploaded under a name made from its content, whichever way it is given."""
    (folder / "job" / "mine").mkdir(parents=True)
    write_model(folder / "job" / "mine" / "model.safetensors", make_model(make_chain(2)))
    for uploads in (2, 0):
        front.requests.clear()
        assert started(bucket, f"--init_from={name}", "--epochs=2") == 0
        assert sum(method == "POST" for method, _ in front.requests) == uploads
    [uri] = [
        argument.removeprefix("--init_from=") for argument in arguments_of(vertex.created[0]) if "init_from" in argument
    ]
    [model] = [each for each in names(bucket) if "/models/" in each]
    assert uri == f"gs://{bucket.name}/{model}"
    assert bucket.blob(model).download_as_bytes() == (folder / "job" / "mine" / "model.safetensors").read_bytes()
    assert arguments_of(vertex.created[1]) == arguments_of(vertex.created[0])
    assert started(bucket, f"--init_from={uri}", "--epochs=2") == 0
    assert arguments_of(vertex.created[2]) == arguments_of(vertex.created[0])


def test_the_file_for_gcloud_uploads_the_model(known_text, folder, alone, capsys):
    """`yaml` writes the command that uploads a local model, and refuses one in a bucket, which it does not read."""
    write_model(folder / "mine", make_model(CHAIN))
    assert vertex_command("yaml", "book.txt", "--bucket=my-bucket", "--init_from=mine") == 0
    out, err = capsys.readouterr()
    [upload] = [line for line in err.splitlines() if line.startswith("gcloud storage cp --no-clobber mine ")]
    assert f"--init_from={upload.split()[-1]}" in yaml.safe_load(out)["workerPoolSpecs"][0]["containerSpec"]["args"]
    assert vertex_command("yaml", "book.txt", "--bucket=my-bucket", "--init_from=gs://my-bucket/job/mine") == 2
    assert "--init_from gs://my-bucket/job/mine is in a bucket and is not read here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--init_from=absent"], 66, "cannot start from --init_from absent: there is neither absent nor job/absent"),
        (["--init_from=gs://{}/absent"], 66, "there is no model at gs://{}/absent or gs://{}/absent/model.safetensors"),
        (["--init_from=base", "--layers=2"], 2, "--init_from base has layers 1, got --layers 2"),
        (["--init_from=gs://{}/textgen/mine", "--job_dir=mine"], 2, "must be another model than the job's own"),
    ],
)
def test_a_start_that_is_not_possible_is_refused(known_text, vertex, bucket, capsys, arguments, code, message):
    """Nothing is uploaded or started."""
    model = known_text.read_bytes()
    bucket.blob("textgen/mine/model.safetensors").upload_from_string(model)
    before = names(bucket)
    assert started(bucket, *(argument.replace("{}", bucket.name) for argument in arguments)) == code
    err = capsys.readouterr().err
    assert message.replace("{}", bucket.name) in err
    assert err.count("\n") == 1
    assert (vertex.created, names(bucket)) == ([], before)


def put_job(bucket, states, **settings):
    """Puts the first file of a job into the bucket; returns the job's name."""
    embedding = settings.get("embedding_size")
    name = f"book-{states}-states-1-layers" + (f"-{embedding}-embed" if embedding else "")
    config = yaml.safe_dump({"lstm_state_size": states, "layers": 1, **settings})
    bucket.blob(f"textgen/job/{name}/config.yaml").upload_from_string(config)
    return name


def test_a_cloud_job_of_an_earlier_version_is_resumed(known_text, vertex, bucket):
    """If the bucket has the job that the same command started before there was a base model, that job is resumed."""
    name = put_job(bucket, 384, embedding_size=384)
    assert started(bucket, "--minutes=3") == 0
    assert vertex.created[0]["displayName"] == name
    assert not [argument for argument in arguments_of(vertex.created[0]) if argument.startswith("--init_from")]


def test_another_start_of_a_cloud_job_is_refused(known_text, vertex, bucket, capsys):
    """A job in the bucket that started from the base is resumed without a flag, and refused for another start."""
    put_job(bucket, STATES, init_from="base")
    assert started(bucket, "--minutes=3") == 0
    assert started(bucket, "--minutes=3", "--init_from=none", *SHAPE) == 2
    assert "--init_from is base in gs://" in capsys.readouterr().err
    assert len(vertex.created) == 1


def test_a_named_job_directory_keeps_its_model(known_text, vertex, bucket):
    """A job in a directory that --job_dir names is resumed with its model, as textgen-train does, whatever suits the time."""
    bucket.blob("textgen/mine/config.yaml").upload_from_string("lstm_state_size: 8\nlayers: 2\n")
    assert started(bucket, "--minutes=3", "--job_dir=mine") == 0
    assert {"--lstm_state_size=8", "--layers=2"} <= set(arguments_of(vertex.created[0]))


def test_fresh_renames_the_job_that_would_be_resumed(known_text, vertex, bucket, capsys):
    """With --fresh, a job that the same command would resume is renamed too, although the new job has another name."""
    name = put_job(bucket, 384, embedding_size=384)
    assert started(bucket, "--minutes=3", "--fresh") == 0
    assert vertex.created[0]["displayName"] == f"book-{STATES}-states-1-layers"
    assert f"The old job is now gs://{bucket.name}/textgen/job/{name}.1\n" in capsys.readouterr().err
    assert f"textgen/job/{name}.1/config.yaml" in names(bucket)
