"""How a webhook is signed: Standard Webhooks 1.0.0 (standardwebhooks.com), to the letter. Pure.

1. Signed is `{webhook-id}.{webhook-timestamp}.{body}`; the timestamp (Unix s) is that of the attempt, the id stays
   the same however often one message is tried. The id has no full stop.
2. `v1a`: Ed25519; only the sender can sign, so this is what we recommend. The receiver holds `whpk_` and the base64 of
   the public key. `v1`: HMAC-SHA256 under a shared secret of 24 to 64 bytes, written `whsec_` and its base64.
3. With several keys there are several signatures, a space between them: old and new while keys change.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from contracts.algorithms import SigningKey, VerifyKey
from contracts.errors import Fault

PUBLIC_PREFIX: Final = "whpk_"
SHARED_PREFIX: Final = "whsec_"
MIN_SECRET, MAX_SECRET = 24, 64

Signature = Callable[[bytes], str]  # signed content → one entry of the header


def ed25519(key: SigningKey) -> Signature:
    """`v1a`; raises `Fault` `alg_mismatch` for another algorithm."""
    if key.suite.alg != "EdDSA":
        raise Fault("alg_mismatch")
    return lambda content: "v1a," + b64encode(key.sign(content)).decode()


def hmac_sha256(secret: bytes) -> Signature:
    """`v1`."""
    return lambda content: "v1," + b64encode(hmac.digest(secret, content, sha256)).decode()


def public_text(key: VerifyKey) -> str:
    """The public key as a receiver's library takes it."""
    return PUBLIC_PREFIX + b64encode(key.key.public_bytes_raw()).decode()


def read_secret(text: str) -> bytes:
    """The secret in its written form; raises `Fault` `key_invalid`."""
    try:
        secret = b64decode(text.removeprefix(SHARED_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.startswith(SHARED_PREFIX) or not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise Fault("key_invalid")
    return secret


def message_id(body: bytes) -> str:
    """The id of a message: equal bodies have equal ids, without anything that must be remembered (rule 1)."""
    return "msg_" + sha256(body).hexdigest()[:40]


def headers(identifier: str, timestamp: int, body: bytes, signatures: Sequence[Signature]) -> Mapping[str, str]:
    """The three header fields of one attempt (rules 1 and 3); ValueError for an id with a full stop."""
    if "." in identifier or not signatures:
        raise ValueError("an id without full stop, and a signature")
    content = b"%b.%d.%b" % (identifier.encode(), timestamp, body)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(content) for sign in signatures),
    }
