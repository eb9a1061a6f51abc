"""Which entries of an indexed log have no tokens because of orders about openings (`audit.orders.state`).

1. A restricted opening has no tokens: no search by clerk, case or holder finds its record, everything else does. Once
   the restriction is lifted, its tokens are made again. An erased opening's tokens go, and it counts as erased.
2. What the notices say is kept with the index for each log, so that only new entries are looked at for them. An index
   that keeps nothing yet looks at all.
3. Tokens go before anything new is indexed, in one transaction with what is kept. Doing it again changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import apsw

from audit import ranges
from audit.orders import files
from audit.orders.state import Noticed, State, effective, fold
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.search.rows import entry_id
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault

_KEEP = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_STRIP = "UPDATE entries SET clerk = NULL, case_number = NULL, holder = NULL WHERE id BETWEEN ? AND ?"
_COUNT_ACCESSES = "SELECT count(*) FROM entries WHERE id BETWEEN ? AND ?"
_ERASED = "UPDATE logs SET erased = erased + ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Withheld:
    """What is kept of a log (rule 2). `positions`: those without tokens, erased ones not counted."""

    state: State = field(default_factory=State)
    positions: Ranges = NONE

    def encode(self) -> bytes:
        orders: dict[str, Json] = dict(self.state.carried_out)
        restricted, erased = self.state.restricted.text(), self.state.erased.text()
        return canonical(
            {"erased": erased, "orders": orders, "restricted": restricted, "withheld": self.positions.text()}
        )


def read(db: apsw.Connection, log: int) -> Withheld | None:
    """None: nothing is kept yet (or what is kept is none)."""
    data = db.execute("SELECT value FROM meta WHERE name = ?", (_name(log),)).get
    if not isinstance(data, bytes):
        return None
    try:
        members = parse_object(data)
        restricted, erased, positions = (_ranges(members[name]) for name in ("restricted", "erased", "withheld"))
    except (Fault, KeyError):
        return None
    orders = members["orders"]
    places = {name: at for name, at in orders.items() if type(at) is int} if isinstance(orders, dict) else {}
    return Withheld(State(restricted, erased, places), positions)


def after(before: Withheld | None, found: Iterable[Noticed], reader: LogReader) -> Withheld:
    """With the notices that came since."""
    start = State() if before is None else before.state
    state = fold(found, reader.key.name, files.orders_of(reader, None), start)
    return Withheld(state, effective(state, files.on_file(reader, None)) - state.erased)


def keep(db: apsw.Connection, log: int, indexed: int, before: Withheld | None, now: Withheld) -> Ranges:
    """Rule 3, for the first `indexed` entries, within a transaction; those that get their tokens back."""
    former = Withheld() if before is None else before
    old = Ranges.of([(0, indexed - 1)]) if indexed else NONE
    for first, last in ((now.positions - former.positions) & old).spans:
        db.execute(_STRIP, (entry_id(log, first), entry_id(log, last)))
    for first, last in ((now.state.erased - former.state.erased) & old).spans:
        db.execute(_STRIP, (entry_id(log, first), entry_id(log, last)))
        count = db.execute(_COUNT_ACCESSES, (entry_id(log, first), entry_id(log, last))).get
        db.execute(_ERASED, (count, log))
    db.execute(_KEEP, (_name(log), now.encode()))
    return (former.positions - now.positions - now.state.erased) & old


def _name(log: int) -> str:
    return f"withheld {log}"


def _ranges(text: Json) -> Ranges:
    if type(text) is not str:
        raise Fault("positions_malformed")
    return ranges.parse(text) if text else NONE
