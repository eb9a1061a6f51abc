"""Findings with what was asked and explained about them. Pure but for `explained`, which reads the own log.

1. A finding is `open` (nobody asked, nobody explained), `asked` until a date, `overdue`, or `explained`. It is listed
   whatever its state: no state takes one away.
2. An explanation speaks of what was there when it was given. Of a finding with a later access it is shown, but the
   finding is open again (`grown`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from audit.review.book import Own
from audit.review.desk import Keys, Said, Shown, shown
from audit.review.events import Explained
from audit.review.ledger import Standing
from audit.search.output import time_text
from contracts.encoding import Json
from contracts.text import Text

STATES: Mapping[Standing, Text] = {
    Standing.OPEN: Text("未说明", "open"),
    Standing.ASKED: Text("待说明,期限 {until}", "asked until {until}"),
    Standing.OVERDUE: Text("逾期未说明,期限 {until}", "overdue since {until}"),
    Standing.EXPLAINED: Text("已说明", "explained"),
}
_GROWN = Text("说明之后又有访问", "open again: accesses after its explanation")
_SAID = Text(
    "    {time} {whom} 说明({name}),{by} 接收:{text}", "    {time} {whom} explains ({name}), received by {by}: {text}"
)
_SEALED = Text("〔密封,需审计员私钥〕", "[sealed: give the auditors' key]")
_COUNTS = Text("{name} {count}", "{count} {name}")
_BARE = {
    Standing.OPEN: Text("未说明", "open"),
    Standing.ASKED: Text("待说明", "asked"),
    Standing.OVERDUE: Text("逾期", "overdue"),
    Standing.EXPLAINED: Text("已说明", "explained"),
}


class State(NamedTuple):
    """Of one finding (rules 1 and 2)."""

    standing: Standing
    grown: bool
    shown: Shown


def explained(own: Own, findings: Sequence[tuple[str | None, int | None]], keys: Keys) -> list[State]:
    """The state of each finding, given as id and Unix ms of its newest access (None: it has none); in their order.

    Raises what reading the own log raises.
    """
    found = shown(own, sorted({identity for identity, _ in findings if identity is not None}), keys)
    return [state_of(_NOTHING if identity is None else found[identity], last) for identity, last in findings]


def state_of(found: Shown, last: int | None) -> State:
    """Rule 2."""
    newest = max((said.recorded.time for said in found.explanations), default=None)
    grown = newest is not None and last is not None and last > newest
    reopened = grown and found.standing is Standing.EXPLAINED
    return State(Standing.OPEN if reopened else found.standing, grown, found)


def state_text(state: State) -> Text:
    """A few words."""
    if state.grown and state.standing is Standing.OPEN:
        return _GROWN
    due = state.shown.due
    return STATES[state.standing].fill(until=due.deadline if due is not None else "-")


def said_lines(state: State) -> Iterator[Text]:
    """One line for each explanation."""
    for said in state.shown.explanations:
        event, texts = said.recorded.event, said.texts
        if isinstance(event, Explained):
            name, text = (
                (_SEALED, _SEALED) if texts is None else (texts.get("explained_by", "-"), texts.get("explanation"))
            )
            facts = {"whom": event.whom.text(), "by": event.by, "name": name, "text": text}
            yield _SAID.fill(time=time_text(said.recorded.time), **facts)


def state_json(state: State) -> dict[str, Json]:
    """For a program; `texts` null without the auditors' key, or when erased."""
    due = state.shown.due
    asked = due is not None and due.answered is None
    return {
        "state": state.standing.value,
        "grown": state.grown,
        "asked": due.whom._asdict() if due is not None and asked else None,
        "deadline": due.deadline if due is not None and asked else None,
        "explanations": [_said_json(said) for said in state.shown.explanations],
    }


def counts(states: Iterable[State]) -> dict[str, int]:
    """State → how many findings, every state."""
    found = Counter(state.standing for state in states)
    return {standing.value: found[standing] for standing in Standing}


def counts_text(states: Iterable[State]) -> Text:
    """The same as one line."""
    parts = [_COUNTS.fill(name=_BARE[Standing(name)], count=count) for name, count in counts(states).items()]
    return Text(",".join(part.zh for part in parts), ", ".join(part.en for part in parts))


_NOTHING = Shown(Standing.OPEN, None, ())


def _said_json(said: Said) -> Json:
    number, time, event, _ = said.recorded
    whom = event.whom._asdict() if isinstance(event, Explained) else None
    by = event.by if isinstance(event, Explained) else None
    texts = None if said.texts is None else dict(said.texts)
    return {"entry": number, "time": time_text(time), "from": whom, "received_by": by, "texts": texts}
