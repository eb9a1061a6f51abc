"""Which entries of an indexed log have no tokens because of orders about openings (`audit.orders.state`).

1. A restricted opening has no tokens: no search by clerk, case or holder finds its record, everything else does. Once
   the restriction is lifted, its tokens are made again. An erased opening's tokens go, and it counts as erased.
2. What the notices say is kept with the index for each log, so that only new entries are looked at for them. An index
   that keeps nothing yet looks at all; so it does when an order came that a notice had before (a mirror has the entries
   first). About a closed log the logs that go on from it say more (`chain`), and are looked at as well.
3. Tokens go before anything new is indexed, in one transaction with what is kept. Doing it again changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import apsw

from audit import ranges
from audit.orders import files
from audit.orders.chain import Chain
from audit.orders.state import Noticed, State, effective, fold, notices_in, standing
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
    """What is kept of a log (rule 2). `positions`: those without tokens, erased ones not counted; `missing`: orders
    that notices name, and that are not here, as `log SP digest`; `later`: how many entries were looked at of the logs
    that go on from it."""

    state: State = field(default_factory=State)
    positions: Ranges = NONE
    missing: tuple[str, ...] = ()
    later: Mapping[str, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        orders: dict[str, Json] = dict(self.state.carried_out)
        later: dict[str, Json] = dict(self.later)
        missing: list[Json] = list(self.missing)
        return canonical(
            {
                "erased": self.state.erased.text(),
                "later": later,
                "missing": missing,
                "number": self.state.highest,
                "orders": orders,
                "restricted": self.state.restricted.text(),
                "withheld": self.positions.text(),
            }
        )

    def is_behind(self, reader: LogReader, chain: Chain) -> bool:
        """Whether an order came that was missing."""
        keys = {key.name: key for key in (reader.key, *chain.keys)}
        named = (text.rpartition(" ")[::2] for text in self.missing)
        return any(files.orders_of(reader, None, keys.get(log))(digest) is not None for log, digest in named)


def read(db: apsw.Connection, log: int) -> Withheld | None:
    """None: nothing is kept yet (or what is kept is none)."""
    data = db.execute("SELECT value FROM meta WHERE name = ?", (_name(log),)).get
    if not isinstance(data, bytes):
        return None
    try:
        members = parse_object(data)
        restricted, erased, positions = (_ranges(members[name]) for name in ("restricted", "erased", "withheld"))
        orders, missing, number, later = (members[name] for name in ("orders", "missing", "number", "later"))
    except (Fault, KeyError):
        return None
    if not (isinstance(orders, dict) and isinstance(missing, list) and isinstance(later, dict)):
        return None
    if type(number) is not int:
        return None
    state = State(restricted, erased, _numbers(orders), number)
    return Withheld(state, positions, tuple(map(str, missing)), _numbers(later))


def after(before: Withheld | None, found: Iterable[Noticed], reader: LogReader, chain: Chain) -> Withheld:
    """With the notices that came since, in the log and in those that go on from it; of all, without `before`. Raises
    `Corrupt` for one of the latter."""
    start = Withheld() if before is None else before
    sizes = {log.key.name: log.checkpoint().size for log in chain.later}
    since = (notices_in(log, sizes[log.key.name], start.later.get(log.key.name, 0)) for log in chain.later)
    state, missing = start.state, set(start.missing)
    for log, said in zip((reader, *chain.later), (found, *since), strict=True):
        orders, before_it = files.orders_of(reader, None, log.key), len(state.unordered)
        state = fold(said, reader.key.name, orders, state)
        lacking = (one.order for one in state.unordered[before_it:])
        missing |= {f"{log.key.name} {digest}" for digest in lacking if orders(digest) is None}
    positions = effective(state, standing(reader, None, chain)) - state.erased
    return Withheld(state, positions, tuple(sorted(missing)), {**start.later, **sizes})


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


def _numbers(members: dict[str, Json]) -> dict[str, int]:
    return {name: at for name, at in members.items() if type(at) is int}


def _name(log: int) -> str:
    return f"withheld {log}"


def _ranges(text: Json) -> Ranges:
    if type(text) is not str:
        raise Fault("positions_malformed")
    return ranges.parse(text) if text else NONE
