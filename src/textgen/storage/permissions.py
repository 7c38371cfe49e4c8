"""Asks what the user may do in a bucket; changes nothing there."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.storage.service import make_client, patience, translated


def granted(bucket: str, permissions: Sequence[str]) -> set[str]:
    """Those of some permissions that the credentials have for a bucket.

    Args:
        bucket: its name.
        permissions: by Google's names, such as `"storage.objects.get"`.

    Raises:
        MissingError: when there is no such bucket.
        AccessError: when not even that may be asked.
        UnavailableError: when there are no credentials, or the service cannot be reached.
    """
    with translated(f"cannot ask what is allowed in gs://{bucket}", "Storage Object User"), make_client() as client:
        return set(client.bucket(bucket).test_iam_permissions(list(permissions), **patience()))
