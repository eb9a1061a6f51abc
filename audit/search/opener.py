"""Openings on their way into an index: unsealed, held against their leaf, made into tokens, forgotten.

1. An opening must be the one that its leaf committed to; otherwise it is `Corrupt`, with its position.
2. Nothing of an opening leaves this module but tokens.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.openings import DayKey, key_id_of, key_path, parse_key, unseal, unwrap
from audit.reader import LogReader
from audit.record import commit_digest, split_opening
from audit.search.tokens import TokenKeys, Tokens, tokens_of
from contracts.encoding import canonical
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

_NO_OPENINGS = Text("该副本缺少密封内容,无法建立令牌", "This copy lacks openings, so no tokens can be made")
_OTHER_COPY = Text(
    "请使用含密封内容的副本,或不带 --key 建立索引。", "Use a copy with openings, or build an index without --key."
)


class Opener:
    """The openings of one log, for its auditor."""

    def __init__(self, reader: LogReader, auditor: X25519PrivateKey, keys: TokenKeys | None) -> None:
        if keys is None:
            raise ValueError("tokens need keys")
        self.origin = reader.key.name
        self._reader = reader
        self._auditor = auditor
        self._tokens = keys
        self._keys: dict[bytes, DayKey] = {}

    def rows(self, number: int, size: int) -> Sequence[bytes]:
        """The sealed rows of a bundle; raises `UserError` when this copy has none."""
        try:
            return self._reader.rows(number, size)
        except Corrupt as error:
            raise UserError(_NO_OPENINGS, f"{self._reader.directory}: {error}", _OTHER_COPY) from None

    def tokens(self, position: int, row: bytes, commit: str) -> Tokens | None:
        """The tokens of an entry's opening; None when it is erased. Raises `Corrupt`, `Fault` `opening_unreadable`."""
        key_id = key_id_of(row)
        if key_id is None:
            return None
        members, salt = split_opening(unseal(self._day_key(key_id), position, row))
        if commit_digest(salt, canonical(members)) != commit:
            raise Corrupt(f"{self.origin}: the opening of entry {position} is not the one that its record committed to")
        return tokens_of(self._tokens, members)

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
