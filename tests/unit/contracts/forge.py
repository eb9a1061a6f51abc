"""Messages that nobody should send: a valid one in pieces, to be bent and signed again."""

from collections.abc import Mapping
from typing import Any

from contracts.algorithms import SigningKey
from contracts.encoding import Json, b64url_decode, b64url_encode, canonical
from contracts.messages import read_verified
from tests.vectors.world import fixed_bytes, fixed_key, sealed

SALT = b64url_encode(fixed_bytes("forged salt", 16)).decode()


class Draft:
    """A put of the world's whole document, under the ES256 key. Every method bends it and returns it."""

    def __init__(self, alg: str = "ES256") -> None:
        message = sealed(alg)
        payload, disclosures = read_verified(message)
        self.key: SigningKey = fixed_key(alg)
        self.header: dict[str, Json] = {"alg": alg, "kid": self.key.kid, "typ": "dc+sd-jwt"}
        self.payload: dict[str, Any] = payload
        self.texts = [item.text for item in disclosures]
        self.raw_header: bytes | None = None
        self.raw_payload: bytes | None = None

    @property
    def doc(self) -> dict[str, Any]:
        found: dict[str, Any] = self.payload["doc"]
        return found

    def head(self, **members: Json) -> "Draft":
        self.header |= members
        return self

    def beheaded(self, name: str) -> "Draft":
        del self.header[name]
        return self

    def head_text(self, text: bytes) -> "Draft":
        self.raw_header = text
        return self

    def claim(self, **members: Json) -> "Draft":
        self.payload |= members
        return self

    def without(self, name: str) -> "Draft":
        del self.payload[name]
        return self

    def body(self, text: bytes) -> "Draft":
        """The base64url text of the payload."""
        self.raw_payload = text
        return self

    def json(self, text: bytes) -> "Draft":
        """The JSON text of the payload."""
        return self.body(b64url_encode(text))

    def show(self, **members: Json) -> "Draft":
        """Members of `doc` in the open."""
        self.doc.update(members)
        return self

    def bare(self, operation: str) -> "Draft":
        """A withdrawal or erasure: no document."""
        del self.payload["doc"]
        self.payload["op"] = operation
        self.texts = []
        return self

    def signed_by(self, key: SigningKey, kid: str | None = None) -> "Draft":
        self.key = key
        return self.head(alg=key.suite.alg, kid=kid or key.kid)

    def hide(self, content: bytes) -> "Draft":
        """A further disclosure of this JSON text, listed in `doc._sd`."""
        return self.hide_text(b64url_encode(content))

    def hide_text(self, text: bytes) -> "Draft":
        self.texts.append(text)
        self.doc["_sd"] = sorted([*self.doc["_sd"], self.digest(text)])
        return self

    def hide_holder(self, content: bytes) -> "Draft":
        text = b64url_encode(content)
        self.texts.append(text)
        self.doc["holders"].append({"...": self.digest(text)})
        return self

    def field(self, name: Json, value: Json, salt: Json = SALT) -> "Draft":
        return self.hide(canonical([salt, name, value]))

    def instead(self, name: str, value: Json) -> "Draft":
        """The field of the document under another value, listed."""
        return self.drop(name).field(name, value)

    def drop(self, name: str) -> "Draft":
        """Without this field and its digest."""
        text = next(text for text in self.texts if f',"{name}",'.encode() in b64url_decode(text))
        self.texts.remove(text)
        self.doc["_sd"].remove(self.digest(text))
        return self

    def digest(self, text: bytes) -> str:
        return b64url_encode(self.key.suite.digest(text)).decode()

    def signing_input(self) -> bytes:
        header = self.raw_header if self.raw_header is not None else b64url_encode(canonical(self.header))
        body = self.raw_payload if self.raw_payload is not None else b64url_encode(canonical(self.payload))
        return header + b"." + body

    def tail(self) -> bytes:
        return b"".join(b"~" + text for text in self.texts) + b"~"

    def message(self, signature: bytes | None = None) -> bytes:
        """The bytes; `signature` raw, else the key's own."""
        mark = self.key.sign(self.signing_input()) if signature is None else signature
        return self.signing_input() + b"." + b64url_encode(mark) + self.tail()


def deep(levels: int) -> bytes:
    """JSON arrays inside each other."""
    return b"[" * levels + b"]" * levels


def text_of(members: Mapping[str, Json]) -> str:
    """Canonical JSON as text, to be cut and pasted."""
    return canonical(dict(members)).decode()
