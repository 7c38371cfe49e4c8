import json

import pytest

from textgen.config import CloudEnvironment, EndpointEnvironment
from textgen.errors import UsageError

VERTEX = {
    "CLOUD_ML_JOB_ID": "123",
    "AIP_CHECKPOINT_DIR": "gs://bucket/job/book/checkpoints/",
    "AIP_TENSORBOARD_LOG_DIR": "gs://bucket/job/book/logs/",
    "AIP_MODEL_DIR": "gs://bucket/job/book/model/",
    "CLUSTER_SPEC": '{"cluster": {}, "task": {"type": "workerpool0", "index": 0}}',
}


def test_a_job_of_vertex_ai_is_read():
    """The job directory is the parent of AIP_CHECKPOINT_DIR, and slashes at the end of paths are dropped."""
    found = CloudEnvironment.read(VERTEX)
    assert found == CloudEnvironment(
        job_id="123",
        replica="workerpool0-0",
        job_dir="gs://bucket/job/book",
        summary_dir="gs://bucket/job/book/logs",
        model_dir="gs://bucket/job/book/model",
        cluster_spec=VERTEX["CLUSTER_SPEC"],
    )
    assert found.settings == {"job_dir": "gs://bucket/job/book", "summary_dir": "gs://bucket/job/book/logs"}
    assert found.worker == "Vertex AI job 123, replica workerpool0-0"


def test_elsewhere_nothing_is_set():
    """Outside Vertex AI there are neither directories nor a worker, and empty variables count as unset."""
    assert CloudEnvironment.read({}) == CloudEnvironment()
    assert CloudEnvironment.read(dict.fromkeys(VERTEX, "")) == CloudEnvironment()
    assert CloudEnvironment().settings == {}
    assert CloudEnvironment().worker is None


def test_checkpoints_of_another_name_are_the_job_directory_itself():
    """If AIP_CHECKPOINT_DIR does not end in checkpoints, it is the job directory itself."""
    assert CloudEnvironment.read({"AIP_CHECKPOINT_DIR": "gs://bucket/mine/"}).job_dir == "gs://bucket/mine"


@pytest.mark.parametrize("cluster", ["", "{", "[]", "1", "null", '{"task": 1}', '{"task": {"type": "chief"}}'])
def test_a_cluster_that_makes_no_sense_is_no_failure(cluster):
    """An invalid TF_CONFIG is ignored, because a single machine does not need it."""
    assert CloudEnvironment.read({"TF_CONFIG": cluster}).replica == "0"


def test_of_several_machines_each_has_its_name():
    """TF_CONFIG takes precedence over CLUSTER_SPEC."""
    environment = {**VERTEX, "TF_CONFIG": '{"task": {"type": "worker", "index": "3"}}'}
    assert CloudEnvironment.read(environment).replica == "worker-3"


def test_without_a_job_id_the_machine_is_known_by_its_address():
    """Without a job id, the machine's address identifies it, so that a restart resumes at once and another job does not."""
    pool = "cmle-training-workerpool0-33d7222dd4-0:2222"
    cluster = {"cluster": {"workerpool0": [pool]}, "task": {"type": "workerpool0", "index": 0}}
    found = CloudEnvironment.read({"CLUSTER_SPEC": json.dumps(cluster)})
    assert found.job_id is None
    assert found.worker == f"Vertex AI machine {pool}"
    assert CloudEnvironment.read({**VERTEX, "CLUSTER_SPEC": json.dumps(cluster)}).worker == (
        "Vertex AI job 123, replica workerpool0-0"
    )


@pytest.mark.parametrize(
    "cluster",
    [
        *(
            "{",
            "[]",
            "null",
            '{"task": {"type": "a", "index": 0}}',
            '{"cluster": {}, "task": {"type": "a", "index": 0}}',
        ),
        *('{"cluster": {"a": []}, "task": {"type": "a", "index": 0}}', "[" * 10**5),
        '{"cluster": {"a": ["x"]}, "task": {"type": "a", "index": "first"}}',
    ],
)
def test_a_cluster_without_this_machine_names_nobody(cluster):
    """A CLUSTER_SPEC without this machine gives no worker."""
    assert CloudEnvironment.read({"CLUSTER_SPEC": cluster}).worker is None


ENDPOINT = {
    "AIP_HTTP_PORT": "8080",
    "AIP_HEALTH_ROUTE": "/v1/endpoints/5/deployedModels/7",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/5/deployedModels/7:predict",
    "AIP_STORAGE_URI": "gs://bucket/model",
}


def test_an_endpoint_of_vertex_ai_is_read():
    """An endpoint listens on all addresses, and serves the model that Vertex AI copied."""
    found = EndpointEnvironment.read(ENDPOINT)
    assert found == EndpointEnvironment(
        port=8080,
        health_route="/v1/endpoints/5/deployedModels/7",
        predict_route="/v1/endpoints/5/deployedModels/7:predict",
        storage_uri="gs://bucket/model",
    )
    assert found.settings == {"host": "0.0.0.0", "port": 8080, "models": ("gs://bucket/model",)}  # noqa: S104


def test_elsewhere_an_endpoint_has_its_usual_routes():
    """Outside Vertex AI there is neither a port nor a model, and empty variables count as unset."""
    assert EndpointEnvironment.read({}) == EndpointEnvironment(None, "/healthz", "/predict", None)
    assert EndpointEnvironment.read(dict.fromkeys(ENDPOINT, "")) == EndpointEnvironment()
    assert EndpointEnvironment().settings == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("AIP_HTTP_PORT", value) for value in ("http", "-1", "65536", "8080.0", "²", " ")),
        *(("AIP_HEALTH_ROUTE", value) for value in ("healthz", "/a?b", "/{name}", "/a\nb", " /a")),
        ("AIP_PREDICT_ROUTE", "predict"),
    ],
)
def test_a_wrong_variable_of_an_endpoint_is_named(name, value):
    """A port or a route that makes no sense is refused with the name of its variable."""
    with pytest.raises(UsageError, match=f"^the environment variable {name} must be ") as caught:
        EndpointEnvironment.read({**ENDPOINT, name: value})
    assert "\n" not in str(caught.value)
