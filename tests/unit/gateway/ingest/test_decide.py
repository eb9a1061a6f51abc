"""Each rule of `decide`, with real signed messages."""

import pytest

from contracts.algorithms import SUITES
from contracts.encoding import b64url_decode, b64url_encode
from contracts.messages import ERASE, PUT, WITHDRAW, open_message
from contracts.streams import Position, Stream
from gateway.ingest.decide import Known, Received, decide
from gateway.ingest.state import StreamState
from gateway.store.rows import ERASED, LIVE, REJECTED, WITHDRAWN
from tests.unit.gateway.ingest import world
from tests.unit.gateway.ingest.fold import Accepted, Duplicate, Entry, Node, Rejected, Stopped

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def put(record: str, seq: int, epoch: int = 1, number: int = 1) -> Entry:
    return Entry(record.encode(), world.message(record, epoch, seq, content=world.document(number)))


def invalid(record: str, seq: int) -> Entry:
    return Entry(record.encode(), world.message(record, 1, seq, content=world.invalid_document()))


def ended(record: str, seq: int, operation: str, epoch: int = 1) -> Entry:
    return Entry(record.encode(), world.message(record, epoch, seq, operation))


def erased(record: str, seq: int) -> Entry:
    """The copy of an erasure that nothing supersedes."""
    return Entry(f"@erased/{record}".encode(), ended(record, seq, ERASE).content)


def full(node: Node, epoch: int, seq: int) -> Entry:
    statement = world.statement(epoch, seq, node.live(epoch), full=True)
    return Entry(statement.log_key, statement)


def without_last_disclosure(entry: Entry) -> Entry:
    assert isinstance(entry.content, bytes)
    return Entry(entry.key, entry.content[:-1].rpartition(b"~")[0] + b"~")


def malleated(entry: Entry) -> Entry:
    """The other valid signature of the same message: (r, n - s)."""
    assert isinstance(entry.content, bytes)
    token, _, tail = entry.content.partition(b"~")
    signed, _, text = token.rpartition(b".")
    signature = b64url_decode(text)
    other = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    return Entry(entry.key, signed + b"." + b64url_encode(other) + b"~" + tail)


def test_a_valid_message_becomes_a_live_row() -> None:
    node = Node()
    entry = put("r1", 1)
    outcome = node.take(entry)
    assert isinstance(outcome, Accepted)
    write = outcome.write
    assert (write.row.condition, write.status, write.vct) == (LIVE, "valid", world.TYPE.vct)
    assert write.message == entry.content
    assert write.lookups == (
        ("unified_social_credit_code", "92110105MA0012345N"),
        ("holder:cn.uscc", "92110105MA0012345N"),
        ("holder:cn.ric", "65010219951112302X"),
    )
    assert node.state == StreamState(head=Position(1, 1), live=1)


def test_what_was_not_verified_changes_nothing() -> None:
    node = Node().read(put("r1", 1))
    before = node.state
    forged = world.message("r1", 1, 2, key=world.STRANGER_KEY)
    assert node.take(Entry(b"r1", forged)) == Rejected(before, "key_unknown")
    assert (node.state, node.condition("r1")) == (before, LIVE)


def test_another_stream_in_this_topic_is_refused() -> None:
    stream = Stream("market", "market-2", world.TYPE.id)
    data = world.message("r1", 1, 1, key=world.OTHER_KEY, stream=stream)
    assert Node().take(Entry(b"r1", data)) == Rejected(StreamState(), "key_not_for_stream", "/vct")


def test_a_foreign_log_key_supersedes_nothing() -> None:
    node = Node().read(put("r1", 1))
    before = node.state
    moved = Entry(b"r2", put("r1", 2).content)
    assert node.take(moved) == Rejected(before, "log_key_mismatch", "/rec")
    assert node.condition("r1") == LIVE


def test_a_duplicate_changes_nothing() -> None:
    node = Node().read(put("r1", 1), put("r1", 2))
    before = node.state
    assert node.take(put("r1", 2)) == Duplicate(before)
    assert node.take(put("r1", 1)) == Duplicate(before)


def test_a_malleated_signature_is_a_duplicate() -> None:
    entry = put("r1", 1)
    other = malleated(entry)
    assert other != entry
    node = Node().read(entry)
    assert isinstance(node.take(other), Duplicate)


