"""Checks that a bucket's settings suit a job; asks nobody."""

from __future__ import annotations

from textgen.cloud.regions import holds
from textgen.errors import AccessError, UsageError
from textgen.storage import BucketSettings

_DAY_SECONDS = 86_400


def check_region(bucket: str, settings: BucketSettings, region: str) -> str | None:
    """Checks that a bucket is where the job runs, so that no byte crosses a continent.

    Args:
        bucket: its name.
        settings: how it is set up.
        region: of the job.

    Returns:
        In words, where it is; None if it cannot be told whether that includes the region.

    Raises:
        UsageError: when it is elsewhere.
    """
    where = " and ".join(settings.regions) or settings.location
    includes_region = holds(settings.location, settings.regions, region)
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
    """Checks that a job may overwrite what it has written.

    Args:
        bucket: its name.
        settings: how it is set up.

    Returns:
        In words, what stays after it was overwritten, and is paid for.

    Raises:
        AccessError: when nothing may be overwritten.
    """
    update = f"`gcloud storage buckets update gs://{bucket}"
    if settings.retention_seconds:
        remedy = (
            "it is locked, so name another --bucket"
            if settings.retention_is_locked
            else f"remove it with {update} --clear-retention-period`, or name another --bucket"
        )
        raise AccessError(
            f"the retention policy of gs://{bucket} forbids to overwrite anything for {_days(settings.retention_seconds)}, "
            f"and a job overwrites its files all the time; {remedy}"
        )
    if settings.holds_new_objects:
        raise AccessError(
            f"gs://{bucket} puts a hold on each new object, so that a job could not overwrite its files; "
            f"turn it off with {update} --no-default-event-based-hold`, or name another --bucket"
        )
    paid = []
    if settings.soft_delete_seconds:
        paid.append(
            f"soft delete keeps what was overwritten for {_days(settings.soft_delete_seconds)}, and it is billed; "
            f"turn it off with {update} --clear-soft-delete`"
        )
    if settings.keeps_versions:
        paid.append(
            "object versioning keeps all that was overwritten, and it is billed; "
            f"turn it off with {update} --no-versioning`"
        )
    return "; ".join(paid) or "objects may be overwritten, and nothing that was overwritten is kept"


def _days(seconds: int) -> str:
    if seconds < _DAY_SECONDS:
        return f"{seconds:,} seconds"
    days = seconds // _DAY_SECONDS
    return f"{days:,} day{'s' if days > 1 else ''}"
