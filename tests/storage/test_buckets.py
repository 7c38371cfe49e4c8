import pytest

from tests.storage_front import damage, fail, keep
from textgen import errors
from textgen.storage import fetch, fetch_part, is_bucket, is_uri, service

pytestmark = [
    pytest.mark.cloud,
    # Google's library leaves the answer to a download that failed unread, and its connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

DOWNLOAD = "/download/"
"""The start of the path of a request for an object's bytes, but not for its properties."""


@pytest.fixture
def cached(tmp_path):
    """A function that lists the files in the cache."""
    return lambda: sorted(path for path in (tmp_path / "cache" / "buckets").rglob("*") if path.is_file())


def test_places_in_buckets_are_told_from_paths():
    """A place that starts with gs:// is in a bucket, even if the bucket's name is invalid."""
    assert [is_bucket(place) for place in ("gs://a/b", "gs://", "gs:/a/b", "job/gs://a", "")] == [
        True,
        True,
        *3 * [False],
    ]


@pytest.mark.parametrize("place", ["s3://a/b", "https://a/b", "GS://a/b", "file:///a", "az+x.1-y://a"])
def test_places_of_other_schemes_are_refused(place):
    """Another service's URI is not a local path; the message names what is supported."""
    with pytest.raises(errors.UsageError, match="a place must be a local path or gs://BUCKET/PATH, got ") as caught:
        is_bucket(place)
    assert place in str(caught.value)
    assert is_uri(place)


@pytest.mark.parametrize(
    "place", ["C://a/b", "c:/a", "C:\\a", "a b://c", "./s3://a", "/s3://a", "1x://a", "://a", "s3:/a"]
)
def test_other_names_are_local_paths(place):
    """The letter of a drive is not a scheme."""
    assert not is_bucket(place)
    assert not is_uri(place)


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 5000])
def test_an_object_is_fetched_byte_by_byte(bucket, content):
    """The file has the object's bytes, and its name ends as the object's does."""
    bucket.blob("a b/☃.d/model.safetensors").upload_from_string(content)
    path = fetch(f"gs://{bucket.name}/a b/☃.d/model.safetensors")
    assert path.read_bytes() == content
    assert path.suffix == ".safetensors"


def test_an_object_is_downloaded_once(bucket, front):
    """A second call only asks for the generation, and returns the same file."""
    bucket.blob("x").upload_from_string(b"one")
    first = fetch(f"gs://{bucket.name}/x")
    assert fetch(f"gs://{bucket.name}/x") == first
    assert [path.startswith(DOWNLOAD) for path in front.paths] == [False, True, False]


def test_a_replaced_object_is_fetched_again(bucket, cached):
    """After a new upload the new bytes are in another file, because another process may still read the old one."""
    blob, other = bucket.blob("x"), bucket.blob("y")
    blob.upload_from_string(b"one")
    other.upload_from_string(b"other")
    kept = fetch(f"gs://{bucket.name}/y")
    old = fetch(f"gs://{bucket.name}/x")
    blob.upload_from_string(b"two")
    new = fetch(f"gs://{bucket.name}/x")
    assert [path.read_bytes() for path in (old, new, kept)] == [b"one", b"two", b"other"]
    assert new.name == old.name == "x"
    assert cached() == sorted([kept, old, new])


@pytest.mark.parametrize("name", ["absent", "x/absent"])
def test_what_is_not_there_is_missing(bucket, name):
    """The error for a missing object is one line that names it."""
    bucket.blob("x").upload_from_string(b"one")
    with pytest.raises(errors.MissingError, match=rf"^there is no gs://{bucket.name}/{name}; check [^\n]*$"):
        fetch(f"gs://{bucket.name}/{name}")
    with pytest.raises(errors.MissingError, match=r"^there is no gs://no-such-bucket/x; check [^\n]*$"):
        fetch("gs://no-such-bucket/x")


@pytest.mark.parametrize("before", [[], [keep]])
@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (
            401,
            (
                errors.UnavailableError,
                "no valid credentials for it; log in with `gcloud auth application-default login`, or",
            ),
        ),
        (403, (errors.AccessError, "you are not allowed[^\n]*; ask for the role Storage Object Viewer")),
        (400, (errors.UnavailableError, "Google refuses it: [^\n]*you are not allowed")),
    ],
)
def test_a_refusal_is_one_line(bucket, front, before, status, refusal):
    """Missing credentials and missing permissions give different errors, whichever request is refused."""
    bucket.blob("x").upload_from_string(b"one")
    front.faults = [*before, fail(status, "you are not allowed\nto")]
    kind, message = refusal
    with pytest.raises(kind, match=rf"^cannot read gs://{bucket.name}/x: [^\n]*{message}[^\n]*$"):
        fetch(f"gs://{bucket.name}/x")


