"""Checks that a job can use a bucket: its region, its rules for replaced files, and the permissions of the job's account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from textgen.cloud.rest import Services
from textgen.errors import AccessError, UsageError
from textgen.formatting import count
from textgen.storage import BucketSettings

_DAY_SECONDS = 86_400

_MULTI_REGIONS = {
    "us": re.compile(r"us-.+"),
    # Without London and Zürich, which are not in the European Union.
    "eu": re.compile(r"europe-(?!west2$|west6$).+"),
    # Without Hong Kong and Jakarta.
    "asia": re.compile(r"asia-(?!east2$|southeast2$).+"),
}
"""The regions of each multi-region (Cloud Storage's documentation, "Bucket locations")."""

_DUAL_REGIONS = {
    "asia1": ("asia-northeast1", "asia-northeast2"),
    "eur4": ("europe-north1", "europe-west4"),
    "eur5": ("europe-west1", "europe-west2"),
    "eur7": ("europe-west2", "europe-west3"),
    "eur8": ("europe-west3", "europe-west6"),
    "nam4": ("us-central1", "us-east1"),
}
"""The predefined pairs of regions (same page)."""

_TROUBLESHOOTER = "https://policytroubleshooter.googleapis.com/v3/iam:troubleshoot"
_ROLE = "Security Reviewer"


def check_region(bucket: str, settings: BucketSettings, region: str) -> str | None:
    """Checks that a bucket is in the job's region, so that no data crosses a continent.

    Args:
        bucket: its name.
        settings: its settings.
        region: the job's region.

    Returns:
        The bucket's location, for people; None for an unknown location, which may or may not include the region.

    Raises:
        UsageError: if the bucket is elsewhere.
    """
    where = " and ".join(settings.regions) or settings.location
    is_included = includes_region(settings.location, settings.regions, region)
    if is_included is None:
        return None
    if where == region:
        return region
    if is_included:
        return f"{where}, which includes {region}; a bucket in {region} alone costs less and is nearer"
    is_one_region = not settings.regions and "-" in where
    raise UsageError(
        f"gs://{bucket} is in {where} and the job would run in {region}; name --region {where} or a bucket in {region}"
        if is_one_region
        else f"gs://{bucket} is in {where}, which does not include {region}; name a --region in {where} or "
        f"a bucket in {region}"
    )


def check_rules(bucket: str, settings: BucketSettings) -> str:
    """Checks that a job can replace the files it has written.

    Args:
        bucket: its name.
        settings: its settings.

    Returns:
        Which replaced files the bucket keeps and bills, for people.

    Raises:
        AccessError: if no file can be replaced.
    """
    update = f"`gcloud storage buckets update gs://{bucket}"
    if settings.retention_seconds:
        remedy = (
            "it is locked, so name another --bucket"
            if settings.retention_is_locked
            else f"remove it with {update} --clear-retention-period`, or name another --bucket"
        )
        raise AccessError(
            f"the retention policy of gs://{bucket} forbids replacing files for "
            f"{_days(settings.retention_seconds)}, and a job replaces its files all the time; {remedy}"
        )
    if settings.holds_new_objects:
        raise AccessError(
            f"gs://{bucket} puts a hold on each new object, so a job could not replace its files; "
            f"turn it off with {update} --no-default-event-based-hold`, or name another --bucket"
        )
    paid = []
    if settings.soft_delete_seconds:
        paid.append(
            f"soft delete keeps replaced files for {_days(settings.soft_delete_seconds)}, and they are billed; "
            f"turn it off with {update} --clear-soft-delete`"
        )
    if settings.keeps_versions:
        paid.append(
            "object versioning keeps all replaced files, and they are billed; "
            f"turn it off with {update} --no-versioning`"
        )
    return "; ".join(paid) or "files can be replaced, and replaced ones are not kept"


def service_agent(project: Mapping[str, Any]) -> str:
    """Returns the account that a job runs as without a `--service_account`: the Vertex AI Custom Code Service Agent.

    Args:
        project: as Resource Manager describes it, with its number in its name (Vertex AI's documentation, "Access
            control with IAM", "Service agents").
    """
    number = str(project.get("name", "")).removeprefix("projects/")
    return f"service-{number}@gcp-sa-aiplatform-cc.iam.gserviceaccount.com"


def access_of(services: Services, account: str, bucket: str, permissions: Iterable[str]) -> dict[str, bool | None]:
    """Returns whether an account has permissions for a bucket (Policy Troubleshooter's documentation, "iam.troubleshoot").

    Args:
        services: Google's services with the user's credentials.
        account: an e-mail address.
        bucket: its name.
        permissions: Google's names of them, such as `storage.objects.get`.

    Returns:
        The answer for each permission; None if the user may not see all policies that decide.

    Raises:
        AccessError: if the user may not ask.
        UnavailableError: if Policy Troubleshooter is not enabled, or cannot be reached.
    """
    known = {"CAN_ACCESS": True, "CANNOT_ACCESS": False}
    found = {}
    for permission in permissions:
        asked = {
            "principal": account,
            "fullResourceName": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
            "permission": permission,
        }
        doing = f"cannot ask what {account} may do"
        answer = services.ask(doing, _ROLE, "POST", _TROUBLESHOOTER, body={"accessTuple": asked})
        found[permission] = known.get(str(answer.get("overallAccessState")))
    return found


def includes_region(location: str, pair: tuple[str, ...], region: str) -> bool | None:
    """Whether a bucket's location includes a region.

    Args:
        location: a region, a multi-region or a dual-region, such as `europe-west4`, `eu` or `eur4`.
        pair: the two regions of a configurable dual-region; else empty.
        region: such as `europe-west4`.

    Returns:
        None for an unknown location.
    """
    if pair or location in _DUAL_REGIONS:
        return region in (pair or _DUAL_REGIONS[location])
    if location in _MULTI_REGIONS:
        return _MULTI_REGIONS[location].fullmatch(region) is not None
    if "-" not in location:
        return None
    return location == region


def _days(seconds: int) -> str:
    return count(seconds, "second") if seconds < _DAY_SECONDS else count(seconds // _DAY_SECONDS, "day")
