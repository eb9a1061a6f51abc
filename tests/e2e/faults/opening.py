"""Envelopes, evidence messages and feed statements opened from the RFCs, with `cryptography` and PyJWT alone.

Envelope: compact JWE (RFC 7516), `dir`, A256GCM; the feed key in its header (`fk`) is wrapped by HPKE (RFC 9180).
Message: SD-JWT (RFC 9901): the JWS is verified by PyJWT, every disclosure is found among the digests and used once.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class Opened(NamedTuple):
    """A verified message: its claims, what it discloses by name, its holders, its identity."""

    claims: Mapping[str, Any]
    fields: Mapping[str, Any]
    holders: tuple[Any, ...]
    identity: str
    whole: bool


class Invalid(Exception):
    """It does not verify."""


def unb64(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))


class Envelopes:
    """Opens the envelopes of one zone. Feed keys are remembered."""

    def __init__(self, zone_key: Any) -> None:
        self._zone_key = zone_key
        self._keys: dict[bytes, AESGCM] = {}

    def open(self, value: bytes, stream: str) -> bytes:
        """The message; raises what `cryptography` raises."""
        header, _, iv, ciphertext, tag = value.split(b".")
        cipher = self._keys.get(header)
        if cipher is None:
            wrapped = unb64(json.loads(unb64(header))["fk"])
            secret = _SUITE.decrypt(wrapped, self._zone_key, info=f"oncegate feed key|{stream}".encode())
            cipher = self._keys[header] = AESGCM(secret)
        return cipher.decrypt(unb64(iv), unb64(ciphertext) + unb64(tag), header)


def verified(token: str, key: Any, alg: str, typ: str) -> dict[str, Any]:
    """The claims of a JWS; raises `Invalid`."""
    try:
        parts = jwt.decode_complete(token, key, [alg], options={"verify_signature": True, "verify_iat": False})
    except jwt.PyJWTError as error:
        raise Invalid(str(error)) from error
    if parts["header"].get("typ") != typ:
        raise Invalid(f"typ {parts['header'].get('typ')}")
    claims: dict[str, Any] = parts["payload"]
    return claims


def open_sd_jwt(text: str, key: Any, alg: str) -> Opened:
    """Verify and read; raises `Invalid`."""
    token, *disclosures, last = text.split("~")
    claims = verified(token, key, alg, "dc+sd-jwt")
    if last:
        raise Invalid("text after the last ~")
    name = str(claims["_sd_alg"])
    doc = claims.get("doc", {})
    listed = {*doc.get("_sd", ()), *(one["..."] for one in doc.get("holders", ()))}
    fields: dict[str, Any] = {}
    holders: list[Any] = []
    for disclosure in disclosures:
        digest = base64.urlsafe_b64encode(_hash(name, disclosure)).rstrip(b"=").decode()
        if digest not in listed:
            raise Invalid("a disclosure that the signed message does not list, or lists once")
        listed.remove(digest)
        _, *content = json.loads(unb64(disclosure))
        if len(content) == 2:
            fields[content[0]] = content[1]
        else:
            holders += content
    everything = "".join(f"{one}~" for one in disclosures)
    whole = claims["sd_all"] == f"{name}:{_hash(name, everything).hex()}"
    identity = f"{name}:{_hash(name, token.rpartition('.')[0]).hex()}"
    return Opened(claims, fields, tuple(holders), identity, whole)


def _hash(name: str, text: str) -> bytes:
    return hashlib.new(name.replace("-", ""), text.encode()).digest()
