"""Reads how a bucket is set up; changes nothing there."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.storage.service import make_client, patience, translated


@dataclass(frozen=True)
class BucketSettings:
    """How a bucket is set up.

    Attributes:
        location: a region, or a name for several of them, in lower case, such as `europe-west4` or `eu`.
        regions: the two regions of a bucket whose owner chose them; else empty.
        retention_seconds: how long an object can be neither overwritten nor removed; 0 for no such policy.
        retention_is_locked: whether nobody can lift that policy any more.
        holds_new_objects: whether each new object gets a hold, which keeps it from being overwritten or removed.
        soft_delete_seconds: how long what was overwritten or removed stays, and is paid for; 0 for not at all.
        keeps_versions: whether what was overwritten stays, and is paid for, without an end.
    """

    location: str
    regions: tuple[str, ...]
    retention_seconds: int
    retention_is_locked: bool
    holds_new_objects: bool
    soft_delete_seconds: int
    keeps_versions: bool


def bucket_settings(bucket: str) -> BucketSettings:
    """How a bucket is set up.

    Args:
        bucket: its name.

    Raises:
        MissingError: when the bucket does not exist.
        AccessError: when the credentials do not allow it; the roles for objects alone do not.
        UnavailableError: when there are no credentials, or the service cannot be reached.
    """
    with (
        translated(f"cannot read the settings of gs://{bucket}", "Storage Legacy Bucket Reader"),
        make_client() as client,
    ):
        found = client.get_bucket(bucket, **patience())
        return BucketSettings(
            location=found.location.lower(),
            regions=tuple(region.lower() for region in found.data_locations or ()),
            retention_seconds=found.retention_period or 0,
            retention_is_locked=bool(found.retention_policy_locked),
            holds_new_objects=bool(found.default_event_based_hold),
            soft_delete_seconds=found.soft_delete_policy.retention_duration_seconds or 0,
            keeps_versions=bool(found.versioning_enabled),
        )
