"""What was asked, as it is recorded, against what a record says. Pure.

1. `filters` are those of `asked.recorded`: names with values; people as tokens, which nobody can compare without keys.
2. A record is within the scope when every filter that is not about people has it. So a package cannot carry a record
   that its own question would not have found. That it carries all of them, only the logs themselves can show.
"""

from collections.abc import Callable, Mapping, Sequence

from audit.search.asked import PEOPLE, WORDS
from audit.search.filters import END_OF_TIME, NONE
from audit.search.rows import FACETS, access_of
from contracts.encoding import Json, parse_strict
from contracts.text import Text

# In the order in which a question is told to people.
FILTERS: Mapping[str, Text] = {
    "from": Text("起始时间", "from"),
    "to": Text("截止时间(不含)", "until (excluded)"),
    "log": Text("日志", "log"),
    "organisation": Text("单位", "organisation"),
    "unit": Text("处室/窗口", "unit"),
    "app": Text("审批系统", "app"),
    "item": Text("事项", "service item"),
    "type": Text("证照类型", "evidence type"),
    "decision": Text("结论", "decision"),
    "reason": Text("原因", "reason"),
    "action": Text("操作", "action"),
    "channel": Text("渠道", "channel"),
    "clerk_assurance": Text("人员身份核验", "clerk assurance"),
    "case_check": Text("办件核验", "case check"),
    "clerk": Text("窗口人员(索引令牌,非明文)", "clerk (token of the index)"),
    "case": Text("办件号(索引令牌,非明文)", "case (token of the index)"),
    "holder": Text("持证主体(索引令牌,非明文)", "holder (token of the index)"),
}


def is_question(filters: Mapping[str, Json]) -> bool:
    """Whether these are filters, each of its kind."""
    return all(name in FILTERS and _KINDS.get(name, _is_texts)(value) for name, value in filters.items())


def is_within(filters: Mapping[str, Json], origin: str, leaf: bytes) -> bool:
    """Whether the record in `leaf` of the log `origin` is one that was asked for (rule 2); never for other entries."""
    access = access_of(leaf)
    if access is None or filters.get("log", origin) != origin:
        return False
    if not filters.get("from", 0) <= access.time < filters.get("to", access.time + 1):
        return False
    types, wanted = parse_strict(access.shape.types.encode()), filters.get("type")
    if wanted is not None and not set(wanted) & set(types):
        return False
    facets = dict(zip(FACETS, access.shape.values, strict=True))
    return all(_one_of(filters[word], facets[name]) for word, name in WORDS.items() if word in filters)


def _one_of(wanted: Sequence[str], value: str | None) -> bool:
    """`none` asks for "not there" only, as in `filters`."""
    return NONE in wanted if value is None else value != NONE and value in wanted


def _is_texts(value: Json) -> bool:
    return type(value) is list and bool(value) and all(type(one) is str for one in value)


def _is_time(value: Json) -> bool:
    return type(value) is int and 0 <= value < END_OF_TIME


def _is_text(value: Json) -> bool:
    return type(value) is str


_KINDS: Mapping[str, Callable[[Json], bool]] = {
    "from": _is_time,
    "to": _is_time,
    "log": _is_text,
    **dict.fromkeys(PEOPLE, _is_text),
}
