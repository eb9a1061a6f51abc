"""The outbox: what a department has published, what it still owes to the log, and the secrets behind names and keys.

The promise: append → publish → mark.

1. `append` gives numbers, seals and stores everything that a plan publishes, its statement included, in one
   transaction (`synchronous=FULL`): all of it or nothing, and before a single byte is written to the log.
2. `unpublished` hands out sealed bytes in order; `mark` forgets those that the log has taken. After a crash what is
   not marked is written again, byte for byte: nodes take the second copy for what it is, and no number is missing.
   A mark that cannot be written (a full disk) is remembered by the process meanwhile.
3. A new outbox begins a new epoch for each stream, and so does `begin_epoch`: now, in ms, and above every epoch this
   outbox has had. The next plan of the stream restates everything, erasures included.
4. A feed key is made for each stream and month, and for each zone key; its secret never leaves.
5. Runs are kept with their report and the digest of their plan. An approval belongs to one plan and is used up by it.
6. One process at a time works on an outbox (`Lock`); others may look, and may approve.
7. What is erased is gone from this file with the erasure's transaction, sealed bytes that waited included; `tidy` then
   empties the WAL file, as soon as nobody reads an older state.

Document contents are only ever here inside sealed messages. The file is 0600: it holds secrets.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from adapters.outbox_file import Lock, LockHeld, OutboxFile, OutboxUnusable
from adapters.outbox_tables import (
    APPROVED,
    BRAKED,
    PUBLISHED,
    SUPERSEDED,
    Entry,
    Run,
    Sealed,
    StreamState,
)
from contracts.encoding import Json
from contracts.envelope import KEY_SIZE, FeedKey, feed_key
from contracts.errors import UserError
from contracts.feeds import LiveRecord
from contracts.hpke import WrapKey
from contracts.streams import Position, Stream
from contracts.text import Text

_CHUNK = 500  # messages held at a time while they are appended
_PEND = "INSERT INTO pending (stream, key, value) VALUES (?, ?, ?)"
_FIND_STREAM = "SELECT id, epoch, next_seq, next_at, full_at, restates FROM streams WHERE type = ?"
_FIND_RUN = """
SELECT id, stream, at, state, plan, report FROM runs
WHERE (:id IS NULL OR id = :id) AND (:stream IS NULL OR stream = :stream) AND (:plan IS NULL OR plan = :plan)
  AND (:state IS NULL OR state = :state)
ORDER BY id DESC LIMIT 1
"""
_BEGIN_EPOCH = """
UPDATE streams SET epoch = max(?, 1 + (SELECT max(epoch) FROM streams)), next_seq = 1, next_at = NULL, full_at = NULL,
  restates = 1
