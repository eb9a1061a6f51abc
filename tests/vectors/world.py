"""A small city in which every byte is fixed: keys, salts, one evidence type, one adapter for each signature suite.

Golden vectors, hostile messages and interoperability tests are made of it. The private keys are public knowledge.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from contracts.algorithms import SigningKey
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.messages import PUT, Change, seal
from contracts.registry import Adapter, AdapterKey, Snapshot
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream

EPOCH = 1_780_000_000_000
ISSUED_AT = 1_780_000_100
SOURCE_TIME = 1_779_999_000
RECORD = "r-7f3a"

_CURVES: Mapping[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
ALGS = ("ES256", "EdDSA", "ES384")


def fixed_bytes(label: str, size: int = 32) -> bytes:
    """Bytes that follow from their label."""
    return hashlib.shake_256(label.encode()).digest(size)


def fixed_key(alg: str, label: str = "") -> SigningKey:
    """The signing key of that label."""
    seed = fixed_bytes(f"key {alg} {label}")
    private: Any = (
        ec.derive_private_key(int.from_bytes(seed, "big") >> 8, _CURVES[alg])
        if alg in _CURVES
        else ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    )
    return SigningKey.of(alg, private)


def fixed_zone_key() -> UnwrapKey:
    """The private key of the zone."""
    return UnwrapKey(DEFAULT_KEM, x25519.X25519PrivateKey.from_private_bytes(fixed_bytes("zone key")))


def fixed_salts(label: str = "salt") -> Iterator[bytes]:
    """Salts by counter. Only here: real ones are random."""
    return (fixed_bytes(f"{label} {number}", 16) for number in count())


def _field(zh: str, en: str) -> dict[str, Json]:
    return {"label": {"zh-CN": zh, "en": en}, "sensitivity": "personal"}


_SCHEMA: dict[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "number": {"type": "string", "minLength": 1, "maxLength": 32},
        "premises": {"type": "string", "minLength": 1, "maxLength": 200},
        "seats": {"type": "integer", "minimum": 0, "maximum": 10000},
        "conditions": {
            "type": "array",
            "maxItems": 8,
            "items": {
                "type": "object",
                "properties": {"code": {"type": "string", "maxLength": 8}, "text": {"type": "string", "maxLength": 80}},
                "required": ["code"],
                "additionalProperties": False,
            },
        },
        "remarks": {"type": "string", "maxLength": 200},
        "suspended": {"type": "boolean"},
    },
    "required": ["number", "premises", "suspended"],
    "additionalProperties": False,
}


def _type(name: str) -> EvidenceType:
    table: dict[str, Json] = {
        "id": name,
        "version": 1,
        "names": {"zh-CN": "测试许可证", "en": "Test permit"},
        "department": {"zh-CN": "测试部门", "en": "Test department"},
        "in_force": "2026-01-01",
        "sharing": "unconditional",
        "secrecy": "none",
        "holder_schemes": ["cn.ric", "cn.uscc"],
        "key_fields": ["number"],
        "always": ["suspended"],
        "fields": {
            "number": _field("编号", "Number"),
            "premises": _field("场所", "Premises"),
            "seats": _field("座位数", "Seats"),
            "conditions": _field("条件", "Conditions"),
            "remarks": _field("备注", "Remarks"),
            "suspended": _field("是否暂停", "Suspended"),
        },
    }
    return EvidenceType.from_author(table, _SCHEMA)


PERMIT = _type("test.permit")
OTHER_TYPE = _type("test.other")

WHOLE: dict[str, Json] = {
    "status": "valid",
    "validity": {"from": "2026-01-01", "until": "2031-12-31"},
    "suspended": False,
    "number": "沪-2026-000017",
    "premises": "上海市黄浦区中山东一路 1 号 “外滩” 𠮷",
    "seats": 48,
    "conditions": [{"code": "C1", "text": "禁止明火"}, {"code": "C2"}],
    "remarks": "",
    "holders": [{"scheme": "cn.uscc", "id": "91310000MA1K35X12X"}],
}
SPARSE: dict[str, Json] = {name: WHOLE[name] for name in WHOLE if name not in ("seats", "conditions", "remarks")}
CO_OWNED: dict[str, Json] = {
    **SPARSE,
    "holders": [
        {"scheme": "cn.ric", "id": "11010519491231002X"},
        {"scheme": "cn.ric", "id": "440524188001010014"},
        {"scheme": "cn.uscc", "id": "91310000MA1K35X12X"},
    ],
}


def adapter_id(alg: str) -> str:
    """The adapter that signs with `alg`."""
    return f"permits-{alg.lower()}"


def stream_of(alg: str) -> Stream:
    """Its stream of permits."""
    return Stream("city-permits", adapter_id(alg), PERMIT.id)


def adapter_of(alg: str, *more: AdapterKey) -> Adapter:
    """The adapter as registered: its fixed key, and `more`."""
    key = AdapterKey(alg, fixed_key(alg).public.jwk)
    return Adapter(adapter_id(alg), "city-permits", "gov", (PERMIT.id,), (key, *more))


def registry_of(*adapters: Adapter) -> Snapshot:
    """A registry with both types and these adapters; without any, one for each suite."""
    listed = adapters or tuple(map(adapter_of, ALGS))
    return Snapshot(1, 2**50, 2**51, Contents(adapters=listed, evidence_types=(PERMIT, OTHER_TYPE)))


def change_of(
    alg: str, document: Mapping[str, Json] | None = WHOLE, seq: int = 1, operation: str = PUT, record: str = RECORD
) -> Change:
    """A change in the stream of `alg`."""
    return Change(stream_of(alg), record, operation, Position(EPOCH, seq), SOURCE_TIME, document)


def sealed(alg: str, document: Mapping[str, Json] | None = WHOLE, seq: int = 1, operation: str = PUT) -> bytes:
    """The message of that change, the same bytes each time."""
    change = change_of(alg, document, seq, operation)
    return seal(change, PERMIT, fixed_key(alg), fixed_salts(f"{alg} {seq}"), ISSUED_AT)
