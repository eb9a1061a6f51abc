"""Whether a gateway keeps from the mirror what witnesses cosigned. Pure: a fold over what both are seen to have.

1. A head that a witness holds and that the copy has not is awaited, from when it was first seen until the copy has as
   much. Only then comes the next one: so a log that grows without pause waits for nothing, and one whose gateway goes
   on showing an old head does, however the witness goes on.
2. Awaited for longer than `WITHHELD_S`, and above all that the gateway has shown: `head_withheld`.
3. While the copy has not all that was shown, nobody asks for a newer head (`log_lagging` tells of that), and the time
   does not run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from audit.mirror.judge import Alarm, Facts

WITHHELD_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Awaited:
    """A head of `size` entries with the signatures of log and witness. `since`: when it was first seen (Unix s)."""

    size: int
    note: bytes
    since: float


def awaited(before: Awaited | None, seen: Awaited | None, one: Facts, now: float) -> Awaited | None:
    """What is waited for after a look at `now` at which the witness held `seen` (rules 1 and 3)."""
    current = next((head for head in (before, seen) if head is not None and head.size > one.size), None)
    if current is None or one.size >= one.source_size:
        return current
    return replace(current, since=now)


def withheld(head: Awaited, witness: str, one: Facts, now: float) -> Iterator[Alarm]:
    """Rule 2. `witness`: its URL."""
    waited = now - head.since
    if waited > WITHHELD_S and head.size > one.source_size:
        detail = f"{witness} cosigned {head.size} entries, and the gateway shows {one.source_size}"
        yield Alarm("head_withheld", one.log.slot, detail)
