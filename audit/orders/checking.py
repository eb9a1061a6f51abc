"""Verification of a log's opening rows, without the key that opens them.

1. Each entry has its row: an erased one is empty, not missing.
2. A row that is not empty is long enough to be sealed, and its wrapped day key is here, of this log.
3. An empty row is explained by a notice of the log itself, and by the order that this notice names, signed by the
   auditor and by the log. Otherwise somebody erased it by hand.
Whether a row opens to what its leaf committed to, only the auditor's key can tell (`index --key`, `show --openings`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from audit.derive import opening_path
from audit.notes import NoteKey
from audit.openings import IV_SIZE, KEY_ID_SIZE, key_path, parse_key
from audit.orders.state import State, state_of
from audit.ranges import Ranges
from audit.reader import LogReader
from audit.tiles import WIDTH
from contracts.errors import Corrupt, Fault
from contracts.text import Text

MISSING = Text("文件缺失", "the file is missing")
WITHOUT_ORDER = Text("密封内容被销毁而无双方指令", "erased without an order")
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
    `restricted`: positions; `unordered`: places of notices whose order is not here, or does not count; `checked`:
    whether the auditor's signature under the orders was looked at."""

    erased: int
    left: Ranges
    restricted: Ranges
    unordered: tuple[int, ...]
    checked: bool


def check_rows(reader: LogReader, size: int, auditor: NoteKey | None) -> Rows | Wrong:
    """Of a published log whose entries are verified. `auditor`: the key for orders; None: not at hand."""
    state, keys = state_of(reader, size, auditor), _Keys(reader)
    empty: list[tuple[int, int]] = []
    left: list[tuple[int, int]] = []
    for number in range(-(-size // WIDTH)):
        first, last = number * WIDTH, min(number * WIDTH + WIDTH, size) - 1
        try:
            rows = reader.rows(number, size)
        except Corrupt:
            return Wrong(opening_path(number, last - first + 1), first, last, MISSING)
        gone = Ranges.single(index for index, row in enumerate(rows, first) if not row)
        wrong = next(_wrong(rows, first, gone, state, keys), None)
        if wrong is not None:
            return Wrong(opening_path(number, last - first + 1), *wrong)
        empty += gone.spans
        left += (state.erased.between(first, last) - gone).spans
    unordered = tuple(one.index for one in state.unordered)
    return Rows(Ranges.of(empty).count, Ranges.of(left), state.restricted, unordered, auditor is not None)


def _wrong(rows: list[bytes], first: int, gone: Ranges, state: State, keys: "_Keys") -> Iterator[tuple[int, int, Text]]:
    for start, end in (gone - state.erased).spans:
        yield start, end, WITHOUT_ORDER
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
