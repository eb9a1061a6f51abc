"""The serving process: builds its parts from the configuration, connects them, decides nothing.

The audit log's slot, origin and auditor come from the registry. A log whose key is not the registered one is not
opened: its checkpoints would verify nowhere.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from audit.log import AuditLog, Limits, LogSettings
from audit.mirror.heads import MirrorHeads
from audit.notes import NoteKey, NoteSigner, parse_vkey
from audit.start import MIRRORED_LIMITS
from audit.witness.cosigning import Cosigning, Patience, held_by
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.system_errors import remedy, why
from contracts.encoding import b64url_decode
from contracts.errors import Unavailable, UserError
from contracts.hpke import KEMS
from contracts.registry import AuditSlot
from contracts.streams import Stream
from contracts.text import Text
from gateway.config import ServeConfig
from gateway.ingest.state import FeedState
from gateway.node import Node, following, opened
from gateway.roles import configure_logging, stop_signals
from gateway.store.database import StoreAbsent
from gateway.store.stores import Stores
from gateway.supervision.run import Supervision, Surroundings
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
        log = _open_log(node, serving)
        try:
            parts = serve_parts(node, serving, log)
            with as_system_errors(node.config.stores_dir):
                _refuse_unusable(parts)
            with following(node), _cosigned(parts.cosigning), supervised(parts.supervision):
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
    started = now_ms()
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
        supervision=_supervision(node, serving, log, stores),
    )


def _cosigning(serving: ServeConfig, log: AuditLog) -> Cosigning | None:
    if not serving.witnesses:
        return None
    patience = Patience(refuse_s=serving.refuse_unwitnessed_after_s)
    return Cosigning(log, serving.audit_dir, serving.witnesses, patience)


def _supervision(node: Node, serving: ServeConfig, log: AuditLog, stores: Stores) -> Supervision:
    """The live feed. Made where nothing is configured, too: what was on before must be told that it is off."""
    evidence = Evidence(stores.open_current, stores.current_path)
    key = node.signing_key()

    def states(now: int) -> list[tuple[Stream, FeedState]]:
        evidence.look()
        return evidence.states(node.registry.current().streams, now)

    around = Surroundings(
        log=log,
        log_dir=serving.audit_dir,
        state_dir=node.config.data_dir / "supervision" / serving.slot,
        topic=lambda: TopicSink(node.transport, key, log.origin),
        states=states,
        done=evidence.close,
        clock=now_ms,
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
def _cosigned(cosigning: Cosigning | None) -> Iterator[None]:
    """Cosignatures are obtained for the length of a `with`."""
    if cosigning is None:
        yield
        return
    cosigning.start()
    try:
        yield
    finally:
        cosigning.close()


def _heads(serving: ServeConfig, key: NoteKey) -> Iterator[bytes]:
    """What witnesses hold of the log. One that is away is told of; its first answer later is compared, too."""
    for witness in serving.witnesses:
        try:
            held = held_by(witness, key)
        except Unavailable as error:
            _log.warning("witness_unavailable", reason=str(error))
            continue
        if held is not None:
            yield held


def _serve_config(node: Node, config_path: Path) -> ServeConfig:
    if node.config.serve is None:
        what = Text("配置中没有 [serve]", "The configuration has no [serve]")
        raise UserError(what, str(config_path), Text("请加上 [serve] 一节。", "Add the table [serve]."))
    return node.config.serve


def _open_log(node: Node, serving: ServeConfig) -> AuditLog:
    slot = _slot(node, serving)
    signing_key = keys.load_signing_key(serving.log_key, "EdDSA")
    if NoteSigner.of(slot.origin, signing_key.key).public.vkey != slot.vkey:
        what = Text("审计日志密钥与注册库登记的不符", "The audit log's key is not the one that the registry lists")
        remedy = Text("请核对 log_key 与注册库中的 vkey。", "Compare log_key with the slot's vkey in the registry.")
        raise UserError(what, str(serving.log_key), remedy)
    auditor = node.registry.current().auditors[slot.auditor]
    public = KEMS[auditor.alg].load_public(b64url_decode(auditor.public.encode()))
    serving.audit_dir.mkdir(parents=True, exist_ok=True)
    heads = tuple(_heads(serving, parse_vkey(slot.vkey)))
    limits = Limits() if serving.mirror_wait_s is None else MIRRORED_LIMITS
    settings = LogSettings(serving.audit_dir, slot.origin, signing_key, public, serving.head_dir, limits, heads)

    def on_fatal(error: BaseException) -> None:
        facts = {"reason": why(error).en, "file": error.filename} if isinstance(error, OSError) else {}
        _log.error("audit_log_failed", error=type(error).__name__, **facts)

    return AuditLog.open(settings, on_fatal)


def _slot(node: Node, serving: ServeConfig) -> AuditSlot:
    slot = node.registry.current().audit_slots.get(serving.slot)
    if slot is None:
        what = Text(f"注册库中没有审计日志 {serving.slot}", f"The registry lists no audit log {serving.slot}")
        raise node.config.file.section("serve").mistake(
            what, "slot", Text("请登记后重新发布。", "Register it and publish again.")
        )
    return slot
