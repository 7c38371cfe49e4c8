"""Looks whether all is there that a job on Vertex AI needs, and says what to do where it is not; changes nothing.

What cannot be told, for lack of a permission that a job does not need, is no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from textgen.cloud.image import Image
from textgen.cloud.regions import holds
from textgen.cloud.rest import DisabledError, Services, check_credentials, find_credentials
from textgen.config.vertex import VertexConfig
from textgen.errors import AccessError, MissingError, TextgenError, UnavailableError, UsageError
from textgen.storage import bucket_region
from textgen.storage.permissions import granted

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_IN_THE_BUCKET = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")
_ACT_AS = "iam.serviceAccounts.actAs"

_USER = "Vertex AI User"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""The kinds of manifest that an image can have; a registry hides those that are not asked for."""


@dataclass(frozen=True)
class Finding:
    """What a look at one thing gave.

    Attributes:
        subject: the thing.
        state: `unknown` where it cannot be told, `unchecked` where it depends on something that failed.
        text: what there is; or what is wrong and what to do.
        error: what `failed` means, with its exit code; else None.
    """

    subject: str
    state: Literal["ok", "failed", "unknown", "unchecked"]
    text: str
    error: TextgenError | None = None


def examine(config: VertexConfig) -> Iterator[Finding]:
    """Looks at each thing that a job needs.

    Args:
        config: where the job is to run.

    Yields:
        What it found, as soon as it is known.
    """
    failed: dict[str, str] = {}
    with _Examination(config) as examination:
        for subject, look, needed in examination.looks:
            lacking = next((name for name in needed if name in failed), None)
            if lacking is not None:
                finding = Finding(subject, "unchecked", f"it needs the {lacking}")
            else:
                finding = _find(subject, look)
            if finding.state in {"failed", "unchecked"}:
                failed[subject] = finding.text
            yield finding


class _UnknownError(Exception):
    """Something cannot be told; the message says why."""


