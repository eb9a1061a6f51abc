"""Running a serving process: event loop, listening socket, end.

1. `stop` ends it in order: no new connections, requests in flight are answered, then the socket is closed. The parts
   belong to whoever built them, and are closed there.
2. When the audit log dies, the process must not go on: `run_serve` returns at once; requests in flight get their 503.
3. The TLS trust store follows the registry: looked at twice a second, changed when the version is another one.
4. A request makes no cycles, so the collector of cycles runs seldom.
"""

import asyncio
import gc
import threading
from collections.abc import Callable

import structlog
import uvloop
from aiohttp import web

from contracts.errors import Fault
from contracts.registry import Snapshot
from gateway.tokens.certificates import Certificates
from gateway.web.app import build_app
from gateway.web.auditors import auditor_certificates
from gateway.web.parts import ServeParts
from gateway.web.server import GuardedRunner

_BACKLOG = 1024
_LOOK_SECONDS = 0.5
_GC_THRESHOLDS = (50_000, 20, 50)

_log = structlog.get_logger("oncegate.serve")


def run_serve(parts: ServeParts, stop: threading.Event, ready: Callable[[int], None] | None = None) -> None:
    """Serve until `stop`; blocks. `ready` is told the port once questions are taken (`parts.listen.port` 0: any)."""
    uvloop.run(serve(parts, stop, ready))


async def serve(parts: ServeParts, stop: threading.Event, ready: Callable[[int], None] | None = None) -> None:
    """As `run_serve`, in a running event loop."""
    listen = parts.listen
    _settle_garbage()
    runner = GuardedRunner(build_app(parts))
    await runner.setup()
    try:
        follower = _TrustFollower(parts)
        follower.look()
        context = listen.tls.context if listen.tls else None
        await web.TCPSite(runner, listen.host, listen.port, ssl_context=context, backlog=_BACKLOG).start()
        port: int = runner.addresses[0][1]
        _log.info("serving", host=listen.host, port=port, slot=parts.slot)
        if ready is not None:
            ready(port)
        while not stop.is_set() and parts.log.alive:
            await asyncio.to_thread(stop.wait, _LOOK_SECONDS)
            follower.look()
    finally:
        await runner.cleanup()
        _log.info("stopped", slot=parts.slot, audit_log_alive=parts.log.alive)


def _settle_garbage() -> None:
    """What is there at start stays: the collector need not look at it again and again (rule 4)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


class _TrustFollower:
    """Rule 3."""

    def __init__(self, parts: ServeParts) -> None:
        self._parts = parts
        self._trusted: Snapshot | None = None

    def look(self) -> None:
        tls = self._parts.listen.tls
        if tls is None:
            return
        try:
            registry = self._parts.registry()
        except Fault:
            return  # nobody is authenticated without a registry, whatever TLS trusts
        if registry is not self._trusted:
            apps = (one.der for one in Certificates.of(registry))
            tls.trust([*apps, *(one.der for one in auditor_certificates(registry))])
            self._trusted = registry
