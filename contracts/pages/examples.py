"""The examples of a type: valid documents, and what each invalid one shows. Pure.

An invalid example is a change to the first valid document (`contracts.catalogue.examples`). The fault is told as the
adapter tells it to a department: found by checking, not repeated from the author's file.
"""

from collections.abc import Iterator, Mapping

from contracts.documents import check
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.pages.json_block import block, folded
from contracts.pages.markup import Html, code, join, table, tag
from contracts.pages.shelf import Entry
from contracts.text import Text

_TITLE = Text("示例", "Examples")
_VALID = Text("有效示例", "Valid example")
_ANOTHER = Text("有效示例 {number}", "Valid example {number}")
_INVALID = Text("无效示例", "Invalid examples")
_ABOUT = Text(
    "各以第一个有效示例改动一处而成, 均被退回。", "Each is the first valid example with one change, and is refused."
)
_WHAT = Text("错在何处", "What is wrong")
_CHANGE = Text("改动", "Change")
_ANSWER = Text("退回原因", "What the department is told")
_REMOVED = Text("删去", "Without")


def examples(entry: Entry, language: str) -> Html:
    """The section; empty where there are no examples."""
    valid = entry.examples.get("valid", [])
    if not valid:
        return Html()
    more = (
        folded(_ANOTHER.fill(number=number).pick(language), document) for number, document in enumerate(valid[1:], 2)
    )
    return tag(
        "section",
        tag("h2", _TITLE.pick(language), id="examples"),
        tag("h3", _VALID.pick(language)),
        block(valid[0]),
        join(more),
        _invalid(entry, valid[0], language),
    )


def _invalid(entry: Entry, first: Mapping[str, Json], language: str) -> Html:
    cases = entry.examples.get("invalid", [])
    if not cases:
        return Html()
    heads = [head.pick(language) for head in (_WHAT, _CHANGE, _ANSWER)]
    rows = (_case(entry.type, first, case, heads, language) for case in cases)
    title = _INVALID.pick(language)
    return join((tag("h3", title), tag("p", _ABOUT.pick(language)), table(heads, rows, title)))


def _case(
    one: EvidenceType, first: Mapping[str, Json], case: Mapping[str, Json], heads: list[str], language: str
) -> Html:
    changed = {**first, **case.get("set", {})}
    document = {name: value for name, value in changed.items() if name not in case.get("remove", ())}
    faults = join(tag("p", fault.words.pick(language)) for fault in check(one, document))
    return tag(
        "tr",
        tag("th", case.get("why", ""), scope="row", lang="en"),
        tag("td", join(_change(case, language)), data_head=heads[1]),
        tag("td", faults, data_head=heads[2]),
    )


def _change(case: Mapping[str, Json], language: str) -> Iterator[Html]:
    if case.get("set"):
        yield block(case["set"])
    for name in case.get("remove", ()):
        yield tag("p", _REMOVED.pick(language), " ", code(name))
