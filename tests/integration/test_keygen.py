"""`oncegate keygen`: what it writes is what control and nodes read."""

from pathlib import Path

import pytest

from audit.notes import parse_vkey
from contracts.edge import keys
from contracts.edge.output import execute
from gateway.cli import app


@pytest.mark.parametrize(("kind", "alg"), [("node", "ES256"), ("app", "ES384"), ("app", "EdDSA")])
def test_signing_keys_come_in_pairs(kind: str, alg: str, tmp_path: Path) -> None:
    path = tmp_path / "new.pem"
    assert execute(app, ["keygen", kind, str(path), "--alg", alg]) == 0
    private, public = keys.load_signing_key(path, alg), keys.load_public_key(tmp_path / "new.pub.pem", alg)
    assert private.kid == public.kid


@pytest.mark.parametrize("kind", ["zone", "auditor"])
def test_wrapping_keys_come_in_pairs(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new.pem"
    assert execute(app, ["keygen", kind, str(path)]) == 0
    private, public = keys.load_hpke_private(path), keys.load_hpke_public(tmp_path / "new.pub.pem")
    assert private.public_key() == public


def test_a_store_key_is_a_secret_of_its_own(tmp_path: Path) -> None:
    assert execute(app, ["keygen", "store", str(tmp_path / "store.key")]) == 0
    assert len(keys.load_secret(tmp_path / "store.key")) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["store.key"]


def test_an_audit_log_key_has_the_verifier_key_of_its_origin(tmp_path: Path) -> None:
    assert execute(app, ["keygen", "audit-log", str(tmp_path / "log.pem"), "--origin", "city.example/slot-1"]) == 0
    vkey = parse_vkey((tmp_path / "log.vkey").read_text("ascii").strip())
    private = keys.load_signing_key(tmp_path / "log.pem", "EdDSA")
    assert vkey.name == "city.example/slot-1"
    assert vkey.raw == private.key.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    "arguments",
    [
        ["moon", "x.pem"],
        ["audit-log", "x.pem"],
        ["audit-log", "x.pem", "--origin", "a b"],
        ["node", "x.pem", "--alg", "RS256"],
    ],
)
def test_mistakes_make_no_key(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute(app, ["keygen", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
