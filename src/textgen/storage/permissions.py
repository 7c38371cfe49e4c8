"""Asks which permissions the user has for a bucket; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from textgen.storage.service import make_client, patience, translated


def granted(bucket: str, permissions: Sequence[str]) -> set[str]:
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
        return set(client.bucket(bucket).test_iam_permissions(list(permissions), **patience()))
