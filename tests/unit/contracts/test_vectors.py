"""The golden vectors: the generator writes them byte for byte, and each one opens to what it promises."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from contracts.algorithms import VerifyKey
from contracts.envelope import FeedKey, Keyring, close
from contracts.feeds import open_statement
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.messages import Evidence, open_message
from tests.vectors.generate import FOLDER, HEADER_FILE, files
from tests.vectors.world import ALGS, fixed_key, registry_of, stream_of

REGISTRY = registry_of()


def _vectors(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name.lower()}.json").read_text(encoding="utf-8"))
    return found


CASES = [(alg, name, case) for alg in ALGS for name, case in _vectors(alg)["cases"].items()]


def test_the_generator_writes_what_is_committed() -> None:
    assert HEADER_FILE.exists()
    made = dict(files())
    assert {path.name for path in made} == {path.name for path in FOLDER.iterdir()}
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, path.name


@pytest.mark.parametrize("alg", ALGS)
def test_the_public_key_is_the_worlds(alg: str) -> None:
    assert VerifyKey.from_jwk(alg, _vectors(alg)["public_jwk"]) == fixed_key(alg).public


@pytest.mark.parametrize(("alg", "name", "case"), CASES, ids=[f"{alg} {name}" for alg, name, _ in CASES])
def test_messages_open(alg: str, name: str, case: dict[str, Any]) -> None:
    opened = open_message(case["message"].encode(), REGISTRY)
    assert isinstance(opened, Evidence), name
    assert (opened.claims.stream, opened.claims.operation, opened.whole) == (
        stream_of(alg),
        case["operation"],
        case["whole"],
    )
    if case["document"] is not None:
        assert opened.document() == case["document"]


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("name", ["short", "full"])
def test_statements_open(alg: str, name: str) -> None:
    vector = _vectors(alg)["statements"][name]
    statement, _ = open_statement(vector["statement"].encode(), stream_of(alg), REGISTRY)
    assert (statement.position.seq, statement.count) == (vector["seq"], vector["count"])
    assert (list(statement.buckets) if statement.buckets else None) == vector["buckets"]


def test_the_envelope_opens_and_closes() -> None:
    vector = _vectors("envelope")
    zone = UnwrapKey(DEFAULT_KEM, X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["zone_private_key"])))
    jwe, message = vector["jwe"].encode(), vector["message"].encode()
    assert Keyring([zone]).open(jwe, stream_of("ES256")) == message
    feed = FeedKey(bytes.fromhex(vector["feed_key"]), jwe.split(b".")[0])
    assert close(message, feed, bytes.fromhex(vector["iv"])) == jwe
