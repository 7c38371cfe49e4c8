"""Checks that a bucket's settings suit a job. Sends no request."""

from __future__ import annotations

from textgen.cloud.regions import includes
from textgen.errors import AccessError, UsageError
from textgen.formatting import count
from textgen.storage import BucketSettings

_DAY_SECONDS = 86_400


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
    includes_region = includes(settings.location, settings.regions, region)
    if includes_region is None:
        return None
    if where == region:
        return region
    if includes_region:
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


def _days(seconds: int) -> str:
    return count(seconds, "second") if seconds < _DAY_SECONDS else count(seconds // _DAY_SECONDS, "day")
