"""What every process of a node begins with: its configuration, its keys, the log, and the registry."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import Transport, open_transport
from contracts.errors import UserError
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.config import NodeConfig, load
from gateway.registry_source import RegistrySource

_FIRST_REGISTRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """An opened node."""

    config: NodeConfig
    transport: Transport
    registry: RegistrySource

    def signing_key(self) -> SigningKey:
        """The node's own key; raises `UserError` when the registry does not list it."""
        key = keys.load_signing_key(self.config.node_key, self.config.node_alg)
        if key.kid not in self.registry.current().node_keys:
            what = Text("注册库中没有本节点的密钥", "The registry does not list this node's key")
            remedy = Text("请登记该公钥并重新发布注册库。", "Register its public half and publish the registry again.")
            raise UserError(what, str(self.config.node_key), remedy)
        return key

    def zone_keys(self) -> tuple[UnwrapKey, ...]:
        """The zone's private keys, active and retired."""
        return tuple(UnwrapKey(DEFAULT_KEM, keys.load_hpke_private(path)) for path in self.config.zone_keys)

    def store_key(self) -> bytes:
        """The key-encryption key of the store."""
        return keys.load_secret(self.config.store_key)


@contextmanager
def opened(config_path: Path) -> Iterator[Node]:
    """The node of a configuration file, with a registry in force; raises `UserError`."""
    config = load(config_path)
    transport = open_transport(config.log)
    config.file.done()
    root = keys.load_public_key(config.root_key, config.root_alg)
    source = RegistrySource(transport, root, config.data_dir, now_ms)
    try:
        _first_registry(source, str(config_path))
        yield Node(config, transport, source)
    finally:
        source.close()


def _first_registry(source: RegistrySource, where: str) -> None:
    source.refresh(0.0)
    if source.newest() is None:
        source.refresh(_FIRST_REGISTRY_SECONDS if source.refused is None else 0.0)
    if source.newest() is None:
        why = source.refused.code if source.refused else "registry_absent"
        what = Text(f"没有可用的注册库({why})", f"There is no registry to work with ({why})")
        remedy = Text("请运行 oncegate control publish。", "Run oncegate control publish.")
        raise UserError(what, where, remedy)


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
