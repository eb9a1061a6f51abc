"""The serving process: builds its parts from the configuration, connects them, decides nothing."""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import structlog

from audit.closed_logs import ClosedLogs
from audit.log import AuditLog
from audit.mirror.heads import MirrorHeads
from audit.witness.cosigning import Cosigning, Patience
from audit.witness.offering import ClosedHead
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.system_errors import remedy, why
from contracts.errors import UserError
from contracts.streams import Stream
from contracts.text import Text
from gateway.audit_logs import closed_logs, open_log
from gateway.config import ServeConfig
from gateway.corrections.wiring import desk, requests_carried
from gateway.ingest.state import FeedState
from gateway.node import Node, following, opened
from gateway.orders import carrier
from gateway.roles import configure_logging, stop_signals
from gateway.store.database import StoreAbsent
from gateway.supervision.run import FormerLog, Supervision, Surroundings
from gateway.supervision.sinks import TopicSink
from gateway.tokens.authenticate import Authenticator
from gateway.tokens.edge.marks import FileMarks
from gateway.tokens.grant import Issuer
from gateway.tokens.replay import LocalReplay
from gateway.tokens.settings import Settings
from gateway.web.evidence import Evidence
from gateway.web.parts import Listen, ServeParts
from gateway.web.serve import run_serve
from gateway.web.tls import ServerTls

EXIT_AUDIT_DEAD = 70  # EX_SOFTWARE: the process ends so that recovery decides what is durable

_log = structlog.get_logger("oncegate.serve")


def serve(config_path: Path) -> None:
    """Serve until a stop signal, or until the audit log fails; then the process ends with EXIT_AUDIT_DEAD."""
    configure_logging()
    with opened(config_path, patient=True) as node, stop_signals() as stop:
        serving = _serve_config(node, config_path)
        log = open_log(node, serving)
        try:
            parts = serve_parts(node, serving, log)
            with as_system_errors(node.config.stores_dir):
                _refuse_unusable(parts)
            with (
                following(node),
                _cosigned(parts),
                supervised(parts.supervision),
                _carried(node, serving, parts),
                requests_carried(node, serving, log, parts),
            ):
                # Proofs from before the start are refused; `iat` has whole seconds only: take no question before then.
                stop.wait((parts.authenticator.accepts_from - now_ms()) / 1000)
                _run(parts, stop)
        finally:
            if log.alive:
                log.close()
        if not log.alive and not stop.is_set():
            os._exit(EXIT_AUDIT_DEAD)


def _run(parts: ServeParts, stop: threading.Event) -> None:
    listening = threading.Event()
    try:
        run_serve(parts, stop, lambda _: listening.set())
    except OSError as error:
        if listening.is_set():
            raise
        what = Text("无法监听:{why}", "Cannot listen: {why}").fill(why=why(error))
        raise UserError(what, f"{parts.listen.host}:{parts.listen.port}", remedy(error)) from None


def _refuse_unusable(parts: ServeParts) -> None:
    """A store that is there and cannot be read would refuse every lookup; ingest makes one that is not there yet."""
    with suppress(StoreAbsent), parts.open_store():
        pass


def serve_parts(node: Node, serving: ServeConfig, log: AuditLog) -> ServeParts:
    """What the application is made of."""
    started, closed = now_ms(), closed_logs(node, serving)
    settings = Settings(serving.base_url, node.config.zone)
    memory = LocalReplay(started, marks=FileMarks(node.config.data_dir / f"proofs-{serving.slot}.marks"))
    authenticator = Authenticator(settings, memory)
    issuer = Issuer(settings, node.signing_key(), memory, authenticator, lambda: secrets.token_urlsafe(16))
    stores = node.stores()
    stores.keys()  # a mistake there is told now, not at the first question
    keys.require_private(serving.private_key)
    return ServeParts(
        registry=node.registry.current,
        open_store=stores.open_current,
        current_store=stores.current_path,
        log=log,
        slot=serving.slot,
        log_dir=serving.audit_dir,
        authenticator=authenticator,
        issuer=issuer,
        listen=Listen(serving.host, serving.port, ServerTls(serving.certificate, serving.private_key)),
        clock=now_ms,
        rollback_detectable=bool(serving.head_dir or serving.witnesses or serving.mirror),
        cosigning=_cosigning(serving, log),
        mirror=MirrorHeads(log, serving.audit_dir, serving.mirror),
        mirror_wait_s=serving.mirror_wait_s,
        supervision=_supervision(node, serving, log, closed),
        closed=closed,
        cosigning_closed=tuple(_cosigning_closed(serving, closed)),
        corrections=desk(node, serving),
    )


def _cosigning(serving: ServeConfig, log: AuditLog) -> Cosigning | None:
    if not serving.witnesses:
        return None
    patience = Patience(refuse_s=serving.refuse_unwitnessed_after_s)
    return Cosigning(log, serving.audit_dir, serving.witnesses, patience)


def _cosigning_closed(serving: ServeConfig, closed: ClosedLogs) -> Iterator[Cosigning]:
    """For each closed log whose last head no witness has cosigned yet."""
    keys_of = [one.key for one in serving.witnesses]
    for one in closed.there() if serving.witnesses else ():
        head = ClosedHead(one.reader, one.ending, keys_of)
        if head.alive:
            yield Cosigning(head, one.reader.directory, serving.witnesses)


def _supervision(node: Node, serving: ServeConfig, log: AuditLog, closed: ClosedLogs) -> Supervision:
    """The live feed. Made where nothing is configured, too: what was on before must be told that it is off."""
    stores = node.stores()
    evidence = Evidence(stores.open_current, stores.current_path)
    key = node.signing_key()

    def states(now: int) -> list[tuple[Stream, FeedState]]:
        evidence.look()
        return evidence.states(node.streams(), now)

    around = Surroundings(
        log=log,
        log_dir=serving.audit_dir,
        state_dir=node.config.data_dir / "supervision",
        slot=serving.slot,
        topic=lambda origin: TopicSink(node.transport, key, origin),
        states=states,
        done=evidence.close,
        clock=now_ms,
        former=tuple(FormerLog(one.slot, one.reader, one.ending.head.size) for one in closed.there()),
    )
    return Supervision(node.config.supervision, around)


@contextmanager
def supervised(supervision: Supervision | None) -> Iterator[None]:
    """The live feed runs for the length of a `with`; what it says of itself is in the log before that begins."""
    if supervision is None:
        yield
        return
    supervision.start()
    try:
        yield
    finally:
        supervision.close()


@contextmanager
def _carried(node: Node, serving: ServeConfig, parts: ServeParts) -> Iterator[None]:
    """Orders about openings are carried out for the length of a `with`, also those about closed logs."""
    carried = carrier(node, serving, parts.log, parts.closed)
    carried.start()
    try:
        yield
    finally:
        carried.close()


@contextmanager
def _cosigned(parts: ServeParts) -> Iterator[None]:
    """Cosignatures are obtained for the length of a `with`, for closed logs as long as they have none."""
    with ExitStack() as stack:
        for cosigning in (parts.cosigning, *parts.cosigning_closed):
            if cosigning is not None:
                cosigning.start()
                stack.callback(cosigning.close)
        yield


def _serve_config(node: Node, config_path: Path) -> ServeConfig:
    if node.config.serve is None:
        what = Text("配置中没有 [serve]", "The configuration has no [serve]")
        raise UserError(what, str(config_path), Text("请加上 [serve] 一节。", "Add the table [serve]."))
    return node.config.serve
