"""The thread that carries correction requests to departments and sees what becomes of them.

1. A request goes out when its access record is in the log, and never without: a request whose record never came (the
   process died between the two) is dropped. At least once, under one id. The clerk was promised a day: from the record
   on a request can be late or answered, whether or not it could be sent.
2. What became of it is looked up in the store (a newer message of the record) and on the topic `replies.<node>`, which
   is read only while something is open. A reply counts under a registered key of the adapter that supplies the stream;
   it may be there before we know that the request was sent, after a death between the two.
3. Lateness and answers are notices in the audit log, once each: before a notice is appended, the place in the log is
   kept in the file, so that a restart finds whether it is there already.
4. Where the log goes on from a closed one, requests that are open there go on here.
5. What could not be done is tried again at the next look; one request that is stuck (its department has no topic, its
   file is damaged) holds up no other. Questions do not wait for this thread; however many requests are open, it takes
   at most a twentieth of a core.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from audit import notices
from audit.log import AuditLog
from audit.notices import Notice
from audit.reader import LogReader
from audit.threads import guarded
from contracts import corrections
from contracts.algorithms import SigningKey, VerifyKey
from contracts.corrections import Correction
from contracts.edge.transport import LogUnavailable, OffsetOutOfRange, Reader, Record, Transport
from contracts.errors import Corrupt, Fault, Unavailable, UserError
from contracts.registry import Snapshot
from contracts.streams import Stream
from gateway.corrections.judge import (
    ABANDON_MS,
    Open,
    answer_of,
    answered_notice,
    asked_again,
    is_late,
    is_to_be_sent,
    late_notice,
)
from gateway.corrections.spool import Carrying, Spool
from gateway.store.rows import Row

LOOK_S = 2.0
END_S = 20.0
WITHIN = 100_000  # entries after the request among which its record must be
ORPHAN_MS = 600_000  # after which no record will come any more
_BATCH = 500
_BATCHES = 20  # of replies in one look
_REST = 20  # how many times as long as a look computed is rested after it
_HEADERS = (("content-type", b"application/jose"),)

_log = structlog.get_logger("oncegate.corrections")


@dataclass(frozen=True, slots=True)
class Around:
    """What the thread needs of its process. `rows` gives a record as it stands, asked in the thread alone, and `done`
    is called there at its end; `clock` gives Unix ms. `former`: closed logs before this one, and their spools."""

    log: AuditLog
    spool: Spool
    transport: Transport
    node: str
    key: SigningKey
    registry: Callable[[], Snapshot]
    rows: Callable[[Stream, str], Row | None]
    done: Callable[[], None]
    clock: Callable[[], int]
    former: Sequence[tuple[LogReader, int, Spool]] = ()


@dataclass
class Carrier:
    """The thread. `carrying` is told after each look how it went."""

    around: Around
    look_s: float = LOOK_S
    carrying: Carrying = field(default_factory=Carrying)
    _stop: threading.Event = field(default_factory=threading.Event)
    _replies: Reader | None = None
    _away: LogUnavailable | None = None  # the message log, in this look
    _kept: set[str] = field(default_factory=set)
    _searched: dict[str, int] = field(default_factory=dict)  # how far the log has no record of a request

    def __post_init__(self) -> None:
        self._thread = guarded("corrections", self._run, self._failed)

    def start(self) -> None:
        for reader, size, spool in self.around.former:
            self._tell(_tried(partial(_adopt, self.around.spool, spool, reader, size)))
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        pause = self.look_s
        try:
            while not self._stop.wait(pause) and self.around.log.alive:
                started = time.thread_time()
                self._tell(self._look())
                pause = max(self.look_s, _REST * (time.thread_time() - started))
        finally:
            self._drop_reader()
            self.around.done()

    def _look(self) -> str | None:
        """Every open request once; why something could not be done, or None (rule 5)."""
        opened: list[Open] = []
        self._away = None
        troubles = [_tried(partial(_fill, opened, self.around.spool))]
        troubles.append(_tried(lambda: self._read_replies(opened)))
        if troubles[-1] is not None:
            self._drop_reader()
        troubles += [_tried(partial(self._one, one)) for one in opened if not self._stop.is_set()]
        return next((why for why in troubles if why is not None), None)

    def _one(self, one: Open) -> None:
        recorded = one if one.recorded else self._recorded(one)
        if recorded is None:
            return
        try:
            if is_to_be_sent(recorded, self.around.clock()):
                recorded = self._sent(recorded)
        finally:  # what could not be sent is late all the same
            self._judge(recorded)

    def _judge(self, one: Open) -> None:
        row, kept = self.around.rows(one.correction.stream, one.correction.record), one.correction.id in self._kept
        again = None if kept else asked_again(one, row)
        if again is not None:
            self.around.spool.keep(again)
            return
        answer, now = answer_of(one, row, kept), self.around.clock()
        if answer is not None:
            self._notice(one, answered_notice(one, answer, now))
            self.around.spool.drop(one)
        elif is_late(one, now):
            told = self._notice(one, late_notice(one, now))
            self.around.spool.keep(told._replace(late=True, telling=None))
        elif now > one.correction.due_at + ABANDON_MS:
            self.around.spool.drop(one)

    # --- out (rule 1) --------------------------------------------------------------------------------------------

    def _recorded(self, one: Open) -> Open | None:
        """The request, once its record is there; it is dropped if that will never come."""
        if self._is_recorded(one):
            recorded = one._replace(recorded=True)
            self.around.spool.keep(recorded)
            return recorded
        if self.around.clock() - one.correction.asked_at > ORPHAN_MS:
            self.around.spool.drop(one)
            self._searched.pop(one.correction.id, None)
        return None

    def _sent(self, one: Open) -> Open:
        self._send(one.correction)
        sent = one._replace(sent_at=self.around.clock())
        self.around.spool.keep(sent)
        return sent

    def _send(self, correction: Correction) -> None:
        if self._away is not None:
            raise self._away
        value = corrections.seal_request(correction, self.around.key)
        try:
            with self.around.transport.writer() as writer:
                writer.write(corrections.requests_topic(correction.adapter), correction.id.encode(), value, _HEADERS)
        except LogUnavailable as error:
            self._away = error  # each try may take long: one in a look is enough
            raise

    def _is_recorded(self, one: Open) -> bool:
        first = self._searched.get(one.correction.id, one.after)
        last = min(self.around.log.size, one.after + WITHIN)
        if any(_is_of(entry, one) for entry in map(self.around.log.entry, range(first, last))):
            self._searched.pop(one.correction.id, None)
            return True
        self._searched[one.correction.id] = last
        return False

    # --- back (rules 2 and 3) ------------------------------------------------------------------------------------

    def _read_replies(self, opened: list[Open]) -> None:
        waiting = {one.correction.id: one.correction for one in opened}
        self._kept &= waiting.keys()
        if not waiting:
            self._drop_reader()
            return
        topic = corrections.replies_topic(self.around.node)
        if self._replies is None:
            self._replies = self.around.transport.reader()
            self._replies.assign({topic: self._replies.earliest(topic)})
        believed = adapter_keys(self.around.registry())
        for _ in range(_BATCHES):
            records = self._replies.read(_BATCH, 0.0)
            for record in records:
                self._take_reply(record, believed, waiting)
            if not records:
                break

    def _take_reply(
        self, record: Record, believed: Mapping[str, tuple[str, VerifyKey]], waiting: Mapping[str, Correction]
    ) -> None:
        correction = waiting.get(record.key.decode("ascii", "replace"))  # looked at before a signature is verified
        if correction is None:
            return
        with suppress(Fault):  # what nobody registered has signed is nobody's reply
            reply = corrections.open_reply(record.value or b"", believed)
            if reply.id == correction.id and (correction.organisation, correction.adapter) == (
                reply.organisation,
                reply.adapter,
            ):
                self._kept.add(reply.id)

    def _notice(self, one: Open, notice: Notice) -> Open:
        """Append it, unless a try before a restart did (rule 3)."""
        if one.telling is None:
            one = one._replace(telling=self.around.log.size)
            self.around.spool.keep(one)
        elif any(_same(self.around.log.entry(index), notice) for index in range(one.telling, self.around.log.size)):
            return one
        self.around.log.append_blocking(notice.encode(), notices.NO_OPENING)
        return one

    def _drop_reader(self) -> None:
        reader, self._replies = self._replies, None
        if reader is not None:
            reader.close()

    def _tell(self, why: str | None) -> None:
        if why is not None and why != self.carrying.trouble:
            _log.warning("corrections_trouble", reason=why)
        if why is None and self.carrying.trouble is not None:
            _log.info("corrections_well")
        self.carrying.tell(why)

    def _failed(self, error: BaseException) -> None:
        self.carrying.tell(type(error).__name__)
        _log.error("corrections_failed", error=type(error).__name__)


def _tried(act: Callable[[], object]) -> str | None:
    """Why it could not be done, or None (rule 5)."""
    try:
        act()
    except UserError as error:
        return error.what.en
    except (Unavailable, LogUnavailable, OffsetOutOfRange, Corrupt, Fault, OSError) as error:
        return str(error)
    return None


def _fill(opened: list[Open], spool: Spool) -> None:
    """Open requests, as many as can be read; then raises what `Spool.all` does."""
    opened.extend(spool.all())  # what came before an error stays


def adapter_keys(registry: Snapshot) -> Mapping[str, tuple[str, VerifyKey]]:
    """The keys under which adapters may reply: the active ones."""
    return {
        kid: (signer.adapter.id, signer.key)
        for kid, signer in registry.signers.items()
        if signer.entry.status == "active"
    }


def _is_of(entry: bytes, one: Open) -> bool:
    """Whether it is the record of the request."""
    return b'"transaction":"%b"' % one.correction.id.encode() in entry and b'"decision":"granted"' in entry


def _adopt(own: Spool, former: Spool, reader: LogReader, size: int) -> None:
    """Rule 4. A death on the way leaves a request in both, and the next start makes it one."""
    for one in former.all():
        entries = (reader.entry(index, size) for index in range(one.after, min(size, one.after + WITHIN)))
        if one.recorded or any(_is_of(entry, one) for entry in entries):
            own.keep(one._replace(recorded=True, after=0, telling=None))
        former.drop(one)


def _same(entry: bytes, notice: Notice) -> bool:
    found = notices.parse(entry)
    return found is not None and (found.kind, found.facts) == (notice.kind, notice.facts)
