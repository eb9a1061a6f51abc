"""What there is to examine: the parts of a node, each made when a check first needs it, or known to be missing.

Nothing is created, locked or written here: a directory of the embedded log that is not there is a mistake, not made;
the registry is read from the log without taking it into force.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from contracts.algorithms import VerifyKey
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.doctor import clock, message_log
from contracts.edge.doctor.examine import Lazy
from contracts.edge.transport import Transport
from contracts.errors import Fault
from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream
from contracts.text import Text
from gateway.config import NodeConfig, ServeConfig, load
from gateway.doctor.registry_read import Found, read_registry
from gateway.doctor.store_read import states
from gateway.ingest.state import StreamState
from gateway.store.stores import Stores

CONFIGURATION: Final = Text("配置", "configuration")
LOG: Final = message_log.TITLE
REGISTRY: Final = Text("注册库", "registry")
STORE: Final = Text("存储", "store")


class Situation:
    """A node as its configuration file describes it."""

    def __init__(self, path: Path, now: Callable[[], int] = now_ms) -> None:
        self.path = path
        self.now = now
        self.began = clock.sample()
        self.config: Lazy[NodeConfig] = Lazy(CONFIGURATION, lambda: load(path))
        self.transport: Lazy[Transport] = Lazy(LOG, lambda: message_log.open_log(self.config.need().log))
        self.found: Lazy[Found] = Lazy(REGISTRY, self._read_registry)
        self.registry: Lazy[Snapshot] = Lazy(REGISTRY, self._snapshot)
        self.states: Lazy[Mapping[Stream, StreamState]] = Lazy(STORE, self._states)

    @property
    def serve(self) -> ServeConfig | None:
        """The configuration of serving, if this node serves; raises `Missing`."""
        return self.config.need().serve

    def root(self) -> VerifyKey:
        """The pinned root key; raises `UserError`, `Missing`."""
        config = self.config.need()
        return keys.load_public_key(config.root_key, config.root_alg)

    def _states(self) -> Mapping[Stream, StreamState]:
        config = self.config.need()
        return states(Stores(config.stores_dir, config.store_key).current_path())

    def _read_registry(self) -> Found:
        return read_registry(self.transport.need(), self.root(), self.config.need().data_dir)

    def _snapshot(self) -> Snapshot:
        found = self.found.need()
        if found.snapshot is None:
            raise Fault(found.refused or "registry_absent")
        return found.snapshot
