"""Which openings of a log are restricted, which are erased: read from the log's own notices. Pure but for `restricted`.

1. `openings_restricted` adds its positions to the restricted ones, `restriction_lifted` takes them away, however often
   they were restricted. `openings_erased` adds to the erased ones, which stay what they are.
2. A notice restricts by itself: in doubt nobody sees. It lifts, and explains an erased row, only together with its
   order (`order.check`), whose action and positions must be the notice's, and whose number is above those of all
   before: whoever writes the log can say an order again, or late, and nobody else keeps it from doing so.
3. An order to restrict that is here and has no notice of its own yet restricts already.
4. About a closed log the logs that go on from it (`chain`) speak after it. A notice counts with an order that the log
   which says it signed. While one of them is missing, every order to restrict that is here restricts, whoever signed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain as joined
from typing import Final

from audit import notices, ranges
from audit.notes import NoteKey
from audit.notices import Notice
from audit.orders import files
from audit.orders.chain import Chain, at_hand
from audit.orders.order import ERASE, LIFT, RESTRICT, Order, is_digest
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.shards import proven
from audit.tiles import WIDTH
from contracts.errors import Fault

KIND_OF: Final[Mapping[str, str]] = {
    RESTRICT: notices.OPENINGS_RESTRICTED,
    LIFT: notices.RESTRICTION_LIFTED,
    ERASE: notices.OPENINGS_ERASED,
}
_ACTION_OF: Final = {kind: action for action, kind in KIND_OF.items()}

Orders = Callable[[str], Order | None]  # an order that counts, by its digest


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice about openings, at its place in a log. `time` in Unix ms; `origin`: the log that it is about; `log`: the
    one that says it."""

    index: int
    time: int
    origin: str
    action: str
    order: str
    positions: Ranges
    log: str = ""

    def is_of(self, order: Order | None) -> bool:
        """Whether this notice says that `order` is carried out (rule 2)."""
        said = (self.order, self.origin, self.action, self.positions)
        return order is not None and said == (order.digest, order.origin, order.action, order.positions)


@dataclass(frozen=True, slots=True)
class State:
    """After so many notices. `erased`: by notice and order; `carried_out`: digest of an order → place of its notice;
    `highest`: the highest number among them, 0 for none."""

    restricted: Ranges = NONE
    erased: Ranges = NONE
    carried_out: Mapping[str, int] = field(default_factory=dict)
    highest: int = 0
    unordered: tuple[Noticed, ...] = ()  # notices whose order does not count, or is not here

    def after(self, noticed: Noticed, order: Order | None) -> "State":
        """Rules 1 and 2; `order`: the notice's own, if it counts."""
        number = order.number if order is not None and noticed.is_of(order) else 0
        ordered = number > self.highest
        restricted, erased = self.restricted, self.erased
        if noticed.action == RESTRICT:
            restricted |= noticed.positions
        elif noticed.action == LIFT and ordered:
            restricted -= noticed.positions
        elif noticed.action == ERASE and ordered:
            erased |= noticed.positions
        if not ordered:
            return State(restricted, erased, self.carried_out, self.highest, (*self.unordered, noticed))
        carried_out = {**self.carried_out, noticed.order: noticed.index}
        return State(restricted, erased, carried_out, number, self.unordered)


def notice_of(order: Order, now: int) -> Notice:
    """What the log says when an order is carried out; `now` in Unix ms."""
    facts = {"log": order.origin, "order": order.digest, "positions": order.positions.text()}
    return Notice(KIND_OF[order.action], now, facts)


def noticed(index: int, entry: bytes) -> Noticed | None:
    """The notice about openings in an entry; None for any other entry."""
    notice = notices.parse(entry)
    action = None if notice is None else _ACTION_OF.get(notice.kind)
    if notice is None or action is None:
        return None
    origin, order, positions = (notice.facts[name] for name in ("log", "order", "positions"))
    if type(origin) is not str or type(order) is not str or type(positions) is not str or not is_digest(order):
        return None
    try:
        found = ranges.parse(positions)
    except Fault:
        return None
    return Noticed(index, notice.time, origin, action, order, found)


def fold(found: Iterable[Noticed], origin: str, orders: Orders, start: State | None = None) -> State:
    """The state after notices about the log `origin`, in their order."""
    state = start or State()
    for one in found:
        if one.origin == origin:
            state = state.after(one, orders(one.order))
    return state


def notices_in(reader: LogReader, size: int, first: int = 0) -> Iterator[Noticed]:
    """The notices about openings among the entries from `first` to below `size`; raises `Corrupt`."""
    for number in range(first // WIDTH, -(-size // WIDTH)):
        for offset, entry in enumerate(reader.entries(number, size)):
            found = noticed(number * WIDTH + offset, entry) if b'"kind"' in entry else None
            if found is not None and found.index >= first:
                yield replace(found, log=reader.key.name)


def notices_about(log: LogReader, origin: str) -> Iterator[Noticed]:
    """Those about another log, each proved under the signed head of the one that says it; raises `Corrupt`."""
    for one in notices_in(log, log.checkpoint().size):
        if one.origin == origin:
            proven(log, one.index)
            yield one


def state_of(reader: LogReader, size: int, auditor: NoteKey | None = None, chain: Chain | None = None) -> State:
    """The state of a published log of `size` entries, by the orders that lie beside it.

    `auditor`: the key that orders must be signed with; None: the log's signature alone is looked at, which is enough
    only where somebody checked the other one when the order was put there (a mirror does). `chain`: what goes on from
    the log; None: what is beside it. Raises `Corrupt`, `Fault`.
    """
    state = fold(notices_in(reader, size), reader.key.name, files.orders_of(reader, auditor))
    for log in (at_hand(reader) if chain is None else chain).later:
        said = notices_about(log, reader.key.name)
        state = fold(said, reader.key.name, files.orders_of(reader, auditor, log.key), state)
    return state


def restricted(reader: LogReader, size: int, auditor: NoteKey | None = None, chain: Chain | None = None) -> Ranges:
    """The positions whose openings must not be shown, searched or handed out. Reads the whole log once, and those that
    go on from it; arguments as in `state_of`; raises `Corrupt`, `Fault`."""
    chain = at_hand(reader) if chain is None else chain
    return effective(state_of(reader, size, auditor, chain), standing(reader, auditor, chain))


def standing(reader: LogReader, auditor: NoteKey | None, chain: Chain) -> Iterable[Order]:
    """The orders beside a log that can restrict by themselves (rules 3 and 4)."""
    found = files.on_file(reader, auditor, chain.keys)
    return joined(found, files.half_known(reader, auditor)) if chain.missing else found


def effective(state: State, here: Iterable[Order]) -> Ranges:
    """The restricted positions, with those of orders that are `here` and have no notice yet (rule 3)."""
    found = state.restricted
    for order in here:
        early = order.action == RESTRICT and order.digest not in state.carried_out
        found |= order.positions if early else NONE
    return found
