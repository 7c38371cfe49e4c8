import pytest

from textgen.config.vertex import MACHINES, Machine, VertexConfig
from textgen.errors import UsageError

ACCOUNT = "trainer@my-project.iam.gserviceaccount.com"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project": "My Project"}, "--project must be a project's id, 6 to 30 of a-z, 0-9 and '-', got 'My Project'"),
        ({"project": "123456789012"}, "got a project's number; `gcloud projects list` shows it"),
        ({"region": "europe"}, "--region must be a region, such as europe-west4, got 'europe'"),
        ({"region": "us-central1-a"}, "--region must be a region"),
        ({"bucket": "My Bucket"}, "--bucket must be a bucket's name"),
        ({"image": "textgen"}, "image must be REGISTRY/PATH:TAG"),
        ({"image": "gcr.io/a//b:c:d"}, "image must be REGISTRY/PATH:TAG"),
        ({"image": "gcr.io/a/../b"}, "image must be REGISTRY/PATH:TAG"),
        ({"image": "textgen:1"}, "image must be REGISTRY/PATH:TAG"),
        ({"service_account": "me"}, "--service_account must be a service account's e-mail address"),
        ({"service_account": "me@example.com"}, "which ends in gserviceaccount.com, got 'me@example.com'"),
        ({"service_account": "a/b@p.iam.gserviceaccount.com"}, "--service_account must be"),
        ({"service_account": "a?b=c@p.iam.gserviceaccount.com"}, "--service_account must be"),
        ({"service_account": "a@p.iam.gserviceaccount.com:80/x#"}, "--service_account must be"),
        ({"service_account": "..@p.iam.gserviceaccount.com"}, "--service_account must be"),
        ({"tensorboard": "board", "service_account": ACCOUNT}, "--tensorboard must be projects/PROJECT/"),
        (
            {"machine": "8a100"},
            "--machine must be one of cpu, t4, l4, a100, 8xa100, h100, got '8a100'; did you mean 8xa100?",
        ),
        (
            {"tensorboard": "projects/my-project/locations/europe-west4/tensorboards/1"},
            "--tensorboard needs --service_account, because",
        ),
        ({"network": "default"}, "--network must be projects/NUMBER/global/networks/NAME"),
        ({"network": "projects/1/global/networks/a\u202eb"}, "--network must be projects/NUMBER"),
        (
            {"tensorboard": "projects/\x1b[2J/locations/europe-west4/tensorboards/1", "service_account": ACCOUNT},
            "--tensorboard must be projects/PROJECT/",
        ),
        ({"machine_type": "n2-\u202e8"}, "--machine_type must be a machine type, such as g2-standard-16"),
        ({"labels": ("a",)}, "--labels must be KEY=VALUE"),
        ({"labels": ("Key=value",)}, "--labels must be KEY=VALUE"),
        ({"labels": ("a=b", "a=c")}, "--labels must name each key once"),
        ({"spot": True, "flex_start": True}, "--spot and --flex_start cannot be combined"),
        ({"max_hours": 0.0}, "--max_hours must be above 0"),
        ({"max_hours": 200.0}, "at most 168"),
        ({"machine": "tpu"}, "--machine must be one of cpu, t4, l4, a100, 8xa100, h100, got 'tpu'"),
        ({"count": 0}, "--count must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    """An invalid setting is refused in one line that names the flag, the rule and the value."""
    with pytest.raises(UsageError) as caught:
        VertexConfig(**given)
    assert message in caught.value.on_command_line
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "account",
    [
        ACCOUNT,
        "123456789012-compute@developer.gserviceaccount.com",
        "my-project@appspot.gserviceaccount.com",
        "my-project.example.com@appspot.gserviceaccount.com",
        "trainer@my-project.example.com.iam.gserviceaccount.com",
    ],
)
def test_a_service_account_is_accepted(account):
    """Every form of service account in Google's documentation is accepted."""
    assert VertexConfig(service_account=account).service_account == account


@pytest.mark.parametrize(
    "image",
    [
        "europe-west4-docker.pkg.dev/my-project/textgen/textgen",
        "europe-west4-docker.pkg.dev/example.com/my-project/textgen/textgen:1.0",
        f"gcr.io/my-project/textgen@sha256:{64 * 'a'}",
        "docker.io/library/textgen:latest",
    ],
)
def test_an_image_has_a_registry(image):
    """An image may be in Artifact Registry or any other registry."""
    assert VertexConfig(image=image).image == image


def test_a_bucket_may_be_given_as_a_uri():
    """A bucket may begin with gs://, as the console shows it."""
    assert (
        VertexConfig(bucket="gs://my-bucket").bucket_uri
        == VertexConfig(bucket="my-bucket").bucket_uri
        == "gs://my-bucket"
    )


def test_what_a_command_needs_is_named_together():
    """Missing settings are named together in one line, which also says where to give them."""
    with pytest.raises(UsageError, match=r"^missing: --project, --image; .*vertex.yaml in this folder$"):
        VertexConfig(region="europe-west4").require("project", "region", "image")


@pytest.mark.parametrize(
    ("machine_type", "cores"),
    [
        ("n2-standard-8", 4),
        ("e2-highcpu-2", 1),
        ("n1-custom-12-8192", 6),
        ("c3-standard-22-lssd", 11),
        ("g2-standard-96", 48),
        ("a2-highgpu-1g", 1),
        ("e2-medium", 1),
    ],
)
def test_the_machine_type_tells_the_cores(machine_type, cores):
    """The number in a machine type counts threads, of which a core has two."""
    assert Machine(machine_type).cores == cores


def test_the_cpu_preset_has_four_cores():
    """The plan of a job without a GPU expects four cores."""
    assert MACHINES["cpu"].cores == 4
