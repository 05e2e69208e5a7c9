"""Posting to an address that somebody typed, and never to one inside our own walls.

The host is looked up once, all it resolves to must be public, and the connection goes to the very
address that was checked: a name that changes its mind in between leads nowhere else. No redirect
is followed and no proxy asked. An answer has so long to come, however slowly it drips.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings

CONNECT_SECONDS = 4
MOST_SECONDS = 10
MOST_ADDRESSES = 3
MOST_KEPT = 200
UNICAST = ipaddress.ip_network("2000::/3")


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of HTTP (None when no answer came) and the first words, or what went wrong."""

    status: int | None
    text: str

    @property
    def is_yes(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Forbidden(OSError):
    """This host is, or pretends to be, inside our own network."""


def post(*, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Post once. Whatever the other side does, or fails to do, is in the answer."""
    try:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if is_secure else 80)
        with closing(_connection(host, port, is_secure=is_secure)) as connection:
            connection.sock = _connected(host, port, is_secure=is_secure)
            hang_up = threading.Timer(MOST_SECONDS, _hang_up, [connection.sock])
            hang_up.start()
            try:
                path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
                connection.request("POST", path, body=body, headers=dict(headers))
                return _read(connection.getresponse())
            finally:
                hang_up.cancel()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(None, _plain(str(error) or type(error).__name__))


def is_public(address: str) -> bool:
    """Whether an IP address is of the internet: not private, loopback, link-local or multicast,
    and no such one wrapped in IPv6."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip not in UNICAST or ip.sixtofour is not None or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast


def _connection(host: str, port: int, *, is_secure: bool) -> http.client.HTTPConnection:
    if is_secure:
        return http.client.HTTPSConnection(host, port, context=_trust())
    return http.client.HTTPConnection(host, port)


def _connected(host: str, port: int, *, is_secure: bool) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(to[0]) for *_, to in found))
    if not settings.WEBHOOK_PRIVATE_ADDRESSES and not all(map(is_public, addresses)):
        raise Forbidden("The address is not a public one.")
    plain = _first(addresses[:MOST_ADDRESSES], port)
    plain.settimeout(MOST_SECONDS)
    if not is_secure:
        return plain
    try:
        return _trust().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


def _first(addresses: list[str], port: int) -> socket.socket:
    """A connection to the first of these that takes one."""
    *others, last = addresses
    for address in others:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=CONNECT_SECONDS)
    return socket.create_connection((last, port), timeout=CONNECT_SECONDS)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _hang_up(connection: socket.socket) -> None:
    """From another thread: whoever waits for a byte finds the end instead."""
    with suppress(OSError):
        # Not the method of a TLS socket: it would take the session from under its reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _read(response: http.client.HTTPResponse) -> Answer:
    text = b""
    with suppress(OSError, http.client.HTTPException):  # The status alone decides.
        text = response.read(MOST_KEPT)
    return Answer(response.status, _plain(text.decode(errors="replace") or response.reason))


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MOST_KEPT].strip()
