import pytest

from textgen.config.cloud_names import endpoint_url
from textgen.config.vertex import VertexConfig
from textgen.errors import UsageError


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("europe-west4-aiplatform.googleapis.com", "https://europe-west4-aiplatform.googleapis.com"),
        ("https://aiplatform-mine.p.googleapis.com/", "https://aiplatform-mine.p.googleapis.com"),
        ("aiplatform.googleapis.com:443", "https://aiplatform.googleapis.com:443"),
    ],
)
def test_a_host_of_googles_is_accepted(address, url):
    """A host of Google's is accepted with or without https://, and with port 443."""
    assert endpoint_url(address, trusted=False) == url


@pytest.mark.parametrize(
    "address",
    [
        "evilgoogleapis.com",
        "googleapis.com",
        "googleapis.com.evil.example",
        "aiplatform.googleapis.com.evil.example",
        "aiplatform.googleapis.co",
        "aiplatform.googleapis.com:8443",
        "xn--googleapis-abc.com",
        "127.0.0.1",
        "http://127.0.0.1:8080",
        "localhost",
        "[::1]:8080",
    ],
)
def test_another_host_must_be_trusted(address):
    """Any host outside googleapis.com, including this machine, needs --trust_endpoint, however similar its name."""
    with pytest.raises(UsageError, match="add --trust_endpoint if your credentials may go there"):
        endpoint_url(address, trusted=False)
    assert endpoint_url(address, trusted=True).endswith(address.removeprefix("http://"))


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://aiplatform.googleapis.com", "must use https"),
        ("http://evil.example", "must use https"),
        ("http://127.0.0.1.evil.example", "must use https"),
        ("http://localhost.evil.example", "must use https"),
        *(
            (address, "must be a host in lower case")
            for address in (
                "https://aiplatform.googleapis.com@evil.example",
                "https://user:word@aiplatform.googleapis.com",
                "aiplatform.googleapis.com:443@evil.example",
                "evil.example/aiplatform.googleapis.com",
                "evil.example/.googleapis.com",
                "https://evil.example#.googleapis.com",
                "https://evil.example?.googleapis.com",
                "evil.example\\.googleapis.com",
                "https://evil.example\\@aiplatform.googleapis.com",
                "aiplatform.googleapis.com.",
                "aiplatform..googleapis.com",
                ".googleapis.com",
                "aiplatform.googleapis.com/v1",
                "aiplatform.googleapis.com:port",
                "AIPLATFORM.googleapis.com",
                "\u0430iplatform.googleapis.com",
                "evil。googleapis.com",
                "evil.example%2f.googleapis.com",
                "evil.example .googleapis.com",
                "evil.example\t.googleapis.com",
                "aiplatform.googleapis.com\n",
                "//aiplatform.googleapis.com",
                "ftp://aiplatform.googleapis.com",
                "file:///etc/passwd",
                "[2001:db8::1]",
                "-",
            )
        ),
    ],
)
def test_what_could_be_read_as_another_host_is_refused(address, message, trusted):
    """An ambiguous address, with a user, a path, a trailing dot or foreign letters, is refused even with --trust_endpoint."""
    with pytest.raises(UsageError) as caught:
        endpoint_url(address, trusted=trusted)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_settings_are_valid_only_with_such_a_host():
    """The settings of Vertex AI cannot be made with a host that is neither Google's nor trusted."""
    assert VertexConfig(region="europe-west4").endpoint == "https://europe-west4-aiplatform.googleapis.com"
    with pytest.raises(UsageError, match="--trust_endpoint"):
        VertexConfig(api_endpoint="evil.example")
    assert VertexConfig(api_endpoint="http://[::1]:80", trust_endpoint=True).endpoint == "http://[::1]:80"
