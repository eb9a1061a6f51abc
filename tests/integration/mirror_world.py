"""A gateway's logs over HTTP, a signed registry on disk, and a mirror over both."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from audit.closed_logs import ClosedLog, ClosedLogs
from audit.fetch import Client, Endpoint
from audit.mirror.config import MirrorConfig
from audit.mirror.judge import Log
from audit.mirror.listed import Listed
from audit.mirror.run import Mirror
from audit.mirror.source import LogSource
from audit.notes import NoteKey
from audit.reader import LogReader
from audit.witness.cosigning import WitnessAddress
from contracts.algorithms import SigningKey
from contracts.registry import AuditSlot, manifest
from contracts.registry.snapshot import Contents
from gateway.web.logs import Logs, Rooms
from tests.integration.audit_support import SIGNER
from tests.integration.tiles_server import serving

SLOT = "slot-1"
ROOT = SigningKey.generate("EdDSA")
LOG = Log(SLOT, SIGNER.public.name, SIGNER.public.vkey)
NOW = 1_800_000_000.0


@dataclass
class Gateway:
    """Serves `directory`, which tests exchange; `admits` auditors or not."""

    directory: Path
    key: NoteKey = SIGNER.public
    slot: str = SLOT
    admits: bool = True
    url: str = ""
    clients: list[Client] = field(default_factory=list)
    closed: Sequence[ClosedLog] = ()

    def source(self, slot: str = "") -> LogSource:
        """For a mirror; closed with the gateway. `slot`: of another log than the open one."""
        self.clients.append(Client(Endpoint(self.url)))
        return LogSource(self.clients[-1], slot or self.slot)

    def routes(self) -> tuple[web.RouteDef, ...]:
        """The gateway's own handlers, over whatever `directory` and `closed` are now."""
        paths = [route.path for route in self._logs().routes()]
        return tuple(web.get(path, self._handler(number)) for number, path in enumerate(paths))

    def _handler(self, number: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            response: web.StreamResponse = await self._logs().routes()[number].handler(request)
            return response

        return handle

    def _logs(self) -> Logs:
        def is_auditor(_: web.Request) -> bool:
            return self.admits

        own = Rooms.of(self.slot, LogReader(self.directory, self.key), is_auditor)
        return Logs(own, ClosedLogs(self.closed), lambda _: is_auditor)


@contextmanager
def gateway(directory: Path) -> Iterator[Gateway]:
    """For the length of a `with`."""
    made = Gateway(directory)
    with serving(made) as port:
        made.url = f"http://127.0.0.1:{port}"
        try:
            yield made
        finally:
            for client in made.clients:
                client.close()


def registered(
    directory: Path,
    logs: Sequence[Log] = (LOG,),
    version: int = 1,
    valid_s: float = 86_400.0,
    slots: Sequence[AuditSlot] = (),
) -> Path:
    """A signed registry as `oncegate control build` lays it out, issued at NOW. `slots`: in place of `logs`."""
    slots = tuple(slots) or tuple(AuditSlot(log.slot, log.origin, log.vkey, "auditor") for log in logs)
    times = (int(NOW * 1000), int((NOW + valid_s / 2) * 1000), int((NOW + valid_s) * 1000))
    signed = manifest.build(Contents(audit_slots=slots), ROOT, version, None, times)
    (directory / "parts").mkdir(parents=True, exist_ok=True)
    for digest, data in signed.parts.items():
        (directory / "parts" / f"{digest.replace(':', '-')}.json").write_bytes(data)
    (directory / "manifest.jws").write_bytes(signed.manifest)
    return directory


@dataclass
class Time:
    now: float = NOW


@dataclass
class Watched:
    """A mirror below `root`, looked at by single rounds under a clock that stands still."""

    root: Path
    urls: Sequence[str]
    time: Time = field(default_factory=Time)
    witnesses: Sequence[WitnessAddress] = ()
    mirror: Mirror = field(init=False)

    def __post_init__(self) -> None:
        (self.root / "mirror").mkdir(parents=True, exist_ok=True)
        registry = self.root / "registry"
        if not registry.exists():
            registered(registry)
        self.mirror = self.fresh()

    def fresh(self) -> Mirror:
        """As after a restart."""
        config = MirrorConfig(
            directory=self.root / "mirror",
            gateways=tuple(Endpoint(url) for url in self.urls),
            metrics=self.root / "mirror.prom",
            every_s=0.05,
            registry=self.root / "registry",
            root_key=self.root / "unused",
            root_alg="EdDSA",
            witnesses=tuple(self.witnesses),
        )
        listed = Listed(config.registry, ROOT.public, config.directory / "registry-seen.json")
        self.mirror = Mirror(config, listed, lambda: self.time.now)
        return self.mirror

    def look(self) -> list[tuple[str, str]]:
        """One round; the alarms as (code, about)."""
        return [(one.code, one.about) for one in self.mirror.once(lambda _: None)]

    @property
    def copy(self) -> Path:
        return self.root / "mirror" / "logs" / SLOT
