"""`retention` at the command line of a node and of the auditor's host: which logs are there, and which go."""

import getpass
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final

import typer

from audit import retired
from audit.mirror.follower import slot_name
from audit.moments import moment
from audit.notes import parse_vkey
from audit.orders.state import restricted
from audit.reader import LogReader
from audit.retention import DAMAGED, DUE, STATES, TOO_SHORT, Shard, state
from audit.retired import Retired
from audit.retiring import ASIDE, Place, Removal, files_below, look, resume, retire, surely
from contracts.edge.i18n import language
from contracts.edge.output import emit_json, progress, say, warn
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.registry import MIN_RETENTION_DAYS, AuditSlot
from contracts.text import Text

BEIJING: Final = timezone(timedelta(hours=8))

_LOG = Text(
    "{slot}:{entries} 条,{first} 至 {last},{state},保存至 {until}",
    "{slot}: {entries} entries, {first} to {last}, {state}, kept until {until}",
)
_HOLD = Text("  留存令:{reason}", "  Legal hold: {reason}")
_DAMAGE = Text("  {why}", "  {why}")
_RESTRICTED = Text("  有 {count} 条的密封内容限制处理", "  The openings of {count} entries are restricted")
_RETIRED = Text(
    "{slot}:{entries} 条,{first} 至 {last},已于 {removed} 由 {by} 删除",
    "{slot}: {entries} entries, {first} to {last}, removed on {removed} by {by}",
)
_NOTHING = Text("没有到期的日志", "No log is due")
_WOULD = Text("将删除:{slots}。请加 --apply 执行。", "To be removed: {slots}. Add --apply to do so.")
_LEFT = Text("上次未删完:{slots}。请加 --apply 继续。", "Begun and not ended: {slots}. Add --apply to go on.")
_ASK = Text(
    "将彻底删除 {slots}(共 {entries} 条),不可恢复。确定吗?",
    "Remove {slots} for good ({entries} entries)? Nothing brings them back.",
)
_REMOVED = Text("已删除 {slot}", "{slot} is removed")
_REMOVING = Text("删除", "Removing")
_READING = Text("读取日志", "Reading logs")
_SEEKING = Text("查找限制令", "Looking for restrictions")
_SHORT = Text(
    "注册库为 {slots} 登记的保存期少于 {days} 天", "The registry lists {slots} with less than {days} days of retention"
)
_CORRECT = Text("请在注册库中改正后重新发布。", "Correct it in the registry and publish again.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. `by`: who removes; "" for the account that runs this."""

    apply: bool
    yes: bool
    by: str
    as_json: bool


def run(place: Place, slots: Mapping[str, AuditSlot], now: int, wanted: Wanted) -> int:
    """Show, and with `apply` remove; the exit code (1: a log does not verify, or its listed time is too short).

    `now` in Unix ms. Raises `UserError`, `typer.Abort` when it is not confirmed, OSError.
    """
    with progress(_READING, None):
        shards = [surely(place, one, now) for one in look(place, slots)]
    going = [one for one in shards if state(one, now) == DUE]
    told = {one.slot: _restrictions(place, one) for one in going}
    if not wanted.as_json:
        _show(place, shards, told, now)
    removed = _apply(place, shards, going, now, wanted) if wanted.apply else []
    if wanted.as_json:
        emit_json(_form(place, shards, told, removed, now))
    elif not wanted.apply:
        _say_next(place, going)
    return 1 if any(state(one, now) in (DAMAGED, TOO_SHORT) for one in shards) else 0


def _apply(place: Place, shards: Sequence[Shard], going: Sequence[Shard], now: int, wanted: Wanted) -> list[str]:
    short = [one.slot for one in shards if state(one, now) == TOO_SHORT]
    if short:
        what = _SHORT.fill(slots=", ".join(short), days=MIN_RETENTION_DAYS)
        raise UserError(what, str(place.logs), _CORRECT)
    if going and not wanted.yes:
        slots, entries = ", ".join(one.slot for one in going), sum(one.entries for one in going)
        typer.confirm(_ASK.fill(slots=slots, entries=entries).pick(language()), abort=True, err=True)
    aside = place.logs / ASIDE
    with progress(_REMOVING, files_below([aside, *map(place.directory, going)])) as advance:
        removed = resume(place, advance)
        for one in going:
            retire(place, one, Removal(now, wanted.by or getpass.getuser()), advance)
            removed.append(one.slot)
    if not wanted.as_json:
        _say_removed(removed)
    return removed


def _say_removed(removed: Sequence[str]) -> None:
    for slot in removed:
        say(_REMOVED.fill(slot=slot))
    if not removed:
        say(_NOTHING)


def _restrictions(place: Place, shard: Shard) -> int:
    """How many openings of a log are restricted; reads all of it."""
    if shard.listed is None:
        return 0
    with progress(_SEEKING, None):
        reader = LogReader(place.directory(shard), parse_vkey(shard.listed.vkey))
        return sum(last - first + 1 for first, last in restricted(reader, shard.entries).spans)


def _show(place: Place, shards: Sequence[Shard], told: Mapping[str, int], now: int) -> None:
    for one in shards:
        times = {"first": _day(one.first), "last": _day(one.last), "until": _day(one.until)}
        say(_LOG.fill(slot=one.slot, entries=one.entries, state=STATES[state(one, now)], **times))
        for text in _remarks(one, told.get(one.slot, 0)):
            say(text)
    for gone in retired.read_all(place.retired):
        days = {"first": _day(gone.first), "last": _day(gone.last), "removed": _day(gone.removed)}
        say(_RETIRED.fill(slot=gone.slot, entries=gone.entries, by=gone.by, **days))


def _remarks(one: Shard, restrictions: int) -> Iterator[Text]:
    if one.hold:
        yield _HOLD.fill(reason=one.hold)
    if one.damaged:
        yield _DAMAGE.fill(why=one.damaged)
    if restrictions:
        yield _RESTRICTED.fill(count=restrictions)


def _say_next(place: Place, going: Sequence[Shard]) -> None:
    left = sorted(path.name for path in (place.logs / ASIDE).glob("*"))
    if left:
        warn(_LEFT.fill(slots=", ".join(left)))
    say(_WOULD.fill(slots=", ".join(one.slot for one in going)) if going else _NOTHING)


def _form(
    place: Place, shards: Sequence[Shard], told: Mapping[str, int], removed: Sequence[str], now: int
) -> dict[str, Json]:
    """Times in Unix ms."""
    return {
        "time": now,
        "logs": [
            {
                "slot": one.slot,
                "origin": one.origin,
                "entries": one.entries,
                "first": one.first,
                "last": one.last,
                "closed": bool(one.successor),
                "successor": one.successor or None,
                "retention_days": None if one.listed is None else one.listed.retention_days,
                "until": one.until,
                "state": state(one, now),
                "hold": one.hold or None,
                "restricted": told.get(one.slot),
            }
            for one in shards
        ],
        "retired": [_retired(one) for one in retired.read_all(place.retired)],
        "removed": list(removed),
    }


def _retired(one: Retired) -> dict[str, Json]:
    return {
        "slot": one.slot,
        "origin": one.origin,
        "entries": one.entries,
        "first": one.first,
        "last": one.last,
        "removed": one.removed,
        "by": one.by,
    }


def _day(time: int | None) -> str:
    """A time as people in China write its day."""
    return "?" if time is None else moment(time).astimezone(BEIJING).date().isoformat()


def mirror_place(directory: Path) -> Place:
    """The logs of a mirror."""
    return Place(directory / "logs", directory / "retired", slot_name)
