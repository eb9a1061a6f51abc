"""Tokens over real TLS on loopback: both bindings, stolen tokens, revoked, expired and foreign certificates."""

import asyncio
import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import uvloop

from contracts.algorithms import SigningKey
from contracts.edge.clock import now_ms
from contracts.errors import UserError
from gateway.client import client_assertion, dpop_proof, tls_context
from gateway.web.tls import ServerTls
from tests.integration.token_server import CALL, Gateway, Identity, make_app, make_identity, running

KEY, OTHER_KEY = SigningKey.generate("ES256"), SigningKey.generate("EdDSA")
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return make_identity(tmp_path_factory.mktemp("server"), "server")


@pytest.fixture(scope="module", params=LOOPS)
def gateway(request: pytest.FixtureRequest, server: Identity) -> Iterator[Gateway]:
    with running(server, LOOPS[request.param]) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    directory = tmp_path_factory.mktemp("clients")
    ca = make_identity(directory, "ca")
    return {
        "window": make_identity(directory, "window"),
        "kiosk": make_identity(directory, "kiosk"),
        "issued": make_identity(directory, "issued", ca),
        "sibling": make_identity(directory, "sibling", ca),
        "expired": make_identity(directory, "expired", days=(-10, -1)),
    }


@pytest.fixture(autouse=True)
def registered(gateway: Gateway, identities: dict[str, Identity]) -> None:
    window = make_app("window", (KEY,), (identities["window"], identities["issued"], identities["expired"]))
    gateway.register(window, make_app("kiosk", (OTHER_KEY,), (identities["kiosk"],)))


def token_form(key: SigningKey, name: str, audience: str) -> bytes:
    fields = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": client_assertion(key, name, audience, now_ms() // 1000),
    }
    return urlencode(fields).encode()


@pytest.mark.parametrize(("name", "key"), [("window", KEY), ("kiosk", OTHER_KEY)])
def test_dpop_end_to_end(gateway: Gateway, name: str, key: SigningKey) -> None:
    client = gateway.client(name, key)
    status, _, answer = client.post(CALL, {})
    assert (status, answer) == (200, {"app": name, "key_id": key.kid, "binding": "dpop"})
    assert client.get(CALL)[0] == 200
    client.close()


@pytest.mark.parametrize("identity", ["window", "issued"])
def test_mtls_end_to_end(gateway: Gateway, identities: dict[str, Identity], identity: str) -> None:
    client = gateway.client("window", KEY, identities[identity], "mtls")
    digest = _fingerprint(identities[identity])
    status, _, answer = client.post(CALL, {})
    assert (status, answer) == (200, {"app": "window", "key_id": f"sha-256:{digest.hex()}", "binding": "mtls"})
    client.close()


def test_an_app_with_certificates_only_proves_itself_by_tls(gateway: Gateway, identities: dict[str, Identity]) -> None:
    gateway.register(make_app("kiosk", (), (identities["kiosk"],)))
    client = gateway.client("kiosk", None, identities["kiosk"], "mtls")
    assert client.post(CALL, {})[2]["app"] == "kiosk"
    client.close()


def test_an_app_with_a_key_must_use_it(gateway: Gateway, identities: dict[str, Identity]) -> None:
    client = gateway.client("kiosk", None, identities["kiosk"], "mtls")
    status, _, answer = client.request_token()
    assert (status, answer["error"], answer["code"]) == (401, "invalid_client", "unauthenticated")
    client.close()


def test_one_certificate_for_two_apps_is_nobodys(gateway: Gateway, identities: dict[str, Identity]) -> None:
    shared = identities["kiosk"]
    gateway.register(make_app("kiosk", (OTHER_KEY,), (shared,)), make_app("window", (KEY,), (shared,)))
    assert _handshake_refused(gateway, "window", shared)


