"""`demo.json`: all that a stranger's own client or verifier needs, paths and public keys included."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from contracts.edge.files import write_atomic
from contracts.edge.keys import load_public_key
from contracts.encoding import Json, canonical
from gateway.client import ENDPOINT
from gateway.demo.layout import ADAPTERS, APPS, ORIGIN, SLOT, WITH_CERTIFICATE, Layout
from gateway.demo.morning import GRANTED, NOT_FOUND, REFUSED, Visit


def write(layout: Layout, visits: Iterable[Visit]) -> None:
    """Write `demo.json`; one example request for each of granted, refused and not found."""
    content: dict[str, Json] = {
        "base_url": layout.base_url,
        "token_endpoint": layout.base_url + ENDPOINT,
        "server_certificate": str(layout.certificate("tls")),
        "apps": {app: _app(layout, app) for app in APPS},
        "departments": {adapter: _public(layout, f"adapter-{adapter}", alg) for adapter, alg in ADAPTERS.items()},
        "registry": {"directory": str(layout.registry), **_public(layout, "registry-root", "EdDSA")},
        "audit_logs": [
            {
                "slot": SLOT,
                "origin": ORIGIN,
                "directory": str(layout.audit_dir),
                "vkey": layout.vkey.read_text("ascii").strip(),
                "vkey_file": str(layout.vkey),
                "auditor_key": str(layout.private("auditor")),
            }
        ],
        "node_config": str(layout.node_config),
        "message_log": dict(layout.message_log.as_json()),
        "examples": _examples(visits),
    }
    write_atomic(layout.root / "demo.json", canonical(content), 0o600)


def _app(layout: Layout, app: str) -> dict[str, Json]:
    name = f"app-{app}"
    with_certificate = app == WITH_CERTIFICATE
    return {
        "client_id": app,
        "alg": "ES256",
        "private_key": str(layout.private(name)),
        "public_key": str(layout.public(name)),
        "certificate": str(layout.certificate(name)) if with_certificate else None,
        "bindings": ["dpop", "mtls"] if with_certificate else ["dpop"],
    }


def _public(layout: Layout, name: str, alg: str) -> dict[str, Json]:
    path: Path = layout.public(name)
    key = load_public_key(path, alg)
    return {"alg": alg, "kid": key.kid, "jwk": dict(key.jwk), "public_key": str(path)}


def _examples(visits: Iterable[Visit]) -> Mapping[str, Json]:
    found: dict[str, Json] = {}
    for one in visits:
        if one.expected in (GRANTED, REFUSED, NOT_FOUND) and one.expected not in found:
            found[one.expected] = {"app": one.app, "method": "POST", "path": one.path, "body": dict(one.body)}
    return found
