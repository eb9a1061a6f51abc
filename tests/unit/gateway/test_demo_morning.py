"""What the demo's story claims is what its answers say."""

from typing import Any

from audit.receipts import Receipt
from gateway.demo.data import CAST
from gateway.demo.morning import GRANTED, Answered, facts, visits

EXPIRED: dict[str, Any] = {
    "proofs": [
        {"result": "found", "feed": {"state": "complete"}, "evidence": [{"status": "valid"}]},
        {"result": "found", "feed": {"state": "stale"}, "evidence": [{"status": "expired"}]},
        {"result": "paper_required", "feed": {"state": "complete"}, "evidence": []},
    ]
}


def test_facts_of_a_bundle() -> None:
    expected = {"found 2", "paper_required 1", "feed complete", "feed stale", "status valid", "status expired"}
    assert facts(EXPIRED) == expected


def test_facts_of_a_refusal() -> None:
    assert facts({"code": "item_not_granted"}) == {"code item_not_granted"}


def test_an_answer_that_does_not_say_so_is_not_as_told() -> None:
    lapsed = visits(CAST)[1]
    receipt = Receipt("log", 0, b"", b"")
    valid = {"proofs": [{"result": "found", "evidence": [{"status": "valid"}]} for _ in range(3)]}
    told = {"proofs": [*valid["proofs"][:2], {"result": "found", "evidence": [{"status": "expired"}]}]}
    assert Answered(lapsed, 200, GRANTED, told, (), receipt).as_told
    assert not Answered(lapsed, 200, GRANTED, valid, (), receipt).as_told
