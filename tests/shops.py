"""A shop at the other end of a webhook: a real HTTP server that keeps what it is told."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Heard:
    """One POST as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As a shop would check it: written from the specification, sharing nothing with ours."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = b"%s.%s.%s" % (
            self.headers["webhook-id"].encode(),
            self.headers["webhook-timestamp"].encode(),
            self.body,
        )
        right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        signatures = self.headers["webhook-signature"].split(" ")
        return any(hmac.compare_digest(f"v1,{right}", signature) for signature in signatures)


class Shop:
    """Answers 204, or first what stands in `answers`: a status, or a status and headers."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.is_open = threading.Event()  # Cleared: takes requests and answers none of them.
        self.is_open.set()
        self.url = ""

    @property
    def ids(self) -> list[str]:
        return [heard.headers["webhook-id"] for heard in self.heard]

    @property
    def kinds(self) -> list[str]:
        return sorted(heard.said["type"] for heard in self.heard)


def certificate(folder: Path, *, of: str) -> Path:
    """A file with a key and the certificate, signed by itself, of a host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, of)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(of)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / f"{of}.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def opened(*, certificate: Path | None = None) -> Iterator[Shop]:
    """A shop on a port of its own, closed at the end; with a certificate it speaks https."""
    shop = Shop()

    class Counter(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            shop.heard.append(Heard(self.path, headers, body))
            answer = shop.answers.pop(0) if shop.answers else 204
            status, more = answer if isinstance(answer, tuple) else (answer, {})
            shop.is_open.wait(30)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """The tests look at `heard`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    shop.url = (
        f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}/cairn?shop=1"
    )
    # It looks that often whether it is over; the half second of the library is most of a test.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        shop.is_open.set()
        server.shutdown()
        server.server_close()
        thread.join()
