"""The configuration of a node: one TOML file, read once, turned into frozen values. Paths only; no key is read here.

[node]
id = "node-1"
zone = "gov-extranet"
data = "data"                       # stores, audit logs, what must survive a restart
key = "keys/node-1.pem"             # signs tokens and rejects; listed in the registry
alg = "ES256"

[registry]
root_key = "registry-root.pub.pem"  # the pin
root_alg = "EdDSA"

[log]
kind = "embedded"
directory = "log"

[ingest]
evidence_types = ["cn.vehicle-registration"]  # optional: no others are read (operator-guide.md, "Splitting")

[keys]
zone = ["keys/gov-extranet.pem"]    # private, active and retired
store = "keys/store.key"

[serve]
base_url = "https://127.0.0.1:8443"
host = "127.0.0.1"
port = 8443
certificate = "keys/tls.crt.pem"
private_key = "keys/tls.key.pem"
slot = "gov-extranet-1"             # the audit log that this process alone writes
log_key = "keys/audit-gov-extranet-1.pem"
predecessor_key = "keys/audit-0.pem"  # optional: of the log before this one, until that one is closed ("A new shard")
head_dir = "/mnt/other-disk/heads"  # optional: the highest checkpoint, on other storage
correction_days = 10                # (1 to 60) in which a department answers a correction request; then it is late
refuse_unwitnessed_after_s = 14400  # with witnesses: no cosignature for so long, and questions are refused
durable = "local"                   # "mirrored": answers wait until the auditor's mirror has their record, too

[serve.mirror]                      # optional, needed for "mirrored": the mirror's own key
vkey = "mirror.example/oncegate+…"
wait_s = 10                         # for so long; then the answer is 503 `mirror_unavailable`

[[serve.witnesses]]                 # optional: who cosigns the checkpoints (auditor-guide.md, "A witness")
url = "https://witness.example:8500"
vkey = "witness.example/oncegate+…"
ca = "keys/witness-ca.pem"          # optional: what verifies its certificate; else the system's

[supervision]                       # optional: the live feed (supervision.md, gateway/supervision/settings.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from audit.notes import NoteKey
from audit.witness.cosigning import WitnessAddress
from audit.witness.pinned import cosigner_in, witness_in
from contracts.algorithms import SUITES
from contracts.edge.config import Section, read_toml
from contracts.text import Text
from gateway.supervision import settings as supervision
from gateway.supervision.settings import SupervisionConfig

_MIRROR_VKEY = Text(
    "请在 [serve.mirror] 中填写镜像的 .vkey 文件内容(oncegate-audit keygen mirror 生成)。",
    "Give in [serve.mirror] the content of the mirror's .vkey file (oncegate-audit keygen mirror made it).",
)
_NO_MIRROR = Text("durable 为 mirrored 时须有 [serve.mirror]", "durable = mirrored needs [serve.mirror]")

_WITNESS_AS_MIRROR = Text(
    "镜像公钥与见证者的相同:见证者并不持有记录",
    "The mirror's key is a witness's: a witness vouches for a history, and holds no records",
)

LOCAL, MIRRORED = DURABLE = ("local", "mirrored")


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """What a serving process needs beyond its node."""

    base_url: str
    host: str
    port: int
    certificate: Path
    private_key: Path
    slot: str
    audit_dir: Path
    log_key: Path
    head_dir: Path | None
    predecessor_key: Path | None = None  # closes the log before this one, once
    witnesses: tuple[WitnessAddress, ...] = ()
    mirror: NoteKey | None = None  # the pinned key of the auditor's mirror
    mirror_wait_s: float | None = None  # how long an answer waits for it; None: durable here is enough
    refuse_unwitnessed_after_s: int = 14_400
    correction_days: int = 10


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A node. `log` is the transport's own table, read by `contracts.edge.transport`; so the whole file is known,
    and `file.done()` can refuse what nobody asked for, only once the log is open."""

    file: Section
    node_id: str
    zone: str
    data_dir: Path
    node_key: Path
    node_alg: str
    root_key: Path
    root_alg: str
    log: Section
    zone_keys: tuple[Path, ...]
    store_key: Path
    serve: ServeConfig | None
    evidence_types: tuple[str, ...] = ()  # those that this node reads; none: all
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)

    @property
    def stores_dir(self) -> Path:
        return self.data_dir / "stores"

    @property
    def retired_dir(self) -> Path:
        """What stays of audit logs that were removed after their time."""
        return self.data_dir / "retired"


