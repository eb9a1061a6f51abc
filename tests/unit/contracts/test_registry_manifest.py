"""The signed registry: what a node accepts, and what it refuses whatever the signature says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts import jws
from contracts.algorithms import SigningKey
from contracts.encoding import b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault
from contracts.registry import (
    AdapterKey,
    App,
    AppKey,
    Auditor,
    AuditSlot,
    Grant,
    Node,
    Organisation,
    Snapshot,
    Span,
    Unit,
    Zone,
    ZoneKey,
)
from contracts.registry.manifest import KINDS, MAX_PART, TYP, Seen, Signed, accept, build, read
from contracts.registry.snapshot import Contents
from contracts.text import Text
from tests.vectors.world import ALGS, OTHER_TYPE, PERMIT, adapter_of, fixed_key, fixed_zone_key, registry_of

ISSUED, FRESH, VALID = 1_000, 2_000, 3_000
TIMES = (ISSUED, FRESH, VALID)
ROOT = fixed_key("ES256", "root")
NAMES = Text("名称", "Name")
ZONE_KEY = fixed_zone_key().public


def _contents() -> Contents:
    app_key, node_key = fixed_key("ES256", "app").public, fixed_key("EdDSA", "node").public
    spans = {PERMIT.id: Span((1, 2), (3, 4))}
    old = AdapterKey("ES256", fixed_key("ES256", "old").public.jwk, "retired", spans)
    return Contents(
        zones=(Zone("gov", NAMES, (ZoneKey(ZONE_KEY.alg, ZONE_KEY.public),)),),
        organisations=(Organisation("city-permits", NAMES, (Unit("hall", NAMES),)),),
        adapters=(replace(adapter_of("ES256", old), lowest_epoch={PERMIT.id: 5}), adapter_of("ES384")),
        apps=(
            App(
                "counter",
                NAMES,
                "city-permits",
                "hall",
                (Grant(("item",), ("window",), VALID, 100),),
                (AppKey("ES256", app_key.jwk),),
                ("-----BEGIN CERTIFICATE-----",),
            ),
        ),
        nodes=(Node("node-1", "gov", "EdDSA", node_key.jwk),),
        auditors=(Auditor("auditor", NAMES, ZONE_KEY.alg, ZONE_KEY.public),),
        audit_slots=(AuditSlot("a", "audit.invalid/a", "audit.invalid/a+0+x", "auditor"),),
        evidence_types=(PERMIT, OTHER_TYPE),
    )


CONTENTS = _contents()


def _signed(contents: Contents = CONTENTS, root: SigningKey = ROOT, version: int = 1) -> Signed:
    return build(contents, root, version, None, TIMES)


def _accept(signed: Signed, seen: Seen | None = None, now: int = ISSUED, root: SigningKey = ROOT) -> Snapshot:
    return accept(signed.manifest, signed.parts, root.public, seen, now)[0]


@pytest.mark.parametrize("alg", ALGS)
def test_what_is_built_is_accepted(alg: str) -> None:
    root = fixed_key(alg, "root")
    signed = _signed(root=root, version=7)
    snapshot, seen = accept(signed.manifest, signed.parts, root.public, None, ISSUED)
    assert snapshot.contents == CONTENTS
    assert (snapshot.version, snapshot.fresh_until, snapshot.valid_until) == (7, FRESH, VALID)
    assert seen == Seen(7, signed.digest)


def test_parts_are_named_by_their_digest_and_bounded() -> None:
    signed = _signed()
    assert all(root_digest == ROOT.suite.digest_text(data) for root_digest, data in signed.parts.items())
    assert {part.kind for part in read(signed.manifest, ROOT.public).parts} <= set(KINDS)
    assert all(len(data) <= MAX_PART for data in signed.parts.values())


def test_a_large_kind_is_split_and_comes_back_in_order() -> None:
    many = tuple(Organisation(f"org-{n:05}", Text("机" * 60, "x" * 60)) for n in range(4000))
    signed = _signed(replace(CONTENTS, organisations=many))
    kinds = [part.kind for part in read(signed.manifest, ROOT.public).parts]
    assert kinds.count("organisations") > 1
    assert all(len(data) <= MAX_PART for data in signed.parts.values())
    assert _accept(signed).contents.organisations == many


def test_one_value_too_large_for_a_part_cannot_be_built() -> None:
    with pytest.raises(Fault, match="part_too_large"):
        _signed(replace(CONTENTS, organisations=(Organisation("o", Text("x", "x" * MAX_PART)),)))


def test_versions_only_rise() -> None:
    one, two = _signed(version=1), _signed(version=2)
    seen = Seen(2, two.digest)
    assert _accept(two, seen).version == 2
    assert _accept(_signed(version=3), seen).version == 3
    with pytest.raises(Fault, match="registry_rollback"):
        _accept(one, seen)
    with pytest.raises(Fault, match="registry_altered"):
        _accept(_signed(replace(CONTENTS, apps=()), version=2), seen)


def test_a_signature_respelt_is_another_manifest() -> None:
    """ECDSA is malleable: the same content under (r, n − s) is told apart from what was seen, and refused."""
    signed = _signed()
    head, _, mark = signed.manifest.rpartition(b".")
    raw = b64url_decode(mark)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    respelt = Signed(head + b"." + b64url_encode(twin), "", signed.parts)
    assert _accept(respelt).version == 1
    with pytest.raises(Fault, match="registry_altered"):
        _accept(respelt, Seen(1, signed.digest))


def test_past_its_validity_nothing_is_accepted() -> None:
    assert _accept(_signed(), now=VALID - 1).freshness(VALID - 1) == "degraded"
    with pytest.raises(Fault, match="registry_expired"):
        _accept(_signed(), now=VALID)


def test_another_root_is_refused() -> None:
    with pytest.raises(Fault, match="registry_root_unknown"):
        _accept(_signed(root=fixed_key("ES256", "other root")))
    with pytest.raises(Fault, match="registry_root_unknown"):
        _accept(_signed(), root=fixed_key("EdDSA", "root"))


def test_no_changed_byte_of_the_manifest_is_accepted() -> None:
    signed = _signed()
    for place in range(0, len(signed.manifest), 7):
        data = signed.manifest
        altered = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        with pytest.raises(Fault):
            read(altered, ROOT.public)


def test_altered_missing_and_foreign_parts() -> None:
    signed = _signed()
    for digest, data in signed.parts.items():
        with pytest.raises(Fault, match="part_altered"):
            _accept(replace(signed, parts={**signed.parts, digest: data[:-1] + b" "}))
        with pytest.raises(Fault, match="part_altered"):
            _accept(replace(signed, parts={**signed.parts, digest: data + b" "}))
        rest = {name: part for name, part in signed.parts.items() if name != digest}
        with pytest.raises(Fault, match="part_missing"):
            _accept(replace(signed, parts=rest))
    assert _accept(replace(signed, parts={**signed.parts, "sha-256:00": b"[]"})).contents == CONTENTS


def _resigned(change: Callable[[dict[str, Any]], object]) -> bytes:
    payload = parse_object(b64url_decode(_signed().manifest.split(b".")[1]))
    change(payload)
    return jws.sign(TYP, canonical(payload), ROOT)


BAD_MANIFESTS: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
    ("unknown kind", lambda p: p["parts"][0].update(kind="secrets")),
    ("unknown member", lambda p: p.update(note="x")),
    ("version a string", lambda p: p.update(version="1")),
    ("version true", lambda p: p.update(version=True)),
    ("no validity", lambda p: p.pop("valid_until")),
    ("too many parts", lambda p: p.update(parts=p["parts"] * 600)),
)


@pytest.mark.parametrize("change", [row[1] for row in BAD_MANIFESTS], ids=[row[0] for row in BAD_MANIFESTS])
def test_manifests_of_another_form(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(Fault, match="part_invalid"):
        accept(_resigned(change), _signed().parts, ROOT.public, None, ISSUED)


def test_a_manifest_is_no_message_and_has_a_limit() -> None:
    with pytest.raises(Fault, match="typ_wrong"):
        read(jws.sign("dc+sd-jwt", b"{}", ROOT), ROOT.public)
    with pytest.raises(Fault, match="message_too_large"):
        read(b"A" * (1024 * 1024 + 1), ROOT.public)


def _part_resigned(kind: str, data: bytes) -> Signed:
    """A registry in which the root signed these bytes as a part."""
    signed = _signed()
    digest = ROOT.suite.digest_text(data)

    def change(payload: dict[str, Any]) -> None:
        part = next(part for part in payload["parts"] if part["kind"] == kind)
        part.update(digest=digest, size=len(data))

    return Signed(_resigned(change), "", {**signed.parts, digest: data})


@pytest.mark.parametrize("data", [b"{}", b"[1]", b'[{"id":"gov"}]', b"[", b'[{"id":"a","id":"b"}]', b"null"])
def test_parts_of_another_form(data: bytes) -> None:
    with pytest.raises(Fault, match=r"part_invalid|json_invalid|json_duplicate_name"):
        _accept(_part_resigned("zones", data))


@pytest.mark.parametrize("data", [b"[1]", b"[{}]", b'[{"id":"x","version":1}]'])
def test_types_of_another_form(data: bytes) -> None:
    with pytest.raises(Fault, match="evidence_type_invalid"):
        _accept(_part_resigned("evidence_types", data))


def _with_key(**changes: Any) -> Contents:
    first = CONTENTS.adapters[0]
    return replace(CONTENTS, adapters=(replace(first, keys=(replace(first.keys[0], **changes),)),))


MISSHAPEN: tuple[tuple[str, str, Contents], ...] = (
    ("key of no curve", "key_invalid", _with_key(jwk={"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})),
    ("algorithm unknown", "alg_unknown", _with_key(alg="none")),
    ("state unknown", "part_invalid", _with_key(status="resting")),
    ("span of one number", "part_invalid", _with_key(spans={PERMIT.id: Span((5,))})),
    ("span of three numbers", "part_invalid", _with_key(spans={PERMIT.id: Span(last=(1, 2, 3))})),
    (
        "key of two adapters",
        "part_invalid",
        replace(CONTENTS, adapters=(adapter_of("ES256"), replace(adapter_of("ES256"), id="twin"))),
    ),
    (
        "key of adapter and app",
        "part_invalid",
        replace(
            CONTENTS,
            apps=(replace(CONTENTS.apps[0], keys=(AppKey("ES256", fixed_key("ES256").public.jwk),)),),
        ),
    ),
    (
        "key of adapter and node",
        "part_invalid",
        replace(CONTENTS, nodes=(Node("n", "gov", "ES384", fixed_key("ES384").public.jwk),)),
    ),
)


@pytest.mark.parametrize(("code", "contents"), [row[1:] for row in MISSHAPEN], ids=[row[0] for row in MISSHAPEN])
def test_registries_that_no_node_could_work_with(code: str, contents: Contents) -> None:
    with pytest.raises(Fault, match=code):
        _accept(_signed(contents))


def test_a_registry_without_anything_is_accepted() -> None:
    assert _accept(_signed(Contents())).contents == Contents()
    assert registry_of().contents.adapters
