"""Reads the settings of a bucket, and the user's permissions for it. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textgen.storage.service import make_client, request_options, translated


@dataclass(frozen=True)
class BucketSettings:
    """The settings of a bucket.

    Attributes:
        location: a region, or a name for several regions, in lower case, such as `europe-west4` or `eu`.
        regions: the two regions of a bucket whose owner chose them; otherwise empty.
        retention_seconds: how long an object can be neither overwritten nor removed; 0 without such a policy.
        retention_is_locked: whether that policy can no longer be lifted.
        holds_new_objects: whether each new object gets a hold, which prevents overwriting and removing it.
        soft_delete_seconds: how long overwritten and removed objects are kept, and billed; 0 if they are not.
        keeps_versions: whether overwritten objects are kept, and billed, for ever.
    """

    location: str
    regions: tuple[str, ...]
    retention_seconds: int
    retention_is_locked: bool
    holds_new_objects: bool
    soft_delete_seconds: int
    keeps_versions: bool


def bucket_settings(bucket: str) -> BucketSettings:
    """Reads the settings of a bucket.

    Args:
        bucket: the bucket's name.

    Raises:
        MissingError: if the bucket does not exist.
        AccessError: if the credentials do not allow it; a role for objects alone is not enough.
        UnavailableError: if there are no credentials, or the service cannot be reached.
    """
    with (
        translated(f"cannot read the settings of gs://{bucket}", "Storage Legacy Bucket Reader"),
        make_client() as client,
    ):
        found = client.get_bucket(bucket, **request_options())
        return BucketSettings(
            location=found.location.lower(),
            regions=tuple(region.lower() for region in found.data_locations or ()),
            retention_seconds=found.retention_period or 0,
            retention_is_locked=bool(found.retention_policy_locked),
            holds_new_objects=bool(found.default_event_based_hold),
            soft_delete_seconds=found.soft_delete_policy.retention_duration_seconds or 0,
            keeps_versions=bool(found.versioning_enabled),
        )


def granted_permissions(bucket: str, permissions: Sequence[str]) -> set[str]:
    """Returns those of the given permissions that the credentials have for a bucket.

    Args:
        bucket: the bucket's name.
        permissions: Google's names, such as `"storage.objects.get"`.

    Raises:
        MissingError: if the bucket does not exist.
        AccessError: if the credentials do not even allow this request.
        UnavailableError: if there are no credentials, or the service cannot be reached.
    """
    with translated(f"cannot ask what is allowed in gs://{bucket}", "Storage Object User"), make_client() as client:
        return set(client.bucket(bucket).test_iam_permissions(list(permissions), **request_options()))