def _find(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except _UnknownError as unknown:
        return Finding(subject, "unknown", str(unknown))
    except TextgenError as error:
        return Finding(subject, "failed", str(error), error)


class _Examination:
    """The looks at what a config names, each a function that returns what there is; entered for its connections."""

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
    def looks(self) -> tuple[tuple[str, Callable[[], str], tuple[str, ...]], ...]:
        """Each with its subject before it, and what it needs after it."""
        return (
            ("credentials", self._look_at_credentials, ()),
            ("project", self._look_at_project, ("credentials",)),
            ("Vertex AI", self._look_at_vertex, ("credentials", "project")),
            ("bucket", self._look_at_bucket, ("credentials",)),
            ("bucket's region", self._look_at_bucket_region, ("bucket",)),
            ("service account", self._look_at_service_account, ("credentials",)),
            ("image", self._look_at_image, ("credentials",)),
        )

    def _look_at_credentials(self) -> str:
        credentials = self._credentials
        check_credentials(credentials)
        return _describe(credentials)

    def _look_at_project(self) -> str:
        project = self._named("project")
        doing = f"cannot see the project {project}"
        url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
        try:
            found = self._services.ask(doing, _USER, "GET", url)
        except DisabledError as error:
            raise _UnknownError(f"whether {project} is there: {error}") from error
        except AccessError as error:  # Google does not tell strangers which projects there are
            raise AccessError(
                f"there is no project with the id {project}, or you have no part in it; check --project, "
                f"or ask its owner for the role {_USER}"
            ) from error
        if found.get("state", "ACTIVE") != "ACTIVE":
            raise MissingError(
                f"the project {project} is being deleted; restore it with `gcloud projects undelete {project}`, or name another"
            )
        return f"{project} ({found.get('displayName', 'without a name')})"

    def _look_at_vertex(self) -> str:
        project, region = self._named("project"), self._named("region")
        endpoint = self._config.api_endpoint or f"https://{region}-aiplatform.googleapis.com"
        if "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        url = f"{endpoint}/v1/projects/{project}/locations/{region}/customJobs"
        try:
            self._services.ask(f"cannot list jobs in {region}", _USER, "GET", url, query={"pageSize": "1"})
        except MissingError as error:
            raise MissingError(
                f"Vertex AI has no region {region}, or you may not see it; name another --region, such as us-central1"
            ) from error
        return f"enabled, its jobs in {region} may be listed"

    def _look_at_bucket(self) -> str:
        bucket = self._bucket
        try:
            lacking = set(_IN_THE_BUCKET) - granted(bucket, _IN_THE_BUCKET)
        except MissingError as error:
            where = self._config.region or "REGION"
            raise MissingError(
                f"there is no bucket {bucket}; check --bucket, or make it with "
                f"`gcloud storage buckets create gs://{bucket} --location={where} --project={self._config.project or 'PROJECT'}`"
            ) from error
        if lacking:
            raise AccessError(
                f"gs://{bucket} does not grant you {', '.join(sorted(lacking))}; ask for the role Storage Object User on it"
            )
        return f"gs://{bucket}, may be read and written"

    def _look_at_bucket_region(self) -> str:
        bucket, region = self._bucket, self._named("region")
        location = bucket_region(bucket)
        holds_region = holds(location, region)
        if holds_region is None:
            raise _UnknownError(f"whether {location}, where gs://{bucket} lies, holds {region}")
        if not holds_region:
            raise UsageError(
                f"gs://{bucket} lies in {location} and the job would run in {region}; name --region {location} "
                f"or a bucket in {region}"
                if "-" in location
                else f"gs://{bucket} lies in {location}, which does not hold {region}; name a --region in {location} or "
                f"a bucket in {region}"
            )
        if location == region:
            return region
        return f"{location}, which holds {region}; a bucket in {region} alone costs less and is nearer"

    def _look_at_service_account(self) -> str:
        account = self._config.service_account
        if account is None:
            return "none is named, so the job runs as the project's Vertex AI Custom Code Service Agent"
        url = f"https://iam.googleapis.com/v1/projects/-/serviceAccounts/{account}"
        look = partial(self._services.ask, f"cannot see the service account {account}", "View Service Accounts")
        try:
            found = look("GET", url)
            may = look("POST", f"{url}:testIamPermissions", body={"permissions": [_ACT_AS]})
        except MissingError as error:
            raise MissingError(
                f"there is no service account {account}; check --service_account, or see "
                f"`gcloud iam service-accounts list --project {self._config.project or 'PROJECT'}`"
            ) from error
        except (AccessError, DisabledError) as error:
            raise _UnknownError(f"whether {account} is there: {error}") from error
        if found.get("disabled"):
            raise UnavailableError(
                f"the service account {account} is disabled; run `gcloud iam service-accounts enable {account}`"
            )
        if _ACT_AS not in may.get("permissions", []):
            raise AccessError(f"you may not run jobs as {account}; ask for the role Service Account User on it")
        return account

    def _look_at_image(self) -> str:
        name = self._named("image")
        image = Image.parse(name)
        if not image.is_googles:  # which Google's token must not be sent to
            raise _UnknownError(
                f"whether {name} is there: {image.host} is no registry of Google's; Vertex AI must be able to read it "
                "without credentials"
            )
        role = "Artifact Registry Reader"
        try:
            self._services.ask(f"cannot read the image {name}", role, "HEAD", image.manifest_url, accept=_MANIFESTS)
        except AccessError as error:  # an answer to HEAD has no words, and none tells strangers what there is
            raise AccessError(
                f"there is no image {name}, or you may not read it; check --image, or ask for the role {role}"
            ) from error
        except MissingError as error:
            raise MissingError(
                f"there is no image {name}; check --image, or make it with `textgen vertex build --run`"
            ) from error
        return name

    def _named(self, field: str) -> str:
        """A setting that a job cannot do without."""
        self._config.require(field)
        return str(getattr(self._config, field))

    @property
    def _bucket(self) -> str:
        return self._named("bucket").removeprefix("gs://")

    @cached_property
    def _credentials(self) -> Credentials:
        return find_credentials()

    @cached_property
    def _services(self) -> Services:
        return Services(self._credentials).__enter__()


def _describe(credentials: Credentials) -> str:
    """Whose credentials are, as far as they tell."""
    account = getattr(credentials, "service_account_email", None)
    if account:
        return f"of the service account {account}"
    account = getattr(credentials, "account", None)
    return f"of {account}" if account else "they do not say whose"
