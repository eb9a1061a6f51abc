"""How often each app has asked today: what the grants' daily limits are counted against.

1. A day is a civil day in China (UTC+8, no daylight saving). With the first question of a day all counts are zero.
2. Granted questions count, whether or not something was found: a bundle is one question. Refused ones do not.
3. A question counts when it is decided, before its answer leaves: questions in flight cannot pass a limit together.
4. A restart does not forget: the counts of today are rebuilt from the access records of this log and of the closed
   ones that it goes on from (`recount`).
5. Each serving process counts what it serves itself. With several of them a limit holds for each.

In memory, for one thread. No clock: times are values, in Unix ms.
"""

from collections.abc import Iterable
from typing import Final

import orjson

GRANTED: Final = "granted"

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_CHINA_MS = 8 * 3_600_000

Counts = dict[tuple[str, str], int]


def day_of(now: int) -> int:
    """The number of the civil day (rule 1)."""
    return (now + _CHINA_MS) // _DAY_MS


class UsageBook:
    """Today's counts by app, each by (service item, channel)."""

    def __init__(self) -> None:
        self._day = 0
        self._apps: dict[str, Counts] = {}

    def of(self, app: str, now: int) -> Counts:
        """The app's counts of today."""
        day = day_of(now)
        if day > self._day:  # a clock that jumps back begins no new day
            self._day, self._apps = day, {}
        return self._apps.setdefault(app, {})

    def count(self, app: str, item: str, channel: str, now: int) -> None:
        """One granted question."""
        counts = self.of(app, now)
        counts[item, channel] = counts.get((item, channel), 0) + 1

    def recount(self, newest_first: Iterable[bytes], now: int) -> None:
        """Count today's access records, given newest first (rule 4); reads no further than a minute before today.

        Records are in the order in which they became durable, which is not quite the order of their times.
        """
        today = day_of(now)
        for leaf in newest_first:
            facts = orjson.loads(leaf)
            if day_of(facts["time"] + _MINUTE_MS) < today:
                return
            if (
                day_of(facts["time"]) == today
                and facts.get("decision") == GRANTED
                and facts["service_item"] is not None
            ):
                self.count(facts["app"], facts["service_item"], facts["channel"], now)
