"""Keyed tokens: an index finds a clerk, a case, a holder without holding any of them. Pure.

1. A token is the first 16 bytes of HMAC-SHA-256 under a key of its kind. Keys come from the auditor's X25519 private
   key by HKDF-SHA-256 (RFC 5869); the salt is the index's own, so that tokens of two indexes cannot be joined.
2. Clerk and case need the auditor's key. Holder needs two keys: the auditor's and a second auditor's. The input of
   HKDF is then one share from each, in this order, so neither alone can ask the index for a person.
3. A check value of each kind tells a wrong key from "nothing found".
4. What this does not do: whoever holds the key that the openings are sealed to can unseal them one by one without any
   index. Two keys protect the index and its searches, not the openings.
5. Holders are compared in the normal form of their scheme (`contracts.identifiers`), clerks and cases without outer
   white space.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.encoding import Json
from contracts.identifiers import normalise

SIZE = 16
SALT_SIZE = 32

_CHECK = b"\x00check"  # no name begins with NUL


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The keys of one index. `holder` is None without the second auditor."""

    clerk: bytes = field(repr=False)
    case: bytes = field(repr=False)
    holder: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the index holds of one opening; None: the opening does not say."""

    clerk: bytes | None = None
    case: bytes | None = None
    holder: bytes | None = None


def token_keys(salt: bytes, auditor: X25519PrivateKey, second: X25519PrivateKey | None = None) -> TokenKeys:
    """The keys of the index with this salt (rules 1 and 2); raises ValueError when both keys are the same one."""
    one = auditor.private_bytes_raw()
    if second is None:
        return TokenKeys(_derive(one, salt, b"clerk"), _derive(one, salt, b"case"))
    other = second.private_bytes_raw()
    if other == one:
        raise ValueError("two auditors have two keys")
    shares = _derive(one, salt, b"holder share") + _derive(other, salt, b"holder share")
    return TokenKeys(_derive(one, salt, b"clerk"), _derive(one, salt, b"case"), _derive(shares, salt, b"holder"))


def checks(keys: TokenKeys) -> dict[str, str]:
    """Kind → check value in hex (rule 3), of the kinds that these keys can make."""
    kinds = {"clerk": keys.clerk, "case": keys.case, "holder": keys.holder}
    return {kind: _token(key, _CHECK).hex() for kind, key in kinds.items() if key is not None}


def clerk_token(keys: TokenKeys, clerk: str) -> bytes:
    """The token of a clerk's id."""
    return _token(keys.clerk, clerk.strip().encode())


def case_token(keys: TokenKeys, case: str) -> bytes:
    """The token of a case number."""
    return _token(keys.case, case.strip().encode())


def holder_token(keys: TokenKeys, scheme: str, identifier: str) -> bytes | None:
    """The token of a holder; None without the second auditor's key."""
    if keys.holder is None:
        return None
    return _token(keys.holder, scheme.encode() + b"\n" + normalise(scheme, identifier).encode())


def tokens_of(keys: TokenKeys, opening: Mapping[str, Json]) -> Tokens:
    """The tokens of an opening's members (`record.opening_text`)."""
    clerk, case, holder = opening.get("clerk"), opening.get("case"), _holder(opening.get("holder"))
    return Tokens(
        clerk_token(keys, clerk) if type(clerk) is str else None,
        case_token(keys, case) if type(case) is str else None,
        holder_token(keys, *holder) if holder is not None else None,
    )


def key_id(auditor: X25519PrivateKey) -> str:
    """How an auditor is named in the log of searches: SHA-256 of the public key, 16 hex digits."""
    return sha256(auditor.public_key().public_bytes_raw()).hexdigest()[:16]


def _holder(value: Json) -> tuple[str, str] | None:
    """Scheme and id; of a question by key field, the field's name and value."""
    if type(value) is dict:
        for names in (("scheme", "id"), ("field", "value")):
            scheme, identifier = (value.get(name) for name in names)
            if type(scheme) is str and type(identifier) is str:
                return scheme, identifier
    return None


def _derive(secret: bytes, salt: bytes, kind: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"oncegate audit index v1 " + kind).derive(secret)


def _token(key: bytes, value: bytes) -> bytes:
    return hmac.digest(key, value, "sha256")[:SIZE]