@pytest.mark.parametrize("record", ["r1", "r2"])
def test_a_number_with_two_messages_stops_the_stream(record: str) -> None:
    node = Node().read(put("r1", 1))
    outcome = node.take(put(record, 1, number=2))
    assert outcome == Stopped(node.state, "equivocation")
    assert node.state.stopped == "equivocation"


def test_a_superseded_number_is_remembered() -> None:
    node = Node().read(put("r1", 1), put("r1", 2))
    assert isinstance(node.take(put("r1", 1, number=2)), Stopped)


def test_a_forgotten_number_is_a_replay() -> None:
    node = Node().read(put("r1", 1), put("r1", 2))
    node.superseded.clear()
    assert node.take(put("r1", 1)) == Rejected(node.state, "replayed", "/seq")
    assert node.take(put("r2", 1)) == Rejected(node.state, "replayed", "/seq")
    assert node.rows.keys() == {"r1"}


def test_a_missing_number_that_comes_late_is_taken() -> None:
    node = Node().read(put("r1", 1), put("r2", 4))
    assert isinstance(node.take(put("r3", 2)), Accepted)
    assert node.state == StreamState(head=Position(1, 4), live=3, gaps=((3, 3),))
    assert isinstance(node.take(put("r4", 3)), Accepted)
    assert node.state == StreamState(head=Position(1, 4), live=4)


def test_a_late_older_state_of_a_record_only_fills_its_gap() -> None:
    node = Node().read(put("r1", 2))
    assert node.take(put("r1", 1)) == Rejected(node.state, "replayed", "/seq")
    assert node.state.gaps == ()
    assert node.rows["r1"].row.position == Position(1, 2)


def test_an_invalid_message_supersedes() -> None:
    node = Node().read(put("r1", 1))
    outcome = node.take(invalid("r1", 2))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.pointer) == ("document_invalid", "/established_on")
    write = node.rows["r1"]
    assert (write.row.condition, write.code, write.message) == (REJECTED, "document_invalid", None)
    assert ("holder:cn.uscc", "92110105MA0012345N") in write.lookups
    assert (node.state.live, node.state.rejected) == (1, 1)


def test_a_holder_under_a_scheme_that_the_type_has_not_is_invalid() -> None:
    content = world.document(holders=[{"scheme": "passport", "id": "E12345678"}])
    outcome = Node().take(Entry(b"r1", world.message("r1", 1, 1, content=content)))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.pointer) == ("document_invalid", "/holders/0/scheme")
    assert outcome.write is not None
    assert ("holder:passport", "E12345678") in outcome.write.lookups


def test_dropped_disclosures_show_at_home_and_are_mended() -> None:
    whole = put("r1", 1)
    node = Node().read(without_last_disclosure(whole))
    assert (node.condition("r1"), node.rows["r1"].code) == (REJECTED, "disclosures_missing")
    assert isinstance(node.take(without_last_disclosure(whole)), Duplicate)
    assert isinstance(node.take(whole), Accepted)
    assert (node.condition("r1"), node.state.live, node.state.rejected) == (LIVE, 1, 0)
    assert isinstance(node.take(without_last_disclosure(whole)), Duplicate)


def test_an_added_disclosure_is_not_believed() -> None:
    entry = put("r1", 1)
    victim = b64url_encode(b'["AAAAAAAAAAAAAAAAAAAAAA",{"id":"11010519491231002X","scheme":"cn.ric"}]')
    assert isinstance(entry.content, bytes)
    outcome = Node().take(Entry(b"r1", entry.content + victim + b"~"))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "disclosure_unlisted"
    assert outcome.write is not None
    assert ("holder:cn.ric", "11010519491231002X") not in outcome.write.lookups
    assert ("holder:cn.ric", "65010219951112302X") in outcome.write.lookups


def test_behind_a_border_each_property_is_checked_alone() -> None:
    away = Node(home=False)
    assert isinstance(away.take(without_last_disclosure(put("r1", 1))), Accepted)
    bad = without_last_disclosure(invalid("r2", 2))
    outcome = away.take(bad)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.pointer) == ("document_invalid", "/established_on")


