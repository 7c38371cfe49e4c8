import re

import pytest
import yaml

from textgen.cloud.job_spec import gcloud_command, make_job
from textgen.config.vertex import VertexConfig

PLACE = "gs://my-bucket/textgen/job/book-384-states-1-layers"
FULL = VertexConfig(
    project="my-project",
    region="europe-west4",
    bucket="my-bucket",
    image="europe-west4-docker.pkg.dev/my-project/textgen/textgen:1",
    machine="a100",
    spot=True,
    max_hours=1.5,
    service_account="trainer@my-project.iam.gserviceaccount.com",
    tensorboard="projects/my-project/locations/europe-west4/tensorboards/1",
    network="projects/1/global/networks/mine",
    labels=("team=writers", "stage=draft"),
)


def test_a_job_has_every_given_setting():
    """A job has a field for every given setting and no others; it has no disk, because no type of disk fits all machines."""
    assert make_job(FULL, "book", ["gs://my-bucket/book.txt", "--layers=2"], PLACE) == {
        "displayName": "book",
        "labels": {"team": "writers", "stage": "draft"},
        "jobSpec": {
            "workerPoolSpecs": [
                {
                    "machineSpec": {
                        "machineType": "a2-highgpu-1g",
                        "acceleratorType": "NVIDIA_TESLA_A100",
                        "acceleratorCount": 1,
                    },
                    "replicaCount": 1,
                    "containerSpec": {
                        "imageUri": FULL.image,
                        "args": ["gs://my-bucket/book.txt", "--layers=2", "--device=gpu"],
                    },
                }
            ],
            "scheduling": {"timeout": "5400s", "restartJobOnWorkerRestart": True, "strategy": "SPOT"},
            "serviceAccount": FULL.service_account,
            "network": FULL.network,
            "tensorboard": FULL.tensorboard,
            "baseOutputDirectory": {"outputUriPrefix": PLACE},
        },
    }


def test_other_settings_are_left_to_vertex_ai():
    """A job with the default settings and no GPU has a time limit, but neither accelerator nor strategy."""
    config = VertexConfig(project="my-project", region="europe-west4", bucket="b-1", image="gcr.io/p/t", machine="cpu")
    job = make_job(config, "book", [], PLACE)
    assert set(job) == {"displayName", "jobSpec"}
    assert job["jobSpec"]["scheduling"] == {"timeout": "86400s", "restartJobOnWorkerRestart": True}
    pool = job["jobSpec"]["workerPoolSpecs"][0]
    assert pool["machineSpec"] == {"machineType": "n2-standard-8"}
    assert pool["containerSpec"]["args"] == []


def test_several_machines_are_two_pools():
    """The first pool has the chief alone, and the second the other machines; both run the same container."""
    first, second = make_job(FULL, "book", ["--layers=2"], PLACE, workers=4)["jobSpec"]["workerPoolSpecs"]
    assert (first["replicaCount"], second["replicaCount"]) == (1, 3)
    assert {**first, "replicaCount": 3} == second


def test_a_long_name_is_cut():
    """Vertex AI accepts names of up to 128 characters."""
    assert make_job(FULL, "x" * 200, [], PLACE)["displayName"] == "x" * 128


def test_flex_start_waits_for_a_day():
    """With FLEX_START a job waits up to a day for a machine."""
    job = make_job(VertexConfig(flex_start=True), "book", [], PLACE)
    assert job["jobSpec"]["scheduling"]["strategy"] == "FLEX_START"
    assert job["jobSpec"]["scheduling"]["maxWaitDuration"] == "86400s"


def keys_of(value):
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


@pytest.mark.cloud
@pytest.mark.parametrize("config", [FULL, VertexConfig(flex_start=True), VertexConfig(machine_type="g4-standard-48")])
def test_the_file_for_gcloud_is_a_custom_job_spec(config):
    """The file for gcloud can be parsed as Google's CustomJobSpec, and its keys are in camelCase."""
    from google.cloud.aiplatform_v1 import CustomJob, CustomJobSpec
    from google.protobuf import json_format

    job = make_job(config, "book", ["--layers=2"], PLACE)
    spec = yaml.safe_load(yaml.safe_dump(job["jobSpec"], sort_keys=False))
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", key) for key in keys_of(spec))
    json_format.ParseDict(spec, CustomJobSpec.pb(CustomJobSpec()))
    json_format.ParseDict(job, CustomJob.pb(CustomJob()))


def test_the_command_for_gcloud_has_the_rest():
    """Project, region, name and labels, which the file cannot contain, are in the command for gcloud."""
    assert gcloud_command(FULL, make_job(FULL, "my book", [], PLACE), "job.yaml") == (
        "gcloud ai custom-jobs create --project=my-project --region=europe-west4 '--display-name=my book' --config=job.yaml "
        "--labels=team=writers,stage=draft"
    )
