import pytest

from textgen.cloud.regions import holds


@pytest.mark.parametrize(
    ("location", "region", "expected"),
    [
        ("europe-west4", "europe-west4", True),
        ("europe-west4", "europe-west1", False),
        ("us", "us-central1", True),
        ("us", "europe-west4", False),
        ("eu", "europe-west4", True),
        ("asia", "asia-east1", True),
        ("asia", "australia-southeast1", False),
        ("nam4", "us-central1", None),
    ],
)
def test_a_location_holds_its_regions(location, region, expected):
    """A region holds itself, a continent the regions that are called after it; a pair does not tell."""
    assert holds(location, region) is expected