@pytest.mark.parametrize(("operation", "condition"), [(WITHDRAW, WITHDRAWN), (ERASE, ERASED)])
def test_ended_records_are_stubs(operation: str, condition: str) -> None:
    node = Node().read(put("r1", 1), ended("r1", 2, operation))
    write = node.rows["r1"]
    assert (write.row.condition, write.message, write.lookups, node.state.live) == (condition, None, (), 0)
    assert isinstance(node.take(put("r1", 1)), Duplicate)
    assert node.condition("r1") == condition


def test_an_unknown_record_can_be_ended() -> None:
    assert Node().read(ended("r1", 1, ERASE)).condition("r1") == ERASED


def test_something_added_to_an_erasure_does_not_keep_it_away() -> None:
    node = Node().read(put("r1", 1))
    entry = ended("r1", 2, ERASE)
    assert isinstance(entry.content, bytes)
    outcome = node.take(Entry(b"r1", entry.content + b"AAAA~"))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, node.condition("r1"), node.state.live) == ("disclosure_unlisted", ERASED, 0)


def test_a_withdrawn_record_may_return() -> None:
    node = Node().read(put("r1", 1), ended("r1", 2, WITHDRAW), put("r1", 3))
    assert (node.condition("r1"), node.state.live) == (LIVE, 1)


def test_an_erased_record_never_returns() -> None:
    node = Node().read(put("r1", 1), ended("r1", 2, ERASE))
    for seq in (3, 4):
        outcome = node.take(put("r1", seq))
        assert isinstance(outcome, Rejected)
        write = node.rows["r1"]
        assert (outcome.code, write.row.condition, write.message, write.lookups) == (
            "record_erased",
            REJECTED,
            None,
            (),
        )
    assert isinstance(node.take(put("r1", 4)), Duplicate)
    node.read(ended("r1", 5, WITHDRAW))
    assert node.condition("r1") == ERASED


def test_a_put_after_an_erasure_is_refused_where_compaction_left_the_copy_only() -> None:
    old = Node().read(put("r1", 1), ended("r1", 2, ERASE), erased("r1", 2), put("r1", 3))
    fresh = Node().read(erased("r1", 2), put("r1", 3))
    assert fresh.rows == old.rows
    assert old.buckets() == fresh.buckets()


def test_an_older_put_written_again_does_not_bring_back_what_was_erased() -> None:
    fresh = Node().read(erased("r1", 2), put("r1", 1))
    assert fresh.condition("r1") == ERASED


@pytest.mark.parametrize("operation", [PUT, WITHDRAW])
def test_an_erasure_alone_has_a_key_of_its_own(operation: str) -> None:
    entry = put("r1", 1) if operation == PUT else ended("r1", 1, operation)
    outcome = Node().take(Entry(b"@erased/r1", entry.content))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.write) == ("log_key_mismatch", None)


def test_an_erasure_does_not_stand_under_the_key_of_another_record() -> None:
    outcome = Node().take(Entry(b"@erased/r2", ended("r1", 1, ERASE).content))
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.write) == ("log_key_mismatch", None)


def test_a_new_epoch_counts_anew() -> None:
    node = Node().read(put("r1", 1), put("r2", 5))
    node.read(put("r1", 2, epoch=2))
    assert node.state == StreamState(head=Position(2, 2), live=1, gaps=((1, 1),))
    assert node.condition("r2") == LIVE


def test_older_epochs_leave_stubs_once_they_are_covered() -> None:
    node = Node().read(put("r1", 1), put("r1", 1, epoch=2))
    node.read(full(node, 2, 1))
    assert isinstance(node.take(put("late", 9)), Accepted)
    assert (node.condition("late"), node.rows["late"].lookups, node.state.live) == (WITHDRAWN, (), 1)


def test_a_late_message_of_an_older_epoch_is_taken_before_that() -> None:
    node = Node().read(put("r1", 1, epoch=2))
    assert isinstance(node.take(put("late", 9)), Accepted)
    assert (node.condition("late"), node.state.live) == (LIVE, 1)
    assert isinstance(node.take(put("r1", 9, number=3)), Stopped)


def test_decide_needs_no_registry_and_no_clock() -> None:
    entry = put("r1", 1)
    assert isinstance(entry.content, bytes)
    opened = open_message(entry.content, world.registry())
    received = Received(world.STREAM, True, b"r1", entry.content, opened)
    assert decide(StreamState(), Known(), received) == decide(StreamState(), Known(), received)
    assert opened.claims is not None
    assert opened.claims.suite is SUITES["ES256"]
