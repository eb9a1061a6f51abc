"""Access records: what the leaf says, what it must not say, and what the client can recompute."""

import hashlib
import json
from dataclasses import replace

import pytest

from audit.record import (
    AccessFacts,
    commit_digest,
    opening_text,
    record,
    released_digest,
    split_opening,
)
from contracts.encoding import canonical
from contracts.errors import Fault

SALT = bytes(range(16))
FACTS = AccessFacts(
    transaction="018f3b1e-7c2a-7abc-9def-0123456789ab",
    time=1763787600123,
    organisation="admin-approval",
    unit="window-3",
    app="approval-window",
    app_key="kid-1",
    channel="window",
    service_item="open-restaurant",
    action="lookup",
    evidence_types=("cn.business-licence",),
    decision="granted",
    reason=None,
    policy_version=12,
    clerk_assurance="claimed",
    case_check="format_only",
    fields={"cn.business-licence": ("name", "address")},
    counts={"cn.business-licence": 1},
    feed={"cn.business-licence": "complete"},
    request_proof=None,
    visibility="normal",
    trace=None,
    holder={"scheme": "cn.uscc", "id": "91350211M000100Y43"},
    clerk="clerk-1023",
    terminal="terminal-7",
    case="CASE-2026-000123",
    records=("rec-abcdefgh",),
)
REFUSED_REQUEST = replace(
    FACTS,
    unit=None,
    channel=None,
    service_item=None,
    evidence_types=(),
    decision="refused",
    reason="request_invalid",
    clerk_assurance=None,
    case_check=None,
    fields={},
    counts={},
    feed={},
    holder=None,
    clerk=None,
    terminal=None,
    case=None,
    records=(),
)
PERSONAL = ("91350211M000100Y43", "cn.uscc", "clerk-1023", "terminal-7", "CASE-2026-000123", "rec-abcdefgh")


def test_the_leaf_is_canonical_and_holds_nothing_personal() -> None:
    leaf, opening = record(FACTS, [b"~a~"], SALT)
    assert canonical(json.loads(leaf)) == leaf
    assert not [word for word in PERSONAL if word.encode() in leaf]
    assert all(word.encode() in opening for word in PERSONAL)


def test_every_decision_has_the_same_members() -> None:
    granted, refused = (json.loads(record(facts, [], SALT)[0]) for facts in (FACTS, REFUSED_REQUEST))
    assert granted.keys() == refused.keys()
    assert refused["reason"] == "request_invalid"
    assert refused["service_item"] is None


def test_digests_by_the_letter_of_the_design() -> None:
    released = [b"first", b"", "第三".encode()]
    leaf, opening = record(FACTS, released, SALT)
    preimage = SALT + b"\x01" + b"".join(len(text).to_bytes(4, "big") + text for text in released)
    members = json.loads(leaf)
    assert members["released"] == "sha-256:" + hashlib.sha256(preimage).hexdigest()
    without_salt = canonical(json.loads(opening)["opening"])
    assert members["commit"] == "sha-256:" + hashlib.sha256(SALT + b"\x00" + without_salt).hexdigest()


def test_a_client_recomputes_both() -> None:
    leaf = json.loads(record(FACTS, [b"x"], SALT)[0])
    text = opening_text(FACTS.holder, FACTS.clerk, FACTS.terminal, FACTS.case, FACTS.records)
    assert leaf["commit"] == commit_digest(SALT, text)
    assert leaf["released"] == released_digest(SALT, [b"x"])


def test_lengths_keep_neighbours_apart() -> None:
    assert released_digest(SALT, [b"ab", b"c"]) != released_digest(SALT, [b"a", b"bc"])
    assert released_digest(SALT, []) != released_digest(SALT, [b""])


def test_the_opening_comes_apart_again() -> None:
    opening = record(FACTS, [], SALT)[1]
    assert canonical(json.loads(opening)) == opening
    members, salt = split_opening(opening)
    assert (members["case"], members["records"], salt) == ("CASE-2026-000123", ["rec-abcdefgh"], SALT)


@pytest.mark.parametrize("data", [b"{}", b"[]", b'{"opening":[],"salt":"AA"}', b'{"opening":{},"salt":1}', b"x"])
def test_what_is_no_opening(data: bytes) -> None:
    with pytest.raises(Fault):
        split_opening(data)


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, records=("r",) * 101),
        replace(FACTS, fields={"t": ("f" * 100,) * 40}),
    ],
)
def test_too_large(facts: AccessFacts) -> None:
    with pytest.raises(Fault, match="record_too_large"):
        record(facts, [], SALT)


def test_100_records_are_enough_for_one_answer() -> None:
    assert len(record(replace(FACTS, records=("r" * 22,) * 100), [], SALT)[0]) <= 4096


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="128 bits"):
        record(FACTS, [], SALT[:15])
