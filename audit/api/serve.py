"""The API as a process: keys, index, log of questions and HTTP, until a stop signal or until the log fails.

1. The index names no other log of questions, or that one gets an entry which names ours: every question of this index
   can be found from there.
2. The log of questions is opened once and held; while it is, no other program writes it.
3. When it fails, or the follower does, nothing is answered any more and the process ends (70).
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.api import config as configuration
from audit.api import keys as keyring
from audit.api.app import build_app
from audit.api.callers import Callers
from audit.api.calls import Calls
from audit.api.config import ApiConfig
from audit.api.following import Following, What
from audit.api.lanes import Lane
from audit.api.own_log_tiles import OwnLogTiles
from audit.api.questions import Desk
from audit.api.recorder import Recorder
from audit.api.server import Runner
from audit.lines import alarm, info
from audit.log import AuditLog
from audit.search import own_log
from audit.search.database import keep_checks, meta, open_index, transaction, writing
from audit.search.own_log import Question
from audit.search.session import OWN_LOG, OWN_LOG_CONFIG
from contracts.edge import system_errors
from contracts.edge.clock import now_ms
from contracts.edge.tls import server_context
from contracts.errors import Fault, UserError
from contracts.text import Text

EXIT_FAILED: Final = 70  # EX_SOFTWARE: what is durable is decided by the next start
_SHORT, _LONG = (4, 32), (2, 6)  # threads, and questions that wait
_SWEEP_SECONDS = 1.0

_CANNOT_LISTEN = Text("无法监听:{why}", "Cannot listen: {why}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a start found. `follow` None: the index is somebody else's to write."""

    desk: Desk
    follow: What | None


def run(path: Path, keys_from_stdin: bool) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `UserError`, `Corrupt`, OSError at start."""
    config = configuration.load(path)
    private = keyring.from_text(sys.stdin.buffer.read()) if keys_from_stdin else keyring.from_files(config.keys)
    prepared = prepare(config, private)
    del private
    return asyncio.run(_serve(config, prepared))


def prepare(config: ApiConfig, private: Sequence[X25519PrivateKey]) -> Prepared:
    """The index and what the keys give for it; raises `UserError`, OSError."""
    if not config.follow:
        with closing(open_index(config.index)) as db:
            _tell(config, meta(db))
            kept = keyring.derive(private, db, config.openings)
            return Prepared(Desk(kept.tokens, kept.auditor), None)
    with writing(config.index) as db:
        _tell(config, meta(db))
        kept = keyring.derive(private, db, config.openings)
        with transaction(db):
            keep_checks(db, kept.tokens)
    auditor = private[0] if private else None
    what = What(config.index, config.follow, config.vkeys, config.every_s, auditor, kept.tokens)
    return Prepared(Desk(kept.tokens, kept.auditor), what)


def _tell(config: ApiConfig, found: dict[str, str | bytes]) -> None:
    """Rule 1."""
    ours = own_log.load(config.own_log).origin
    theirs = found.get(OWN_LOG)
    if theirs is None or theirs == ours:
        return
    facts = {"questions_are_in": ours}
    said = Question("serve", [one.id for one in config.auditors], facts, 0, [])
    own_log.keep(Path(str(found[OWN_LOG_CONFIG])), str(theirs), said)


async def _serve(config: ApiConfig, prepared: Prepared) -> int:
    loop, stop, failures = asyncio.get_running_loop(), asyncio.Event(), list[BaseException]()

    def on_fatal(error: BaseException) -> None:
        failures.append(error)
        alarm("audit_api_failed", error=type(error).__name__, file=getattr(error, "filename", None))
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = own_log.load(config.own_log)
    log = await asyncio.to_thread(AuditLog.open, settings, on_fatal)
    try:
        await serve(config, prepared, log, stop, on_fatal)
    finally:
        await asyncio.to_thread(log.close)
    return EXIT_FAILED if failures else 0


async def serve(
    config: ApiConfig,
    prepared: Prepared,
    log: AuditLog,
    stop: asyncio.Event,
    on_fatal: Callable[[BaseException], None],
    ready: Callable[[int], None] = lambda _: None,
    clock: Callable[[], int] = now_ms,
) -> None:
    """Answer until `stop`; `ready` is told the port. The log is the caller's."""
    following = None if prepared.follow is None else Following(prepared.follow, on_fatal)
    short, long = (Lane(config.index, *size, seconds) for size, seconds in _lanes(config))
    states = (dict) if following is None else following.states
    calls = Calls(prepared.desk, short, long, Recorder(log, clock), clock, states)
    runner = Runner(build_app(calls, Callers.of(config.auditors), OwnLogTiles(own_log.load(config.own_log).directory)))
    await runner.setup()
    try:
        port = await _listen(config, runner)
        if following is not None:
            following.start()
        info("audit_api_listening", port=port, vkey=log.verifier.vkey, auditors=len(config.auditors))
        ready(port)
        await _until(stop, calls)
    finally:
        await runner.cleanup()
        for part in (short, long) if following is None else (short, long, following):
            await asyncio.to_thread(part.close)


def _lanes(config: ApiConfig) -> tuple[tuple[tuple[int, int], float], ...]:
    return (_SHORT, config.question_s), (_LONG, config.long_s)


async def _until(stop: asyncio.Event, calls: Calls) -> None:
    while not stop.is_set():
        with suppress(Fault):  # the log is dead: `stop` is on its way
            await calls.sweep()
        try:
            async with asyncio.timeout(_SWEEP_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


async def _listen(config: ApiConfig, runner: Runner) -> int:
    context = server_context(config.certificate, config.private_key, [one.der for one in config.auditors])
    try:
        await web.TCPSite(runner, config.host, config.port, ssl_context=context).start()
    except OSError as error:
        why = _CANNOT_LISTEN.fill(why=system_errors.why(error))
        raise UserError(why, f"{config.host}:{config.port}", system_errors.remedy(error)) from None
    port: int = runner.addresses[0][1]
    return port
