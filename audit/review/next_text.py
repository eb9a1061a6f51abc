"""The next record of a reviewer, for a terminal and for a program. Pure.

What stands in an opening is shown as it is, name by name; a record without one says so.
"""

from collections.abc import Iterator, Mapping

from audit.labels import name_of, value_of
from audit.review.desk import Next, Said
from audit.review.events import VERDICTS, Explained, Verdict, facts_of
from audit.search.output import time_text
from contracts.encoding import Json, canonical
from contracts.text import Text, one_line

_HEAD = Text("{place}({stratum},{reviewer};余 {left} 条)", "{place} ({stratum}, {reviewer}; {left} left)")
_AGAIN = Text("已收到说明,请复核:", "An explanation came in; please judge again:")
_PLAIN = Text("  {name}:{value}", "  {name}: {value}")
_ERASED = Text("  密封内容已销毁", "  its opening is erased")
_RESTRICTED = Text("  密封内容已限制处理", "  its opening is restricted")
_VERDICT = Text("  {time} {reviewer} 评为“{verdict}”:{note}", "  {time} {reviewer} found it {verdict}: {note}")
_EXPLANATION = Text("  {time} {whom} 说明({name}):{text}", "  {time} {whom} explains ({name}): {text}")
_CLOSED = Text("〔密封〕", "[sealed]")
_RECORD = ("organisation", "unit", "app", "channel", "service_item", "action", "evidence_types", "decision", "reason",
           "fields", "counts", "clerk_assurance", "case_check", "transaction")  # fmt: skip


def next_lines(one: Next) -> Iterator[Text]:
    """What a reviewer reads."""
    place = f"{one.place.log}:{one.place.position}"
    yield _HEAD.fill(place=place, stratum=one.pick.stratum, reviewer=one.pick.reviewer, left=one.left)
    if one.line is not None:
        record = one.line.record or {}
        time = record.get("time")
        yield _PLAIN.fill(name=name_of("time"), value=time_text(time) if type(time) is int else "-")
        yield from (_member(name, record.get(name)) for name in _RECORD)
        yield from (_member(name, value) for name, value in (one.line.opening or {}).items())
        if one.line.erased:
            yield _ERASED
        if one.line.restricted:
            yield _RESTRICTED
    if one.again:
        yield _AGAIN
    for said in (*one.verdicts, *one.explanations):
        yield _said(said)


def next_json(one: Next) -> Json:
    """The same for a program."""
    return {
        "sample": one.place.sample,
        "log": one.place.log,
        "position": one.place.position,
        "stratum": one.pick.stratum,
        "reviewer": one.pick.reviewer,
        "left": one.left,
        "judge_again": one.again,
        "entry": None if one.line is None else one.line.as_json(),
        "verdicts": [said_json(said) for said in one.verdicts],
        "explanations": [said_json(said) for said in one.explanations],
    }


def said_json(said: Said) -> dict[str, Json]:
    """An event of the own log: position, time, facts; `texts` null when sealed or erased."""
    number, time, event, _ = said.recorded
    return {
        "entry": number,
        "time": time_text(time),
        **facts_of(event),
        "texts": None if said.texts is None else dict(said.texts),
    }


def _said(said: Said) -> Text:
    event, time = said.recorded.event, time_text(said.recorded.time)
    texts: Mapping[str, object] = said.texts if said.texts is not None else {"note": _CLOSED, "explanation": _CLOSED}
    if isinstance(event, Verdict):
        facts = {"reviewer": event.reviewer, "verdict": VERDICTS[event.verdict], "note": texts.get("note", "-")}
        return _VERDICT.fill(time=time, **facts)
    whom = event.whom.text() if isinstance(event, Explained) else "-"
    name, text = texts.get("explained_by", "-"), texts.get("explanation", "-")
    return _EXPLANATION.fill(time=time, whom=whom, name=name, text=text)


def _member(name: str, value: Json) -> Text:
    told = value if value is None or type(value) is str else canonical(value).decode()
    shown = value_of(name, None if told is None else one_line(told))
    return _PLAIN.fill(name=name_of(one_line(name)), value=shown)
