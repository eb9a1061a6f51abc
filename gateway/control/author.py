"""The registry as people write it: a directory of TOML files.

1. Every `*.toml` directly in the directory is read; each may hold any of the tables below, so that a small city has
   one file and a large one a file for each organisation.
2. `[registry]` stands once: how long a version is fresh and valid, and which shipped evidence types and service items
   are in force (`catalogue = ["*"]` for all).
3. Types and items of one's own are in `evidence-types/` (`NAME.toml` beside `NAME.schema.json`) and `service-items/`.
4. A public key is a PEM file (`public_key = "keys/x.pub.pem"`), next to its `alg`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509

from audit.notes import ED25519, parse_vkey
from contracts import catalogue
from contracts.algorithms import SUITES
from contracts.edge import system_errors
from contracts.edge.authoring import files as authored_files
from contracts.edge.config import Section, read_toml
from contracts.edge.keys import load_hpke_public, load_public_key
from contracts.errors import Fault, UserError
from contracts.hpke import DEFAULT_KEM, WrapKey
from contracts.registry.model import (
    ACTIVE,
    DEFAULT_RETENTION_DAYS,
    KEY_STATES,
    MIN_RETENTION_DAYS,
    Adapter,
    AdapterKey,
    App,
    AppKey,
    Auditor,
    AuditSlot,
    Grant,
    Node,
    Organisation,
    Span,
    Unit,
    Zone,
    ZoneKey,
)
from contracts.registry.snapshot import Contents
from contracts.text import Text

T = TypeVar("T")
_UNREADABLE = Text("无法读取文件 {name}:{why}", "The file {name} cannot be read: {why}")
_OTHER_FILE = Text("请核对该文件。", "Check that file.")
_KEYGEN_ORDERS = Text(
    "请填写 oncegate-audit keygen orders 生成的 .vkey。", "Give the .vkey that oncegate-audit keygen orders made."
)
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Authored:
    """What the directory says. Durations in ms."""

    contents: Contents
    fresh_for: int
    valid_for: int


def load(directory: Path) -> Authored:
    """Read the whole directory; raises `UserError` at the first mistake."""
    files = [read_toml(path) for path in sorted(directory.glob("*.toml"))]
    if not files:
        what = Text("目录中没有 TOML 文件", "There are no TOML files in the directory")
        raise UserError(what, str(directory), Text("请核对路径。", "Check the path."))
    settings = _settings(files, directory)
    fresh_for = settings.integer("fresh_for_days", 7, low=1, high=3650) * DAY_MS
    valid_for = settings.integer("valid_for_days", 30, low=1, high=3650) * DAY_MS
    chosen = settings.texts("catalogue", ("*",))
    members = {kind: tuple(_all(files, kind, read)) for kind, read in _READERS.items()}
    for file in files:
        file.done()
    contents = Contents(
        **members,
        evidence_types=(*_chosen(catalogue.evidence_types(), chosen), *authored_files.read_types(directory)),
        service_items=(*_chosen(catalogue.service_items(), chosen), *authored_files.read_items(directory)),
    )
    return Authored(contents, fresh_for, valid_for)


def _settings(files: Iterable[Section], directory: Path) -> Section:
    found = [file.section("registry") for file in files if file.has("registry")]
    if len(found) != 1:
        what = Text("[registry] 须恰好出现一次", "[registry] must stand exactly once")
        raise UserError(what, str(directory), Text("请写在其中一个文件里。", "Put it into one of the files."))
    return found[0]


def _all(files: Iterable[Section], kind: str, read: Callable[[Section], T]) -> Iterator[T]:
    for file in files:
        yield from map(read, file.sections(kind, ()))


def _chosen(shipped: Iterable[T], patterns: tuple[str, ...]) -> Iterator[T]:
    return (item for item in shipped if any(fnmatchcase(getattr(item, "id", ""), pattern) for pattern in patterns))


# --- one function for each table -------------------------------------------------------------------------------


def _names(section: Section) -> Text:
    names = section.section("names")
    return Text(names.text("zh-CN"), names.text("en"))


def _zone(section: Section) -> Zone:
    keys = tuple(_zone_key(key) for key in section.sections("keys"))
    return Zone(section.text("id"), _names(section), keys)


def _zone_key(section: Section) -> ZoneKey:
    public = hpke_public(section.path("public_key"))
    return ZoneKey(public.alg, public.public, section.choice("status", KEY_STATES, ACTIVE))


def hpke_public(path: Path) -> WrapKey:
    """The HPKE public key in a PEM file, in the registry's form."""
    return WrapKey.of(DEFAULT_KEM, load_hpke_public(path))


def _organisation(section: Section) -> Organisation:
    units = tuple(Unit(unit.text("id"), _names(unit)) for unit in section.sections("units", ()))
    return Organisation(section.text("id"), _names(section), units)


def _signature_key(section: Section) -> tuple[str, Mapping[str, str]]:
    alg = section.choice("alg", SUITES, "ES256")
    return alg, load_public_key(section.path("public_key"), alg).jwk


