import json
import re

import pytest

from tests.cloud.google_stand_in import ACCOUNT, TOKEN, refusal
from textgen.cli.vertex.prepare import doctor
from textgen.cloud import rest

pytestmark = pytest.mark.cloud

PROJECT = "GET cloudresourcemanager.googleapis.com/v3/projects/my-project"
VERTEX = "GET europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/customJobs"
BUCKET = "GET storage.googleapis.com/storage/v1/b/my-bucket"
MAY = f"{BUCKET}/iam/testPermissions"
IAM = "iam.googleapis.com/v1/projects/-/serviceAccounts/runner@my-project.iam.gserviceaccount.com"
ACCESS = "POST policytroubleshooter.googleapis.com/v3/iam:troubleshoot"
MANIFEST = "HEAD europe-west4-docker.pkg.dev/v2/my-project/textgen/train/manifests/1"

FLAGS = {
    "project": "my-project",
    "region": "europe-west4",
    "bucket": "my-bucket",
    "image": "europe-west4-docker.pkg.dev/my-project/textgen/train:1",
    "service_account": "runner@my-project.iam.gserviceaccount.com",
}


def settled(**settings):
    """Returns the answer for the bucket of the tests with other settings."""
    return 200, {"name": "my-bucket", "location": "EUROPE-WEST4", **settings}


IN_THE_BUCKET = [f"storage.objects.{what}" for what in ("create", "delete", "get", "list")]
WELL = {
    PROJECT: (200, {"name": "projects/123", "projectId": "my-project", "displayName": "My project", "state": "ACTIVE"}),
    VERTEX: (200, {"customJobs": []}),
    MAY: (200, {"permissions": IN_THE_BUCKET}),
    BUCKET: settled(),
    f"GET {IAM}": (200, {"email": FLAGS["service_account"]}),
    f"POST {IAM}:testIamPermissions": (200, {"permissions": ["iam.serviceAccounts.actAs"]}),
    ACCESS: (200, {"overallAccessState": "CAN_ACCESS"}),
    MANIFEST: (200, {}),
}
SUBJECTS = (
    *("credentials", "project", "Vertex AI", "bucket", "bucket's region", "bucket's rules", "service account"),
    *("job's access", "image"),
)


