"""A bundle: one result and one sentence for each proof; complete or not."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from contracts import catalogue
from contracts.service_items import Proof
from gateway.access.decide import BundleGranted, Granted, Refused, listing_of
from gateway.access.question import ByHolder
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED
from gateway.lookup.answer import Answer, Frames
from gateway.lookup.bundle import RESULTS, SENTENCES, Part, compose_bundle
from gateway.lookup.feeds import feed_of
from gateway.store.rows import StoredRecord
from tests.unit.gateway.lookup.world import BY_VCT, NOW, TYPES, example, feed, stored

RESTAURANT = next(item for item in catalogue.service_items() if item.id == "cn.open-restaurant")
HOLDER = ByHolder("cn.ric", example("cn.identity-card")["holders"][0]["id"])


def part(proof: Proof, rows: list[StoredRecord], state: str = COMPLETE) -> Part:
    listing = listing_of(TYPES[proof.evidence_type], (proof,), frozenset(proof.fields))
    return Part(proof, Granted(RESTAURANT, "window", listing, HOLDER), feed(proof.evidence_type, state), rows)


def found(proof: Proof, record: str = "r-1", **changes: Any) -> StoredRecord:
    document = example(proof.evidence_type, holders=[HOLDER.to_json()], **changes)
    return stored(proof.evidence_type, document, record)


def compose(parts: list[Part]) -> tuple[Answer, dict[str, Any]]:
    item = replace(RESTAURANT, proofs=tuple(one.proof for one in parts))
    bundle = BundleGranted(item, "window", HOLDER, {}, tuple((one.proof, one.outcome) for one in parts))
    answer = compose_bundle(bundle, parts, Frames(BY_VCT), NOW)
    form: dict[str, Any] = orjson.loads(b"{%b}" % answer.members)
    return answer, form


PROOF = RESTAURANT.proofs[0]
NO_SCHEME = Part(PROOF, Refused("scheme_not_allowed"), feed_of(()))
CASES: list[tuple[str, Part, str]] = [
    ("valid", part(PROOF, [found(PROOF)]), "found"),
    ("found in a stale feed is found", part(PROOF, [found(PROOF)], STALE), "found"),
    ("refused state", part(PROOF, [stored(PROOF.evidence_type, None)]), "refused"),
    ("one of two is there", part(PROOF, [found(PROOF), stored(PROOF.evidence_type, None, "r-2")]), "found"),
    ("nothing, complete", part(PROOF, []), "not_found"),
    ("nothing, stale", part(PROOF, [], STALE), "stale"),
    ("nothing, gapped", part(PROOF, [], GAPPED), "stale"),
    ("nothing, stopped", part(PROOF, [], STOPPED), "stale"),
    ("nothing, catching up", part(PROOF, [], CATCHING_UP), "pending"),
    ("no such holder", NO_SCHEME, "paper_required"),
    ("its fact was not declared so", Part(PROOF, None, feed_of(())), "not_required"),
    ("nobody supplies it", replace(part(PROOF, []), feed=feed_of(())), "paper_required"),
]


@pytest.mark.parametrize(("why", "one", "result"), CASES)
def test_the_result_of_a_proof(why: str, one: Part, result: str) -> None:
    _, form = compose([one])
    (proof,) = form["proofs"]
    assert proof["result"] == result, why
    for language in ("zh-CN", "en"):
        assert proof["sentence"][language]
        assert "{" not in proof["sentence"][language]
    assert form["complete"] == (result == "found")


def test_a_superseded_record_proves_nothing() -> None:
    _, form = compose([part(PROOF, [found(PROOF)._replace(superseded=True)])])
    assert form["proofs"][0]["evidence"][0]["superseded"] is True
    assert form["complete"] is False


def test_a_valid_record_out_of_its_validity_proves_nothing() -> None:
    lapsed = found(PROOF, validity={"from": "2016-05-20", "until": "2025-06-14"})
    _, form = compose([part(PROOF, [lapsed])])
    assert form["proofs"][0]["result"] == "found"
    assert form["proofs"][0]["evidence"][0]["validity_state"] == "lapsed"
    assert "今日不在其有效期内" in form["proofs"][0]["sentence"]["zh-CN"]
    assert form["complete"] is False


def test_a_proof_that_is_not_called_for_is_no_requirement() -> None:
    depending = replace(PROOF, id="second", when=("rented", True))
    _, form = compose([part(PROOF, [found(PROOF)]), Part(depending, None, feed_of(()))])
    assert [one["result"] for one in form["proofs"]] == ["found", "not_required"]
    assert form["complete"] is True


def test_every_result_has_a_sentence_and_a_case() -> None:
    assert set(SENTENCES) == set(RESULTS) == {result for _, _, result in CASES}


def test_a_sentence_names_the_paper_and_the_status() -> None:
    _, form = compose([part(PROOF, []), part(RESTAURANT.proofs[1], [found(RESTAURANT.proofs[1], status="revoked")])])
    missing, revoked = form["proofs"]
    assert PROOF.replaces_paper.zh in missing["sentence"]["zh-CN"]
    assert PROOF.replaces_paper.en in missing["sentence"]["en"]
    assert "吊销" in revoked["sentence"]["zh-CN"]
    assert "Revoked" in revoked["sentence"]["en"]
    assert form["complete"] is False


def test_of_alternatives_one_is_enough() -> None:
    first = replace(PROOF, mode="one_of", group="g")
    second = replace(PROOF, id="second", mode="one_of", group="g")
    assert compose([part(first, []), part(second, [found(second)])])[1]["complete"] is True
    assert compose([part(first, []), part(second, [])])[1]["complete"] is False
    assert compose([part(PROOF, []), part(replace(PROOF, id="second"), [found(PROOF)])])[1]["complete"] is False


def test_all_released_strings_in_the_order_of_the_proofs() -> None:
    licence = RESTAURANT.proofs[1]
    answer, form = compose([part(PROOF, [found(PROOF, "b"), found(PROOF, "a")]), part(licence, [found(licence, "c")])])
    strings = [record["sd_jwt"] for proof in form["proofs"] for record in proof["evidence"]]
    assert [text.encode() for text in strings] == list(answer.released)
    assert answer.records == ("a", "b", "c")
    assert answer.counts == {PROOF.evidence_type: 2, licence.evidence_type: 1}
    assert answer.feed == {PROOF.evidence_type: "complete", licence.evidence_type: "complete"}
    assert answer.fields[licence.evidence_type] == tuple(sorted(licence.fields))