def test_a_stolen_dpop_token_is_worth_nothing(gateway: Gateway) -> None:
    thief, victim = gateway.client("kiosk", OTHER_KEY), gateway.client("window", KEY)
    stolen = victim.token()
    shown = dpop_proof(OTHER_KEY, "POST", gateway.base_url + CALL, now_ms() // 1000, stolen)
    tries: list[dict[str, str]] = [
        {"Authorization": f"DPoP {stolen}", "DPoP": shown},
        {"Authorization": f"DPoP {stolen}"},
        {"Authorization": f"Bearer {stolen}"},
    ]
    before = gateway.outcomes.copy()
    answers = [thief.send("POST", CALL, b"{}", headers) for headers in tries]
    assert [(status, answer) for status, _, answer in answers] == [(401, {"code": "unauthenticated"})] * 3
    assert answers[0][1]["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    found = gateway.outcomes - before
    assert found == {"dpop_key_mismatch": 1, "dpop_missing": 1, "token_binding_mismatch": 1}
    thief.close()
    victim.close()


@pytest.mark.parametrize(
    ("shown", "code"),
    [("kiosk", "certificate_mismatch"), ("issued", "certificate_mismatch"), (None, "certificate_missing")],
)
def test_a_stolen_certificate_bound_token_is_worth_nothing(
    gateway: Gateway, identities: dict[str, Identity], shown: str | None, code: str
) -> None:
    victim = gateway.client("window", KEY, identities["window"], "mtls")
    stolen = victim.token()
    thief = gateway.client("kiosk", OTHER_KEY, identities[shown] if shown else None)
    before = gateway.outcomes[code]
    status, headers, answer = thief.send("POST", CALL, b"{}", {"Authorization": f"Bearer {stolen}"})
    assert (status, answer, gateway.outcomes[code]) == (401, {"code": "unauthenticated"}, before + 1)
    assert headers["www-authenticate"] == 'Bearer error="invalid_token"'
    thief.close()
    victim.close()


def test_no_token_for_another_apps_certificate(gateway: Gateway, identities: dict[str, Identity]) -> None:
    client = gateway.client("window", KEY, identities["kiosk"], "mtls")
    status, _, answer = client.request_token()
    assert (status, answer["error"], answer["code"]) == (401, "invalid_client", "certificate_mismatch")
    client.close()


def test_no_token_without_a_binding(gateway: Gateway) -> None:
    client = gateway.client("window", KEY, None, "mtls")
    status, headers, answer = client.request_token()
    assert (status, answer["error"], answer["code"]) == (400, "invalid_request", "binding_missing")
    assert headers["cache-control"] == "no-store"
    client.close()


@pytest.mark.parametrize("identity", ["sibling", "expired"])
def test_certificates_that_nobody_may_use_fail_the_handshake(
    gateway: Gateway, identities: dict[str, Identity], identity: str
) -> None:
    """One of the same CA that is not registered, and one that is registered but expired."""
    assert _handshake_refused(gateway, "window", identities[identity])


def test_a_revoked_certificate_is_out_at_once(gateway: Gateway, identities: dict[str, Identity]) -> None:
    connected = gateway.client("window", KEY, identities["window"], "mtls")
    assert connected.post(CALL, {})[0] == 200
    gateway.register(make_app("window", (KEY,), (identities["issued"],)))
    assert connected.post(CALL, {})[0] == 401  # the same connection, the same token
    connected.close()
    assert _handshake_refused(gateway, "window", identities["window"])
    replaced = gateway.client("window", KEY, identities["issued"], "mtls")
    assert replaced.post(CALL, {})[0] == 200
    replaced.close()


def test_a_certificate_added_later_is_in_at_once(gateway: Gateway, identities: dict[str, Identity]) -> None:
    assert _handshake_refused(gateway, "window", identities["sibling"])
    gateway.register(make_app("window", (KEY,), (identities["sibling"],)))
    client = gateway.client("window", KEY, identities["sibling"], "mtls")
    assert client.post(CALL, {})[0] == 200
    client.close()


def test_a_certificate_that_cannot_be_read_stops_only_itself(gateway: Gateway, identities: dict[str, Identity]) -> None:
    broken = replace(make_app("kiosk", (OTHER_KEY,)), certificates=("not a certificate",))
    gateway.register(make_app("window", (KEY,), (identities["window"],)), broken)
    for client in (gateway.client("window", KEY, identities["window"], "mtls"), gateway.client("kiosk", OTHER_KEY)):
        assert client.post(CALL, {})[0] == 200
        client.close()


def test_a_proof_seen_on_the_wire_does_not_pass_again(gateway: Gateway) -> None:
    client = gateway.client("window", KEY)
    headers = client.authorization("POST", CALL)
    assert [client.send("POST", CALL, b"{}", headers)[0] for _ in range(2)] == [200, 401]
    client.close()


def test_the_host_header_does_not_matter(gateway: Gateway) -> None:
    client = gateway.client("window", KEY)
    token = client.token()
    shown = dpop_proof(KEY, "POST", f"https://evil.example{CALL}", now_ms() // 1000, token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": shown, "Host": "evil.example"}
    assert client.send("POST", CALL, b"{}", headers)[0] == 401
    client.close()


@pytest.mark.parametrize("size", [16 * 1024 + 1, 300_000])
def test_a_large_form_is_refused(gateway: Gateway, size: int) -> None:
    client = gateway.client("window", KEY)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = client.send("POST", "/oauth/token", b"x=" + b"a" * size, headers)
    assert (status, answer["error"], answer["code"]) == (400, "invalid_request", "form_invalid")
    client.close()


def test_an_assertion_is_for_one_token(gateway: Gateway) -> None:
    client = gateway.client("window", KEY)
    body = token_form(KEY, "window", gateway.base_url)
    answers = [client.send("POST", "/oauth/token", body, _form_headers(gateway)) for _ in range(2)]
    assert [status for status, _, _ in answers] == [200, 401]
    assert answers[0][2]["token_type"] == "DPoP"
    assert answers[1][2]["code"] == "assertion_replayed"
    assert "www-authenticate" in answers[1][1]
    client.close()


def test_the_metadata_leads_to_the_endpoint(gateway: Gateway) -> None:
    client = gateway.client("window", KEY)
    status, _, found = client.send("GET", "/.well-known/oauth-authorization-server", None, {})
    assert (status, found["issuer"], found["token_endpoint"]) == (
        200,
        gateway.base_url,
        f"{gateway.base_url}/oauth/token",
    )
    client.close()


def test_old_tls_is_refused(gateway: Gateway, server: Identity) -> None:
    context = tls_context(server.certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESCCM:DHE+AESGCM:ECDHE+SHA384:AES256-SHA")
    assert _connects(gateway, context) is None
    context.set_ciphers("ECDHE+AESGCM")
    assert _connects(gateway, context) == "TLSv1.2"
    assert _connects(gateway, tls_context(server.certificate)) == "TLSv1.3"


def test_server_files_that_do_not_fit_are_a_users_mistake(tmp_path: Path, server: Identity) -> None:
    other = make_identity(tmp_path, "other")
    with pytest.raises(UserError):
        ServerTls(server.certificate, other.private_key)
    with pytest.raises(UserError):
        ServerTls(tmp_path / "absent.crt", other.private_key)


def _form_headers(gateway: Gateway) -> dict[str, str]:
    shown = dpop_proof(KEY, "POST", f"{gateway.base_url}/oauth/token", now_ms() // 1000)
    return {"Content-Type": "application/x-www-form-urlencoded", "DPoP": shown}


def _fingerprint(identity: Identity) -> bytes:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(identity.pem)).digest()


def _handshake_refused(gateway: Gateway, name: str, identity: Identity) -> bool:
    client = gateway.client(name, KEY, identity, "mtls")
    try:
        client.request_token()
    except (ssl.SSLError, http.client.RemoteDisconnected, ConnectionError):
        return True
    finally:
        client.close()
    return False


def _connects(gateway: Gateway, context: ssl.SSLContext) -> str | None:
    parts = urlsplit(gateway.base_url)
    try:
        with (
            socket.create_connection((parts.hostname, parts.port), 10) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
        ):
            return wrapped.version()
    except (ssl.SSLError, ConnectionError):
        return None
