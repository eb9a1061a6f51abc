"""A morning at the window: who asks what, and what must come of it. A table; `visit` plays one row of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from audit.notes import NoteKey
from audit.receipts import Known, Level, Receipt, check_record, parse_proof, parse_receipt, verify_proof
from audit.record import opening_text
from contracts.encoding import Json
from contracts.errors import Fault
from contracts.text import Text
from gateway.client import TokenClient
from gateway.demo.data import Cast

GRANTED, REFUSED, NOT_FOUND = "granted", "refused", "not_found"
WINDOWS, MOBILE = "approval-windows", "city-mobile"
LOOKUP, BUNDLE = "/v1/lookups", "/v1/bundles"


@dataclass(frozen=True, slots=True)
class Visit:
    """One question: the app that asks, the call, its body, what must come of it, and its line in the story.

    `shows`: what the answer must say (`facts`), so that the story tells nothing that the answer does not.
    """

    app: str
    path: str
    body: Mapping[str, Json]
    expected: str
    shows: frozenset[str]
    story: Text


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a visit. `outcome` is one of the three; `released` the strings that left, in answer order."""

    visit: Visit
    status: int
    outcome: str
    answer: Any
    released: tuple[bytes, ...]
    receipt: Receipt

    @property
    def as_told(self) -> bool:
        """Whether it came as the script has it."""
        return self.outcome == self.visit.expected and self.visit.shows <= facts(self.answer)


def visits(cast: Cast) -> tuple[Visit, ...]:
    """The script."""
    return (*_restaurants(cast), *_vehicles(cast), *_in_vain(cast))


def _restaurants(cast: Cast) -> tuple[Visit, ...]:
    return (
        Visit(
            WINDOWS,
            BUNDLE,
            _bundle("cn.open-restaurant", "CY-2026-000118", cast.restaurateur.person.resident_number),
            GRANTED,
            frozenset({"found 3", "paper_required 1", "status valid"}),
            Text(
                "周女士开餐馆:一次调齐三份证明,只剩房产证或租赁合同需交纸质",
                "Ms Zhou opens a restaurant: three proofs in one call; paper only for the premises",
            ),
        ),
        Visit(
            WINDOWS,
            BUNDLE,
            _bundle("cn.open-restaurant", "CY-2026-000121", cast.lapsed_cook.person.resident_number),
            GRANTED,
            frozenset({"found 3", "status expired"}),
            Text("陈先生的健康证明已过期:窗口当场可见", "Mr Chen's health certificate has expired: the clerk sees it"),
        ),
        Visit(
            WINDOWS,
            LOOKUP,
            _lookup(
                "cn.open-restaurant",
                "CY-2026-000118",
                "cn.business-licence",
                {"unified_social_credit_code": cast.restaurateur.credit_code},
            ),
            GRANTED,
            frozenset({"feed complete", "status valid"}),
            Text("按统一社会信用代码调取营业执照", "A business licence by its credit code"),
        ),
    )


def _vehicles(cast: Cast) -> tuple[Visit, ...]:
    return (
        Visit(
            WINDOWS,
            LOOKUP,
            _lookup("cn.transfer-vehicle", "GH-2026-000377", "cn.vehicle-registration", {"vin": cast.seller.vin}),
            GRANTED,
            frozenset({"feed stale", "status valid"}),
            Text(
                "机动车转让:供数已过对账期限,答案如实说明", "A car is sold: the feed is overdue, and the answer says so"
            ),
        ),
        Visit(
            MOBILE,
            LOOKUP,
            _lookup(
                "cn.transfer-vehicle",
                "GH-2026-000378",
                "cn.driving-licence",
                _holder(cast.revoked_driver.person.resident_number),
                ["licence_number"],
            ),
            GRANTED,
            frozenset({"feed complete", "status revoked"}),
            Text("移动端(DPoP 令牌)调取驾驶证:已吊销", "The mobile app (DPoP) asks for a driving licence: revoked"),
        ),
    )