def load(path: Path) -> NodeConfig:
    """The node configuration at `path`; raises `UserError`."""
    outermost = read_toml(path)
    node, registry, keys = (outermost.section(name) for name in ("node", "registry", "keys"))
    data_dir = node.path("data")
    serve, ingest = outermost.section("serve", None), outermost.section("ingest", None)
    return NodeConfig(
        file=outermost,
        node_id=node.text("id"),
        zone=node.text("zone"),
        data_dir=data_dir,
        node_key=node.path("key"),
        node_alg=node.choice("alg", SUITES, "ES256"),
        root_key=registry.path("root_key"),
        root_alg=registry.choice("root_alg", SUITES, "EdDSA"),
        log=outermost.section("log"),
        zone_keys=_at_least_one(keys, "zone"),
        store_key=keys.path("store"),
        serve=None if serve is None else _serve(serve, data_dir),
        evidence_types=() if ingest is None else ingest.texts("evidence_types"),
        supervision=supervision.read(outermost.section("supervision", None), serve is not None),
    )


def _serve(section: Section, data_dir: Path) -> ServeConfig:
    slot = section.text("slot")
    witnesses = tuple(witness_in(one) for one in section.sections("witnesses", ()))
    mirror, wait_s = _mirror(section, witnesses)
    return ServeConfig(
        base_url=_base_url(section),
        host=section.text("host", "127.0.0.1"),
        port=section.integer("port", 8443, low=1, high=65535),
        certificate=section.path("certificate"),
        private_key=section.path("private_key"),
        slot=slot,
        audit_dir=data_dir / "audit" / slot,
        log_key=section.path("log_key"),
        predecessor_key=section.path("predecessor_key", None),
        head_dir=section.path("head_dir", None),
        witnesses=witnesses,
        mirror=mirror,
        mirror_wait_s=wait_s,
        correction_days=section.integer("correction_days", 10, low=1, high=60),  # its topic keeps a request for 90
        refuse_unwitnessed_after_s=section.integer("refuse_unwitnessed_after_s", 14_400, low=1, high=30 * 86_400),
    )


def _mirror(serve: Section, witnesses: Sequence[WitnessAddress]) -> tuple[NoteKey | None, float | None]:
    """The mirror's key, and how long answers wait for it."""
    waits = serve.choice("durable", DURABLE, LOCAL) == MIRRORED
    section = serve.section("mirror", None)
    if section is None and waits:
        raise serve.mistake(_NO_MIRROR, "durable", _MIRROR_VKEY)
    if section is None:
        return None, None
    key = cosigner_in(section, Text("不是镜像的验证公钥", "Not the verifier key of a mirror"), _MIRROR_VKEY)
    if any(one.key.raw == key.raw for one in witnesses):  # its lines stand on heads that a mirror has not yet
        raise section.mistake(_WITNESS_AS_MIRROR, "vkey", _MIRROR_VKEY)
    wait_s = section.number("wait_s", 10.0, low=0.1, high=120.0)
    return key, wait_s if waits else None


def _base_url(section: Section) -> str:
    url = section.text("base_url").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc or parts.path or parts.query or parts.fragment:
        what = Text("base_url 须为 https://主机[:端口]", "base_url must be https://host[:port]")
        raise section.mistake(what, "base_url")
    return url


def _at_least_one(section: Section, name: str) -> tuple[Path, ...]:
    paths = section.paths(name)
    if not paths:
        raise section.mistake(Text(f"{name} 至少要一个密钥文件", f"{name} needs at least one key file"), name)
    return paths
