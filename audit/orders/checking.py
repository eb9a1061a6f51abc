"""Verification of a log's opening rows, without the key that opens them.

1. Each entry has its row: an erased one is empty, not missing.
2. A row that is not empty is long enough to be sealed, and its wrapped day key is here, of this log.
3. An empty row is explained by a notice of the log itself, and by the order that this notice names, signed by the
   auditor and by the log. Otherwise somebody erased it by hand.
4. Of a closed log the notice may be in one of the logs that go on from it. Where one of those is not at hand, an order
   that the auditor signed explains a row by itself, and what was not looked at is said. Without the auditor's key
   nothing explains it.
Whether a row opens to what its leaf committed to, only the auditor's key can tell (`index --key`, `show --openings`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as joined
from pathlib import Path
from typing import Final

from audit.derive import opening_path
from audit.notes import NoteKey
from audit.openings import IV_SIZE, KEY_ID_SIZE, key_path, parse_key
from audit.orders import files
from audit.orders.chain import Chain, at_hand
from audit.orders.order import ERASE
from audit.orders.state import effective, standing, state_of
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.tiles import WIDTH
from contracts.errors import Corrupt, Fault
from contracts.text import Text

MISSING = Text("文件缺失", "the file is missing")
WITHOUT_ORDER = Text("密封内容被销毁而无双方指令", "erased without an order")
NOT_EXPLAINED = Text(
    "密封内容已销毁,而说明缘由的后继日志不在此处(请用 --successor 或 --orders-vkey)",
    "erased, and the log that would say why is not here (give --successor, or --orders-vkey)",
)
NO_SEALED_ROW = Text("不是密封内容", "not a sealed row")
NO_DAY_KEY = Text("其日密钥缺失或不符", "the day key that it is sealed under is missing, or another one")

_SHORTEST: Final = KEY_ID_SIZE + IV_SIZE + 16


@dataclass(frozen=True, slots=True)
class Wrong:
    """What does not fit: a file below the log, the entries concerned, and how."""

    file: str
    first: int
    last: int
    what: Text


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows without fault. `erased`: empty ones; `left`: rows that an order erases and that are still here;
    `restricted`: positions; `unordered`: places of notices whose order is not here, or does not count, with the log
    that says them ("": this one); `checked`: whether the auditor's signature under the orders was looked at; `later`:
    the origins of the logs that go on from it and were looked at; `missing`: of the one that was not at hand, "" for
    none; `unnoticed`: empty rows whose notice was not looked for (rule 4)."""

    erased: int
    left: Ranges
    restricted: Ranges
    unordered: tuple[tuple[str, int], ...]
    checked: bool
    later: tuple[str, ...] = ()
    missing: str = ""
    unnoticed: Ranges = NONE


def check_rows(reader: LogReader, size: int, auditor: NoteKey | None, places: Sequence[Path] = ()) -> Rows | Wrong:
    """Of a published log whose entries are verified. `auditor`: the key for orders; None: not at hand. `places`: where
    the logs that go on from it are, if not beside it. Raises `Corrupt` for one of these."""
    chain = at_hand(reader, places=places)
    state, keys = state_of(reader, size, auditor, chain), _Keys(reader)
    alone = _ordered_alone(reader, auditor, chain) - state.erased
    empty: list[tuple[int, int]] = []
    left: list[tuple[int, int]] = []
    for number in range(-(-size // WIDTH)):
        first, last = number * WIDTH, min(number * WIDTH + WIDTH, size) - 1
        try:
            rows = reader.rows(number, size)
        except Corrupt:
            return Wrong(opening_path(number, last - first + 1), first, last, MISSING)
        gone = Ranges.single(index for index, row in enumerate(rows, first) if not row)
        why = NOT_EXPLAINED if chain.missing and auditor is None else WITHOUT_ORDER
        unexplained = ((*span, why) for span in (gone - state.erased - alone).spans)
        wrong = next(joined(unexplained, _wrong(rows, first, keys)), None)
        if wrong is not None:
            return Wrong(opening_path(number, last - first + 1), *wrong)
        empty += gone.spans
        left += (state.erased.between(first, last) - gone).spans
    return Rows(
        erased=Ranges.of(empty).count,
        left=Ranges.of(left),
        restricted=effective(state, standing(reader, auditor, chain)) if chain.missing else state.restricted,
        unordered=tuple(("" if one.log == reader.key.name else one.log, one.index) for one in state.unordered),
        checked=auditor is not None,
        later=tuple(key.name for key in chain.keys),
        missing=chain.missing,
        unnoticed=Ranges.of(empty) & alone,
    )


def _ordered_alone(reader: LogReader, auditor: NoteKey | None, chain: Chain) -> Ranges:
    """Rule 4."""
    found = NONE
    for order in files.half_known(reader, auditor) if auditor is not None and chain.missing else ():
        found |= order.positions if order.action == ERASE else NONE
    return found


def _wrong(rows: list[bytes], first: int, keys: "_Keys") -> Iterator[tuple[int, int, Text]]:
    for index, row in enumerate(rows, first):
        if row and len(row) < _SHORTEST:
            yield index, index, NO_SEALED_ROW
        elif row and not keys.has(row[:KEY_ID_SIZE]):
            yield index, index, NO_DAY_KEY


class _Keys:
    """The wrapped day keys beside a log."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._known: dict[bytes, bool] = {}

    def has(self, key_id: bytes) -> bool:
        if key_id not in self._known:
            self._known[key_id] = self._look(key_id)
        return self._known[key_id]

    def _look(self, key_id: bytes) -> bool:
        try:
            stored = parse_key((self._reader.directory / key_path(key_id)).read_bytes())
        except (FileNotFoundError, Fault):
            return False
        return (stored.key_id, stored.origin) == (key_id, self._reader.key.name)
