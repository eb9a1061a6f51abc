"""How the installation lies on disk: keys, a signed registry, a node with two serving slots, three departments.

keys/            every key, public halves beside the private ones
registry/        readable TOML, and build/ with the signed version
departments/ID/  adapter.toml, export.csv, outbox/
node/            serve-1.toml (ingest reads it too), serve-2.toml, data/ (store, audit logs)
heads/           the highest checkpoints, as if on other storage
logs/            what the processes wrote
"""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import open_transport
from gateway import keygen
from gateway.certificates import self_signed
from gateway.config import load
from gateway.control.build import build, publish
from gateway.node import opened
from gateway.topics import create_missing
from tests.e2e.faults.sources import HEALTH, IDENTITY, Table

ZONE = "gov-extranet"
PREFIX = "city."
STATEMENT_EVERY_S = 7200
LOOK_EVERY_S = 0.3


@dataclass(frozen=True, slots=True)
class Department:
    """One adapter: its id, its organisation, the JOSE alg of its key, what it exports."""

    adapter: str
    organisation: str
    alg: str
    table: Table

    @property
    def topic(self) -> str:
        """In Kafka."""
        return f"{PREFIX}evidence.{self.table.evidence_type}.{self.adapter}"

    @property
    def stream(self) -> str:
        return f"{self.organisation}/{self.adapter}/{self.table.evidence_type}"


DEPARTMENTS = (
    Department("market-east-1", "market-east", "ES256", HEALTH),
    Department("market-west-1", "market-west", "EdDSA", HEALTH),
    Department("household-1", "household", "ES256", IDENTITY),
)
REJECTS = (f"{PREFIX}rejects.unverified", *(f"{PREFIX}rejects.{one.adapter}" for one in DEPARTMENTS))


@dataclass(frozen=True, slots=True)
class Slot:
    """One serving process: its audit log and its port."""

    name: str
    port: int

    @property
    def origin(self) -> str:
        return f"oncegate.example/{self.name}"

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class App:
    """An approval system; `binding` of its tokens is "mtls" or "dpop"."""

    name: str
    binding: str


APPS = (App("windows", "mtls"), App("mobile", "dpop"))


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths. `log_section`: the lines of a configuration's [log]."""

    root: Path
    slots: tuple[Slot, ...]
    log_section: str

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def data(self) -> Path:
        return self.root / "node" / "data"

    @property
    def store(self) -> Path:
        """The current one."""
        return current_store(self.data)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def node_config(self, slot: Slot) -> Path:
        return self.root / "node" / f"{slot.name}.toml"

    def audit(self, slot: Slot) -> Path:
        return self.data / "audit" / slot.name

    def department(self, one: Department) -> Path:
        return self.root / "departments" / one.adapter

    def export(self, one: Department) -> Path:
        return self.department(one) / "export.csv"

    def outbox(self, one: Department) -> Path:
        return self.department(one) / "outbox" / "outbox.db"

    def adapter_config(self, one: Department) -> Path:
        return self.department(one) / "adapter.toml"

    def private(self, name: str) -> Path:
        return self.keys / f"{name}.pem"

    def public(self, name: str) -> Path:
        return self.keys / f"{name}.pub.pem"

    def certificate(self, name: str) -> Path:
        return self.keys / f"{name}.crt.pem"


def current_store(data: Path) -> Path:
    """The store that is current below a node's data; a path where nothing is before the first."""
    current = data / "stores" / "current"
    return current.with_name(f"{current.read_text().strip() if current.exists() else 'none'}.sqlite")


def prepare(root: Path, log_section: str) -> Layout:
    """A new installation below `root`: everything but the sources, with its topics created."""
    slots = tuple(Slot(f"serve-{number}", port) for number, port in enumerate(_free_ports(2), 1))
    layout = Layout(root, slots, log_section)
    folders = [layout.keys, layout.registry, layout.data, layout.logs, root / "heads"]
    for folder in (*folders, *(layout.outbox(one).parent for one in DEPARTMENTS)):
        folder.mkdir(parents=True)
    _make_keys(layout)
    (layout.registry / "city.toml").write_text(_registry(layout), "utf-8")
    for slot in slots:
        layout.node_config(slot).write_text(node_config(layout, slot, layout.data, Path("../keys")), "utf-8")
    for one in DEPARTMENTS:
        layout.adapter_config(one).write_text(_adapter_config(layout, one), "utf-8")
    _publish(layout)
    return layout


