"""Stands in for Google's services: a proxy on this machine that answers for their real names.

What is tested, and the libraries under it, are as they are: `HTTPS_PROXY` leads them here, `REQUESTS_CA_BUNDLE` lets them
trust a certificate made for the purpose, and a service account's key file gives them credentials.
"""

import contextlib
import functools
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ACCOUNT = "tester@my-project.iam.gserviceaccount.com"
TOKEN = "a-token-of-the-tests"  # noqa: S105 - nobody's
HOSTS = ("*.googleapis.com", "*.mtls.googleapis.com", "*.pkg.dev", "gcr.io", "*.example")


@dataclass(frozen=True)
class Request:
    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Google:
    """What the services answer.

    `answers` are by method, host and path, such as `GET iam.googleapis.com/v1/…`: a status and a JSON value, or a function
    of the request that gives them. `redirects` are the addresses to which such requests are redirected, with the status
    `redirects_with`. `hosts` are functions that answer for a whole host. `requests` are the requests, except those for a
    token.
    """

    answers: dict[str, object] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    redirects_with: int = 307
    hosts: dict[str, Callable[["Request"], tuple[int, object]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request):
        if (request.host, request.path) == ("oauth2.googleapis.com", "/token"):
            return self.answers.get("token", (200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}))
        if request.host != "iamcredentials.googleapis.com":  # asked by google-auth on its own account, in a thread
            self.requests.append(request)
        if request.host in self.hosts:
            return self.hosts[request.host](request)
        given = self.answers.get(
            f"{request.method} {request.host}{request.path}", refusal(404, "there is no such thing")
        )
        return given(request) if callable(given) else given

    def asked(self, host):
        """The requests to a host."""
        return [request for request in self.requests if request.host == host]


def refusal(status, message, reason=None, **metadata):
    """A refusal in Google's format."""
    details = []
    if reason is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        details = [{"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}]
    return status, {"error": {"code": status, "message": message, "status": "REFUSED", "details": details}}


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, google, context):
        super().__init__(("127.0.0.1", 0), Handler)
        self.google = google
        self.context = context

    def handle_error(self, request, client_address):
        """Ignores clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def do_CONNECT(self):
        """Answers from here on in place of the host."""
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False  # http.client asks in the words of HTTP/1.0

    def handle(self):
        super().handle()
        with contextlib.suppress(OSError):
            self.connection.close()

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command,
            self.host,
            path,
            dict(urllib.parse.parse_qsl(query)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
        )
        status, value = self.server.google.answer(request)
        content = b"" if self.command == "HEAD" else json.dumps(value).encode()
        to = self.server.google.redirects.get(f"{request.method} {request.host}{request.path}")
        self.send_response(status if to is None else self.server.google.redirects_with)
        if to is not None:
            self.send_header("Location", to)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_HEAD = answer  # noqa: N815 - the names that http.server asks for

    def log_message(self, *arguments):
        """Writes nothing."""


@contextlib.contextmanager
def google_stand_in(place, monkeypatch):
    """While entered, Google is here, and this machine's own credentials are out of sight.

    Args:
        place: a directory for keys and certificates.
        monkeypatch: pytest's, for the environment.
    """
    authority, identity = certificates()
    (place / "authority.pem").write_bytes(authority)
    (place / "identity.pem").write_bytes(identity)
    (place / "key.json").write_text(json.dumps(key_file()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "identity.pem")
    google = Google()
    with Proxy(google, context) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "GOOGLE_CLOUD_PROJECT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(place / "authority.pem"))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(place / "key.json"))
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(place / "no-gcloud"))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        yield google
        proxy.shutdown()
        thread.join()


@functools.cache
def key_file():
    """A service account's key that opens nothing."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "1",
        "private_key": pem(key).decode(),
        "client_email": ACCOUNT,
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


@functools.cache
def certificates():
    """An authority's certificate; a certificate for `HOSTS` that it signed, with its key."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the tests' authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Google's stand-in")])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    root = (
        certificate(root_name, root_name, root_key.public_key(), root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        certificate(name, root_name, key.public_key(), root_key.public_key())
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, HOSTS))), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    return root.public_bytes(encoding), leaf.public_bytes(encoding) + pem(key)


def certificate(name, issuer, key, issuer_key):
    """The fields that both certificates have."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
