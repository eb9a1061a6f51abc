"""Times of records as dates. Pure.

A log holds what its writer wrote. A time that no calendar of ours has (before 1970, or after the year 9999) is shown as
the first or the last one that there is: one odd record must not stop whoever looks at all the others.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = 253_402_271_999_999  # ms: 9999-12-31T15:59:59.999Z, when the year ends in Beijing


def moment(milliseconds: int) -> datetime:
    """A time in Unix ms, in UTC; it can be written in Beijing time, too."""
    return _EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LAST))
