"""From a plan to the log: numbers, identities, statements."""

from dataclasses import replace
from itertools import count

import pytest

from adapters.contents import digest, record_names
from adapters.mapping import Document
from adapters.outbox_tables import StreamState
from adapters.plan import Candidate, Plan
from adapters.sealing import FULL_EVERY_S, Sealer, full_due, statement_due
from contracts import catalogue
from contracts.algorithms import SigningKey
from contracts.envelope import Keyring, feed_key
from contracts.feeds import FULL_KEY, KEY, LiveRecord, bucket_digests, open_statement
from contracts.hpke import UnwrapKey
from contracts.messages import Evidence, open_message
from contracts.registry import Adapter, AdapterKey, Snapshot
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream

TYPE = next(one for one in catalogue.evidence_types() if one.id == "cn.business-licence")
BODY = catalogue.examples("cn.business-licence")["valid"][0]
STREAM = Stream("market", "market-1", TYPE.id)
ZONE = UnwrapKey.generate()
STATE = StreamState(1, 1_700_000_000_000, 5, None, None)


@pytest.fixture(params=["ES256", "ES384", "EdDSA"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    return SigningKey.generate(request.param)


def _registry(key: SigningKey) -> Snapshot:
    entry = AdapterKey(key.suite.alg, key.public.jwk)
    adapter = Adapter("market-1", "market", "zone", (TYPE.id,), (entry,))
    return Snapshot(1, 2, 3, Contents(adapters=(adapter,), evidence_types=(TYPE,)))


def _sealer(key: SigningKey) -> Sealer:
    salts = (number.to_bytes(16, "big") for number in count())
    ivs = (number.to_bytes(12, "big") for number in count())
    return Sealer(STREAM, TYPE, key, feed_key(STREAM, ZONE.public, bytes(32)), salts, ivs, 1_700_000_100)


def test_an_erasure_has_no_content_and_two_keys(key: SigningKey) -> None:
    plan = replace(_plan(), erased=("wiped",))
    first, *rest = _sealer(key).seal_plan(plan, STATE)
    assert (first.record, first.seq, first.digest, first.keys) == ("wiped", 5, None, (b"wiped", b"@erased/wiped"))
    assert [(one.seq, one.keys) for one in rest] == [(6, (b"r2",)), (7, (b"r3",)), (8, (b"gone",))]
    assert [(one.file, one.line) for one in rest] == [("a.csv", 2), ("a.csv", 3), (None, None)]
    opened = open_message(Keyring([ZONE]).open(first.value, STREAM), _registry(key))
    assert isinstance(opened, Evidence)
    assert (opened.claims.operation, opened.claims.visible, opened.disclosures) == ("erase", {}, ())


def test_a_readmitted_row_has_another_name_each_time() -> None:
    secret, values = bytes(32), ("440",)
    first = record_names(secret, STREAM)(values)
    second = record_names(secret, STREAM, {first})(values)
    third = record_names(secret, STREAM, {first, second})(values)
    assert len({first, second, third}) == 3
    assert record_names(secret, STREAM, {first})(("441",)) == record_names(secret, STREAM)(("441",))


def _plan() -> Plan:
    puts = tuple(Candidate(Document("a.csv", line, f"r{line}", BODY, line), b"d") for line in (2, 3))
    return Plan(puts, ("gone",), (), 2, 0, 0, 0)


def test_a_plan_becomes_messages_that_open(key: SigningKey) -> None:
    sealed = list(_sealer(key).seal_plan(_plan(), STATE))
    assert [(one.record, one.seq, one.digest) for one in sealed] == [
        ("r2", 5, b"d"),
        ("r3", 6, b"d"),
        ("gone", 7, None),
    ]
    registry, keyring = _registry(key), Keyring([ZONE])
    opened = [open_message(keyring.open(one.value, STREAM), registry) for one in sealed]
    for one, evidence in zip(sealed, opened, strict=True):
        assert isinstance(evidence, Evidence), evidence
        assert evidence.whole
        assert (evidence.claims.record, evidence.claims.identity) == (one.record, one.identity)
        assert evidence.claims.position == Position(STATE.epoch, one.seq)
    assert [one.claims.operation for one in opened if isinstance(one, Evidence)] == ["put", "put", "withdraw"]
    assert [one.claims.source_time for one in opened if isinstance(one, Evidence)] == [2, 3, 1_700_000_100]
    assert isinstance(opened[0], Evidence)
    assert opened[0].document() == BODY


@pytest.mark.parametrize(("full", "log_key"), [(False, KEY), (True, FULL_KEY)])
def test_statements_open_and_count(key: SigningKey, full: bool, log_key: bytes) -> None:
    live = [LiveRecord("r2", Position(STATE.epoch, 5), "sha-256:00"), LiveRecord("r3", Position(STATE.epoch, 6), "x")]
    position = Position(STATE.epoch, 7)
    found_key, value = _sealer(key).seal_statement(position, iter(live), 1_700_003_700, full)
    statement, suite = open_statement(Keyring([ZONE]).open(value, STREAM), STREAM, _registry(key))
    assert found_key == log_key
    assert (statement.position, statement.count, statement.next_at) == (position, 2, 1_700_003_700)
    assert statement.buckets == (bucket_digests(live, suite) if full else None)


@pytest.mark.parametrize(
    ("full_at", "every", "asked", "due"),
    [
        (None, 60, False, True),  # the first one
        (0, 60, True, True),
        (0, 60, False, True),
        (1_000_000, 60, False, False),
        (1_000_000 - FULL_EVERY_S + 60, 60, False, True),  # the next statement would come too late
        (1_000_000 - FULL_EVERY_S + 61, 60, False, False),
        (1_000_000, FULL_EVERY_S, False, True),
    ],
)
def test_full_statements(full_at: int | None, every: int, asked: bool, due: bool) -> None:
    state = StreamState(1, 1, 1, None, full_at)
    assert full_due(state, 1_000_000, every, asked) is due


@pytest.mark.parametrize(("next_at", "due"), [(None, True), (1000, True), (1006, True), (1007, False)])
def test_a_statement_is_made_before_the_promised_time(next_at: int | None, due: bool) -> None:
    assert statement_due(StreamState(1, 1, 1, next_at, 1), 1000, 60) is due


def test_record_names_are_keyed_opaque_and_for_life() -> None:
    names = record_names(b"secret" * 6, STREAM)
    assert names(("a", "bc")) == names(("a", "bc"))
    assert len(names(("a",))) == 32
    different = {
        names(("a", "bc")),
        names(("ab", "c")),
        names(("abc",)),
        record_names(b"another" * 6, STREAM)(("a", "bc")),
        record_names(b"secret" * 6, Stream("market", "market-2", TYPE.id))(("a", "bc")),
    }
    assert len(different) == 5


def test_content_digests_are_keyed_and_of_a_version() -> None:
    known = digest(b"k" * 32, "urn:a:1", b"{}")
    assert known == digest(b"k" * 32, "urn:a:1", b"{}")
    assert len({known, digest(b"x" * 32, "urn:a:1", b"{}"), digest(b"k" * 32, "urn:a:2", b"{}")}) == 3


def test_a_clock_that_went_back_does_not_put_off_the_next_statement() -> None:
    promised_an_hour_ahead = StreamState(1, 1, 1, 4600 + 60, 1)
    assert statement_due(promised_an_hour_ahead, 1000, 60)
    assert not statement_due(StreamState(1, 1, 1, 1000 + 60, 1), 1000, 60)
