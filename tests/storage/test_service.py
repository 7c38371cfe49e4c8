import pytest

from textgen import errors
from textgen.storage.service import DisabledError, translated

pytestmark = pytest.mark.cloud


def failures():
    """Returns failures of Google's libraries and the network, each with the error and the message for the user."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth
    from google.protobuf.json_format import ParseError

    disabled = {"reason": "SERVICE_DISABLED", "metadata": {"service": "x.googleapis.com", "consumer": "projects/7"}}
    unreachable = r"Google cannot be reached \(%s\); check the network and try again"
    return [
        (api.NotFound("x"), errors.MissingError, "it does not exist, or was replaced meanwhile; check its name"),
        (api.Unauthorized("x"), errors.UnavailableError, "there are no valid credentials for it; log in with"),
        (auth.InvalidOperation("x"), errors.UnavailableError, "there are no valid credentials for it; log in with"),
        (api.Forbidden("GET https://x/y: Not\nyou."), errors.AccessError, "Not you; ask for the role Reader$"),
        (api.Forbidden("x", error_info={"reason": "USER_PROJECT_DENIED"}), errors.AccessError, "Service Usage"),
        (api.Forbidden("x", error_info=disabled), DisabledError, "enable x.googleapis.com --project 7`"),
        (api.Forbidden("no quota project is set"), DisabledError, "set-quota-project PROJECT`"),
        (api.RetryError("x", auth.TransportError(OSError("y"))), errors.UnavailableError, unreachable % "OSError"),
        (
            api.RetryError("x", api.ServiceUnavailable("GET https://x/y: busy")),
            errors.UnavailableError,
            unreachable % "busy",
        ),
        (auth.TransportError(OSError("x")), errors.UnavailableError, unreachable % "OSError"),
        (auth.RefreshError("expired"), errors.UnavailableError, r"credentials cannot be used \(expired\); log in"),
        (api.BadRequest("GET https://x/y: odd"), errors.UnavailableError, "Google refuses it: odd$"),
        (TypeError("x"), errors.UnavailableError, r"the answer does not have Google's format \(x\)"),
        (ParseError("x"), errors.UnavailableError, r"the answer does not have Google's format \(x\)"),
        (requests.ConnectionError("x"), errors.UnavailableError, unreachable % "ConnectionError"),
    ]


@pytest.mark.parametrize("number", range(15))
def test_every_failure_of_a_request_is_one_line(number):
    """The same failure has the same message for each of Google's services, and the message says what to do."""
    failure, kind, message = failures()[number]
    with pytest.raises(kind, match=rf"^cannot read it: [^\n]*{message}"), translated("cannot read it", "Reader"):
        raise failure


def test_a_failure_of_the_disk_is_none_of_the_service():
    """An error with a number comes from this machine."""
    with pytest.raises(OSError, match="full"), translated("cannot read it", "Reader"):
        raise OSError(28, "full")