@pytest.fixture
def google(google, monkeypatch):
    monkeypatch.setattr(rest, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    google.answers |= WELL
    return google


@pytest.fixture
def examine(google, capsys, tmp_path, monkeypatch):
    """A function that runs the command and returns its exit code and the text of each check."""
    monkeypatch.chdir(tmp_path)

    def run(**flags):
        given = {name: value for name, value in (FLAGS | flags).items() if value is not None}
        code = doctor([f"--{name}={value}" for name, value in given.items()])
        written = capsys.readouterr()
        lines = written.out.splitlines()
        assert tuple(line[:16].rstrip() for line in lines) == SUBJECTS
        assert "Traceback" not in written.err
        assert len(written.err.splitlines()) == (0 if code == 0 else 1)
        return code, {subject: line[17:] for subject, line in zip(SUBJECTS, lines, strict=True)}

    return run


def test_a_project_that_is_ready_is_ok_in_each_line(google, examine):
    """For a project that is ready, every check is ok, after one request to each service with the user's credentials."""
    code, found = examine()
    assert code == 0
    assert all(text.startswith("ok: ") for text in found.values())
    assert found["credentials"] == f"ok: of the service account {ACCOUNT}"
    assert found["project"] == "ok: my-project (My project)"
    assert {f"{request.method} {request.host}{request.path}" for request in google.requests} == WELL.keys()
    assert {request.headers["authorization"] for request in google.requests} == {f"Bearer {TOKEN}"}
    assert "application/vnd.oci.image.index.v1+json" in google.requests[-1].headers["accept"]


@pytest.mark.parametrize(
    ("asked", "answer", "subject", "code", "text"),
    [
        (PROJECT, refusal(403, "denied"), "project", 77, "there is no project with the id my-project, or you have no part in it; check --project, or ask its owner for the role Vertex AI User"),
        (PROJECT, (200, {"state": "DELETE_REQUESTED"}), "project", 66, "the project my-project is being deleted; restore it with `gcloud projects undelete my-project`, or name another"),
        (VERTEX, refusal(403, "off", "SERVICE_DISABLED", service="aiplatform.googleapis.com", consumer="projects/my-project"), "Vertex AI", 69, "cannot list jobs in europe-west4: aiplatform.googleapis.com is not enabled; run `gcloud services enable aiplatform.googleapis.com --project my-project` and wait a few minutes"),
        (VERTEX, refusal(403, "Permission aiplatform.customJobs.list denied."), "Vertex AI", 77, "cannot list jobs in europe-west4: Permission aiplatform.customJobs.list denied; ask for the role Vertex AI User"),
        (VERTEX, refusal(404, "none"), "Vertex AI", 66, "Vertex AI has no region europe-west4, or you may not see it; name another --region, such as us-central1"),
        (VERTEX, refusal(503, "try later"), "Vertex AI", 69, "cannot list jobs in europe-west4: Google cannot be reached (try later); check the network and try again"),
        (VERTEX, refusal(400, "no such\nthing"), "Vertex AI", 69, "cannot list jobs in europe-west4: Google refuses it: no such thing"),
        (MAY, refusal(404, "none"), "bucket", 66, "there is no bucket my-bucket; check --bucket, or make it with `gcloud storage buckets create gs://my-bucket --location=europe-west4 --project=my-project --soft-delete-duration=0`"),
        (MAY, (200, {"permissions": IN_THE_BUCKET[1:]}), "bucket", 77, "gs://my-bucket does not grant you storage.objects.create; ask for the role Storage Object User on it"),
        (MAY, (200, {}), "bucket", 77, f"gs://my-bucket does not grant you {', '.join(IN_THE_BUCKET)}; ask for the role Storage Object User on it"),
        (BUCKET, (200, {"location": "US-EAST1"}), "bucket's region", 2, "gs://my-bucket is in us-east1 and the job would run in europe-west4; name --region us-east1 or a bucket in europe-west4"),
        (BUCKET, (200, {"location": "US"}), "bucket's region", 2, "gs://my-bucket is in us, which does not include europe-west4; name a --region in us or a bucket in europe-west4"),
        (BUCKET, (200, {"location": "EU", "customPlacementConfig": {"dataLocations": ["EUROPE-WEST1", "EUROPE-WEST3"]}}), "bucket's region", 2, "gs://my-bucket is in europe-west1 and europe-west3, which does not include europe-west4; name a --region in"),
        (BUCKET, settled(retentionPolicy={"retentionPeriod": "2592000"}), "bucket's rules", 77, "the retention policy of gs://my-bucket forbids replacing files for 30 days, and a job replaces its files all the time; remove it with `gcloud storage buckets update gs://my-bucket --clear-retention-period`, or name another --bucket"),
        (BUCKET, settled(retentionPolicy={"retentionPeriod": "60", "isLocked": True}), "bucket's rules", 77, "the retention policy of gs://my-bucket forbids replacing files for 60 seconds, and a job replaces its files all the time; it is locked, so name another --bucket"),
        (BUCKET, settled(defaultEventBasedHold=True), "bucket's rules", 77, "gs://my-bucket puts a hold on each new object, so a job could not replace its files; turn it off with `gcloud storage buckets update gs://my-bucket --no-default-event-based-hold`"),
        (ACCESS, (200, {"overallAccessState": "CANNOT_ACCESS"}), "job's access", 77, f"the job would run as runner@my-project.iam.gserviceaccount.com, to which gs://my-bucket does not grant {', '.join(IN_THE_BUCKET)}; run `gcloud storage buckets add-iam-policy-binding gs://my-bucket --member=serviceAccount:runner@my-project.iam.gserviceaccount.com --role=roles/storage.objectUser`"),
        (f"GET {IAM}", refusal(404, "none"), "service account", 66, "there is no service account runner@my-project.iam.gserviceaccount.com; check --service_account, or see `gcloud iam service-accounts list --project my-project`"),
        (f"GET {IAM}", (200, {"disabled": True}), "service account", 69, "the service account runner@my-project.iam.gserviceaccount.com is disabled; run `gcloud iam service-accounts enable runner@my-project.iam.gserviceaccount.com`"),
        (f"POST {IAM}:testIamPermissions", (200, {}), "service account", 77, "you may not run jobs as runner@my-project.iam.gserviceaccount.com; ask for the role Service Account User on it"),
        (MANIFEST, refusal(404, "none"), "image", 66, f"there is no image {FLAGS['image']}; check --image, or make it with `textgen vertex build --run`"),
        (MANIFEST, refusal(403, "denied"), "image", 77, f"there is no image {FLAGS['image']}, or you may not read it; check --image, or ask for the role Artifact Registry Reader"),
        (MANIFEST, refusal(401, "who"), "image", 69, f"cannot read the image {FLAGS['image']}: there are no valid credentials for it; log in with"),
    ],
)  # fmt: skip
def test_a_failure_says_what_to_do(google, examine, asked, answer, subject, code, text):
    """A fault fails only one check, whose text has what to do and whose exit code is the command's."""
    google.answers[asked] = answer
    ended, found = examine()
    assert ended == code
    assert found[subject].startswith(text)
    assert [name for name in SUBJECTS if not found[name].startswith(("ok: ", "not checked: "))] == [subject]


def test_what_depends_on_a_failure_is_not_checked(google, examine):
    """A check that depends on a failed one is not made; the first failure determines the exit code."""
    google.answers[PROJECT] = refusal(403, "denied")
    google.answers[MAY] = refusal(404, "none")
    code, found = examine()
    assert code == 77
    assert found["Vertex AI"] == "not checked: it needs the project"
    assert found["bucket's region"] == "not checked: it needs the bucket"
    assert not google.asked("europe-west4-aiplatform.googleapis.com")


@pytest.mark.parametrize(
    ("asked", "answer", "subject", "text"),
    [
        (PROJECT, refusal(403, "off", "SERVICE_DISABLED", service="cloudresourcemanager.googleapis.com", consumer="projects/1"), "project", "cannot tell whether my-project exists: cannot see the project my-project: cloudresourcemanager.googleapis.com is not enabled; run"),
        (PROJECT, refusal(403, "The API requires a quota project, which is not set by default."), "project", "cannot tell whether my-project exists: cannot see the project my-project: the credentials name no project to bill"),
        (f"GET {IAM}", refusal(403, "denied"), "service account", "cannot tell whether runner@my-project.iam.gserviceaccount.com exists: "),
        (BUCKET, (200, {"location": "MARS1"}), "bucket's region", "cannot tell whether mars1, where gs://my-bucket is, includes europe-west4"),
        (BUCKET, refusal(403, "denied"), "bucket's region", "cannot tell where gs://my-bucket is: cannot read the settings of gs://my-bucket: denied; ask for the role Storage Legacy Bucket Reader"),
        (BUCKET, refusal(403, "denied"), "bucket's rules", "cannot tell whether files in gs://my-bucket can be replaced: cannot read the settings"),
        (ACCESS, (200, {"overallAccessState": "UNKNOWN_INFO"}), "job's access", "cannot tell whether runner@my-project.iam.gserviceaccount.com, which the job runs as, may use gs://my-bucket: you may not see all policies"),
        (ACCESS, (200, {}), "job's access", "cannot tell whether runner@my-project"),
        (ACCESS, refusal(403, "denied"), "job's access", "cannot tell whether the job may use gs://my-bucket: cannot ask what runner@my-project.iam.gserviceaccount.com may do: denied; ask for the role Security Reviewer"),
        (ACCESS, refusal(403, "off", "SERVICE_DISABLED", service="policytroubleshooter.googleapis.com", consumer="projects/1"), "job's access", "cannot tell whether the job may use gs://my-bucket: cannot ask what runner@my-project.iam.gserviceaccount.com may do: policytroubleshooter.googleapis.com is not enabled; run"),
    ],
)  # fmt: skip
def test_a_check_that_is_not_possible_is_no_failure(google, examine, asked, answer, subject, text):
    """A check that needs more permissions or services than a job is no failure if they are missing."""
    google.answers[asked] = answer
    code, found = examine()
    assert code == 0
    assert found[subject].startswith(text)


def test_a_bucket_in_several_regions_is_remarked(google, examine):
    """A bucket in several regions is ok, with the advice to use one region."""
    google.answers[BUCKET] = (200, {"location": "EU"})
    code, found = examine()
    assert code == 0
    assert (
        found["bucket's region"]
        == "ok: eu, which includes europe-west4; a bucket in europe-west4 alone costs less and is nearer"
    )


@pytest.mark.parametrize("missing", ["project", "region", "bucket", "image"])
def test_a_missing_setting_is_reported(examine, missing):
    """A missing setting fails a check, whose text has the flag."""
    code, found = examine(**{missing: None})
    assert code == 2
    assert any(
        text.startswith(f"missing: --{missing}; give them as flags, or in vertex.yaml") for text in found.values()
    )


def test_no_service_account_is_ok(google, examine):
    """Without a service account, the access of Vertex AI's own account to the bucket is checked."""
    code, found = examine(service_account=None)
    assert code == 0
    assert found["service account"].startswith("ok: none is named")
    assert not google.asked("iam.googleapis.com")
    asked = [request.json["accessTuple"] for request in google.asked("policytroubleshooter.googleapis.com")]
    assert {question["principal"] for question in asked} == {"service-123@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"}
    assert [question["permission"] for question in asked] == IN_THE_BUCKET


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ({}, ["files can be replaced"]),
        ({"softDeletePolicy": {"retentionDurationSeconds": "0"}}, ["files can be replaced"]),
        (
            {"softDeletePolicy": {"retentionDurationSeconds": "604800"}, "versioning": {"enabled": True}},
            [
                (
                    "soft delete keeps replaced files for 7 days, and they are billed; turn it off with "
                    "`gcloud storage buckets update gs://my-bucket --clear-soft-delete`"
                ),
                (
                    "object versioning keeps all replaced files, and they are billed; turn it off with "
                    "`gcloud storage buckets update gs://my-bucket --no-versioning`"
                ),
            ],
        ),
    ],
)
def test_the_cost_of_overwritten_objects_is_remarked(google, examine, settings, texts):
    """Soft delete and versioning, which keep billed copies of overwritten objects, are ok with a remark."""
    google.answers[BUCKET] = settled(**settings)
    code, found = examine()
    assert code == 0
    assert all(text in found["bucket's rules"] for text in texts)