def _in_vain(cast: Cast) -> tuple[Visit, ...]:
    return (
        Visit(
            WINDOWS,
            LOOKUP,
            _lookup(
                "cn.settle-household",
                "HJ-2026-000052",
                "cn.identity-card",
                _holder(cast.stranger.person.resident_number),
            ),
            NOT_FOUND,
            frozenset({"feed complete"}),
            Text("林先生刚到本市:查无记录,并注明截至何时", "Mr Lin is new in the city: not found, and as of when"),
        ),
        Visit(
            MOBILE,
            BUNDLE,
            _bundle("cn.open-restaurant", "CY-2026-000119", cast.restaurateur.person.resident_number),
            REFUSED,
            frozenset({"code item_not_granted"}),
            Text("移动端未获授权办理该事项", "The mobile app does not hold this service item"),
        ),
        Visit(
            WINDOWS,
            LOOKUP,
            _lookup(
                "cn.open-restaurant",
                "CY-2026-000120",
                "cn.identity-card",
                _holder(cast.settler.person.resident_number),
                ["ethnic_group"],
            ),
            REFUSED,
            frozenset({"code field_not_listed"}),
            Text("该事项不需要民族字段", "The item does not need this field (ethnic group)"),
        ),
    )


def visit(one: Visit, client: TokenClient) -> Answered:
    """Ask, and read what came; raises `Fault` when the answer has no receipt."""
    status, _, answer = client.post(one.path, one.body)
    receipt = parse_receipt(answer.get("receipt") if isinstance(answer, dict) else None)
    evidence = list(_evidence(answer))
    released = tuple(entry["sd_jwt"].encode() for entry in evidence if entry.get("sd_jwt"))
    outcome = REFUSED if status != 200 else GRANTED if evidence else NOT_FOUND
    return Answered(one, status, outcome, answer, released, receipt)


def verify(answered: Answered, client: TokenClient, log: NoteKey) -> Level | Fault:
    """Check the receipt as a stranger would: the record against what was asked and received, then its proof."""
    receipt = answered.receipt
    status, _, form = client.get(f"/v1/receipts/{quote(receipt.log, safe='')}/{receipt.index}")
    if status != 200:
        return Fault("receipt_malformed", detail=f"status {status}")
    wrong = check_record(receipt, form["record"].encode(), known(answered))
    if wrong is not None:
        return wrong
    if form.get("proof") is None:
        return Level.DURABLE
    return verify_proof(parse_proof(form["proof"].encode()), receipt, log)


def known(answered: Answered) -> Known:
    """All that the client knows of the record by itself."""
    body = answered.visit.body
    members = {
        "transaction": answered.answer["transaction"],
        "app": answered.visit.app,
        "service_item": body["service_item"],
        "decision": REFUSED if answered.outcome == REFUSED else GRANTED,
        "reason": answered.answer.get("code"),
    }
    if answered.outcome == REFUSED:
        return Known(members, ())
    records = [entry["record"] for entry in _evidence(answered.answer)]
    asked = answered.answer.get("by") or answered.answer["holder"]
    opening = opening_text(asked, str(body["clerk"]), None, str(body["case"]), records)
    return Known(members, answered.released, opening)


def facts(answer: Any) -> frozenset[str]:
    """What an answer says, in words: its code, the states of its feeds, its results counted, each record's status."""
    parts = answer.get("proofs") or [answer]
    results = Counter(part["result"] for part in parts if "result" in part)
    found = {f"feed {part['feed']['state']}" for part in parts if "feed" in part}
    found |= {f"{result} {count}" for result, count in results.items()}
    found |= {f"status {entry['status']}" for entry in _evidence(answer)}
    return frozenset(found | ({f"code {answer['code']}"} if "code" in answer else set()))


def _evidence(answer: Any) -> list[Any]:
    parts = answer.get("proofs") or [answer]
    return [entry for part in parts for entry in part.get("evidence", ())]


def _bundle(item: str, case: str, resident_number: str) -> dict[str, Json]:
    return {"service_item": item, "case": case, "clerk": "clerk-0412", **_holder(resident_number)}


def _lookup(
    item: str, case: str, type_id: str, by: dict[str, Json], fields: list[str] | None = None
) -> dict[str, Json]:
    body: dict[str, Json] = {
        "service_item": item,
        "case": case,
        "clerk": "clerk-0412",
        "evidence_type": type_id,
        "by": by,
    }
    return body if fields is None else {**body, "fields": fields}


def _holder(resident_number: str) -> dict[str, Json]:
    return {"holder": {"scheme": "cn.ric", "id": resident_number}}


_OUTCOMES: Mapping[str, Text] = {
    GRANTED: Text("已调取", "granted"),
    REFUSED: Text("拒绝", "refused"),
    NOT_FOUND: Text("查无", "not found"),
}


def line(answered: Answered) -> Text:
    """The story's line of one visit."""
    outcome, story, index = _OUTCOMES[answered.outcome], answered.visit.story, answered.receipt.index
    return Text(f"  [{outcome.zh}] {story.zh}(日志第 {index} 条)", f"  [{outcome.en}] {story.en} (log entry {index})")
