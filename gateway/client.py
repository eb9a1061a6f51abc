"""A small client of the gateway for the demo, the benchmark, the tests and as an example: standard library and keys.

`TokenClient` proves itself by `private_key_jwt` (or, without a key, by its certificate alone), gets a token, and
asks. Bound by DPoP when it has a key and no certificate, else by its certificate (mTLS). Not for threads.
"""

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from contracts import jws
from contracts.algorithms import SigningKey, sha256
from contracts.encoding import b64url_encode, canonical

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ENDPOINT = "/oauth/token"

Answer = tuple[int, Mapping[str, str], Any]  # status, headers (names in lower case), parsed JSON


def client_assertion(key: SigningKey, client_id: str, audience: str, now: int, lifetime: int = 60) -> str:
    """A `private_key_jwt` (RFC 7523) for `audience`, the issuer; `now` in Unix seconds, `lifetime` at most 300."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_urlsafe(16),
    }
    return jws.sign("client-authentication+jwt", canonical(claims), key).decode()


def dpop_proof(key: SigningKey, method: str, url: str, now: int, token: str = "") -> str:
    """A DPoP proof (RFC 9449) for one request to `url` (no query), with `token` unless it asks for one."""
    claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": now}
    if token:
        claims["ath"] = b64url_encode(sha256(token.encode())).decode()
    header = {"typ": "dpop+jwt", "alg": key.suite.alg, "jwk": dict(key.public.jwk)}
    signing_input = b64url_encode(canonical(header)) + b"." + b64url_encode(canonical(claims))
    return (signing_input + b"." + b64url_encode(key.sign(signing_input))).decode()


def tls_context(ca_file: Path, certificate: Path | None = None, private_key: Path | None = None) -> ssl.SSLContext:
    """TLS towards a server whose certificate `ca_file` (PEM) verifies, showing a client certificate if given."""
    context = ssl.create_default_context(cafile=str(ca_file))
    if certificate is not None:
        context.load_cert_chain(certificate, private_key)
    return context


@dataclass(slots=True)
class TokenClient:
    """One app at one gateway. `binding` is "dpop" or "mtls"; `clock` gives Unix seconds."""

    base_url: str
    client_id: str
    tls: ssl.SSLContext
    key: SigningKey | None = None
    binding: str = "dpop"
    clock: Callable[[], int] = lambda: int(time.time())
    timeout_s: float = 30.0
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)
    _token: str = field(default="", repr=False)
    _expires: int = 0

    def token(self) -> str:
        """An access token that lives at least ten seconds more; raises `PermissionError` when it is refused."""
        if self.clock() >= self._expires - 10:
            status, _, answer = self.request_token()
            if status != http.client.OK:
                raise PermissionError(f"{status} {answer}")
            self._token, self._expires = answer["access_token"], self.clock() + answer["expires_in"]
        return self._token

    def request_token(self) -> Answer:
        """One token request, whatever comes of it."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self.key is not None:
            form["client_assertion_type"] = ASSERTION_TYPE
            form["client_assertion"] = client_assertion(self.key, self.client_id, self.base_url, self.clock())
        if self.binding == "dpop":
            headers["DPoP"] = self._proof("POST", ENDPOINT)
        return self.send("POST", ENDPOINT, urlencode(form).encode(), headers)

    def authorization(self, method: str, path: str) -> dict[str, str]:
        """The header fields that authenticate one request."""
        token = self.token()
        if self.binding == "mtls":
            return {"Authorization": f"Bearer {token}"}
        return {"Authorization": f"DPoP {token}", "DPoP": self._proof(method, path, token)}

    def post(self, path: str, value: Any) -> Answer:
        """POST `value` as JSON to `path`."""
        headers = {"Content-Type": "application/json", **self.authorization("POST", path)}
        return self.send("POST", path, json.dumps(value, ensure_ascii=False).encode(), headers)

    def get(self, path: str) -> Answer:
        """GET `path`."""
        return self.send("GET", path, None, self.authorization("GET", path))

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One request over the kept connection; opened anew when the server has closed it meanwhile."""
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            return self._exchange(method, path, body, headers)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _proof(self, method: str, path: str, token: str = "") -> str:
        if self.key is None:
            raise ValueError("DPoP needs the app's key")
        return dpop_proof(self.key, method, self.base_url + path.partition("?")[0], self.clock(), token)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self._connection is None:
            host = urlsplit(self.base_url).netloc
            self._connection = http.client.HTTPSConnection(host, context=self.tls, timeout=self.timeout_s)
        self._connection.request(method, path, body, dict(headers))
        response = self._connection.getresponse()
        data = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return response.status, fields, json.loads(data) if "json" in fields.get("content-type", "") else data
