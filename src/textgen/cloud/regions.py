"""Tells whether a bucket's location holds a region; knows nothing of which regions there are."""

from __future__ import annotations

_CONTINENTS = {"us": "us-", "eu": "europe-", "asia": "asia-"}
"""How the regions begin of the locations that span a continent (Cloud Storage's documentation, "Bucket locations")."""


def holds(location: str, region: str) -> bool | None:
    """Whether what lies in a location lies in a region.

    Args:
        location: of a bucket, as `bucket_region` has it.
        region: such as `europe-west4`.

    Returns:
        None for a pair of regions with a name of its own, such as `eur4`, which does not tell.
    """
    if location in _CONTINENTS:
        return region.startswith(_CONTINENTS[location])
    if "-" not in location:
        return None
    return location == region