def test_an_object_that_goes_meanwhile_is_missing(bucket, front, cached):
    """If an object is removed or replaced between the two requests, the error advises to try again."""
    bucket.blob("x").upload_from_string(b"one")
    front.faults = [keep, fail(404)]
    with pytest.raises(errors.MissingError, match=r"replaced meanwhile; check its name and try again$"):
        fetch(f"gs://{bucket.name}/x")
    assert cached() == []


def test_a_passing_failure_is_not_noticed(bucket, front):
    """A request that fails once is repeated, for the generation and for the bytes."""
    bucket.blob("x").upload_from_string(b"one")
    front.faults = [fail(503), keep, fail(503)]
    assert fetch(f"gs://{bucket.name}/x").read_bytes() == b"one"
    assert [path.startswith(DOWNLOAD) for path in front.paths] == [False, False, True, True]


def test_a_damaged_download_is_not_kept(bucket, front, cached):
    """Bytes that do not have the object's checksum are refused, and the next call fetches them again."""
    bucket.blob("x").upload_from_string(b"one")
    front.faults = [keep, damage]
    with pytest.raises(errors.InputOutputError, match=r"^cannot read [^\n]*: it arrived damaged; try again$"):
        fetch(f"gs://{bucket.name}/x")
    assert cached() == []
    assert fetch(f"gs://{bucket.name}/x").read_bytes() == b"one"


@pytest.mark.parametrize("answers", [0, 1])
def test_a_network_that_is_down_is_one_line(bucket, front, cached, monkeypatch, answers):
    """If the service does not answer, from the start or after the first answer, the call fails after a while."""
    monkeypatch.setattr(service, "_PATIENCE_SECONDS", 0.5)
    bucket.blob("x").upload_from_string(b"one")
    front.faults = [*answers * [keep], *99 * [fail(503)]]
    with pytest.raises(errors.UnavailableError, match=r"cannot be reached \([^)\n]+\); check the network"):
        fetch(f"gs://{bucket.name}/x")
    assert len(front.paths) > answers
    front.shutdown()
    front.server_close()
    with pytest.raises(errors.UnavailableError, match=r"cannot be reached \(ConnectionError\); check the network"):
        fetch(f"gs://{bucket.name}/x")
    assert cached() == []


@pytest.mark.parametrize(
    "uri",
    [
        *("gs://", "gs://bucket", "gs://bucket/", "gs:///x", "gs://b/x", "gs://Bucket/x", "gs://-bucket/x", "gs://bu cket/x"),
        *("gs://bucket/a\nb", "gs://bucket/a\0", "gs://bucket/\ud800", "gs://bucket/..", f"gs://bucket/{'é' * 513}", "bucket/x"),
    ],
)  # fmt: skip
def test_a_uri_that_cannot_be_is_refused_without_asking(uri):
    """Names that Cloud Storage does not allow are refused without a request."""
    with pytest.raises(errors.UsageError, match=r"^a place in a bucket must be [^\n]*$"):
        fetch(uri)


@pytest.mark.parametrize(
    "content",
    [
        *(None, b"", b"{}", b"[]", b"1", b"{", b"\xff", b'{"type": "service_account"}', b'{"type": "authorized_user"}'),
        *(b'{"type": "external_account"}', b'{"type": "x"}', b'{"type": []}'),
    ],
)
def test_a_key_file_that_cannot_be_used_is_one_line(bucket, tmp_path, monkeypatch, content):
    """Credentials that the user names are used or refused; no anonymous request is made instead."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    with pytest.raises(
        errors.UnavailableError, match=r"^cannot read gs://bucket/x: the credentials cannot be used [^\n]*$"
    ):
        fetch("gs://bucket/x")


def test_a_part_of_an_object_is_downloaded_once(bucket, front, tmp_path):
    """Only the bytes that are asked for are downloaded, and not again if they are there."""
    content = bytes(range(256)) * 5000
    bucket.blob("ids/x.uint8").upload_from_string(content)
    path = tmp_path / "parts" / "x"
    for _ in range(2):
        fetch_part(f"gs://{bucket.name}/ids/x.uint8", path, 1000, 700_001)
    assert path.read_bytes() == content[1000:700_001]
    assert sum(path.startswith(DOWNLOAD) for path in front.paths) == 1


def test_a_part_that_the_object_does_not_have_is_refused(bucket, tmp_path):
    """An object that is shorter than expected, or missing, leaves no file."""
    bucket.blob("x").upload_from_string(b"abc")
    with pytest.raises(errors.InputOutputError, match="arrived damaged: 2 bytes instead of 9"):
        fetch_part(f"gs://{bucket.name}/x", tmp_path / "x", 1, 10)
    with pytest.raises(errors.MissingError):
        fetch_part(f"gs://{bucket.name}/y", tmp_path / "y", 1, 10)
    assert not list(tmp_path.glob("[xy]*"))
