"""Feed statements: what a department promises, and that nobody else can say it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import feeds, jws
from contracts.algorithms import SUITES
from contracts.encoding import b64url_decode, canonical, parse_object
from contracts.errors import Fault
from contracts.feeds import BUCKETS, MAX_STATEMENT, LiveRecord, Statement, bucket_digests, open_statement, seal
from contracts.registry import AdapterKey, Span
from contracts.streams import Position, Stream
from tests.vectors.world import (
    ALGS,
    EPOCH,
    OTHER_TYPE,
    PERMIT,
    adapter_of,
    fixed_key,
    registry_of,
    sealed,
    stream_of,
)

STREAM = stream_of("ES256")
RECORDS = tuple(LiveRecord(f"r-{n}", Position(EPOCH, n), f"sha-256:{n:064x}") for n in range(1, 600))
SHORT = Statement(STREAM, Position(EPOCH, 7), 5, 1_780_000_200, 1_780_000_260)
RETIRED = fixed_key("ES256", "retired")
REGISTRY = registry_of(
    replace(
        adapter_of("ES256", AdapterKey("ES256", RETIRED.public.jwk, "retired", {PERMIT.id: Span(last=(EPOCH, 6))})),
        lowest_epoch={PERMIT.id: EPOCH - 5},
    ),
    adapter_of("EdDSA"),
    adapter_of("ES384"),
)


def _full(alg: str) -> Statement:
    return replace(SHORT, stream=stream_of(alg), buckets=bucket_digests(RECORDS, SUITES[alg]))


@pytest.mark.parametrize("alg", ALGS)
def test_a_statement_reads_back(alg: str) -> None:
    for statement in (_full(alg), replace(_full(alg), buckets=None)):
        found, suite = open_statement(seal(statement, fixed_key(alg)), stream_of(alg), REGISTRY)
        assert found == statement
        assert suite is SUITES[alg]


@pytest.mark.parametrize("alg", ALGS)
def test_a_full_statement_fits_in_its_limit(alg: str) -> None:
    assert len(seal(_full(alg), fixed_key(alg))) <= MAX_STATEMENT


def test_log_keys_tell_short_from_full_and_are_no_record_ids() -> None:
    assert (SHORT.log_key, _full("ES256").log_key) == (b"@feed", b"@feed/full")


def _payload(statement: Statement = SHORT) -> dict[str, Any]:
    return parse_object(b64url_decode(seal(statement, fixed_key("ES256")).split(b".")[1]))


def _signed(payload: Mapping[str, Any]) -> bytes:
    return jws.sign(feeds.TYP, canonical(dict(payload)), fixed_key("ES256"))


def _bent(**members: Any) -> bytes:
    return _signed(_payload() | members)


def _buckets(change: Callable[[list[Any]], list[Any]]) -> bytes:
    payload = _payload(_full("ES256"))
    return _signed(payload | {"buckets": change(payload["buckets"])})


HOSTILE: tuple[tuple[str, str, bytes], ...] = (
    ("nothing", "jws_malformed", b""),
    ("too large", "message_too_large", b"A" * (MAX_STATEMENT + 1)),
    ("a message", "typ_wrong", sealed("ES256").split(b"~")[0]),
    ("key unknown", "key_unknown", seal(SHORT, fixed_key("ES256", "stranger"))),
    ("not an object", "json_invalid", jws.sign(feeds.TYP, b"[]", fixed_key("ES256"))),
    ("claim missing", "claims_invalid", _signed({k: v for k, v in _payload().items() if k != "next"})),
    ("claim too many", "claims_invalid", _bent(exp=1)),
    ("count true", "claims_invalid", _bent(count=True)),
    ("count negative", "claims_invalid", _bent(count=-1)),
    ("seq a string", "claims_invalid", _bent(seq="7")),
    ("epoch nought", "claims_invalid", _bent(epoch=0)),
    ("digest of another suite", "sd_alg_mismatch", _bent(hash="sha-384")),
    ("another stream of the adapter", "key_not_for_stream", _bent(type=OTHER_TYPE.id)),
    ("another adapter", "key_not_for_stream", _bent(adp="permits-eddsa")),
    ("another adapter's key", "key_not_for_stream", seal(SHORT, fixed_key("EdDSA"))),
    ("another organisation", "key_not_for_stream", _bent(iss="city-housing")),
    ("retired key after its last", "key_out_of_range", seal(SHORT, RETIRED)),
    ("epoch no longer counts", "epoch_revoked", _bent(epoch=EPOCH - 6)),
    ("buckets an object", "claims_invalid", _bent(buckets={})),
    ("buckets null", "claims_invalid", _bent(buckets=None)),
    ("one bucket less", "claims_invalid", _buckets(lambda items: items[:-1])),
    ("one bucket more", "claims_invalid", _buckets(lambda items: [*items, items[0]])),
    ("bucket a number", "claims_invalid", _buckets(lambda items: [1, *items[1:]])),
    ("bucket too short", "claims_invalid", _buckets(lambda items: [items[0][:-1], *items[1:]])),
    ("bucket in upper case", "claims_invalid", _buckets(lambda items: ["sha-256:" + "A" * 64, *items[1:]])),
    ("bucket of another digest", "claims_invalid", _buckets(lambda items: ["sha-512:" + "a" * 64, *items[1:]])),
)


@pytest.mark.parametrize(("code", "data"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_statements(code: str, data: bytes) -> None:
    with pytest.raises(Fault, match=code):
        open_statement(data, STREAM, REGISTRY)


def test_a_statement_is_read_for_a_registered_stream_alone() -> None:
    stranger = Stream("city-housing", STREAM.adapter, PERMIT.id)
    with pytest.raises(Fault, match="key_not_for_stream"):
        open_statement(_bent(iss="city-housing"), stranger, REGISTRY)


def test_a_statement_before_the_first_message_counts_nought() -> None:
    empty = replace(SHORT, position=Position(EPOCH, 0), count=0)
    assert open_statement(seal(empty, fixed_key("ES256")), STREAM, REGISTRY)[0] == empty


def test_no_changed_byte_verifies() -> None:
    data = seal(SHORT, fixed_key("ES256"))
    for place in range(len(data)):
        with pytest.raises(Fault):
            open_statement(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :], STREAM, REGISTRY)


# --- bucket digests -------------------------------------------------------------------------------------------------


def _by_hand(records: tuple[LiveRecord, ...], name: str) -> list[str]:
    """The definition of design.md §4, in the plainest words."""
    found = []
    for bucket in range(BUCKETS):
        mine = [item for item in records if hashlib.new(name, item.record.encode()).digest()[0] == bucket]
        lines = sorted(f"{r.record} {r.position.epoch} {r.position.seq} {r.identity}\n".encode() for r in mine)
        found.append(f"{name[:3]}-{name[3:]}:{hashlib.new(name, b''.join(lines)).hexdigest()}")
    return found


@pytest.mark.parametrize(("alg", "name"), [("ES256", "sha256"), ("EdDSA", "sha256"), ("ES384", "sha384")])
def test_bucket_digests_by_definition(alg: str, name: str) -> None:
    assert list(bucket_digests(RECORDS, SUITES[alg])) == _by_hand(RECORDS, name)


def test_empty_buckets_are_the_digest_of_no_bytes() -> None:
    assert set(bucket_digests((), SUITES["ES256"])) == {"sha-256:" + hashlib.sha256().hexdigest()}


@given(st.permutations(RECORDS[:20]))
def test_the_order_of_records_does_not_matter(records: list[LiveRecord]) -> None:
    assert bucket_digests(records, SUITES["ES256"]) == bucket_digests(RECORDS[:20], SUITES["ES256"])


@given(st.integers(0, len(RECORDS) - 1), st.sampled_from(["gone", "identity", "seq"]))
def test_one_difference_shows_in_one_bucket(place: int, what: str) -> None:
    records = list(RECORDS)
    record = records.pop(place)
    if what == "identity":
        records.append(replace(record, identity="sha-256:" + "f" * 64))
    elif what == "seq":
        records.append(replace(record, position=Position(EPOCH, 10_000)))
    pairs = zip(bucket_digests(RECORDS, SUITES["ES256"]), bucket_digests(records, SUITES["ES256"]), strict=True)
    unequal = [number for number, (mine, theirs) in enumerate(pairs) if mine != theirs]
    assert unequal == [hashlib.sha256(record.record.encode()).digest()[0]]
