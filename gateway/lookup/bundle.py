"""Everything that a service item needs, about one holder, at once. Pure.

1. Each proof of the item is answered by the first result that applies:

   - `not_required`: it depends on a fact that the applicant did not declare so
   - `paper_required`: nobody supplies this type here, or it cannot be about such a holder
   - `found`: at least one record has content
   - `refused`: there is a record, but its newest state was refused
   - `pending`: nothing found, and this node is still reading the feed
   - `stale`: nothing found, and the feed is not complete up to now; so this says nothing
   - `not_found`: nothing found in a complete feed

2. A clerk reads one sentence for each proof. It names the status of what was found when that is not "valid", says when
   its validity has not begun or is over, and names the paper to ask for when nothing was found.
3. The item is `complete` when each of its requirements has a proof with a valid record, within its validity on the
   local day of the question; of a group of alternatives one is enough.
4. All records of the bundle together are one answer: one access record, `released` in the order of the proofs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import orjson

from audit.record import MAX_RECORDS
from contracts.encoding import Json
from contracts.errors import Fault
from contracts.evidence_types import ENDED
from contracts.life_cycle import CURRENT, STATUSES
from contracts.service_items import Proof
from contracts.text import Text
from gateway.access.decide import BundleGranted, Granted, Refused
from gateway.ingest.state import CATCHING_UP, COMPLETE
from gateway.lookup.answer import Answer, Frames, Shown, released_of, show
from gateway.lookup.feeds import ABSENT, Feed, timestamp
from gateway.lookup.records import REFUSED, Rendered
from gateway.store.rows import StoredRecord

FOUND, NOT_FOUND, PENDING, STALE, PAPER_REQUIRED = "found", "not_found", "pending", "stale", "paper_required"
NOT_REQUIRED: Final = "not_required"
RESULTS = (FOUND, NOT_FOUND, REFUSED, PENDING, STALE, PAPER_REQUIRED, NOT_REQUIRED)
VALID: Final = "valid"

SENTENCES: Mapping[str, Text] = {
    FOUND: Text("已调取{name}，无需提交{paper}。", "{name}: retrieved. Do not ask for: {paper}."),
    NOT_FOUND: Text(
        "截至{as_of}未查到{name}，请提交{paper}。", "{name}: none on record as of {as_of}. Ask for: {paper}."
    ),
    REFUSED: Text(
        "{name}有记录，但部门最新数据未通过校验，暂不能使用，请提交{paper}。",
        "{name}: on record, but the department's newest data was refused. Ask for: {paper}.",
    ),
    PENDING: Text(
        "{name}的数据正在接收，尚不能确定有无，请稍后再查或提交{paper}。",
        "{name}: data is still arriving, so nothing can be said yet. Try again later or ask for: {paper}.",
    ),
    STALE: Text(
        "{name}的数据只完整到{as_of}，未查到不等于没有，请稍后再查或提交{paper}。",
        "{name}: data is complete only up to {as_of}; not found does not mean none. Try later or ask for: {paper}.",
    ),
    NOT_REQUIRED: Text(
        "按申报情形，本事项不需要{paper}。", "Under what the applicant declared, this is not needed: {paper}."
    ),
    PAPER_REQUIRED: Text("{name}不能在线调取，请提交{paper}。", "{name}: cannot be retrieved here. Ask for: {paper}."),
}
FOUND_NOT_VALID = Text(
    "已调取{name}，但状态为“{status}”，请核实。",
    "{name}: retrieved, but its status is “{status}”. Check before you go on.",
)
FOUND_NOT_NOW = Text(
    "已调取{name}，状态为“有效”，但今日不在其有效期内，或已被新证替代，请核实。",
    "{name}: retrieved as valid, but not valid today, or replaced by another one. Check before you go on.",
)
_NEVER = Text("未知时间", "an unknown time")


@dataclass(frozen=True, slots=True)
class Part:
    """One proof: the decision on it, its feed, and what was found. Outcome None: not called for."""

    proof: Proof
    outcome: Granted | Refused | None
    feed: Feed
    rows: Sequence[StoredRecord] = ()


@dataclass(frozen=True, slots=True)
class _Answered:
    part: Part
    result: str
    shown: Shown

    @property
    def rendered(self) -> Sequence[Rendered]:
        return self.shown.rendered


def compose_bundle(granted: BundleGranted, parts: Sequence[Part], frames: Frames, now: int) -> Answer:
    """The answer to a bundle at `now` (Unix ms), `parts` in the order of the item's proofs; raises `Fault`
    `answer_too_large`."""
    if sum(len(part.rows) for part in parts) > MAX_RECORDS:
        raise Fault("answer_too_large")
    answered = [_answered(part, frames, now) for part in parts]
    released = released_of(list(chain.from_iterable(one.rendered for one in answered)))
    proofs = b",".join(_proof(one) for one in answered)
    head = {"holder": granted.holder.to_json(), "complete": complete(granted, answered)}
    return Answer(
        b'%b,"proofs":[%b]' % (orjson.dumps(head)[1:-1], proofs),
        released,
        tuple(chain.from_iterable(one.shown.records for one in answered)),
        _fields(answered),
        _counts(answered),
        {one.part.proof.evidence_type: one.part.feed.state for one in answered},
    )


def result_of(part: Part, rendered: Sequence[Rendered]) -> str:
    """Rule 1."""
    if part.outcome is None:
        return NOT_REQUIRED
    if isinstance(part.outcome, Refused) or part.feed.state == ABSENT:
        return PAPER_REQUIRED
    if rendered:
        return FOUND if any(one.released is not None for one in rendered) else REFUSED
    if part.feed.state == CATCHING_UP:
        return PENDING
    return NOT_FOUND if part.feed.state == COMPLETE else STALE


def sentence(part: Part, result: str, rendered: Sequence[Rendered]) -> Text:
    """Rule 2."""
    statuses = [one.status for one in rendered if one.released is not None]
    form = SENTENCES[result]
    if result == FOUND and not any(map(usable, rendered)):
        form = FOUND_NOT_NOW if VALID in statuses else FOUND_NOT_VALID
    name = part.outcome.type.names if isinstance(part.outcome, Granted) else part.proof.replaces_paper
    status = STATUSES.get(statuses[0], _NEVER) if statuses else _NEVER
    as_of = timestamp(part.feed.as_of)
    facts = {"name": name, "paper": part.proof.replaces_paper, "status": status}
    return Text(
        form.zh.format(as_of=as_of or _NEVER.zh, **{key: text.zh for key, text in facts.items()}),
        form.en.format(as_of=as_of or _NEVER.en, **{key: text.en for key, text in facts.items()}),
    )


def usable(one: Rendered) -> bool:
    """Whether a record proves what it is for: valid, within its validity, of a version that has not ended, and not
    superseded by another one."""
    return one.status == VALID and one.validity_state == CURRENT and one.type_phase != ENDED and not one.superseded


def complete(granted: BundleGranted, answered: Sequence[_Answered]) -> bool:
    """Rule 3."""
    satisfied = {one.part.proof.id for one in answered if any(map(usable, one.rendered))}
    return all(any(proof.id in satisfied for proof in group) for group in granted.item.requirements(granted.facts))


def _answered(part: Part, frames: Frames, now: int) -> _Answered:
    outcome = part.outcome
    shown = show(outcome, part.rows, frames, now) if isinstance(outcome, Granted) else Shown((), (), 0)
    return _Answered(part, result_of(part, shown.rendered), shown)


def _proof(one: _Answered) -> bytes:
    proof = one.part.proof
    head: dict[str, Json] = {
        "proof": proof.id,
        "evidence_type": proof.evidence_type,
        "mode": proof.mode,
        "group": proof.group or None,
        "replaces_paper": proof.replaces_paper.as_json(),
        "result": one.result,
        "sentence": sentence(one.part, one.result, one.rendered).as_json(),
    }
    evidence = b",".join([each.form for each in one.rendered])
    members = orjson.dumps(head)[1:-1]
    return b'{%b,%b,"superseded":%d,"evidence":[%b]}' % (
        members, one.part.feed.members, one.shown.superseded, evidence,
    )  # fmt: skip


def _fields(answered: Sequence[_Answered]) -> dict[str, tuple[str, ...]]:
    fields: dict[str, tuple[str, ...]] = {}
    for one in answered:
        if isinstance(one.part.outcome, Granted):
            name = one.part.outcome.type.id
            fields[name] = tuple(sorted({*fields.get(name, ()), *one.part.outcome.listing.fields}))
    return fields


def _counts(answered: Sequence[_Answered]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in answered:
        name = one.part.proof.evidence_type
        counts[name] = counts.get(name, 0) + len(released_of(one.rendered))
    return counts
