"""What an auditor may want to look at: rules over the accesses of an index. Pure.

1. A rule takes rows and limits and gives findings. It names the rows (their positions), what was counted, and the
   limit. No rule decides anything: a finding asks for an explanation, and only a person closes it.
2. People are tokens here. A finding groups rows by token and shows it shortened, so that two findings about one clerk
   can be told to be so; who it is stands in the openings (`oncegate-audit show`).
3. A finding is about one day, one week or one instant, never about "so far": what is explained stays the same thing.
4. Rules read rows in order of time. Rows without a token (no key, erased) take no part where a rule needs it.
   Times of day and days are those of Beijing; holidays are not known.
5. Whether something was never there before is a question to the whole index (`History`): rows say what was asked for.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from audit.moments import moment
from contracts.text import Text, one_line

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ZONE_MS = 8 * HOUR_MS
MAX_LIMIT = 1_000_000  # that can be given
MAX_ROWS = 100  # positions in one finding; the count is complete


class Row(NamedTuple):
    """One access. `place`: the entry's number in the index; `purpose`: the facets of PURPOSE."""

    place: int
    time: int
    decision: str | None
    purpose: tuple[str | None, ...]
    clerk: bytes | None
    holder: bytes | None


@dataclass(frozen=True, slots=True)
class History:
    """What the whole index knows (rule 5). `begins`: its first access, `first`: purpose → its first granted access; in
    Unix ms."""

    begins: int = 0
    first: Mapping[tuple[str | None, ...], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a rule begins to speak. `own`: pairs of clerk and holder that are one person, from a roster."""

    opens: int = 8  # office hours, of the day in Beijing
    closes: int = 18
    holders_a_day: int = 100  # different holders of one clerk
    clerks_a_week: int = 5  # different clerks on one holder
    refusals: int = 10  # of one clerk within the hour
    known_days: int = 30  # so long an item must have been seen in the index before new purposes are spoken of
    own: frozenset[tuple[bytes, bytes]] = field(default=frozenset())
    history: History = field(default=History())


@dataclass(frozen=True, slots=True)
class Finding:
    """`places`: entries concerned, in order of time, at most MAX_ROWS of `count`; `subject`: whom or what the rows have
    in common; `period`: the day, or the week's Monday, that it is about, or empty; `last`: Unix ms of the newest."""

    rule: str
    subject: str
    count: int
    places: Sequence[int]
    explanation: Text
    period: str
    last: int


PURPOSE = ("organisation", "unit", "app", "service_item")
NUMBERS = tuple(name for name, one in Limits.__dataclass_fields__.items() if type(one.default) is int)
Rule = Callable[[Sequence[Row], Limits], Iterator[Finding]]


def analyse(rows: Iterable[Row], limits: Limits) -> list[Finding]:
    """Every finding of every rule, rule by rule."""
    ordered = sorted(rows, key=lambda row: (row.time, row.place))
    return [finding for rule in RULES.values() for finding in rule(ordered, limits)]


def off_hours(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """Accesses of one clerk on one day outside office hours, or at a weekend."""
    groups: dict[tuple[bytes, int], list[Row]] = defaultdict(list)
    for row in rows:
        day, hour = _day_and_hour(row.time)
        if row.clerk is not None and (not limits.opens <= hour < limits.closes or (day + 3) % 7 > 4):  # 1970-01-01: Thu
            groups[row.clerk, day].append(row)
    for (clerk, day), group in groups.items():
        yield _finding("off_hours", _short(clerk), group, _date(day), opens=limits.opens, closes=limits.closes)


def many_holders(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """One clerk, more different holders on one day than the limit."""
    for (clerk, day), group in _by_day(rows, lambda row: row.clerk, 1).items():
        holders = {row.holder for row in group} - {None}
        if len(holders) > limits.holders_a_day:
            facts = {"seen": len(holders), "limit": limits.holders_a_day}
            yield _finding("many_holders", _short(clerk), group, _date(day), **facts)


def many_clerks(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """One holder, more different clerks in one week (from Monday) than the limit."""
    for (holder, monday), group in _by_day(rows, lambda row: row.holder, 7).items():
        clerks = {row.clerk for row in group} - {None}
        if len(clerks) > limits.clerks_a_week:
            facts = {"seen": len(clerks), "limit": limits.clerks_a_week}
            yield _finding("many_clerks", _short(holder), group, _date(monday), **facts)


def own_record(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """A clerk asked, on one day, about the holder that the roster says the clerk is."""
    own = [
        row
        for row in rows
        if row.clerk is not None and row.holder is not None and (row.clerk, row.holder) in limits.own
    ]
    for (clerk, day), group in _by_day(own, lambda row: row.clerk, 1).items():
        yield _finding("own_record", _short(clerk), group, _date(day))


def refusal_bursts(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """One clerk, at least the limit of refusals within an hour, whenever it begins."""
    refused: dict[bytes, list[Row]] = defaultdict(list)
    for row in rows:
        if row.clerk is not None and row.decision == "refused":
            refused[row.clerk].append(row)
    for clerk, group in refused.items():
        for burst in _bursts(group, max(1, limits.refusals)):
            yield _finding("refusal_burst", _short(clerk), burst, "", limit=limits.refusals)


def new_purpose(rows: Sequence[Row], limits: Limits) -> Iterator[Finding]:
    """The first granted use of an item by an organisation, unit and app that never used it before (rule 5)."""
    speaks = limits.history.begins + limits.known_days * DAY_MS
    new = {
        purpose: time for purpose, time in limits.history.first.items() if purpose[-1] is not None and time >= speaks
    }
    for row in rows:
        if row.decision == "granted" and new.get(row.purpose) == row.time:
            del new[row.purpose]
            subject = one_line(" / ".join(part or "-" for part in row.purpose))
            yield _finding("new_purpose", subject, [row], "", days=limits.known_days)


RULES: Mapping[str, Rule] = {
    "off_hours": off_hours,
    "many_holders": many_holders,
    "many_clerks": many_clerks,
    "own_record": own_record,
    "refusal_burst": refusal_bursts,
    "new_purpose": new_purpose,
}
OF_HOLDERS = ("many_holders", "many_clerks", "own_record")  # silent without tokens of holders
EXPLANATIONS: Mapping[str, Text] = {
    "off_hours": Text(
        "同一窗口人员在 {opens}–{closes} 时之外或周末的访问:{count} 次",
        "{count} accesses of one clerk outside {opens}:00–{closes}:00, or at a weekend",
    ),
    "many_holders": Text(
        "同一窗口人员一天查询 {seen} 个不同主体(限 {limit} 个)",
        "one clerk asked about {seen} different holders on one day (limit {limit})",
    ),
    "many_clerks": Text(
        "同一主体一周内被 {seen} 名不同窗口人员查询(限 {limit} 名)",
        "{seen} different clerks asked about one holder within a week (limit {limit})",
    ),
    "own_record": Text(
        "窗口人员一天内查询本人数据:{count} 次", "a clerk asked about their own record, {count} times on one day"
    ),
    "refusal_burst": Text(
        "同一窗口人员一小时内被拒 {count} 次(自 {limit} 次起提示)",
        "{count} refusals of one clerk within an hour (named from {limit} on)",
    ),
    "new_purpose": Text(
        "该单位、处室与系统首次为此事项调取(此前 {days} 天以上无记录)",
        "first use of this item by this organisation, unit and app (none in at least {days} days before)",
    ),
}


def _finding(rule: str, subject: str, rows: Sequence[Row], period: str, **facts: object) -> Finding:
    explanation = EXPLANATIONS[rule].fill(count=len(rows), **facts)
    places = [row.place for row in rows[:MAX_ROWS]]
    return Finding(rule, subject, len(rows), places, explanation, period, rows[-1].time)


def _date(day: int) -> str:
    """A day of Beijing, counted from 1970."""
    return moment(day * DAY_MS).date().isoformat()


def _day_and_hour(time: int) -> tuple[int, int]:
    day, rest = divmod(time + ZONE_MS, DAY_MS)
    return day, rest // HOUR_MS


def _by_day(
    rows: Sequence[Row], key: Callable[[Row], bytes | None], days: int
) -> Mapping[tuple[bytes, int], Sequence[Row]]:
    """Rows by token and the first day of their run of so many days; weeks begin on Monday."""
    groups: dict[tuple[bytes, int], list[Row]] = defaultdict(list)
    for row in rows:
        token = key(row)
        if token is not None:
            day = _day_and_hour(row.time)[0]
            groups[token, day - (day + 3) % days].append(row)
    return groups


def _bursts(rows: Sequence[Row], least: int) -> Iterator[Sequence[Row]]:
    """Runs of at least so many rows, each within an hour of its first, wherever the hour begins."""
    at = 0
    while at + least <= len(rows):
        end = bisect_left(rows, rows[at].time + HOUR_MS, at, key=lambda row: row.time)
        if end - at < least:
            at += 1
        else:
            yield rows[at:end]
            at = end


def _short(token: bytes) -> str:
    return token.hex()[:12]
