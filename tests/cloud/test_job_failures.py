import pytest

from textgen.cloud.job_failures import explain
from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, UnavailableError, UsageError

AGENT = "service-123456789012@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"
CONFIG = VertexConfig(
    project="my-project",
    region="europe-west4",
    bucket="my-bucket",
    image="europe-west4-docker.pkg.dev/my-project/textgen/textgen:1",
    service_account="trainer@my-project.iam.gserviceaccount.com",
)


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        (
            ("Your application is authenticating by using local Application Default Credentials. The "
            "aiplatform.googleapis.com API requires a quota project, which is not set by default. To learn how to set "
            "your quota project, see https://cloud.google.com/docs/authentication/adc-troubleshooting/user-creds ."),
            UnavailableError,
            "run `gcloud auth application-default set-quota-project my-project`",
        ),
        (
            ("The following quota metrics exceed quota limits: "
            "aiplatform.googleapis.com/custom_model_training_preemptible_nvidia_l4_gpus"),
            UnavailableError,
            "the quota aiplatform.googleapis.com/custom_model_training_preemptible_nvidia_l4_gpus of europe-west4",
        ),
        (
            "The quota custom_model_training_nvidia_l4_gpus in quota project 123 is exceeded.",
            UnavailableError,
            "ask for more under IAM & Admin, Quotas",
        ),
        (
            ("Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service "
            "'aiplatform.googleapis.com' for consumer 'project_number:1'."),
            UnavailableError,
            "ask for more under IAM & Admin, Quotas",
        ),
        (
            (f"Vertex AI Service Agent {AGENT} does not have permission to access Artifact Registry repository "
            "projects/my-project/locations/europe-west4/repositories/textgen."),
            AccessError,
            "give the role Artifact Registry Reader on its repository",
        ),
        (
            ('failed to pull image: denied: Permission "artifactregistry.repositories.downloadArtifacts" denied on '
            'resource "projects/my-project/locations/europe-west4/repositories/textgen" (or it may not exist)'),
            AccessError,
            "give the role Artifact Registry Reader on its repository",
        ),
        (
            ("You do not have permission to act as service_account: trainer@my-project.iam.gserviceaccount.com. (or it "
            "may not exist)."),
            AccessError,
            "ask for the role Service Account User",
        ),
        (
            ("Permission 'iam.serviceAccounts.actAs' denied on service account "
            "trainer@my-project.iam.gserviceaccount.com (or it may not exist)."),
            AccessError,
            "ask for the role Service Account User",
        ),
        (
            ("trainer@my-project.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud "
            "Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist)."),
            AccessError,
            "give it the role Storage Object User on the bucket",
        ),
        (
            (f"Service account `{AGENT}` does not have `[storage.objects.get]` IAM permission(s) to the directory "
            '"gs://my-bucket/x". Please either copy the files to the Google Cloud Storage bucket owned by your project, '
            "or grant the required IAM permission(s) to the service account."),
            AccessError,
            "give it the role Storage Object User on the bucket",
        ),
        (
            ("Permission 'aiplatform.customJobs.create' denied on resource "
            "'//aiplatform.googleapis.com/projects/my-project/locations/europe-west4' (or it may not exist)."),
            AccessError,
            "ask for the role Vertex AI User (roles/aiplatform.user) in my-project",
        ),
        ("Permission denied on resource project my-project.", AccessError, "check --project"),
        (
            "Permission 'compute.networks.get' denied on resource 'projects/1/global/networks/mine'.",
            AccessError,
            "ask an owner of my-project for what is missing",
        ),
        (
            ("Resources are insufficient in region: europe-west4. Please try a different region or use a different "
            "accelerator type."),
            UnavailableError,
            "wait for one with --flex_start",
        ),
        (
            "Image europe-west4-docker.pkg.dev/my-project/textgen/textgen:1 not found.",
            MissingError,
            "textgen vertex build --run",
        ),
        ("Failed to fetch textgen:1: MANIFEST_UNKNOWN", MissingError, "textgen vertex build --run"),
        ('Machine type "g2-standard-8" is not supported.', UsageError, "name another --region, --machine"),
        ("Unsupported accelerator NVIDIA_H200_141GB in europe-west4.", UsageError, "name another --region"),
    ],
)  # fmt: skip
def test_each_message_of_google_gets_advice(said, kind, advice):
    """The most specific rule determines class and advice, even if the message contains words of other rules."""
    error = explain(said, CONFIG)
    assert type(error) is kind
    assert advice in str(error)


@pytest.mark.parametrize(
    "said",
    [
        "something new",
        (
            "The replica workerpool0-0 exited with a non-zero status of 78. To find out more about why your job exited "
            "please check the logs: https://console.cloud.google.com/logs/viewer?project=1&resource=ml_job"
        ),
        (
            "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error. Termination log "
            "message: quota exceeded, permission denied, image not found"
        ),
    ],
)
def test_other_messages_are_not_explained(said):
    """An unknown message, or one that only has the container's exit code, gets no advice."""
    assert explain(said, CONFIG) is None


def test_a_message_of_any_length_is_read():
    """A very long message is not searched whole, because the patterns would take hours."""
    assert explain("cannot pull " * 500_000, CONFIG) is None
