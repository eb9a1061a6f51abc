"""Where everything of a demo lies below its directory, and the making of it: keys, registry, node, departments.

keys/           every key, public halves beside the private ones
registry/       readable TOML, and build/ with the signed version
departments/    for each adapter its configuration, source files and outbox
node/           oncegate.toml and data/ (store, audit log)
heads/          the highest checkpoint, as if on other storage
log/            the embedded message log, unless it is on Kafka
demo.json       all that a stranger's own client needs
"""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from audit.notes import NoteSigner
from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.files import write_atomic
from contracts.errors import UserError
from contracts.text import Text
from gateway.certificates import self_signed
from gateway.control.build import build
from gateway.demo.message_log import EMBEDDED_LOG, MessageLog

ORIGIN = "oncegate.example/gov-extranet-1"
SLOT = "gov-extranet-1"
ADAPTERS: Mapping[str, str] = {  # adapter → JOSE alg of its key
    "traffic-police-1": "ES256",
    "household-bureau-1": "EdDSA",
    "market-regulation-1": "ES256",
}
APPS = ("approval-windows", "city-mobile")
WITH_CERTIFICATE = "approval-windows"
MARK = ".oncegate-demo"
_ELSEWHERE = Text("请先结束它,或另选目录。", "End it first, or choose another directory.")
_OTHER_DIRECTORY = Text("请另选目录。", "Choose another directory.")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of a demo."""

    root: Path
    port: int
    message_log: MessageLog = EMBEDDED_LOG

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def node_config(self) -> Path:
        return self.root / "node" / "oncegate.toml"

    @property
    def audit_dir(self) -> Path:
        return self.root / "node" / "data" / "audit" / SLOT

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def department(self, adapter: str) -> Path:
        return self.root / "departments" / adapter

    def adapter_config(self, adapter: str) -> Path:
        return self.department(adapter) / "adapter.toml"

    def private(self, name: str) -> Path:
        return self.keys / f"{name}.pem"

    def public(self, name: str) -> Path:
        return self.keys / f"{name}.pub.pem"

    def certificate(self, name: str) -> Path:
        return self.keys / f"{name}.crt.pem"

    @property
    def vkey(self) -> Path:
        return self.keys / f"audit-{SLOT}.vkey"


def prepare(directory: Path, message_log: MessageLog = EMBEDDED_LOG) -> Layout:
    """A new demo below `directory`, which is emptied if it holds a former demo; raises `UserError` if it holds more."""
    _make_empty(directory)
    layout = Layout(directory, _free_port(), message_log)
    for folder in (layout.keys, layout.registry, layout.node_config.parent, layout.root / "heads"):
        folder.mkdir(parents=True)
    layout.keys.chmod(0o700)
    root = _make_keys(layout)
    _copy_city(layout)
    build(layout.registry, root, now_ms())
    return layout


def _make_empty(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise UserError(Text("这不是目录", "It is not a directory"), str(directory), _OTHER_DIRECTORY)
    directory.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in directory.iterdir()}
    if present and MARK not in present:
        what = Text("目录非空,且不是演示目录", "The directory is not empty and holds no former demo")
        raise UserError(what, str(directory), _OTHER_DIRECTORY)
    (directory / MARK).touch()
    for name in present - {MARK}:
        path = directory / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def only_demo(directory: Path) -> Iterator[int]:
    """A lock on a demo's directory, as the descriptor that holds it; its processes inherit it, so that none that was
    left behind can write into the next demo. Raises `UserError` when it is held."""
    if not (directory / MARK).exists():
        _make_empty(directory)
    descriptor = os.open(directory / MARK, os.O_RDWR | os.O_CLOEXEC)
    try:
        _take(descriptor, directory)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        what = Text("该目录中仍有演示进程在运行", "A demo, or a process of one, still runs in this directory")
        raise UserError(what, str(directory), _ELSEWHERE) from None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _make_keys(layout: Layout) -> SigningKey:
    root = _pair(layout, "registry-root", "EdDSA")
    _pair(layout, "node-1", "ES256")
    for adapter, alg in ADAPTERS.items():
        _pair(layout, f"adapter-{adapter}", alg)
    for app in APPS:
        key = _pair(layout, f"app-{app}", "ES256")
        if app == WITH_CERTIFICATE:
            write_atomic(layout.certificate(f"app-{app}"), self_signed(key.key, "ES256", app, now_ms()))
    tls = _pair(layout, "tls", "ES256")
    certificate = self_signed(tls.key, "ES256", "oncegate demo", now_ms(), ("127.0.0.1", "localhost"))
    write_atomic(layout.certificate("tls"), certificate)
    for name in ("zone-gov-extranet", "auditor"):
        keys.write_hpke_public(layout.public(name), keys.create_hpke_key(layout.private(name)).public_key())
    keys.create_secret(layout.keys / "store.key")
    log_key = _pair(layout, f"audit-{SLOT}", "EdDSA")
    write_atomic(layout.vkey, f"{NoteSigner.of(ORIGIN, log_key.key).public.vkey}\n".encode())
    return root


def _pair(layout: Layout, name: str, alg: str) -> SigningKey:
    key = keys.create_signing_key(layout.private(name), alg)
    keys.write_public_key(layout.public(name), key.public)
    return key


def _copy_city(layout: Layout) -> None:
    city = files("gateway.demo") / "city"
    for file in (city / "registry").iterdir():
        (layout.registry / file.name).write_bytes(file.read_bytes())
    template = Template((city / "node" / "oncegate.toml").read_text("utf-8"))
    text = layout.message_log.configured(template.substitute(port=layout.port))
    layout.node_config.write_text(text, "utf-8")
