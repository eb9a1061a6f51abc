"""What a record shows: exactly what the grant opens; of the rest no byte, in any encoding."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.disclosures import HOLDERS
from contracts.messages import read_verified
from gateway.access.decide import Listing
from gateway.access.question import ByHolder, ByKey
from gateway.lookup.answer import Frames, compose
from tests.unit.gateway.lookup import world
from tests.unit.gateway.lookup.world import BY_VCT, IDENTITY, LICENCE, NOW, TYPES, example, feed, granted, stored

OWNERS = [{"scheme": "cn.ric", "id": f"11010119900307{n}"} for n in ("1012", "2023", "3034")]


def answer(one: Any, document: dict[str, Any] | None) -> dict[str, Any]:
    row = stored(one.type.id, document)
    form: dict[str, Any] = orjson.loads(b"{%b}" % compose(one, [row], feed(one.type.id), Frames(BY_VCT), NOW).members)
    return form


@given(
    type_id=st.sampled_from(sorted(TYPES)),
    data=st.data(),
    owners=st.lists(st.sampled_from(range(3)), min_size=1, unique=True),
    rule=st.sampled_from(("all", "asked", "key")),
)
def test_no_byte_of_what_is_withheld_is_in_the_answer(
    type_id: str, data: st.DataObject, owners: list[int], rule: str
) -> None:
    """Every own field gets a text that stands nowhere else, so that finding it anywhere is a leak."""
    evidence_type = TYPES[type_id]
    marks = {name: f"mark-of-{name}-{number}-ende" for number, name in enumerate(evidence_type.disclosable)}
    document = {**example(type_id), **marks, HOLDERS: [OWNERS[n] for n in owners]}
    allowed = frozenset(data.draw(st.sets(st.sampled_from(evidence_type.disclosable))))
    fields = allowed | {HOLDERS} if rule == "all" else allowed
    asked = OWNERS[owners[0]]
    by = ByKey("none", "none") if rule == "key" else ByHolder(asked["scheme"], asked["id"])
    row = stored(type_id, document)
    one = granted(type_id, fields, by)
    members = compose(one, [row], feed(type_id), Frames(BY_VCT), NOW).members
    (record,) = orjson.loads(b"{%b}" % members)["evidence"]
    shown = {"all": [OWNERS[n] for n in owners], "asked": [asked], "key": []}[rule]

    assert row.message is not None
    for text, name, value in read_verified(row.message)[1]:
        keep = name in allowed if name is not None else value in shown
        assert (text in members) == keep
        secret = marks[name] if name is not None else value["id"]
        assert (secret.encode() in members) == (keep or (name is None and secret == getattr(by, "id", None)))
    assert {name: record["document"][name] for name in allowed} == {name: marks[name] for name in allowed}
    assert record["document"][HOLDERS] == shown
    assert set(record["withheld"]) == set(evidence_type.disclosable) - allowed


@pytest.mark.parametrize("type_id", sorted(TYPES))
def test_the_document_is_what_the_sd_jwt_discloses(type_id: str) -> None:
    document = example(type_id)
    holder = document[HOLDERS][0]
    one = granted(type_id, frozenset(TYPES[type_id].disclosable), ByHolder(holder["scheme"], holder["id"]))
    (record,) = answer(one, document)["evidence"]
    payload, disclosures = read_verified(record["sd_jwt"].encode())
    disclosed = {name: value for _, name, value in disclosures if name is not None}
    visible = {name: value for name, value in payload["doc"].items() if name not in ("_sd", HOLDERS)}
    assert record["document"] == {**visible, **disclosed, HOLDERS: [holder]}
    assert record["document"] == {**document, HOLDERS: [holder]}
    assert set(record["labels"]) >= set(record["document"])


def test_withheld_and_labels_do_not_tell_whether_a_field_is_there() -> None:
    document = example(LICENCE)
    without = {name: value for name, value in document.items() if name != "registered_capital_yuan"}
    one = granted(LICENCE, frozenset(("name", "registered_capital_yuan")), ByKey("name", "x"))
    (there,), (absent,) = answer(one, document)["evidence"], answer(one, without)["evidence"]
    assert (there["labels"], there["withheld"]) == (absent["labels"], absent["withheld"])
    assert "registered_capital_yuan" not in absent["document"]


def test_coded_values_have_names() -> None:
    one = granted(LICENCE, frozenset(("entity_type",)), ByKey("name", "x"))
    (record,) = answer(one, example(LICENCE))["evidence"]
    kind = record["document"]["entity_type"]
    assert record["codes"]["entity_type"][kind] == TYPES[LICENCE].fields["entity_type"].codes[kind].as_json()
    assert record["codes"]["status"]["valid"]["zh-CN"] == "有效"


def test_a_refused_newest_state_is_said_and_shows_nothing() -> None:
    one = granted(IDENTITY, frozenset(("name",)), ByKey("none", "none"))
    composed = compose(one, [stored(IDENTITY, None)], feed(IDENTITY), Frames(BY_VCT), NOW)
    (record,) = orjson.loads(b"{%b}" % composed.members)["evidence"]
    assert (record["status"], record["document"], record["sd_jwt"]) == ("refused", None, None)
    assert (composed.released, composed.records, composed.counts) == ((), ("r-1",), {IDENTITY: 0})


def test_a_version_that_the_registry_has_not_shows_only_what_is_always_visible() -> None:
    one = granted(IDENTITY, frozenset(TYPES[IDENTITY].disclosable), ByKey("none", "none"))
    row = stored(IDENTITY, example(IDENTITY))._replace(vct="urn:oncegate:cn.identity-card:99")
    (record,) = orjson.loads(b"{%b}" % compose(one, [row], feed(IDENTITY), Frames(BY_VCT), NOW).members)["evidence"]
    assert set(record["document"]) == {"status", "validity", HOLDERS, *TYPES[IDENTITY].always}
    assert record["sd_jwt"].count("~") == 1
    assert world.example(IDENTITY)["name"] not in str(record)


def test_a_proof_that_pins_a_version_opens_the_holders_of_no_other() -> None:
    document = example(LICENCE, holders=OWNERS)
    row = stored(LICENCE, document)
    listing = Listing(
        TYPES[LICENCE], (HOLDERS, "name"), frozenset(("name",)), {TYPES[LICENCE].version + 1: frozenset((HOLDERS,))}
    )
    by = ByHolder(OWNERS[0]["scheme"], OWNERS[0]["id"])
    one = granted(LICENCE, frozenset(("name",)), by)._replace(listing=listing)
    (record,) = orjson.loads(b"{%b}" % compose(one, [row], feed(LICENCE), Frames(BY_VCT), NOW).members)["evidence"]
    assert record["document"][HOLDERS] == [OWNERS[0]]