def _adapter(section: Section) -> Adapter:
    return Adapter(
        section.text("id"),
        section.text("organisation"),
        section.text("zone"),
        section.texts("evidence_types"),
        tuple(_adapter_key(key) for key in section.sections("keys")),
        _epochs(section.section("lowest_epoch", None)),
    )


def _adapter_key(section: Section) -> AdapterKey:
    alg, jwk = _signature_key(section)
    spans = section.section("spans", None)
    return AdapterKey(alg, jwk, section.choice("status", KEY_STATES, ACTIVE), {} if spans is None else _spans(spans))


def _spans(section: Section) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    for type_id in section.plain():
        span = section.section(type_id)
        last = _position(span, "last") if span.has("last") else None
        spans[type_id] = Span(_position(span, "first") if span.has("first") else (0, 0), last)
    return spans


def _position(section: Section, name: str) -> tuple[int, ...]:
    value = section.plain()[name]
    if not (isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value)):
        raise section.mistake(Text(f"{name} 应为 [epoch, seq]", f"{name} must be [epoch, seq]"), name)
    return tuple(value)


def _epochs(section: Section | None) -> dict[str, int]:
    return {} if section is None else {type_id: section.integer(type_id, low=0) for type_id in section.plain()}


def _app(section: Section) -> App:
    return App(
        section.text("id"),
        _names(section),
        section.text("organisation"),
        section.text("unit"),
        tuple(_grant(grant) for grant in section.sections("grants")),
        tuple(_app_key(key) for key in section.sections("keys", ())),
        tuple(_certificate(section, path) for path in section.paths("certificates", ())),
    )


def _app_key(section: Section) -> AppKey:
    alg, jwk = _signature_key(section)
    return AppKey(alg, jwk, section.choice("status", KEY_STATES, ACTIVE))


def _certificate(section: Section, path: Path) -> str:
    pem = _read_text(section, "certificates", path)
    try:
        x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        what = Text(f"{path.name} 不是 PEM 格式的证书", f"{path.name} is not a certificate in PEM")
        raise section.mistake(what, "certificates", _OTHER_FILE) from None
    return pem


def _read_text(section: Section, key: str, path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = system_errors.why(error) if isinstance(error, OSError) else Text("不是 ASCII 文本", "not ASCII")
        raise section.mistake(_UNREADABLE.fill(name=path.name, why=why), key, _OTHER_FILE) from None


def _grant(section: Section) -> Grant:
    return Grant(
        section.texts("service_items"),
        section.texts("channels"),
        section.instant("until"),
        section.integer("per_day", 10_000, low=1),
    )


def _node(section: Section) -> Node:
    return Node(section.text("id"), section.text("zone"), *_signature_key(section))


def _auditor(section: Section) -> Auditor:
    public = hpke_public(section.path("public_key"))
    certificates = tuple(_certificate(section, path) for path in section.paths("certificates", ()))
    vkey = _orders_key(section) if section.has("vkey") or section.has("vkey_file") else None
    return Auditor(section.text("id"), _names(section), public.alg, public.public, certificates, vkey)


def _orders_key(section: Section) -> str:
    name, vkey = _vkey(section)
    if not _signs_notes(vkey):
        raise section.mistake(Text("不是验证公钥", "Not a verifier key"), name, _KEYGEN_ORDERS)
    return vkey


def _audit_slot(section: Section) -> AuditSlot:
    name, vkey = _vkey(section)
    origin = section.text("origin")
    if _origin_of(vkey) != origin:
        what = Text(f"不是日志 {origin} 的验证公钥", f"Not the verifier key of the log {origin}")
        raise section.mistake(what, name, Text("请填写该日志的 vkey。", "Give the vkey of that log."))
    predecessor = section.text("predecessor") if section.has("predecessor") else None
    days = section.integer("retention_days", DEFAULT_RETENTION_DAYS, low=MIN_RETENTION_DAYS, high=100 * 366)
    return AuditSlot(section.text("slot"), origin, vkey, section.text("auditor"), predecessor, days)


def _vkey(section: Section) -> tuple[str, str]:
    """The name under which a verifier key is given, and the key."""
    name = "vkey" if section.has("vkey") else "vkey_file"
    return name, section.text(name) if name == "vkey" else _line(section, name)


def _origin_of(vkey: str) -> str | None:
    try:
        return parse_vkey(vkey).name
    except Fault:
        return None


def _signs_notes(vkey: str) -> bool:
    """Whether it is a key of type 0x01; a witness's is of another type, and signs no orders."""
    try:
        return parse_vkey(vkey).kind == ED25519
    except Fault:
        return False


def _line(section: Section, name: str) -> str:
    return _read_text(section, name, section.path(name)).strip()


_READERS: Mapping[str, Callable[[Section], Any]] = {
    "zones": _zone,
    "organisations": _organisation,
    "adapters": _adapter,
    "apps": _app,
    "nodes": _node,
    "auditors": _auditor,
    "audit_slots": _audit_slot,
}
