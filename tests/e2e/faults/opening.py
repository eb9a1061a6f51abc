"""Envelopes, evidence messages and feed statements opened from the RFCs, with `cryptography` and PyJWT alone.

Envelope: compact JWE (RFC 7516), `dir`, A256GCM; the feed key in its header (`fk`) is wrapped by HPKE (RFC 9180).
Message: SD-JWT (RFC 9901): the JWS is verified by PyJWT, every disclosure is found among the digests and used once.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
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


class Signatory:
    """Verifies what one department signed. What verified once is remembered."""

    def __init__(self, key: Any, alg: str) -> None:
        self._key, self._alg = key, alg
        self._known: dict[str, Opened] = {}

    def statement(self, token: str) -> Mapping[str, Any]:
        """The claims of a feed statement; raises `Invalid`."""
        return self._verified(token, "feed+jwt")

    def open(self, text: str) -> Opened:
        """Verify an SD-JWT and read it; raises `Invalid`."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._open(text)
        return found

    def _verified(self, token: str, typ: str) -> Mapping[str, Any]:
        try:
            parts = jwt.decode_complete(token, self._key, [self._alg], options={"verify_iat": False})
        except jwt.PyJWTError as error:
            raise Invalid(str(error)) from error
        if parts["header"].get("typ") != typ:
            raise Invalid(f"typ {parts['header'].get('typ')}")
        claims: Mapping[str, Any] = parts["payload"]
        return claims

    def _open(self, text: str) -> Opened:
        token, *disclosures, last = text.split("~")
        claims = self._verified(token, "dc+sd-jwt")
        if last:
            raise Invalid("text after the last ~")
        name = str(claims["_sd_alg"])
        fields, holders = _disclosed(claims.get("doc", {}), disclosures, name)
        everything = "".join(f"{one}~" for one in disclosures)
        whole = claims["sd_all"] == f"{name}:{_hash(name, everything).hex()}"
        identity = f"{name}:{_hash(name, token.rpartition('.')[0]).hex()}"
        return Opened(claims, fields, holders, identity, whole)


def _disclosed(
    doc: Mapping[str, Any], disclosures: Iterable[str], name: str
) -> tuple[Mapping[str, Any], tuple[Any, ...]]:
    """Fields and holders; each digest is used once (RFC 9901 §7.1)."""
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
    return fields, tuple(holders)


def _hash(name: str, text: str) -> bytes:
    return hashlib.new(name.replace("-", ""), text.encode()).digest()
