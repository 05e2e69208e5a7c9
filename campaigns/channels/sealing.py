"""Encrypting a message so that one browser alone can read it: RFC 8291, in one record of RFC 8188.

Every message has a key and a salt of its own; the push service that carries it learns its length.
"""

import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from members import subscriptions

RECORD = 4_096  # What a push service has to take (RFC 8030, 7.2).
SALT_BYTES = 16
# Salt, record size, length of the key, key; the mark of the last record; the tag of AES-GCM.
MOST_BYTES = RECORD - (SALT_BYTES + 4 + 1 + subscriptions.POINT_BYTES) - 1 - 16
_LAST_RECORD = b"\x02"


def seal(
    text: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of the request: `text`, at most MOST_BYTES long, for the browser that has this
    public key and this secret. `key` and `salt` are new ones unless given."""
    key = key or ec.generate_private_key(subscriptions.CURVE)
    salt = salt or secrets.token_bytes(SALT_BYTES)
    ours = subscriptions.point_of(key.public_key())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(subscriptions.CURVE, p256dh)
    shared = key.exchange(ec.ECDH(), theirs)
    secret = _derived(shared, salt=auth, about=b"WebPush: info\x00" + p256dh + ours, size=32)
    content_key = _derived(secret, salt=salt, about=b"Content-Encoding: aes128gcm\x00", size=16)
    nonce = _derived(secret, salt=salt, about=b"Content-Encoding: nonce\x00", size=12)
    sealed = AESGCM(content_key).encrypt(nonce, text + _LAST_RECORD, None)
    return salt + RECORD.to_bytes(4) + len(ours).to_bytes(1) + ours + sealed


def _derived(material: bytes, *, salt: bytes, about: bytes, size: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=size, salt=salt, info=about).derive(material)
