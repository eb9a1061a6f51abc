"""The configuration of an adapter: one TOML file, read into frozen values.

    [adapter]
    id = "market-regulation-1"
    organisation = "market-regulation"
    key = "adapter.pem"                  # private key, 0600; alg = "ES256" unless said
    outbox = "outbox.db"

    [zone]
    public_key = "zone.pub.pem"          # the zone's HPKE key; or public = "base64url"

    [log]                                # where to publish: see contracts.edge.transport
    kind = "embedded"
    directory = "log"

    [[nodes]]                            # which nodes are believed: the key of one, from the security officer
    id = "node-1"                        # alg = "ES256" unless said
    public_key = "node-1.pub.pem"

    [[streams]]
    evidence_type = "cn.business-licence"   # of the catalogue; or type_file = "own.toml" beside own.schema.json
    complete = true                         # the source holds every record: what is gone from it is withdrawn
    statement_every_s = 3600                # when the next feed statement is promised
    mapping_file = "licences.mapping.toml"  # or [streams.mapping] here
    [streams.source]
    files = ["licences-*.csv"]
    [streams.brake]
    withdraw_percent = 2
    modify_percent = 30
    from_records = 20

A department needs no registry: it knows its own key, the type, and the public keys of the zone and of its nodes.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from adapters.mapping import Prepared
from adapters.mapping_table import prepare
from adapters.plan import Limits
from adapters.rows import Row
from adapters.sources import Source, open_source
from contracts import catalogue
from contracts.algorithms import SUITES, SigningKey, VerifyKey
from contracts.edge import system_errors
from contracts.edge.config import Section, read_toml
from contracts.edge.keys import load_hpke_public, load_public_key, load_signing_key
from contracts.edge.transport import Transport, open_transport
from contracts.encoding import b64url_decode
from contracts.errors import Fault, UserError
from contracts.evidence_types import EvidenceType
from contracts.hpke import DEFAULT_KEM, KEMS, WrapKey
from contracts.streams import Stream
from contracts.text import Text

T = TypeVar("T")
DEFAULT_EVERY_S = 3600
_MAX_EVERY_S = 7 * 86_400

_UNKNOWN_TYPE = Text("证照目录中没有 {name}", "The catalogue has no evidence type {name}")
_TYPES = Text("可选:{known}", "One of: {known}")
_TWICE = Text("证照类型 {name} 出现两次", "The evidence type {name} is there twice")
_ONE_STREAM = Text("一个适配器的每个证照类型只有一个数据流。", "An adapter has one stream for each evidence type.")
_NO_STREAMS = Text("没有配置数据流", "There are no streams")
_BAD_FILE = Text("无法读取 {name}:{why}", "{name} cannot be read: {why}")
_MISSING_COLUMNS = Text("{name} 中没有列 {missing}", "{name} has no column {missing}")
_COLUMNS = Text("其中的列:{known}", "Its columns: {known}")


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """One stream. `every_s`: seconds until the next feed statement is promised."""

    stream: Stream
    source: Source
    mapping: Prepared
    complete: bool
    every_s: int
    limits: Limits
    where: str

    @property
    def evidence_type(self) -> EvidenceType:
        return self.mapping.evidence_type

    def rows(self) -> Iterator[Row]:
        """Every row of the source; raises `Unavailable` and `UserError`, also if a column is not there."""
        return self.source.rows(self._check_header)

    def _check_header(self, where: str, header: tuple[str, ...]) -> None:
        missing = [column for column in self.mapping.columns if column not in header]
        if missing:
            what = _MISSING_COLUMNS.fill(missing=", ".join(missing), name=where.rpartition("/")[2])
            raise UserError(what, f"{where}; {self.where}", _COLUMNS.fill(known=", ".join(header)))


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """All that one adapter process needs."""

    path: Path
    organisation: str
    adapter: str
    key: SigningKey
    zone_key: WrapKey
    outbox: Path
    transport: Transport
    streams: tuple[StreamConfig, ...]
    create_topics: bool
    nodes: tuple[tuple[str, VerifyKey], ...] = ()
    named: tuple[Path, ...] = ()  # every path that the file names, but those of sources


def load(path: Path) -> AdapterConfig:
    """Read and check everything that can be checked without the source; raises `UserError`."""
    file = read_toml(path)
    own = file.section("adapter")
    organisation, adapter = own.text("organisation"), own.text("id")
    config = AdapterConfig(
        path,
        organisation,
        adapter,
        load_signing_key(own.path("key"), own.choice("alg", SUITES, "ES256")),
        _zone_key(file.section("zone")),
        own.path("outbox", (path.parent / "outbox.db").absolute()),
        open_transport(file.section("log")),
        _streams(file, organisation, adapter),
        own.flag("create_topics", default=False),
        _nodes(file),
    )
    file.done()
    return replace(config, named=tuple(file.named()))


def _zone_key(section: Section) -> WrapKey:
    if section.has("public_key"):
        return WrapKey.of(DEFAULT_KEM, load_hpke_public(section.path("public_key")))
    key = WrapKey(section.choice("alg", KEMS, DEFAULT_KEM), section.text("public"))
    try:
        KEMS[key.alg].load_public(b64url_decode(key.public.encode()))
    except (Fault, ValueError):
        raise section.mistake(Text("不是有效的区域公钥", "Not a public key of a zone"), "public") from None
    return key


def _nodes(file: Section) -> tuple[tuple[str, VerifyKey], ...]:
    found = file.sections("nodes", ())
    return tuple(
        (one.text("id"), load_public_key(one.path("public_key"), one.choice("alg", SUITES, "ES256"))) for one in found
    )


def _streams(file: Section, organisation: str, adapter: str) -> tuple[StreamConfig, ...]:
    streams = tuple(_stream(section, organisation, adapter) for section in file.sections("streams"))
    if not streams:
        raise file.mistake(_NO_STREAMS, "streams")
    names = [one.stream.evidence_type for one in streams]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise file.mistake(_TWICE.fill(name=name), "streams", _ONE_STREAM)
    return streams


def _stream(section: Section, organisation: str, adapter: str) -> StreamConfig:
    evidence_type = _own_type(section) if section.has("type_file") else _shipped_type(section)
    return StreamConfig(
        Stream(organisation, adapter, evidence_type.id),
        open_source(section.section("source")),
        _mapping(section, evidence_type),
        section.flag("complete", default=False),
        section.integer("statement_every_s", DEFAULT_EVERY_S, low=1, high=_MAX_EVERY_S),
        _limits(section),
        section.where(),
    )


def _shipped_type(section: Section) -> EvidenceType:
    name = section.text("evidence_type")
    known = {one.id: one for one in catalogue.evidence_types()}
    if name not in known:
        remedy = _TYPES.fill(known=", ".join(known))
        raise section.mistake(_UNKNOWN_TYPE.fill(name=name), "evidence_type", remedy)
    return known[name]


def _own_type(section: Section) -> EvidenceType:
    path = section.path("type_file")
    table = dict(read_toml(path).plain())
    schema = _read(section, path.with_suffix(".schema.json"), lambda data: json.loads(data.decode("utf-8")))
    return EvidenceType.from_author(table, schema, str(path))


def _read(section: Section, path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError) as error:
        why = (
            system_errors.why(error) if isinstance(error, OSError) else Text("不是 UTF-8 的 JSON", "not JSON in UTF-8")
        )
        raise section.mistake(_BAD_FILE.fill(name=path, why=why), "type_file") from None


def _mapping(section: Section, evidence_type: EvidenceType) -> Prepared:
    if section.has("mapping_file"):
        file = read_toml(section.path("mapping_file"))
        return prepare(file.plain(), evidence_type, str(file.file))
    inner = section.section("mapping")
    return prepare(inner.plain(), evidence_type, inner.where())


def _limits(section: Section) -> Limits:
    brake = section.section("brake", None)
    if brake is None:
        return Limits()
    return Limits(
        _share(brake.number("withdraw_percent", 2.0, low=0, high=100)),
        _share(brake.number("modify_percent", 30.0, low=0, high=100)),
        brake.integer("from_records", 20, low=1),
    )


def _share(percent: float) -> Fraction:
    return Fraction(str(percent)) / 100  # as written: 0.1 % is a thousandth
