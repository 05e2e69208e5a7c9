"""Encryption for one browser: the example of RFC 8291, and that nobody else reads it."""

import base64

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from campaigns.channels import sealing
from tests.browsers import SERVER_KEY, Browser, base64url


def plain(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_example_of_the_standard_is_met_byte_by_byte() -> None:
    key = ec.derive_private_key(int.from_bytes(plain(SERVER_KEY)), ec.SECP256R1())
    sealed = sealing.seal(
        b"When I grow up, I want to be a watermelon",
        p256dh=plain(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=plain("BTBZMqHH6r4Tts7J_aSIgg"),
        key=key,
        salt=plain("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert base64url(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
        "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.parametrize("length", [0, 1, 1_000, sealing.MOST_BYTES])
def test_browser_reads_what_was_sealed_for_it(length: int) -> None:
    browser = Browser()
    sealed = sealing.seal(b"x" * length, p256dh=browser.public, auth=browser.auth)
    assert browser.opened(sealed) == b"x" * length
    assert len(sealed) == length + 103


def test_longest_text_is_what_services_have_to_take() -> None:
    assert sealing.MOST_BYTES == 3_993


def test_another_browser_reads_nothing() -> None:
    browser = Browser()
    sealed = sealing.seal(b"Hello", p256dh=browser.public, auth=browser.auth)
    with pytest.raises(InvalidTag):
        Browser().opened(sealed)


def test_same_text_is_never_sealed_alike_twice() -> None:
    browser = Browser()
    twice = {sealing.seal(b"x", p256dh=browser.public, auth=browser.auth)[:86] for _ in range(2)}
    assert len(twice) == 2
