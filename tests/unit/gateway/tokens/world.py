"""A small city: two apps with keys, one node, and builders for everything that a client could send."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from contracts.algorithms import SigningKey, sha256
from contracts.encoding import b64url_encode, canonical
from contracts.registry import App, AppKey, Node, Snapshot
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.tokens import Authenticator, LocalReplay, Request, Settings
from gateway.tokens.access_tokens import Subject, issue
from gateway.tokens.grant import ASSERTION_TYPE, Issuer

NOW = 1_800_000_000_000
SECOND = NOW // 1000
BASE = "https://gateway.example:8443"
SETTINGS = Settings(BASE, "gov")
URL = f"{BASE}/v1/lookups"
FORM = "application/x-www-form-urlencoded"

NODE = SigningKey.generate("ES256")
FOREIGN_NODE = SigningKey.generate("ES256")
KEY = SigningKey.generate("ES256")
SECOND_KEY = SigningKey.generate("EdDSA")
RETIRED_KEY = SigningKey.generate("ES384")
OTHER_KEY = SigningKey.generate("ES256")
STRANGER = SigningKey.generate("ES256")


def app(name: str, *keys: AppKey, certificates: tuple[str, ...] = ()) -> App:
    return App(name, Text(name, name), "org", "unit", (), keys, certificates)


def app_key(key: SigningKey, status: str = "active") -> AppKey:
    return AppKey(key.suite.alg, key.public.jwk, status)


WINDOW = app("window", app_key(KEY), app_key(SECOND_KEY), app_key(RETIRED_KEY, "retired"))
KIOSK = app("kiosk", app_key(OTHER_KEY))
NODES = (Node("n1", "gov", "ES256", NODE.public.jwk), Node("n2", "police", "ES256", FOREIGN_NODE.public.jwk))


def registry(*apps: App, nodes: tuple[Node, ...] = NODES, version: int = 1, valid_ms: int = 10**9) -> Snapshot:
    return Snapshot(version, NOW + valid_ms, NOW + valid_ms, Contents(apps=apps, nodes=nodes))


REGISTRY = registry(WINDOW, KIOSK)


def forge(header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, key: SigningKey) -> str:
    """A JWS of exactly this header and these claims, whatever they are."""
    parts = [part if isinstance(part, bytes) else canonical(dict(part)) for part in (header, claims)]
    signing_input = b".".join(b64url_encode(part) for part in parts)
    return (signing_input + b"." + b64url_encode(key.sign(signing_input))).decode()


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; a value of None takes the member away."""
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def assertion(key: SigningKey = KEY, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    base = {"iss": "window", "sub": "window", "aud": BASE, "iat": SECOND, "exp": SECOND + 60, "jti": "a-1"}
    head = {"alg": key.suite.alg, "kid": key.kid, "typ": "client-authentication+jwt"}
    return forge(changed(head, header or {}), changed(base, claims), key)


def token(key: SigningKey = NODE, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    base = {
        "iss": BASE,
        "sub": "window",
        "client_id": "window",
        "aud": BASE,
        "iat": SECOND,
        "exp": SECOND + 300,
        "jti": "t-1",
        "cnf": {"jkt": KEY.kid},
    }
    head = {"alg": key.suite.alg, "kid": key.kid, "typ": "at+jwt"}
    return forge(changed(head, header or {}), changed(base, claims), key)


def ath(access_token: str) -> str:
    return b64url_encode(sha256(access_token.encode())).decode()


def proof(access_token: str = "", key: SigningKey = KEY, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    url = URL if access_token else SETTINGS.token_endpoint
    base = {"jti": "p-1", "htm": "POST", "htu": url, "iat": SECOND, "ath": ath(access_token) if access_token else None}
    head = {"alg": key.suite.alg, "typ": "dpop+jwt", "jwk": dict(key.public.jwk)}
    return forge(changed(head, header or {}), changed(base, claims), key)


TOKEN = issue(Subject("window", "dpop", KEY.kid, KEY.kid), SETTINGS, NODE, "t-1", NOW)


def ask(
    access_token: str = TOKEN, dpop: str | None = None, scheme: str = "DPoP", certificate: bytes | None = None
) -> Request:
    """A lookup with a token, and its proof unless another one is given."""
    shown = proof(access_token) if dpop is None else dpop
    return Request("POST", URL, (f"{scheme} {access_token}",), (shown,) if shown else (), certificate, "192.0.2.1")


def form(**fields: str | None) -> bytes:
    base = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    return urlencode(changed(base, fields)).encode()


def knock(dpop: str | None = None, certificate: bytes | None = None) -> Request:
    """A token request, with a proof unless another one is given."""
    shown = proof() if dpop is None else dpop
    return Request("POST", SETTINGS.token_endpoint, (), (shown,) if shown else (), certificate, "192.0.2.1")


def authenticator() -> Authenticator:
    return Authenticator(SETTINGS, LocalReplay(NOW - 3_600_000))


def issuer() -> Issuer:
    memory = LocalReplay(NOW - 3_600_000)
    return Issuer(SETTINGS, NODE, memory, Authenticator(SETTINGS, memory), lambda: "id-1")
