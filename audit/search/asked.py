"""What an auditor asks for, as written: `NAME=VALUE` words. Pure.

1. Words of different names add up; words of one name are alternatives. Times and people once each.
2. `from` and `to` are ISO 8601; without a zone they are Beijing time (+08:00). A bare date in `to` means the whole day.
   Nothing is between a `from` and a `to` that is not later.
3. `clerk`, `case` and `holder` (`SCHEME:ID`, see `holders`) become tokens, so they need the keys of the index.
4. What is recorded of a question names every filter, with values where these are not personal, else with tokens.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from audit.search.filters import END_OF_TIME, Filters
from audit.search.holders import holder_of
from audit.search.rows import FACETS
from audit.search.tokens import TokenKeys, case_token, clerk_token, holder_token
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

ZONE = timezone(timedelta(hours=8))
PEOPLE = ("clerk", "case", "holder")
WORDS = {"item": "service_item", **{name: name for name in FACETS if name != "service_item"}}
NAMES = ("from", "to", "log", *WORDS, "type", *PEOPLE)

_NOT_A_FILTER = Text("不是筛选条件", "Not a filter")
_KNOWN = Text(f"写法:名称=值,可用名称:{'、'.join(NAMES)}。", f"Write NAME=VALUE; there are {', '.join(NAMES)}.")
_EMPTY = Text("该条件的值为空", "The value is empty")
_GIVE_VALUE = Text("请给出值;写作“-”时,值须在标准输入的一行中。", "Give one; with `-` it is a line of standard input.")
_NOT_UTF8 = Text("不是 UTF-8 文本", "Not text in UTF-8")
_USE_UTF8 = Text("请将终端编码设为 UTF-8。", "Set the terminal to UTF-8.")
_TWICE = Text("该条件只能出现一次", "This filter can be given once only")
_BAD_TIME = Text("时间格式不对", "Not a time")
_TIME_FORM = Text(
    "例如 2026-11-22、2026-11-22T08:30 或 2026-11-22T00:30:00Z。",
    "Such as 2026-11-22, 2026-11-22T08:30 (Beijing time) or 2026-11-22T00:30:00Z.",
)
_BACKWARDS = Text("from 须早于 to", "`from` is not earlier than `to`")


@dataclass(frozen=True, slots=True)
class Asked:
    """The words, understood. `people`: clerk, case or holder → as written. `log`: an origin."""

    since: int = 0
    until: int = END_OF_TIME
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    types: tuple[str, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict, repr=False)
    log: str | None = None
    names: tuple[str, ...] = ()


def parse(words: Iterable[str]) -> Asked:
    """The question in `NAME=VALUE` words; raises `UserError`, without values of people in it."""
    asked = Asked()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in NAMES:
            raise UserError(_NOT_A_FILTER, name, _KNOWN)
        if not value.strip():
            raise UserError(_EMPTY, name, _GIVE_VALUE)
        utf8(value, name)
        if name in asked.names and name in _ONCE:
            raise UserError(_TWICE, name)
        asked = replace(_READ.get(name, _facet)(asked, name, value), names=(*asked.names, name))
    if {"from", "to"} <= {*asked.names} and asked.since >= asked.until:
        raise UserError(_BACKWARDS, "from, to", _TIME_FORM)
    return asked


def utf8(text: str, where: str) -> str:
    """The text itself, if it can be written in UTF-8: a terminal in another encoding gives what cannot. Raises
    `UserError`, with `where` instead of the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(_NOT_UTF8, where, _USE_UTF8) from None
    return text


def filters_of(asked: Asked, keys: TokenKeys | None, log: int | None) -> Filters:
    """The filters, with tokens for people (rule 3); `log`: the number of `asked.log` in the index.

    Raises `UserError` for a holder that has no scheme. The caller has checked that the keys are there.
    """
    people = {} if keys is None else {name: _token(keys, name, value) for name, value in asked.people.items()}
    return Filters(asked.since, asked.until, asked.facets, asked.types, people, log)


def recorded(asked: Asked, filters: Filters) -> dict[str, Json]:
    """Rule 4."""
    found: dict[str, Json] = {word: list(asked.facets[name]) for word, name in WORDS.items() if name in asked.facets}
    times = {"from": asked.since, "to": asked.until}
    found |= {name: value for name, value in times.items() if name in asked.names}
    found |= {"type": list(asked.types)} if asked.types else {}
    found |= {"log": asked.log} if asked.log is not None else {}
    return found | {name: token.hex() for name, token in filters.people.items()}


def milliseconds(text: str, end: bool = False) -> int:
    """A time in Unix ms (rule 2); `end`: of a bare date, the instant after it. Raises `UserError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(_BAD_TIME, text, _TIME_FORM) from None
    zoned = found if found.tzinfo is not None else found.replace(tzinfo=ZONE)
    past = timedelta(days=1) if end and len(text) <= len("2026-11-22") else timedelta()  # 9999-12-31 has no next date
    return max(0, (zoned - _EPOCH + past) // timedelta(milliseconds=1))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _facet(asked: Asked, name: str, value: str) -> Asked:
    facet = WORDS[name]
    return replace(asked, facets={**asked.facets, facet: (*asked.facets.get(facet, ()), value)})


def _person(asked: Asked, name: str, value: str) -> Asked:
    return replace(asked, people={**asked.people, name: value})


def _token(keys: TokenKeys, name: str, value: str) -> bytes:
    if name != "holder":
        return (clerk_token if name == "clerk" else case_token)(keys, value)
    token = holder_token(keys, *holder_of(value))
    if token is None:
        raise ValueError("the caller has checked that the keys are there")
    return token


_READ: Mapping[str, Callable[[Asked, str, str], Asked]] = {
    "from": lambda asked, _, value: replace(asked, since=milliseconds(value)),
    "to": lambda asked, _, value: replace(asked, until=milliseconds(value, end=True)),
    "log": lambda asked, _, value: replace(asked, log=value),
    "type": lambda asked, _, value: replace(asked, types=(*asked.types, value)),
    **dict.fromkeys(PEOPLE, _person),
}
_ONCE = {"from", "to", "log", *PEOPLE}
