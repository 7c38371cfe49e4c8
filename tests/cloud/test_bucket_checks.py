import pytest

from textgen.cloud.bucket_checks import includes_region


@pytest.mark.parametrize(
    ("location", "pair", "region", "expected"),
    [
        ("europe-west4", (), "europe-west4", True),
        ("europe-west4", (), "europe-west1", False),
        ("us", (), "us-central1", True),
        ("us", (), "northamerica-northeast1", False),
        ("us", (), "europe-west4", False),
        ("eu", (), "europe-west4", True),
        ("eu", (), "europe-west12", True),
        ("eu", (), "europe-west2", False),
        ("eu", (), "europe-west6", False),
        ("asia", (), "asia-east1", True),
        ("asia", (), "asia-east2", False),
        ("asia", (), "asia-southeast1", True),
        ("asia", (), "asia-southeast2", False),
        ("asia", (), "australia-southeast1", False),
        ("nam4", (), "us-central1", True),
        ("nam4", (), "us-west1", False),
        ("eur4", (), "europe-west4", True),
        ("us", ("us-central1", "us-west1"), "us-west1", True),
        ("us", ("us-central1", "us-west1"), "us-east1", False),
        ("mars1", (), "us-central1", None),
    ],
)
def test_a_location_includes_its_regions(location, pair, region, expected):
    """A bucket's location includes the regions that Cloud Storage's documentation lists; for an unknown one it is None."""
    assert includes_region(location, pair, region) is expected
