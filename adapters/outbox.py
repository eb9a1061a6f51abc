"""The outbox: what a department has published, what it still owes to the log, and the secrets behind names and keys.

The promise: append → publish → mark.

1. `append` gives numbers, seals and stores everything that a plan publishes, its statement included, in one
   transaction (`synchronous=FULL`): all of it or nothing, and before a single byte is written to the log.
2. `unpublished` hands out sealed bytes in order; `mark` forgets those that the log has taken. After a crash what is
   not marked is written again, byte for byte: nodes take the second copy for what it is, and no number is missing.
   A mark that cannot be written (a full disk) is remembered by the process meanwhile.
3. A new outbox begins a new epoch for each stream: now, in ms, and above every epoch this outbox has had.
4. A feed key is made for each stream and month, and for each zone key; its secret never leaves.
5. Runs are kept with their report and the digest of their plan. An approval belongs to one plan and is used up by it.
6. One process at a time works on an outbox (`Lock`); others may look, and may approve.

Document contents are only ever here inside sealed messages. The file is 0600: it holds secrets.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import apsw
import orjson

from adapters.outbox_tables import (
    APPLICATION_ID,
    APPROVED,
    BRAKED,
    PUBLISHED,
    SCHEMA,
    SUPERSEDED,
    Entry,
    Run,
    Sealed,
    StreamState,
)
from contracts.edge import system_errors
from contracts.edge.sqlite_errors import as_system_errors
from contracts.edge.transport.topic_file import require_sqlite
from contracts.encoding import Json
from contracts.envelope import KEY_SIZE, FeedKey, feed_key
from contracts.errors import Corrupt, UserError
from contracts.feeds import LiveRecord
from contracts.hpke import WrapKey
from contracts.streams import Position, Stream
from contracts.text import Text

BUSY_MS = 30_000
_CHUNK = 500  # messages held at a time while they are appended
_PEND = "INSERT INTO pending (stream, key, value) VALUES (?, ?, ?)"
_OWNER = "SELECT organisation, adapter, record_secret, content_secret FROM owner"
_FIND_STREAM = "SELECT id, epoch, next_seq, next_at, full_at FROM streams WHERE type = ?"
_FIND_RUN = """
SELECT id, stream, at, state, plan, report FROM runs
WHERE (:id IS NULL OR id = :id) AND (:stream IS NULL OR stream = :stream) AND (:plan IS NULL OR plan = :plan)
  AND (:state IS NULL OR state = :state)
ORDER BY id DESC LIMIT 1
"""
_KEPT_RUNS = 1000  # of each adapter
_ANOTHER = Text("发件箱属于另一适配器 {who}", "The outbox belongs to another adapter, {who}")
_OWN_FILE = Text("每个适配器使用自己的 outbox 文件。", "Each adapter has an outbox of its own.")
_BUSY = Text("另一个适配器进程正在使用该发件箱", "Another adapter process is using this outbox")
_WAIT = Text("请等它结束，或先停止它。", "Wait until it ends, or stop it first.")
_NO_RUN = Text("没有待批准的运行 {run}", "There is no run {run} that waits for approval")
_SEE_STATUS = Text("用 oncegate-adapter status 查看。", "See oncegate-adapter status.")
_UNUSABLE = Text("无法使用发件箱:{why}", "The outbox cannot be used: {why}")

MakeStatement = Callable[[Position, Iterator[LiveRecord]], tuple[bytes, bytes, int, bool]]


class OutboxUnusable(UserError):
    """The machine keeps the outbox from working, mostly a full disk. A later try may do; nothing was half done."""

    @classmethod
    def of(cls, error: OSError) -> "OutboxUnusable":
        """In our words."""
        why = system_errors.why(error)
        what = Text(_UNUSABLE.zh.format(why=why.zh), _UNUSABLE.en.format(why=why.en))
        return cls(what, str(error.filename or ""), system_errors.remedy(error))


class LockHeld(UserError):
    """Another process works on the outbox."""


class Lock:
    """Held by the process that works on an outbox; raises `LockHeld` if another one does."""

    def __init__(self, outbox: Path) -> None:
        self._file = os.open(outbox.with_name(outbox.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise LockHeld(_BUSY, str(outbox), _WAIT) from None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


class Outbox:
    """One connection to an outbox, for one thread. `path` None: in memory, for a trial run without one."""

    def __init__(self, path: Path | None, organisation: str, adapter: str) -> None:
        """Opens or creates; raises `UserError`, `Corrupt`."""
        require_sqlite()
        self._path = Path(":memory:") if path is None else path
        self._sent: dict[int, int] = {}  # stream → the last entry that the log took
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._errors():
            self._db = apsw.Connection(str(self._path))
            self._db.set_busy_timeout(BUSY_MS)
            if not self._owner():
                list(self._db.execute(SCHEMA))  # apsw stops at the first row, here of a pragma
            self._db.pragma("synchronous", "FULL")
            self._db.pragma("secure_delete", "ON")
            self.record_secret, self.content_secret = self._claim(organisation, adapter)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _owner(self) -> bool:
        found = self._db.pragma("application_id")
        if found not in (0, APPLICATION_ID):
            raise Corrupt("outbox: the file is not an outbox")
        return found == APPLICATION_ID and bool(self._db.execute("SELECT count(*) FROM sqlite_schema").get)

    def _claim(self, organisation: str, adapter: str) -> tuple[bytes, bytes]:
        row = next(iter(self._db.execute(_OWNER)), None)  # a reader need not wait for the writer
        if row is None:
            made = (organisation, adapter, secrets.token_bytes(32), secrets.token_bytes(32))
            with self._writing():
                self._db.execute("INSERT INTO owner SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM owner)", made)
                row = next(self._db.execute(_OWNER))
        if row[:2] != (organisation, adapter):
            raise UserError(_ANOTHER.fill(who=f"{row[0]}/{row[1]}"), "outbox", _OWN_FILE)
        return row[2], row[3]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """apsw's errors in our words."""
        try:
            with as_system_errors(self._path):
                yield
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise Corrupt(f"outbox: {error}") from error
        except apsw.Error as error:
            raise UserError(_UNUSABLE.fill(why=error), str(self._path)) from error
        except OSError as error:
            raise OutboxUnusable.of(error) from error

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
        return StreamState(*row)

    def known_stream(self, evidence_type: str) -> StreamState | None:
        """The state of a stream that has begun."""
        with self._errors():
            row = next(iter(self._db.execute(_FIND_STREAM, (evidence_type,))), None)
        return None if row is None else StreamState(*row)

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
            position = self._append_messages(state, sealed)
            key, value, next_at, full = statement(position, self._live(state))
            self._db.execute(_PEND, (state.id, key, value))
            self._db.execute(
                "UPDATE streams SET next_seq = ?, next_at = ?, full_at = iif(?, ?, full_at) WHERE id = ?",
                (position.seq + 1, next_at, full, run[0], state.id),
            )
            self._supersede(state)
            return self._keep_run(state, PUBLISHED, *run)

    def _append_messages(self, state: StreamState, sealed: Iterable[Sealed]) -> Position:
        seq = state.next_seq
        source = iter(sealed)
        while chunk := list(islice(source, _CHUNK)):
            numbers = [one.seq for one in chunk]
            if numbers != list(range(seq, seq + len(chunk))):
                raise ValueError(f"{numbers[0]}…{numbers[-1]} are not the numbers from {seq} on")
            self._db.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)",
                ((state.id, one.record, one.seq, one.digest, one.identity) for one in chunk),
            )
            self._db.executemany(_PEND, ((state.id, one.record.encode(), one.value) for one in chunk))
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

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
