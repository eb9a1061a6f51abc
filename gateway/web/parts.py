"""What a serving process is made of. Built by the command line, connected in `app`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.closed_logs import ClosedLogs
from audit.log import AuditLog
from audit.mirror.heads import MirrorHeads
from audit.witness.cosigning import Cosigning
from contracts.registry import Snapshot
from gateway.corrections.spool import Desk
from gateway.store.reader import Reader
from gateway.supervision.run import Supervision
from gateway.tokens.authenticate import Authenticator
from gateway.tokens.grant import Issuer
from gateway.web.tls import ServerTls

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. `tls` None: plain HTTP, for tests and benchmarks only."""

    host: str
    port: int
    tls: ServerTls | None


@dataclass(frozen=True, slots=True)
class ServeParts:
    """The parts of one serving process.

    `registry` gives the snapshot in force or raises `Fault`. `open_store` opens the node's store in the calling
    thread; it raises `UserError` while ingest has not made one. `current_store` says which file that is (None: there is
    only one), so that a process goes over to another one. `clock` gives Unix ms. `rollback_detectable`: the
    highest head of the log is also known elsewhere (`head_dir`, a witness). `cosigning`: None without witnesses.
    `supervision`: the live feed; None where there is none. `closed`: the logs before this one that are still served,
    `cosigning_closed`: of those whose last head no witness has cosigned yet. `corrections`: where correction requests
    go; None: none are taken. `check_answers`: validate each answer
    against its schema before it leaves (tests always do; docs/decisions/0007-serving.md).
    """

    registry: Callable[[], Snapshot]
    open_store: Callable[[], Reader]
    log: AuditLog
    slot: str
    log_dir: Path
    authenticator: Authenticator
    issuer: Issuer
    listen: Listen
    clock: Clock
    rollback_detectable: bool
    cosigning: Cosigning | None = None
    mirror: MirrorHeads | None = None
    mirror_wait_s: float | None = None
    check_answers: bool = False
    current_store: Callable[[], Path] | None = None
    supervision: Supervision | None = None
    closed: ClosedLogs = field(default_factory=ClosedLogs)
    cosigning_closed: Sequence[Cosigning] = ()
    corrections: Desk | None = None
