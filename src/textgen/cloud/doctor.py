"""Checks everything a job on Vertex AI needs, and explains how to fix what is missing. Changes nothing.

A check for which the user lacks a permission is no failure if jobs do not need that permission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from textgen.cloud.bucket_checks import access_of, check_region, check_rules, service_agent
from textgen.cloud.rest import Services, check_credentials, find_credentials
from textgen.config.cloud_names import Image
from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError
from textgen.storage import BucketSettings, bucket_settings
from textgen.storage.bucket_settings import granted_permissions
from textgen.storage.service import DisabledError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_IN_THE_BUCKET = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
_ACT_AS = "iam.serviceAccounts.actAs"

_USER = "Vertex AI User"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""The kinds of manifest. For a kind that the request does not accept, a registry answers that there is no image."""


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        subject: what was checked.
        state: `unknown` if the check has no result, `unchecked` if it depends on a check that failed.
        text: what was found, or what is wrong and what to do.
        error: of a failed check, the error with its exit code; else None.
    """

    subject: str
    state: Literal["ok", "failed", "unknown", "unchecked"]
    text: str
    error: TextgenError | None = None


def examine(config: VertexConfig) -> Iterator[Finding]:
    """Checks each thing that a job needs.

    Args:
        config: the place and the machine of the job.

    Yields:
        Each result as soon as it is known.
    """
    failed: dict[str, str] = {}
    with _Examination(config) as examination:
        for subject, check, needed in examination.checks:
            lacking = next((name for name in needed if name in failed), None)
            if lacking is not None:
                finding = Finding(subject, "unchecked", f"it needs the {lacking}")
            else:
                finding = _find(subject, check)
            if finding.state in {"failed", "unchecked"}:
                failed[subject] = finding.text
            yield finding


class _UnknownError(Exception):
    """A check has no result. The message begins with "whether" or "where", and says why."""


def _find(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", check())
    except _UnknownError as unknown:
        return Finding(subject, "unknown", str(unknown))
    except TextgenError as error:
        return Finding(subject, "failed", str(error), error)


class _Examination:
    """The checks of a config, each a function that returns its result. A context manager, which closes the connections."""

    def __init__(self, config: VertexConfig) -> None:
        self._config = config

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_services" in vars(self):
            self._services.__exit__(kind, error, trace)

    @property
    def checks(self) -> tuple[tuple[str, Callable[[], str], tuple[str, ...]], ...]:
        """The subject, the check, and the subjects that it depends on."""
        return (
            ("credentials", self._check_credentials, ()),
            ("project", self._check_project, ("credentials",)),
            ("Vertex AI", self._check_vertex, ("credentials", "project")),
            ("bucket", self._check_bucket, ("credentials",)),
            ("bucket's region", self._check_bucket_region, ("bucket",)),
            ("bucket's rules", self._check_bucket_rules, ("bucket",)),
            ("service account", self._check_service_account, ("credentials",)),
            ("job's access", self._check_job_access, ("project", "bucket", "service account")),
            ("image", self._check_image, ("credentials",)),
        )

    def _check_credentials(self) -> str:
        credentials = self._credentials
        check_credentials(credentials)
        return _describe(credentials)

    def _check_project(self) -> str:
        project = self._named("project")
        try:
            found = self._project
        except DisabledError as error:
            raise _UnknownError(f"whether {project} exists: {error}") from error
        except AccessError as error:  # Google hides which projects exist
            raise AccessError(
                f"there is no project with the id {project}, or you have no part in it; check --project, "
                f"or ask its owner for the role {_USER}"
            ) from error
        if found.get("state", "ACTIVE") != "ACTIVE":
            raise MissingError(
                f"the project {project} is being deleted; restore it with `gcloud projects undelete {project}`, or name another"
            )
        return f"{project} ({found.get('displayName', 'without a name')})"

    def _check_vertex(self) -> str:
        project, region = self._named("project"), self._named("region")
        url = f"{self._config.endpoint}/v1/projects/{project}/locations/{region}/customJobs"
        try:
            self._services.ask(f"cannot list jobs in {region}", _USER, "GET", url, query={"pageSize": "1"})
        except MissingError as error:
            raise MissingError(
                f"Vertex AI has no region {region}, or you may not see it; name another --region, such as us-central1"
            ) from error
        return f"enabled, and you may list its jobs in {region}"

    def _check_bucket(self) -> str:
        bucket = self._bucket
        try:
            lacking = set(_IN_THE_BUCKET) - granted_permissions(bucket, _IN_THE_BUCKET)
        except MissingError as error:
            where = self._config.region or "REGION"
            raise MissingError(
                f"there is no bucket {bucket}; check --bucket, or make it with "
                f"`gcloud storage buckets create gs://{bucket} --location={where} "
                f"--project={self._config.project or 'PROJECT'} --soft-delete-duration=0`"
            ) from error
        if lacking:
            raise AccessError(
                f"gs://{bucket} does not grant you {', '.join(sorted(lacking))}; ask for the role Storage Object User on it"
            )
        return f"you may read and write gs://{bucket}"

    def _check_bucket_region(self) -> str:
        bucket, region = self._bucket, self._named("region")
        settings = self._settings(f"where gs://{bucket} is")
        found = check_region(bucket, settings, region)
        if found is None:
            raise _UnknownError(f"whether {settings.location}, where gs://{bucket} is, includes {region}")
        return found

    def _check_bucket_rules(self) -> str:
        bucket = self._bucket
        return check_rules(bucket, self._settings(f"whether files in gs://{bucket} can be replaced"))

    def _check_service_account(self) -> str:
        account = self._config.service_account
        if account is None:
            return "none is named, so the job runs as the project's Vertex AI Custom Code Service Agent"
        url = f"https://iam.googleapis.com/v1/projects/-/serviceAccounts/{account}"
        ask = partial(self._services.ask, f"cannot see the service account {account}", "View Service Accounts")
        try:
            found = ask("GET", url)
            may = ask("POST", f"{url}:testIamPermissions", body={"permissions": [_ACT_AS]})
        except MissingError as error:
            raise MissingError(
                f"there is no service account {account}; check --service_account, or see "
                f"`gcloud iam service-accounts list --project {self._config.project or 'PROJECT'}`"
            ) from error
        except (AccessError, DisabledError) as error:
            raise _UnknownError(f"whether {account} exists: {error}") from error
        if found.get("disabled"):
            raise UnavailableError(
                f"the service account {account} is disabled; run `gcloud iam service-accounts enable {account}`"
            )
        if _ACT_AS not in may.get("permissions", []):
            raise AccessError(f"you may not run jobs as {account}; ask for the role Service Account User on it")
        return account

    def _check_job_access(self) -> str:
        bucket = self._bucket
        try:
            account = self._config.service_account or service_agent(self._project)
            access = access_of(self._services, account, bucket, _IN_THE_BUCKET)
        except (AccessError, DisabledError) as error:
            raise _UnknownError(f"whether the job may use gs://{bucket}: {error}") from error
        lacking = [permission for permission, may in access.items() if may is False]
        if lacking:
            raise AccessError(
                f"the job would run as {account}, to which gs://{bucket} does not grant {', '.join(lacking)}; run "
                f"`gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=serviceAccount:{account} "
                "--role=roles/storage.objectUser`"
            )
        if None in access.values():
            raise _UnknownError(
                f"whether {account}, which the job runs as, may use gs://{bucket}: you may not see all policies"
            )
        return f"{account} may read and write gs://{bucket}"

    def _check_image(self) -> str:
        name = self._named("image")
        image = Image.parse(name)
        if not image.is_googles:  # the credentials are for Google alone
            raise _UnknownError(
                f"whether {name} exists: {image.host} is not a registry of Google's; Vertex AI must be able to read it "
                "without credentials"
            )
        role = "Artifact Registry Reader"
        try:
            self._services.ask(f"cannot read the image {name}", role, "HEAD", image.manifest_url, accept=_MANIFESTS)
        except AccessError as error:  # an answer to HEAD has no message, and Google hides which images exist
            raise AccessError(
                f"there is no image {name}, or you may not read it; check --image, or ask for the role {role}"
            ) from error
        except MissingError as error:
            raise MissingError(
                f"there is no image {name}; check --image, or make it with `textgen vertex build --run`"
            ) from error
        return name

    def _named(self, field: str) -> str:
        """A required setting."""
        self._config.require(field)
        return str(getattr(self._config, field))

    def _settings(self, unknown: str) -> BucketSettings:
        """The bucket's settings. The roles for objects do not allow reading them."""
        try:
            return self._bucket_settings
        except AccessError as error:
            raise _UnknownError(f"{unknown}: {error}") from error

    @property
    def _bucket(self) -> str:
        self._config.require("bucket")
        return self._config.bucket_name

    @cached_property
    def _bucket_settings(self) -> BucketSettings:
        return bucket_settings(self._bucket)

    @cached_property
    def _project(self) -> dict[str, Any]:
        """The project as Google describes it, with its number."""
        project = self._named("project")
        url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
        return self._services.ask(f"cannot see the project {project}", _USER, "GET", url)

    @cached_property
    def _credentials(self) -> Credentials:
        return find_credentials()

    @cached_property
    def _services(self) -> Services:
        return Services(self._credentials).__enter__()


def _describe(credentials: Credentials) -> str:
    """Whose credentials they are, if they contain it."""
    account = getattr(credentials, "service_account_email", None)
    if account:
        return f"of the service account {account}"
    account = getattr(credentials, "account", None)
    return f"of {account}" if account else "of an unknown account"
