"""How long a log is kept, and which logs go: whole ones, closed ones, after their time. Pure.

1. A log is kept for so many days after its last entry as the registry says, at least MIN_RETENTION_DAYS whatever the
   registry says: a shorter time is refused, not carried out.
2. Only a closed log goes. One that the registry does not list, that is damaged, or that has no times, stays: nobody can
   say what its time is. A legal hold stops the removal for as long as it stands.
3. A restriction of openings stops nothing, but is told.
Times are Unix ms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contracts.registry import MIN_RETENTION_DAYS, AuditSlot
from contracts.text import Text

DAY_MS: Final = 86_400_000

OPEN, KEPT, DUE, HELD = "open", "kept", "due", "held"
UNLISTED, TOO_SHORT, UNDATED, DAMAGED = "unlisted", "too_short", "undated", "damaged"

STATES: Mapping[str, Text] = {
    OPEN: Text("仍在写入", "open"),
    KEPT: Text("保存期内", "kept"),
    DUE: Text("已到期,可删除", "its time is over: to be removed"),
    HELD: Text("已到期,因留存令保留", "its time is over; a legal hold keeps it"),
    UNLISTED: Text("注册库未登记,保留", "not listed in the registry: stays"),
    TOO_SHORT: Text("登记的保存期过短,保留", "listed with too short a retention: stays"),
    UNDATED: Text("无法得知条目时间,保留", "its entries have no times: stays"),
    DAMAGED: Text("核验未通过,保留", "does not verify: stays"),
}


@dataclass(frozen=True, slots=True)
class Shard:
    """A log as retention sees it. `first`, `last`: the times of its entries; `successor`: "" while it is open; `hold`:
    the reason of a legal hold, or ""; `damaged`: why it does not verify, or ""."""

    slot: str
    origin: str
    entries: int
    first: int | None
    last: int | None
    successor: str
    listed: AuditSlot | None
    hold: str = ""
    damaged: str = ""

    @property
    def until(self) -> int | None:
        """Kept until then; None where nobody can say."""
        if self.listed is None or self.last is None or not self.successor:
            return None
        return kept_until(self.last, self.listed.retention_days)


def kept_until(last: int, days: int) -> int:
    """When the time of a log is over whose last entry is of the time `last` (rule 1)."""
    return last + max(days, MIN_RETENTION_DAYS) * DAY_MS


_RULES: Final[Sequence[tuple[str, Callable[[Shard, int], bool]]]] = (  # the first that holds
    (DAMAGED, lambda shard, _: bool(shard.damaged)),
    (UNLISTED, lambda shard, _: shard.listed is None),
    (TOO_SHORT, lambda shard, _: shard.listed is not None and shard.listed.retention_days < MIN_RETENTION_DAYS),
    (OPEN, lambda shard, _: not shard.successor),
    (UNDATED, lambda shard, _: shard.until is None),
    (KEPT, lambda shard, now: shard.until is not None and now < shard.until),
    (HELD, lambda shard, _: bool(shard.hold)),
)


def state(shard: Shard, now: int) -> str:
    """What becomes of a log: one of `STATES`."""
    return next((name for name, holds in _RULES if holds(shard, now)), DUE)


def due(shards: Iterable[Shard], now: int) -> tuple[Shard, ...]:
    """Those that go."""
    return tuple(one for one in shards if state(one, now) == DUE)
