"""The signed form of the registry: one manifest and content-addressed parts.

1. A part is canonical JSON, an array of values of one kind, at most 512 KB; its name is its digest.
2. The manifest is a JWS (`typ` `oncegate-registry`) under the root key, over: version, previous (digest of the
   manifest before), issued_at, fresh_until, valid_until (Unix ms), and the list of parts in order.
3. A node verifies the signature with its pinned root, then version and times, then each part's digest over the
   exact bytes, then reads them. A lower version than the highest seen is refused, and so is the same version
   with other bytes. After `valid_until` nothing is accepted.
4. Last, what a node relies on with every message: keys that are valid and stand once, states and spans it can read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from contracts import jws
from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, canonical, parse_object, parse_strict
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from contracts.plain import from_plain, to_plain
from contracts.registry.model import KEY_STATES, Adapter, App, Auditor, AuditSlot, Node, Organisation, Zone
from contracts.registry.snapshot import Contents, Snapshot
from contracts.service_items import ServiceItem

TYP = "oncegate-registry"
MAX_PART = 512 * 1024
MAX_MANIFEST = 1024 * 1024
MAX_PARTS = 4096

# kind → class; what a part of this kind is an array of. The names are the members of `Contents`.
_PLAIN_KINDS: Mapping[str, type[Any]] = {
    "zones": Zone,
    "organisations": Organisation,
    "adapters": Adapter,
    "apps": App,
    "nodes": Node,
    "auditors": Auditor,
    "audit_slots": AuditSlot,
}
_OWN_KINDS: Mapping[str, type[EvidenceType] | type[ServiceItem]] = {
    "evidence_types": EvidenceType,
    "service_items": ServiceItem,
}
KINDS = (*_PLAIN_KINDS, *_OWN_KINDS)


@dataclass(frozen=True, slots=True)
class PartRef:
    """A line of the manifest."""

    kind: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The signed statement. Times in Unix ms."""

    version: int
    previous: str | None
    issued_at: int
    fresh_until: int
    valid_until: int
    parts: tuple[PartRef, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The highest manifest that a node has accepted; kept on disk, so that an older one is refused for ever."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Signed:
    """What control hands out: manifest bytes, their digest, and the parts by digest."""

    manifest: bytes
    digest: str
    parts: Mapping[str, bytes]


def build(
    contents: Contents, root: SigningKey, version: int, previous: str | None, times: tuple[int, int, int]
) -> Signed:
    """Sign `contents`. `times` are issued_at, fresh_until, valid_until (Unix ms)."""
    parts: dict[str, bytes] = {}
    refs: list[PartRef] = []
    for kind in KINDS:
        for data in _split([_to_json(item) for item in getattr(contents, kind)], kind):
            digest = root.suite.digest_text(data)
            parts[digest] = data
            refs.append(PartRef(kind, digest, len(data)))
    manifest = jws.sign(TYP, canonical(to_plain(Manifest(version, previous, *times, tuple(refs)))), root)
    return Signed(manifest, root.suite.digest_text(manifest), parts)


def read(data: bytes, root: VerifyKey) -> Manifest:
    """The verified manifest; raises `Fault`. Says nothing yet about versions and times."""
    if len(data) > MAX_MANIFEST:
        raise Fault("message_too_large")
    compact = jws.parse(data, TYP)
    if compact.kid != root.kid:
        raise Fault("registry_root_unknown")
    manifest = from_plain(Manifest, parse_object(compact.verified_payload(root)))
    if len(manifest.parts) > MAX_PARTS:
        raise Fault("part_invalid", "/parts", "too many parts")
    return manifest


def accept(
    data: bytes, parts: Mapping[str, bytes], root: VerifyKey, seen: Seen | None, now: int
) -> tuple[Snapshot, Seen]:
    """The snapshot that a node works with from now on; raises `Fault`. `now` in Unix ms."""
    manifest = read(data, root)
    here = Seen(manifest.version, root.suite.digest_text(data))
    if seen is not None and here.version < seen.version:
        raise Fault("registry_rollback")
    if seen is not None and here.version == seen.version and here != seen:
        raise Fault("registry_altered")
    if now >= manifest.valid_until:
        raise Fault("registry_expired")
    contents = Contents(**{kind: tuple(_read_kind(manifest, kind, parts, root)) for kind in KINDS})
    snapshot = Snapshot(manifest.version, manifest.fresh_until, manifest.valid_until, contents)
    _check_keys(snapshot)
    return snapshot, here


def _check_keys(snapshot: Snapshot) -> None:
    """Rule 4. The indexes are built here, so that a bad key refuses the registry and not each message after it."""
    for kids in combinations((snapshot.signers.keys(), snapshot.app_keys.keys(), snapshot.node_keys.keys()), 2):
        if not kids[0].isdisjoint(kids[1]):
            raise Fault("part_invalid", "", "one key in two roles")
    for signer in snapshot.signers.values():
        ends = [end for span in signer.entry.spans.values() for end in (span.first, span.last) if end is not None]
        if signer.entry.status not in KEY_STATES or any(len(end) != 2 for end in ends):
            raise Fault("part_invalid", "/adapters", "key state or span")


def _read_kind(manifest: Manifest, kind: str, parts: Mapping[str, bytes], root: VerifyKey) -> Iterable[Any]:
    for ref in manifest.parts:
        if ref.kind not in KINDS:
            raise Fault("part_invalid", "/parts", "unknown kind")
        if ref.kind == kind:
            yield from (_from_json(kind, item) for item in _part(ref, parts, root))


def _part(ref: PartRef, parts: Mapping[str, bytes], root: VerifyKey) -> list[Json]:
    data = parts.get(ref.digest)
    if data is None:
        raise Fault("part_missing")
    if len(data) != ref.size or len(data) > MAX_PART or root.suite.digest_text(data) != ref.digest:
        raise Fault("part_altered")
    value = parse_strict(data)
    if type(value) is not list:
        raise Fault("part_invalid")
    return value


def _to_json(item: Any) -> Json:
    return item.to_json() if isinstance(item, EvidenceType | ServiceItem) else to_plain(item)


def _from_json(kind: str, data: Json) -> Any:
    own = _OWN_KINDS.get(kind)
    return own.from_json(data) if own else from_plain(_PLAIN_KINDS[kind], data)


def _split(items: list[Json], kind: str) -> Iterable[bytes]:
    """Arrays of at most MAX_PART bytes each, in order."""
    chunk: list[bytes] = []
    size = 2
    for data in map(canonical, items):
        if len(data) + 2 > MAX_PART:
            raise Fault("part_too_large", f"/{kind}")
        if size + len(data) + 1 > MAX_PART:
            yield b"[" + b",".join(chunk) + b"]"
            chunk, size = [], 2
        chunk.append(data)
        size += len(data) + 1
    if chunk:
        yield b"[" + b",".join(chunk) + b"]"


__all__ = ["Manifest", "PartRef", "Seen", "Signed", "accept", "build", "read"]