def test_a_redirect_is_not_followed(google, examine):
    """A redirect fails the check, and its target gets no request."""
    google.redirects[VERTEX] = "https://elsewhere.example/jobs"
    code, found = examine()
    assert code == 69
    assert "the answer redirects to https://elsewhere.example/jobs" in found["Vertex AI"]
    assert not google.asked("elsewhere.example")


@pytest.mark.parametrize(
    "image", ["registry.example/train:1", "docker.pkg.dev.example/a/b", "evil-docker.pkg.dev.example/a/b"]
)
def test_credentials_go_to_no_other_registry(google, examine, image):
    """An image in a registry that is not Google's is not checked, so that no other server gets the token."""
    code, found = examine(image=image)
    assert code == 0
    assert found["image"].startswith(f"cannot tell whether {image} exists: ")
    assert not [request for request in google.requests if request.host.endswith(".example")]


def test_no_credentials_are_one_line(google, examine, monkeypatch):
    """Without credentials, no other check is made."""
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    code, found = examine()
    assert code == 69
    assert re.match(
        r"there are no credentials \(.*\); log in with `gcloud auth application-default login`", found["credentials"]
    )
    assert {
        found[subject]
        for subject in SUBJECTS[1:]
        if found[subject] not in ("not checked: it needs the bucket", "not checked: it needs the project")
    } == {"not checked: it needs the credentials"}
    assert not google.requests


