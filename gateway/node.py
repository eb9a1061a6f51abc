"""What every process of a node begins with: its configuration, its keys, the log, and the registry.

1. A registry that is accepted must be there; a node waits for the first one, and says why it refused the one it saw.
2. The node's zone, its key and the zone's private keys must be those of the registry. Ingest with another key would
   refuse every message of the zone as unreadable, and those would be gone until the store is rebuilt.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import LogUnavailable, TopicUnknown, Transport, open_transport
from contracts.errors import Fault, UserError
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.registry import Zone
from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream
from contracts.text import Text
from gateway.config import NodeConfig, load
from gateway.registry_source import RegistrySource
from gateway.store.stores import Stores

_FIRST_REGISTRY_SECONDS = 30.0
_TELL_AFTER_SECONDS = 3.0
_PAUSE_SECONDS = 1.0
_PUBLISH = Text(
    "请核对 [registry] 与 [log];首次安装先运行 oncegate topics apply --registry 目录,再运行 oncegate control publish。",
    "Check [registry] and [log]; a first time: oncegate topics apply --registry DIR, then oncegate control publish.",
)
_log = structlog.get_logger("oncegate")
_ALL_ZONE_KEYS = Text(
    "请在 zone 中列出该区域全部私钥(在用与停用)。", "List all private keys of that zone in it, active and retired."
)


@dataclass(frozen=True, slots=True)
class Node:
    """An opened node."""

    config: NodeConfig
    transport: Transport
    registry: RegistrySource

    def signing_key(self) -> SigningKey:
        """The node's own key; raises `UserError` when the registry does not list it."""
        key = keys.load_signing_key(self.config.node_key, self.config.node_alg)
        listed, _ = self.registry.current().node_keys.get(key.kid, (None, None))
        if listed is None:
            what = Text("注册库中没有本节点的密钥", "The registry does not list this node's key")
            remedy = Text("请登记该公钥并重新发布注册库。", "Register its public half and publish the registry again.")
            raise UserError(what, str(self.config.node_key), remedy)
        if (listed.id, listed.zone) != (self.config.node_id, self.config.zone):
            what = Text(
                f"注册库中该密钥属于 {listed.zone} 的 {listed.id}",
                f"In the registry this key belongs to {listed.id} in {listed.zone}",
            )
            raise UserError(what, str(self.config.node_key), Text("请核对 [node]。", "Compare it with [node]."))
        return key

    def zone_keys(self) -> tuple[UnwrapKey, ...]:
        """The zone's private keys, active and retired; raises `UserError` when one that is registered is missing."""
        found = tuple(UnwrapKey(DEFAULT_KEM, keys.load_hpke_private(path)) for path in self.config.zone_keys)
        listed = {key.wrap_key.kid for key in self.zone().keys}
        if not listed <= {key.public.kid for key in found}:
            what = Text(
                f"缺少区域 {self.config.zone} 在注册库中登记的私钥",
                f"A private key of zone {self.config.zone} is missing: the registry lists others",
            )
            raise self.config.file.section("keys").mistake(what, "zone", _ALL_ZONE_KEYS)
        return found

    def zone(self) -> Zone:
        """The node's zone; raises `UserError` when the registry has none of that name."""
        zones = self.registry.current().zones
        if self.config.zone not in zones:
            what = Text(f"注册库中没有区域 {self.config.zone}", f"The registry has no zone {self.config.zone}")
            known = ", ".join(zones)
            raise self.config.file.section("node").mistake(what, "zone", Text(f"可选:{known}", f"One of: {known}."))
        return zones[self.config.zone]

    def evidence_types(self) -> frozenset[str]:
        """The types that this node reads, none: all; raises `UserError` for one that the registry does not know."""
        wanted = frozenset(self.config.evidence_types)
        if unknown := sorted(wanted - self.registry.current().versions.keys()):
            what = Text(f"注册库中没有证照类型 {unknown[0]}", f"The registry has no evidence type {unknown[0]}")
            remedy = Text("请使用注册库列出的类型标识。", "Use the ids of types that the registry lists.")
            raise self.config.file.section("ingest").mistake(what, "evidence_types", remedy)
        return wanted

    def streams(self) -> tuple[Stream, ...]:
        """The streams of the registry that this node reads."""
        wanted = self.config.evidence_types
        return tuple(one for one in self.registry.current().streams if not wanted or one.evidence_type in wanted)

    def stores(self) -> Stores:
        """The node's stores."""
        return Stores(self.config.stores_dir, self.config.store_key)


@contextmanager
def opened(config_path: Path, patient: bool = False) -> Iterator[Node]:
    """The node of a configuration file, with a registry in force; raises `UserError`, and `LogUnavailable`.

    `patient`: waits for the log as long as it takes; machines that come up together after a power cut need no order.
    """
    config = load(config_path)
    transport = open_transport(config.log)
    config.file.done()
    root = keys.load_public_key(config.root_key, config.root_alg)
    source = RegistrySource(transport, root, config.data_dir, now_ms)
    try:
        if patient:
            _wait_for_log(source)
        _first_registry(source, str(config_path))
        node = Node(config, transport, source)
        node.zone()
        yield node
    finally:
        source.close()


def _wait_for_log(source: RegistrySource) -> None:
    """Until the log answers, said in time and again and again. What a person must mend is raised by who reads next."""
    slow = threading.Timer(_TELL_AFTER_SECONDS, lambda: _log.warning("waiting_for_message_log"))
    slow.daemon = True
    slow.start()
    try:
        while not _log_answers(source):
            time.sleep(_PAUSE_SECONDS)
    finally:
        slow.cancel()


def _log_answers(source: RegistrySource) -> bool:
    try:
        source.refresh(0.0)
    except LogUnavailable as error:
        source.close()
        _log.warning("waiting_for_message_log", reason=str(error))
        return False
    except TopicUnknown:
        pass
    return True


def _first_registry(source: RegistrySource, where: str) -> None:
    try:
        source.refresh(0.0)
        if source.newest() is None and source.refused is None:
            source.refresh(_FIRST_REGISTRY_SECONDS)
    except TopicUnknown:
        raise UserError(Fault("registry_absent").row.title, where, _PUBLISH) from None
    if source.newest() is None:
        code = source.refused.code if source.refused else "registry_absent"
        raise UserError(Fault(code).row.title, f"{where} {code}", _PUBLISH)


@contextmanager
def following(node: Node, on_change: Callable[[Snapshot], None] | None = None) -> Iterator[None]:
    """A thread that keeps the registry current, for the length of a `with`."""
    ended = threading.Event()
    thread = threading.Thread(target=node.registry.follow, args=(ended, on_change), name="registry", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
