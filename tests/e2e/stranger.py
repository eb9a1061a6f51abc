"""A client that knows nothing of oncegate's code: `demo.json`, the standard library, PyJWT, and the documents.

What it computes (DPoP, assertions, `released`, `commit`, leaf hashes) is written from docs/api.md and the RFCs, so that
it can be an oracle for ours.
"""

import base64
import hashlib
import http.client
import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import jwt


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Stranger:
    """One app, with what `demo.json` says of it."""

    handover: Mapping[str, Any]
    app: str
    binding: str
    connection: http.client.HTTPSConnection = field(init=False)
    token: str = ""

    def __post_init__(self) -> None:
        facts = self.handover["apps"][self.app]
        context = ssl.create_default_context(cafile=self.handover["server_certificate"])
        if self.binding == "mtls":
            context.load_cert_chain(facts["certificate"], facts["private_key"])
        self.private_key = Path(facts["private_key"]).read_text("ascii")
        host = urlsplit(self.handover["base_url"]).netloc
        self.connection = http.client.HTTPSConnection(host, context=context, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """An authenticated call; status and parsed JSON."""
        if not self.token:
            self.token = self._new_token()
        headers = {"Authorization": f"{'Bearer' if self.binding == 'mtls' else 'DPoP'} {self.token}"}
        if self.binding == "dpop":
            url = self.handover["base_url"] + path
            headers["DPoP"] = self._proof(method, url, b64(hashlib.sha256(self.token.encode()).digest()))
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, {**headers, "Content-Type": "application/json"})

    def receipt(self, receipt: Mapping[str, Any]) -> Any:
        """The record and proof behind a receipt."""
        status, form = self.ask("GET", f"/v1/receipts/{quote(receipt['log'], safe='')}/{receipt['index']}")
        assert status == 200, form
        return form

    def _new_token(self) -> str:
        now, base = int(time.time()), self.handover["base_url"]
        claims = {"iss": self.app, "sub": self.app, "aud": base, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
        kid = self._thumbprint()
        assertion = jwt.encode(claims, self.private_key, "ES256", {"kid": kid, "typ": "client-authentication+jwt"})
        form = {
            "grant_type": "client_credentials",
            "client_id": self.app,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.binding == "dpop":
            headers["DPoP"] = self._proof("POST", self.handover["token_endpoint"], None)
        path = urlsplit(self.handover["token_endpoint"]).path
        status, answer = self._send("POST", path, urlencode(form).encode(), headers)
        assert status == 200, answer
        token: str = answer["access_token"]
        return token

    def _proof(self, method: str, url: str, token_hash: str | None) -> str:
        claims: dict[str, Any] = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
        if token_hash:
            claims["ath"] = token_hash
        return jwt.encode(claims, self.private_key, "ES256", {"typ": "dpop+jwt", "jwk": self._jwk()})

    def _jwk(self) -> dict[str, str]:
        key = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
        public = key.prepare_key(Path(self.handover["apps"][self.app]["public_key"]).read_bytes())
        jwk: dict[str, str] = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
        return {name: jwk[name] for name in ("kty", "crv", "x", "y")}

    def _thumbprint(self) -> str:
        canonical = json.dumps(self._jwk(), sort_keys=True, separators=(",", ":")).encode()
        return b64(hashlib.sha256(canonical).digest())

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, Any]:
        self.connection.request(method, path, body, dict(headers))
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())


def released_digest(salt: bytes, strings: list[str]) -> str:
    """docs/api.md: SHA-256(salt ‖ 0x01 ‖ each string after its length in 4 bytes, big-endian)."""
    digest = hashlib.sha256(salt + b"\x01")
    for text in strings:
        digest.update(len(text.encode()).to_bytes(4, "big") + text.encode())
    return "sha-256:" + digest.hexdigest()


def commit_digest(salt: bytes, opening: Mapping[str, Any]) -> str:
    """docs/api.md: SHA-256(salt ‖ 0x00 ‖ canonical opening without salt)."""
    canonical = json.dumps(opening, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return "sha-256:" + hashlib.sha256(salt + b"\x00" + canonical).hexdigest()


def leaf_digest(leaf: bytes) -> str:
    """RFC 6962 §2.1."""
    return "sha-256:" + hashlib.sha256(b"\x00" + leaf).hexdigest()


def leaves(directory: Path) -> list[bytes]:
    """Every entry under the published head, read from the bundles by the tlog-tiles rules."""
    size = int((directory / "checkpoint").read_text("utf-8").split("\n")[1])
    found: list[bytes] = []
    for number in range(-(-size // 256)):
        width = min(256, size - 256 * number)
        name = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
        whole = directory / "tile" / "entries" / name
        data = (whole if width == 256 else directory / "tile" / "entries" / f"{name}.p" / str(width)).read_bytes()
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            found.append(data[at + 2 : at + 2 + length])
            at += 2 + length
    return found
