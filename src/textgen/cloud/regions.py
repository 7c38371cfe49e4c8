"""Decides whether a bucket's location includes a region. Contains no list of all regions."""

from __future__ import annotations

import re

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


def includes(location: str, pair: tuple[str, ...], region: str) -> bool | None:
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
