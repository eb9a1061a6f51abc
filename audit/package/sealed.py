"""Openings that go out: unsealed with the auditor's key, held against their record, and never those under restriction.

1. An opening must be the one that its leaf committed to; otherwise it is `Corrupt`, with its position.
2. Restricted positions give nothing but their state: they are not even unsealed. So does an erased row.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.openings import DayKey, key_id_of, key_path, parse_key, unseal, unwrap
from audit.package.table import ERASED, GRANTED, RESTRICTED, Opening
from audit.ranges import NONE, Ranges
from audit.reader import LogReader
from audit.record import commit_digest, split_opening
from audit.tiles import WIDTH
from contracts.encoding import Json, canonical
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

_NO_OPENINGS = Text("该副本缺少密封内容", "This copy lacks openings")
_OTHER_COPY = Text(
    "请使用含密封内容的副本,或不带 --openings 导出。", "Use a copy with openings, or export without --openings."
)


class Unsealer:
    """The openings of one log at the size `size`, for its auditor."""

    def __init__(self, reader: LogReader, size: int, auditor: X25519PrivateKey, restricted: Ranges = NONE) -> None:
        self._reader = reader
        self._size = size
        self._auditor = auditor
        self._restricted = restricted
        self._keys: dict[bytes, DayKey] = {}
        self._bundle: tuple[int, Sequence[bytes]] = (-1, ())

    def opening(self, position: int, commit: Json) -> Opening:
        """The opening of an entry whose leaf says `commit`; raises `Corrupt`, `UserError`, `Fault`
        `opening_unreadable`."""
        if position in self._restricted:
            return Opening(RESTRICTED)
        row = self._rows(position // WIDTH)[position % WIDTH]
        key_id = key_id_of(row)
        if key_id is None:
            return Opening(ERASED)
        members, salt = split_opening(unseal(self._day_key(key_id), position, row))
        text = canonical(members)
        if commit_digest(salt, text) != commit:
            raise Corrupt(f"{self._reader.key.name}: the opening of entry {position} is not its record's")
        return Opening(GRANTED, text, salt, members)

    def _rows(self, number: int) -> Sequence[bytes]:
        if self._bundle[0] != number:
            try:
                self._bundle = number, self._reader.rows(number, self._size)
            except Corrupt as error:
                raise UserError(_NO_OPENINGS, f"{self._reader.directory}: {error}", _OTHER_COPY) from None
        return self._bundle[1]

    def _day_key(self, key_id: bytes) -> DayKey:
        key = self._keys.get(key_id)
        if key is None:
            key = self._keys[key_id] = self._unwrapped(key_id)
        return key

    def _unwrapped(self, key_id: bytes) -> DayKey:
        try:
            stored = parse_key((self._reader.directory / key_path(key_id)).read_bytes())
        except FileNotFoundError:
            raise Fault("opening_unreadable", detail="its day key is not here") from None
        if stored.key_id != key_id:
            raise Fault("opening_unreadable", detail="its day key is another one")
        return unwrap(stored, self._auditor)