def _publish(layout: Layout) -> None:
    root = keys.load_signing_key(layout.private("root"), "EdDSA")
    build(layout.registry, root, now_ms())
    config = layout.node_config(layout.slots[0])
    publish(layout.registry, root.public, open_transport(load(config).log))
    with opened(config) as node:
        create_missing(node.transport, node.registry.current())


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def _make_keys(layout: Layout) -> None:
    for name, alg in (("root", "EdDSA"), *((one.adapter, one.alg) for one in DEPARTMENTS)):
        keygen.create("node", layout.private(name), alg, "")
    for kind, name in (("node", "node"), ("zone", "zone"), ("auditor", "auditor"), ("node", "tls")):
        keygen.create(kind, layout.private(name), "ES256", "")
    keygen.create("store", layout.keys / "store.key", "", "")
    for slot in layout.slots:
        keygen.create("audit-log", layout.private(slot.name), "", slot.origin)
    for app in APPS:
        keygen.create("app", layout.private(app.name), "ES256", "")
        _certify(layout, app.name, ())
    _certify(layout, "tls", ("127.0.0.1",))


def _certify(layout: Layout, name: str, hosts: tuple[str, ...]) -> None:
    key = keys.load_signing_key(layout.private(name), "ES256").key
    layout.certificate(name).write_bytes(self_signed(key, "ES256", name, now_ms(), hosts))


def _registry(layout: Layout) -> str:
    organisations = "".join(
        f'[[organisations]]\nid = "{one.organisation}"\nnames = {_names(one.organisation)}\n'
        f'[[adapters]]\nid = "{one.adapter}"\norganisation = "{one.organisation}"\nzone = "{ZONE}"\n'
        f'evidence_types = ["{one.table.evidence_type}"]\n'
        f'keys = [{{ alg = "{one.alg}", public_key = "../keys/{one.adapter}.pub.pem" }}]\n'
        for one in DEPARTMENTS
    )
    slots = "".join(
        f'[[audit_slots]]\nslot = "{slot.name}"\norigin = "{slot.origin}"\nvkey_file = "../keys/{slot.name}.vkey"\n'
        'auditor = "auditor"\n'
        for slot in layout.slots
    )
    return _FRAME + organisations + slots + "".join(map(_app, APPS))


def _names(name: str) -> str:
    return f'{{ zh-CN = "{name}", en = "{name}" }}'


def _app(app: App) -> str:
    certificates = f'certificates = ["../keys/{app.name}.crt.pem"]\n' if app.binding == "mtls" else ""
    return (
        f'[[apps]]\nid = "{app.name}"\nnames = {_names(app.name)}\norganisation = "centre"\nunit = "hall"\n'
        f'keys = [{{ alg = "ES256", public_key = "../keys/{app.name}.pub.pem" }}]\n{certificates}'
        'grants = [{ service_items = ["cn.open-restaurant"], channels = ["window"], '
        "until = 2036-12-31T00:00:00+08:00, per_day = 100000000 }]\n"
    )


_FRAME = f"""
[registry]
fresh_for_days = 7
valid_for_days = 30
[[zones]]
id = "{ZONE}"
names = {_names(ZONE)}
keys = [{{ public_key = "../keys/zone.pub.pem" }}]
[[nodes]]
id = "node-1"
zone = "{ZONE}"
alg = "ES256"
public_key = "../keys/node.pub.pem"
[[auditors]]
id = "auditor"
names = {_names("auditor")}
public_key = "../keys/auditor.pub.pem"
[[organisations]]
id = "centre"
names = {_names("centre")}
units = [{{ id = "hall", names = {_names("hall")} }}]
"""


def node_config(layout: Layout, slot: Slot, data: Path, keys_dir: Path) -> str:
    """A node's configuration with its data in `data`."""
    return f"""
[node]
id = "node-1"
zone = "{ZONE}"
data = "{data}"
key = "{keys_dir}/node.pem"
[registry]
root_key = "{keys_dir}/root.pub.pem"
[log]
{layout.log_section}
[keys]
zone = ["{keys_dir}/zone.pem"]
store = "{keys_dir}/store.key"
[serve]
base_url = "{slot.base_url}"
port = {slot.port}
certificate = "{keys_dir}/tls.crt.pem"
private_key = "{keys_dir}/tls.pem"
slot = "{slot.name}"
log_key = "{keys_dir}/{slot.name}.pem"
head_dir = "{layout.root}/heads"
"""


def _adapter_config(layout: Layout, one: Department) -> str:
    return f"""
[adapter]
id = "{one.adapter}"
organisation = "{one.organisation}"
key = "../../keys/{one.adapter}.pem"
alg = "{one.alg}"
outbox = "outbox/outbox.db"
[zone]
public_key = "../../keys/zone.pub.pem"
[log]
{layout.log_section}
[[streams]]
evidence_type = "{one.table.evidence_type}"
complete = true
statement_every_s = {STATEMENT_EVERY_S}
[streams.source]
files = ["export.csv"]
[streams.brake]
withdraw_percent = 100
modify_percent = 100
[streams.mapping]{one.table.mapping}"""
