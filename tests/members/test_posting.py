"""Posting to addresses that strangers name: what is asked, what is refused, what is waited for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from members import posting
from members.posting import Answer
from tests import shops
from tests.shops import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with shops.opened() as shop:
        yield shop


def post(url: str) -> Answer:
    return posting.post(url=url, headers={"x-told": "yes"}, body=b'{"a": 1}')


@contextmanager
def raw(answer: bytes, *, drips: bool = False) -> Iterator[str]:
    """The address of a server that says just this to everybody, at once or a byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        is_over = threading.Event()

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(4096)
                for n in range(len(answer)) if drips else ():
                    if is_over.wait(0.05):
                        return
                    caller.sendall(answer[n : n + 1])
                caller.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        is_over.set()


def test_post_arrives_as_it_was_given(shop: Shop) -> None:
    assert post(shop.url) == Answer(204, "No Content")
    (heard,) = shop.heard
    assert (heard.path, heard.body, heard.headers["x-told"]) == (
        "/cairn?shop=1",
        b'{"a": 1}',
        "yes",
    )
    assert heard.headers["host"] == shop.url.split("/")[2]


@pytest.mark.parametrize(
    ("status", "is_yes"), [(200, True), (299, True), (302, False), (500, False)]
)
def test_status_decides(shop: Shop, status: int, is_yes: bool) -> None:
    shop.answers = [status]
    answer = post(shop.url)
    assert (answer.status, answer.is_yes) == (status, is_yes)


def test_redirect_is_not_followed(shop: Shop) -> None:
    with shops.opened() as other:
        shop.answers = [(307, {"Location": other.url})]
        assert (post(shop.url).status, other.heard) == (307, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0.0.0.0"])
def test_address_inside_our_walls_is_not_called(host: str, shop: Shop, settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_ADDRESSES = False
    answer = post(shop.url.replace("127.0.0.1", host))
    assert (answer.status, shop.heard) == (None, [])
    assert answer.text == "The address is not a public one."


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fec0::1", "::a00:1",
        "2002:7f00:1::",
    ],
)  # fmt: skip
def test_address_is_not_public(address: str) -> None:
    assert not posting.is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "::ffff:8.8.8.8"])
def test_address_is_public(address: str) -> None:
    assert posting.is_public(address)


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", "http://127.0.0.1:1/", "http://xn--/", "https://a..b/"]
)
def test_host_that_is_not_there_is_an_answer_too(url: str) -> None:
    answer = post(url)
    assert (answer.status, answer.text != "") == (None, True)


def test_https_is_spoken_with_whom_the_certificate_names(tmp_path: Path, monkeypatch: Any) -> None:
    certificate = shops.certificate(tmp_path, of="localhost")
    with shops.opened(certificate=certificate) as shop:
        assert post(shop.url).status is None  # Signed by nobody we know
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        posting._trust.cache_clear()
        assert post(shop.url).status is None  # Now we do, and the name is another
        assert post(shop.url.replace("127.0.0.1", "localhost")) == Answer(204, "No Content")
    posting._trust.cache_clear()
    assert len(shop.heard) == 1


def test_https_is_not_spoken_with_who_only_speaks_http(shop: Shop) -> None:
    assert post(shop.url.replace("http:", "https:")).status is None
    assert shop.heard == []


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 two\r\n\r\n"])
def test_answer_that_is_no_http_is_none(said: bytes) -> None:
    with raw(said) as url:
        assert post(url).status is None


def test_answer_is_kept_short_and_plain() -> None:
    with raw(b"HTTP/1.1 500 No\r\n\r\nbad\x00\x1b[31m\xff" + b"x" * 9_999) as url:
        answer = post(url)
    assert answer.status == 500
    assert (answer.text[:10], len(answer.text)) == ("bad  [31m�", 200)


def test_dripping_answer_is_cut_off(monkeypatch: Any) -> None:
    monkeypatch.setattr(posting, "MOST_SECONDS", 0.3)
    with raw(b"HTTP/1.1 200 OK\r\n" + b"x-more: yes\r\n" * 90, drips=True) as url:
        assert post(url).status is None
