"""Any history of a department, and any compacted form of its log, fold into the same rows, digests and completeness.

The histories have valid and invalid states, withdrawals, erasures, new epochs that restate all or some, statements of
both kinds, messages sent again, and strangers' records under keys of their own. One department keeps the contract and
never uses an erased record id again; the other breaks it (an outbox restored from an old backup would). The log is
compacted as Kafka does it: in a prefix, any records whose key comes again within that prefix may be gone. A full
statement stands at the end.
"""

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.feeds import LiveRecord
from contracts.messages import ERASE, PUT, WITHDRAW, log_keys
from contracts.streams import Position
from gateway.ingest.state import COMPLETE, feed_state
from tests.unit.gateway.ingest import world
from tests.unit.gateway.ingest.fold import Entry, Node

RECORDS = ("r0", "r1", "r2", "r3", "r4")
ACTS = ("put", "put", "invalid", "withdraw", "erase", "epoch", "short", "full", "again", "foreign", "garbage")


@cache
def signed(record: str, epoch: int, seq: int, operation: str, valid: bool) -> bytes:
    content = None if operation != PUT else world.document(seq) if valid else world.invalid_document(seq)
    return world.message(record, epoch, seq, operation, content)


class Department:
    """Numbers rise by one. If it `keeps` the contract, an erased record id is never used again."""

    def __init__(self, keeps: bool = True) -> None:
        self.keeps = keeps
        self.position = Position(1, 0)
        self.live: dict[str, LiveRecord] = {}
        self.newest: dict[str, bytes] = {}
        self.erased: set[str] = set()
        self.log: list[Entry] = []
        self.clock = 1_700_000_000

    def act(self, kind: str, record: str, number: int) -> None:
        {
            "epoch": lambda: self.restate(without=record if number % 2 else ""),
            "short": lambda: self.state(full=False),
            "full": lambda: self.state(full=True),
            "again": lambda: self.send_again(record),
            "foreign": lambda: self.copy(number),
            "garbage": lambda: self.log.append(Entry(b"garbage-%d" % (number % 2), b"no message~")),
        }.get(kind, lambda: self.publish(kind, record))()

    def publish(self, kind: str, record: str) -> None:
        if (self.keeps and record in self.erased) or (kind in (WITHDRAW, ERASE) and record not in self.live):
            return
        epoch, seq = self.position = Position(self.position.epoch, self.position.seq + 1)
        operation = PUT if kind == "invalid" else kind
        data = self.newest[record] = signed(record, epoch, seq, operation, kind != "invalid")
        self.log += (Entry(key, data) for key in log_keys(record, operation))
        identity = world.SUITE.digest_text(data.split(b"~")[0].rpartition(b".")[0])
        self.live[record] = LiveRecord(record, self.position, identity)
        if operation != PUT:
            del self.live[record]
        if operation == ERASE:
            self.erased.add(record)

    def restate(self, without: str) -> None:
        """A new outbox begins a new epoch, and says when it has restated what it still has."""
        restated = [name for name in self.live if name != without]
        self.position, self.live = Position(self.position.epoch + 1, 0), {}
        for name in restated:
            self.publish("put", name)
        self.state(full=True)

    def state(self, full: bool) -> None:
        self.clock += 1
        statement = world.statement(*self.position, list(self.live.values()), full, self.clock)
        self.log.append(Entry(statement.log_key, statement))

    def send_again(self, record: str) -> None:
        if record in self.newest:
            self.log.append(Entry(record.encode(), self.newest[record]))

    def copy(self, number: int) -> None:
        """Somebody copies an older record under a key of its own."""
        contents = [entry.content for entry in self.log if isinstance(entry.content, bytes)]
        if contents:
            self.log.append(Entry(b"foreign", contents[number % len(contents)]))


def history(acts: list[tuple[str, str, int]], keeps: bool = True) -> list[Entry]:
    department = Department(keeps)
    for act in acts:
        department.act(*act)
    department.state(full=True)
    return department.log


def compacted(log: list[Entry], cut: int, kept: set[int]) -> list[Entry]:
    """`log` with a cleaned prefix of `cut` records; of those superseded in it, only those in `kept` are still there."""
    last = {entry.key: index for index, entry in enumerate(log[:cut])}
    return [entry for index, entry in enumerate(log) if index >= cut or last[entry.key] == index or index in kept]


acts = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(RECORDS), st.integers(0, 50)), max_size=40)
# Few records and few other acts: it is what follows an erasure that matters here.
careless = st.lists(
    st.tuples(
        st.sampled_from(("put", ERASE, "put", "invalid", WITHDRAW, "epoch", "again")),
        st.sampled_from(RECORDS[:2]),
        st.integers(0, 50),
    ),
    min_size=2,
    max_size=16,
)


@settings(max_examples=150, deadline=None)
@given(acts, st.data())
def test_a_log_and_its_compacted_form_fold_into_the_same(acts: list[Any], data: st.DataObject) -> None:
    assert_same(history(acts), data)


@settings(max_examples=150, deadline=None)
@given(careless, st.data())
def test_so_they_do_where_erased_records_are_used_again(acts: list[Any], data: st.DataObject) -> None:
    assert_same(history(acts, keeps=False), data)


def assert_same(log: list[Entry], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(log) - 1))
    kept = data.draw(st.sets(st.integers(0, max(cut - 1, 0)), max_size=6))
    old, fresh = Node().read(*log), Node().read(*compacted(log, cut, kept))
    assert old.rows == fresh.rows
    assert old.buckets() == fresh.buckets()
    assert feed_state(old.state, 0) == feed_state(fresh.state, 0)
    assert feed_state(old.state, 0).state == COMPLETE


@settings(max_examples=100, deadline=None)
@given(acts, st.data())
def test_replaying_any_part_of_a_log_changes_nothing(acts: list[Any], data: st.DataObject) -> None:
    log = history(acts)
    replayed = data.draw(st.lists(st.sampled_from(log), max_size=20))
    once, again = Node().read(*log), Node().read(*log, *replayed)
    assert again.rows == once.rows
    assert again.state == once.state
