"""One run of one stream: read, map, check, plan, append, publish, mark. The effects are here, the decisions are not.

1. Approved erasures come first, whatever else happens: they need no source and wait for no brake. Then what an earlier
   run left in the outbox goes to the log.
2. The source is read once, row by row. Documents that changed are held until they are sealed.
3. A braked run publishes nothing, no statement either: the feed then truly is not up to date.
4. A run that publishes nothing new still makes a statement: "nothing changed" is a fact with a time. What is issued is
   dated by the clock, but never earlier than what was issued before; the next statement is promised by the clock.
5. A log that is away is tried again for `patience_s`; then the entries stay in the outbox.
6. A source that breaks off publishes nothing: rows that could not be read are not rows that are gone.
7. A full disk fails the run, at whatever step, with nothing half done: the next run does it all.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TypeVar

from adapters import contents, outbox_journal
from adapters.config import AdapterConfig, StreamConfig
from adapters.mapping import apply
from adapters.outbox import Outbox, OutboxUnusable
from adapters.outbox_journal import Closed
from adapters.outbox_tables import Run, StreamState
from adapters.plan import Brake, Candidate, Plan, Previous, plan
from adapters.report import BRAKED, FAILED, PLANNED, PUBLISHED, StreamReport, stopped
from adapters.rows import Row, RowFault
from adapters.sealing import Sealer, full_due
from contracts.edge.clock import now_ms
from contracts.edge.files import write_atomic
from contracts.edge.system_errors import is_circumstance
from contracts.edge.transport import LogUnavailable, Writer
from contracts.encoding import canonical
from contracts.envelope import IV_SIZE
from contracts.errors import Unavailable, UserError
from contracts.feeds import LiveRecord
from contracts.messages import SALT_SIZE
from contracts.streams import Position

T = TypeVar("T")

BATCH = 1000  # entries in one write to the log
STEP = 500  # rows between two steps of a progress bar
HEADERS = (("content-type", b"application/jose"),)
MAX_DOCUMENT = 64 * 1024  # bytes of canonical JSON: sealed, it stays below `messages.MAX_MESSAGE`
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.05, 2.0
_RANDOM_CHUNK = 1024

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Effects:
    """What a run works with. `stop`: set when the process shall end; `patience_s`: how long a log may be away."""

    outbox: Outbox
    writer: Writer
    stop: Event = field(default_factory=Event)
    advance: Advance = lambda _: None
    patience_s: float = 10.0


def run_stream(adapter: AdapterConfig, config: StreamConfig, effects: Effects, full: bool = False) -> StreamReport:
    """One run of one stream; its mistakes are in the report, so that other streams go on."""
    name = config.stream.evidence_type
    try:
        state = erase_approved(adapter, config, effects)
        publish(config, state, effects)
        return _run(adapter, config, state, effects, full)
    except (UserError, Unavailable) as error:
        return stopped(name, error)
    except OSError as error:
        if not is_circumstance(error):
            raise
        return StreamReport(name, FAILED, error=OutboxUnusable.of(error))


def erase_approved(adapter: AdapterConfig, config: StreamConfig, effects: Effects) -> StreamState:
    """Carry out the erasures of this stream that were approved (rule 1); the stream's state after them.

    They make no statement: nobody has looked whether the source is as published. The next one is a full one.
    """
    outbox, name = effects.outbox, config.stream.evidence_type
    state = outbox.stream(name, now_ms())
    for entry in outbox_journal.approved(outbox, state):
        issued_at = outbox.issue_time(state, now_ms() // 1000)
        sealer = _sealer(adapter, config, state, outbox, issued_at)
        outbox_journal.carry_out(outbox, state, entry, list(sealer.seal_erasures(entry.records, state)), issued_at)
        state = outbox.stream(name, now_ms())
    outbox.tidy()
    return state


def trial(config: StreamConfig, outbox: Outbox, advance: Advance) -> StreamReport:
    """What a run would do; changes nothing."""
    name = config.stream.evidence_type
    try:
        state = outbox.known_stream(name) or StreamState(0, 0, 1, None, None)
        rows, made, doubts = _plan(config, state, outbox, advance)
    except (UserError, Unavailable) as error:
        return stopped(name, error)
    if isinstance(made, Brake):
        return StreamReport(name, PLANNED, rows, made.plan, why=made.why, doubts=doubts)
    return StreamReport(name, PLANNED, rows, made, doubts=doubts)


def _run(
    adapter: AdapterConfig, config: StreamConfig, state: StreamState, effects: Effects, full: bool
) -> StreamReport:
    outbox, now_s = effects.outbox, now_ms() // 1000
    issued_at = outbox.issue_time(state, now_s)
    rows, made, doubts = _plan(config, state, outbox, effects.advance)
    found = made.plan if isinstance(made, Brake) else made
    report = StreamReport(
        config.stream.evidence_type,
        BRAKED,
        rows,
        found,
        epoch=state.epoch,
        seq=state.position.seq,
        report_file=_write_report(adapter.outbox, config, "refused", found.faults),
        doubts=doubts,
        doubts_file=_write_report(adapter.outbox, config, "doubtful", doubts),
    )
    if isinstance(made, Brake):
        report = replace(report, why=made.why)
        kept = outbox.brake(state, now_s, found.digest, report.to_json())
        return replace(report, run=kept.id)
    full = full_due(state, issued_at, config.every_s, full)
    report = replace(report, state=PUBLISHED, seq=report.seq + found.size, statement="full" if full else "short")
    kept = _append(adapter, config, state, effects, found, report, issued_at, now_s + config.every_s)
    return replace(report, run=kept.id, unsent=publish(config, state, effects))


def _append(
    adapter: AdapterConfig,
    config: StreamConfig,
    state: StreamState,
    effects: Effects,
    made: Plan,
    report: StreamReport,
    issued_at: int,
    next_at: int,
) -> Run:
    outbox = effects.outbox
    sealer = _sealer(adapter, config, state, outbox, issued_at)
    full = report.statement == "full"

    def statement(position: Position, live: Iterator[LiveRecord]) -> tuple[bytes, bytes, int, bool]:
        return *sealer.seal_statement(position, live, next_at, full), next_at, full

    sealed = _counted(sealer.seal_plan(made, state), effects.advance)
    return outbox.append(state, sealed, statement, (issued_at, made.digest, report.to_json()))


def _sealer(adapter: AdapterConfig, config: StreamConfig, state: StreamState, outbox: Outbox, issued_at: int) -> Sealer:
    month = datetime.fromtimestamp(issued_at, UTC).strftime("%Y-%m")
    feed_key = outbox.feed_key(config.stream, state, adapter.zone_key, month)
    salts, ivs = _random(SALT_SIZE), _random(IV_SIZE)
    return Sealer(config.stream, config.evidence_type, adapter.key, feed_key, salts, ivs, issued_at)


# --- reading -----------------------------------------------------------------------------------------------------


def _plan(
    config: StreamConfig, state: StreamState, outbox: Outbox, advance: Advance
) -> tuple[int, Plan | Brake, list[RowFault]]:
    """How many rows were read, what is to be published, and what is doubtful in the rows."""
    closed = outbox_journal.closed(outbox, state)
    read = _reader(config, outbox, closed)
    candidates: list[Candidate] = []
    faults: list[RowFault] = []
    rows = 0
    for outcome in map(read, _counted(config.rows(), advance)):
        rows += 1
        if isinstance(outcome, Candidate):
            candidates.append(outcome)
        else:
            faults.append(outcome)
    live, first = outbox.live_digests(state), state.next_at is None
    previous = Previous(live, first, state.restates, tuple(sorted(closed.erased)))
    approved = outbox.approved_plan(state)
    doubts = [doubt for candidate in candidates for doubt in candidate.document.doubts]
    return rows, plan(previous, candidates, faults, config.limits, config.complete, approved), doubts


def _reader(config: StreamConfig, outbox: Outbox, closed: Closed) -> Callable[[Row], Candidate | RowFault]:
    """What becomes of one row: everything prepared that does not change from row to row."""
    names = contents.record_names(outbox.record_secret, config.stream, closed.readmitted)
    secret, vct, mapping = outbox.content_secret, config.evidence_type.vct, config.mapping

    def read(row: Row) -> Candidate | RowFault:
        outcome = apply(mapping, row, names)
        if isinstance(outcome, RowFault):
            return outcome
        if outcome.record in closed.erased:
            return RowFault(row.file, row.line, "", "row_record_erased", record=outcome.record)
        body = canonical(outcome.body)
        if len(body) > MAX_DOCUMENT:
            return RowFault(row.file, row.line, "", "row_too_long", record=outcome.record)
        return Candidate(outcome, contents.digest(secret, vct, body))

    return read


def _counted(items: Iterable[T], advance: Advance) -> Iterator[T]:
    for count, item in enumerate(items, 1):
        yield item
        if count % STEP == 0:
            advance(STEP)


def _random(size: int) -> Iterator[bytes]:
    """Fresh random bytes of `size`; the system is asked for many at once."""
    while True:
        block = os.urandom(size * _RANDOM_CHUNK)
        yield from (block[at : at + size] for at in range(0, len(block), size))


def _write_report(outbox: Path, config: StreamConfig, what: str, faults: Sequence[RowFault]) -> str:
    """A report file of the last run, beside the outbox: one row a line. Its path."""
    path = outbox.with_name(f"{outbox.stem}.{what}.{config.stream.evidence_type}.ndjson")
    write_atomic(path, b"".join(canonical(fault.to_json()) + b"\n" for fault in faults), 0o600)
    return str(path)


# --- publishing --------------------------------------------------------------------------------------------------


def publish(config: StreamConfig, state: StreamState, effects: Effects) -> int:
    """Write what the outbox holds to the log, in order; how many entries are left (the log is away, or we stop)."""
    effects.outbox.settle(state)
    deadline, pause = monotonic() + effects.patience_s, _FIRST_PAUSE_S
    while entries := effects.outbox.unpublished(state, BATCH):
        try:
            effects.writer.write_many(config.stream.topic, [(one.key, one.value) for one in entries], HEADERS)
        except LogUnavailable:
            if monotonic() >= deadline or effects.stop.wait(pause):
                return effects.outbox.backlog(state)
            pause = min(pause * 2, _MAX_PAUSE_S)
            continue
        effects.outbox.mark(state, entries[-1])
        effects.advance(len(entries))
        deadline, pause = monotonic() + effects.patience_s, _FIRST_PAUSE_S
    return 0
