"""What a message does to its stream and its record. A fold: state and message in, new state and row out. Pure.

1. A message that was not verified changes nothing.
2. The stream is the topic's, the record is the log key's; a message that claims others is refused and changes nothing.
   Else whoever may write to the log could evict a victim's record, or hide one, by compaction. An erasure alone also
   stands under a key of its own.
3. A number is given once. The same number with another identity is equivocation: the stream stops, with an alarm.
   With the same identity it is a duplicate, whatever its signature bytes, and changes nothing; but where the message
   was refused and now comes complete, it mends its record: somebody on the way had spoilt it.
   Numbers are checked against current records and the last 10,000 that were superseded; older ones are `replayed`.
4. Of each record, the message of the highest position counts, in whatever order they come.
5. A verified message that is invalid supersedes its record nevertheless: the content goes, `rejected` stays. It counts
   like a live one, because the department supplies it.
6. `withdraw` and `erase` leave a stub for ever, also when somebody added to them on the way. A withdrawn record may be
   put again. An erased one may not, ever: a later put is refused, without anything that finds it.
7. Once a full statement of an epoch matched, messages of older epochs only leave withdrawn stubs, whenever they come.

Rules 4, 5 and 7 depend on a record's newest message and the last full statement only, rule 6 on its newest erasure,
which stands under a key of its own. Compaction keeps all three, so a log and its compacted form give the same rows.
"""

from typing import NamedTuple

from contracts.messages import ERASE, PUT, Claims, Evidence, MessageFault, log_keys
from contracts.streams import Stream
from gateway.ingest.lookups import lookups_of_message
from gateway.ingest.state import StreamState, found, heard, is_missing
from gateway.ingest.validity import Flaw, flaw_of
from gateway.store.rows import COUNTED, ERASED, LIVE, REJECTED, WITHDRAWN, Row, Write


class Received(NamedTuple):
    """A message as read: whose topic (`home`: the stream's own zone), which log key, the bytes, what `open` said."""

    stream: Stream
    home: bool
    log_key: bytes
    message: bytes
    opened: Evidence | MessageFault


class Known(NamedTuple):
    """What the node knows: the record's row, and the identity that had this number (asked for numbers up to head)."""

    row: Row | None = None
    identity: str | None = None


class Accepted(NamedTuple):
    state: StreamState
    write: Write


class Rejected(NamedTuple):
    """Refused. With a `write` the record is superseded, without one nothing has changed."""

    state: StreamState
    code: str
    pointer: str = ""
    write: Write | None = None


class Duplicate(NamedTuple):
    state: StreamState


class Stopped(NamedTuple):
    """The stream goes no further; `alarm` is the code."""

    state: StreamState
    alarm: str


Outcome = Accepted | Rejected | Duplicate | Stopped


def decide(state: StreamState, known: Known, received: Received) -> Outcome:
    """What `received` does to a stream in `state` (rules 1 to 7)."""
    opened = received.opened
    if isinstance(opened, Evidence):
        return _verified(state, known, received, opened.claims)
    if opened.claims is None:
        return Rejected(state, opened.code, opened.pointer)
    return _verified(state, known, received, opened.claims)


def _verified(state: StreamState, known: Known, received: Received, claims: Claims) -> Outcome:
    if claims.stream != received.stream:
        return Rejected(state, "key_not_for_stream", "/vct")
    key = received.log_key
    if claims.record.encode() != key and key not in log_keys(claims.record, claims.operation):
        return Rejected(state, "log_key_mismatch", "/rec")
    if claims.position > state.head:
        return _supersede(heard(state, claims.position), known.row, claims, received)
    return _again_or_late(state, known, claims, received)


def _again_or_late(state: StreamState, known: Known, claims: Claims, received: Received) -> Outcome:
    """Rule 3, for a number that is not above the head."""
    row, position = known.row, claims.position
    if known.identity is not None and known.identity != claims.identity:
        return Stopped(state._replace(stopped="equivocation"), "equivocation")
    if row is not None and row.position == position:
        return _mended(state, row, claims, received)
    if known.identity is not None:
        return Duplicate(state)
    if row is not None and position < row.position:
        return Rejected(_late(state, claims), "replayed", "/seq")
    if position.epoch == state.head.epoch and not is_missing(state, position.seq):
        # A statement that matched may stand before a withdrawal sent again, of which compaction kept the later copy.
        unseen_stub = row is None and claims.operation != PUT
        return _supersede(state, row, claims, received) if unseen_stub else Rejected(state, "replayed", "/seq")
    return _supersede(_late(state, claims), row, claims, received)


def _late(state: StreamState, claims: Claims) -> StreamState:
    return found(state, claims.position.seq) if claims.position.epoch == state.head.epoch else state


def _mended(state: StreamState, row: Row, claims: Claims, received: Received) -> Outcome:
    if row.condition != REJECTED or row.erased or _flaw(received.opened, received.home) is not None:
        return Duplicate(state)
    return _supersede(state, row, claims, received)


def _supersede(state: StreamState, row: Row | None, claims: Claims, received: Received) -> Outcome:
    """Rules 4 to 7: the message is the record's newest. `state` has heard of its number."""
    erased = row is not None and row.erased
    flaw = _flaw(received.opened, received.home)
    if flaw is None and erased and claims.operation == PUT:
        flaw = Flaw("record_erased", "/rec")
    if claims.operation != PUT or claims.position.epoch < state.covered:
        write = _stub(claims, erased or claims.operation == ERASE)
    elif flaw is None:
        write = _live(claims, received)
    else:
        write = _refused(claims, received, flaw.code, erased)
    state = _counted(state, row, write.row)
    return Accepted(state, write) if flaw is None else Rejected(state, flaw.code, flaw.pointer, write)


def _flaw(opened: Evidence | MessageFault, home: bool) -> Flaw | None:
    return flaw_of(opened, home) if isinstance(opened, Evidence) else Flaw(opened.code, opened.pointer)


def _live(claims: Claims, received: Received) -> Write:
    row = Row(claims.position, claims.identity, LIVE)
    lookups = lookups_of_message(claims, received.opened, received.message)
    return Write(claims.record, row, claims.type.vct, claims.visible["status"], "", lookups, received.message)


def _refused(claims: Claims, received: Received, code: str, erased: bool) -> Write:
    row = Row(claims.position, claims.identity, REJECTED, erased)
    lookups = () if erased else lookups_of_message(claims, received.opened, received.message)
    return Write(claims.record, row, claims.type.vct, code=code, lookups=lookups)


def _stub(claims: Claims, erased: bool) -> Write:
    row = Row(claims.position, claims.identity, ERASED if erased else WITHDRAWN, erased)
    return Write(claims.record, row, claims.type.vct)


def _counted(state: StreamState, before: Row | None, after: Row) -> StreamState:
    """The state with its counts as they are once `after` replaces `before`. Only the head's epoch is counted."""
    live, rejected, epoch = state.live, state.rejected, state.head.epoch
    if before is not None and before.position.epoch == epoch:
        live -= before.condition in COUNTED
        rejected -= before.condition == REJECTED
    if after.position.epoch == epoch:
        live += after.condition in COUNTED
        rejected += after.condition == REJECTED
    return StreamState(state.head, live, rejected, *state[3:])  # for every message: a third of `_replace`


__all__ = ["Accepted", "Duplicate", "Known", "Outcome", "Received", "Rejected", "Stopped", "decide"]