WHERE id = ? RETURNING epoch
"""
_KEPT_RUNS = 1000  # of each adapter
_NO_RUN = Text("没有待批准的运行 {run}", "There is no run {run} that waits for approval")
_SEE_STATUS = Text("用 oncegate-adapter status 查看。", "See oncegate-adapter status.")


MakeStatement = Callable[[Position, Iterator[LiveRecord]], tuple[bytes, bytes, int, bool]]


class Outbox(OutboxFile):
    """What is done with an outbox."""

    def __init__(self, path: Path | None, organisation: str, adapter: str) -> None:
        """Opens or creates; raises `UserError`, `Corrupt`."""
        super().__init__(path, organisation, adapter)
        self._sent: dict[int, int] = {}  # stream → the last entry that the log took

    # --- streams -----------------------------------------------------------------------------------------------

    def stream(self, evidence_type: str, now_ms: int) -> StreamState:
        """The state of a stream; one that is new begins its epoch (rule 3)."""
        with self._errors(), self._writing():
            highest = self._db.execute("SELECT coalesce(max(epoch), 0) FROM streams").get
            self._db.execute(
                "INSERT INTO streams (type, epoch, next_seq) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
                (evidence_type, max(now_ms, highest + 1)),
            )
            row = next(self._db.execute(_FIND_STREAM, (evidence_type,)))
        return _stream_state(row)

    def begin_epoch(self, state: StreamState, now_ms: int) -> int:
        """Begin a new epoch (rule 3), and forget what waits of the former one; the new epoch."""
        with self._errors(), self._writing():
            epoch: int = self._db.execute(_BEGIN_EPOCH, (now_ms, state.id)).get
            self._db.execute("DELETE FROM pending WHERE stream = ?", (state.id,))
            self._supersede(state)
        return epoch

    def known_stream(self, evidence_type: str) -> StreamState | None:
        """The state of a stream that has begun."""
        with self._errors():
            row = next(iter(self._db.execute(_FIND_STREAM, (evidence_type,))), None)
        return None if row is None else _stream_state(row)

    def feed_key(self, stream: Stream, state: StreamState, zone_key: WrapKey, month: str) -> FeedKey:
        """The stream's feed key of `month`, made on first use (rule 4)."""
        place = (state.id, month, zone_key.kid)
        with self._errors(), self._writing():
            found = self._db.execute(
                "SELECT secret, header FROM feed_keys WHERE stream = ? AND month = ? AND zone_kid = ?", place
            ).get
            if found is not None:
                return FeedKey(*found)
            made = feed_key(stream, zone_key, secrets.token_bytes(KEY_SIZE))
            self._db.execute("INSERT INTO feed_keys VALUES (?, ?, ?, ?, ?)", (*place, made.secret, made.header))
        return made

    def live_digests(self, state: StreamState) -> Mapping[str, bytes]:
        """The content digest of each live record, by record id."""
        query = "SELECT rec, digest FROM records WHERE stream = ? AND digest IS NOT NULL"
        with self._errors():
            return dict(self._db.execute(query, (state.id,)))

    # --- append, publish, mark -----------------------------------------------------------------------------------

    def append(
        self,
        state: StreamState,
        sealed: Iterable[Sealed],
        statement: MakeStatement,
        run: tuple[int, str, Json],
    ) -> Run:
        """Everything that a plan publishes, in one transaction (rule 1); returns the run.

        `sealed` must carry the numbers from `state.next_seq` on. `statement` is made from what is live afterwards; it
        gives its key and value on the log, the time of the next one (Unix s), and whether it is full.
        `run`: Unix s, digest of the plan, report.
        """
        with self._errors(), self._writing():
            if state.restates:
                self._db.execute("UPDATE records SET digest = NULL WHERE stream = ?", (state.id,))
            position = self._append_messages(state, sealed)
            key, value, next_at, full = statement(position, self._live(state))
            self._db.execute(_PEND, (state.id, key, value))
            self._db.execute(
                "UPDATE streams SET next_seq = ?, next_at = ?, full_at = iif(?, ?, full_at), restates = 0 WHERE id = ?",
                (position.seq + 1, next_at, full, run[0], state.id),
            )
            self._supersede(state)
            return self._keep_run(state, PUBLISHED, *run)

    def append_erasures(self, state: StreamState, sealed: Sequence[Sealed]) -> None:
        """The erasures, and nothing else, in the caller's transaction (rule 7). The next statement is a full one: the
        numbers of what waited and is gone are missing in the log."""
        records = [(state.id, one.record) for one in sealed]
        self._db.executemany("DELETE FROM pending WHERE stream = ? AND CAST(key AS TEXT) = ?", records)
        position = self._append_messages(state, sealed)
        self._db.executemany("INSERT OR IGNORE INTO erased (stream, rec) VALUES (?, ?)", records)
        self._db.execute("UPDATE streams SET next_seq = ?, full_at = NULL WHERE id = ?", (position.seq + 1, state.id))

    def _append_messages(self, state: StreamState, sealed: Iterable[Sealed]) -> Position:
        seq = state.next_seq
        source = iter(sealed)
        while chunk := list(islice(source, _CHUNK)):
            numbers = [one.seq for one in chunk]
            if numbers != list(range(seq, seq + len(chunk))):
                raise ValueError(f"{numbers[0]}…{numbers[-1]} are not the numbers from {seq} on")
            self._db.executemany(
                "INSERT OR REPLACE INTO records (stream, rec, seq, digest, identity, file, line) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((state.id, one.record, one.seq, one.digest, one.identity, one.file, one.line) for one in chunk),
            )
            self._db.executemany(_PEND, ((state.id, key, one.value) for one in chunk for key in one.keys))
            seq += len(chunk)
        return Position(state.epoch, seq - 1)

    def _live(self, state: StreamState) -> Iterator[LiveRecord]:
        query = "SELECT rec, seq, identity FROM records WHERE stream = ? AND digest IS NOT NULL"
        for record, seq, identity in self._db.execute(query, (state.id,)):
            yield LiveRecord(record, Position(state.epoch, seq), identity)

    def unpublished(self, state: StreamState, count: int) -> list[Entry]:
        """The first `count` entries that the log is not known to have, in order."""
        query = "SELECT id, key, value FROM pending WHERE stream = ? AND id > ? ORDER BY id LIMIT ?"
        with self._errors():
            return [Entry(*row) for row in self._db.execute(query, (state.id, self._sent.get(state.id, 0), count))]

    def backlog(self, state: StreamState) -> int:
        """How many entries the log is not known to have."""
        with self._errors():
            return int(self._db.execute("SELECT count(*) FROM pending WHERE stream = ?", (state.id,)).get)

    def mark(self, state: StreamState, last: Entry) -> None:
        """The log has every entry up to `last`, durably."""
        self._sent[state.id] = last.id
        self.settle(state)

    def settle(self, state: StreamState) -> None:
        """Write down marks that a full disk has kept us from writing: this process does not send those again."""
        with self._errors(), self._writing():
            sent = self._sent.get(state.id, 0)
            self._db.execute("DELETE FROM pending WHERE stream = ? AND id <= ?", (state.id, sent))

    # --- runs ----------------------------------------------------------------------------------------------------

    def brake(self, state: StreamState, at: int, plan: str, report: Json) -> Run:
        """Keep a braked run. The same plan again is the same run; another plan supersedes it."""
        with self._errors(), self._writing():
            same = self._run(stream=state.id, plan=plan, state=BRAKED)
            if same is not None:
                return same
            self._supersede(state)
            return self._keep_run(state, BRAKED, at, plan, report)

    def approve(self, run: int) -> Run:
        """Approve exactly the plan of a braked run; raises `UserError`."""
        with self._errors(), self._writing():
            found = self._run(id=run)
            if found is None or found.state not in (BRAKED, APPROVED):
                raise UserError(_NO_RUN.fill(run=run), "", _SEE_STATUS)
            self._db.execute("UPDATE runs SET state = ? WHERE id = ?", (APPROVED, run))
        return found

    def approved_plan(self, state: StreamState) -> str | None:
        """The digest of the plan that may pass the brake."""
        with self._errors():
            found = self._run(stream=state.id, state=APPROVED)
        return found.plan if found is not None else None

    def is_braked(self, state: StreamState) -> bool:
        """Whether a plan waits for approval."""
        with self._errors():
            return self._run(stream=state.id, state=BRAKED) is not None

    def issue_time(self, state: StreamState, now_s: int) -> int:
        """`now_s`, but later than everything issued in this stream: a clock that went back does not take time back.

        A node refuses a statement that is older than one it has, as it would a replayed one.
        """
        with self._errors():
            last = self._db.execute("SELECT coalesce(max(at), 0) FROM runs WHERE stream = ?", (state.id,)).get
        return now_s if now_s >= last else int(last) + 1

    def last_run(self, state: StreamState) -> Run | None:
        """The newest run of a stream."""
        with self._errors():
            return self._run(stream=state.id)

    def _run(self, **wanted: int | str) -> Run | None:
        bindings = {"id": None, "stream": None, "plan": None, "state": None, **wanted}
        row = next(iter(self._db.execute(_FIND_RUN, bindings)), None)
        return None if row is None else Run(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]))

    def _supersede(self, state: StreamState) -> None:
        self._db.execute(
            "UPDATE runs SET state = ? WHERE stream = ? AND state IN (?, ?)", (SUPERSEDED, state.id, BRAKED, APPROVED)
        )

    def _keep_run(self, state: StreamState, name: str, at: int, plan: str, report: Json) -> Run:
        query = "INSERT INTO runs (stream, at, state, plan, report) VALUES (?, ?, ?, ?, ?) RETURNING id"
        text = orjson.dumps(report).decode()
        made = self._db.execute(query, (state.id, at, name, plan, text)).get
        self._db.execute("DELETE FROM runs WHERE id <= ?", (made - _KEPT_RUNS,))
        return Run(int(made), state.id, at, name, plan, report)


def _stream_state(row: Sequence[Any]) -> StreamState:
    return StreamState(row[0], row[1], row[2], row[3], row[4], bool(row[5]))


__all__ = ["Lock", "LockHeld", "MakeStatement", "Outbox", "OutboxUnusable"]