def test_expired_credentials_are_one_line(google, examine):
    """Credentials that were revoked or have expired fail the first check."""
    google.answers["token"] = (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    code, found = examine()
    assert code == 69
    assert re.match(
        r"cannot log in: the credentials cannot be used \(.*Invalid JWT Signature.*\); log in", found["credentials"]
    )


@pytest.mark.parametrize("content", ["", "{}", "[]", "1", '{"type": "service_account"}', '{"type": []}'])
def test_an_invalid_key_file_is_one_line(google, examine, tmp_path, content):
    """An invalid key file fails the first check, with the command to log in."""
    (tmp_path / "google" / "key.json").write_text(content)
    code, found = examine()
    assert code == 69
    assert "; log in with `gcloud auth application-default login`" in found["credentials"]


def test_the_account_of_the_credentials_is_shown(google, examine, tmp_path):
    """The account is shown if the credentials contain it, as those of `gcloud auth application-default login` may."""
    user = {
        "type": "authorized_user",
        "client_id": "1",
        "client_secret": "2",
        "refresh_token": "3",
        "quota_project_id": "my-project",
    }
    (tmp_path / "google" / "key.json").write_text(json.dumps(user | {"account": "ann@example.com"}))
    assert examine()[1]["credentials"] == "ok: of ann@example.com"
    (tmp_path / "google" / "key.json").write_text(json.dumps(user))
    assert examine()[1]["credentials"] == "ok: of an unknown account"


def test_no_network_is_one_line(google, examine, monkeypatch):
    """Without a network, the first check fails with what to do."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    code, found = examine()
    assert code == 69
    assert re.match(r"cannot log in: Google cannot be reached \(\w+\); check the network", found["credentials"])
