"""The values that go into the store and come out of it. Pure.

A record has one row for ever: its message of the highest position. Its condition says what is left of it:

- `live`      the content, sealed, and what finds it
- `rejected`  no content; what finds it, as far as the refused message could be read; `code` says why
- `withdrawn` and `erased`  a stub: position and identity, nothing that finds it

Named tuples, because each message makes a few of them.
"""

from typing import Final, NamedTuple

from contracts.streams import Position, Stream

LIVE: Final = "live"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"
ERASED: Final = "erased"
COUNTED = frozenset((LIVE, REJECTED))  # the department supplies them: they count in statements

TOKEN_SIZE = 16
SUPERSEDES: Final = "@supersedes"  # no field can be called so
# (field, normalised value): what a record is found by. A holder's field is `holder:<scheme>`; the value of
# `SUPERSEDES` is the id of a record that this one replaces.
Lookups = tuple[tuple[str, str], ...]


class Row(NamedTuple):
    """What decides about the next message of a record. `erased` stays for ever, whatever comes later."""

    position: Position
    identity: str
    condition: str
    erased: bool = False


class Stored(NamedTuple):
    """A row as it stands in the file. `tokens`: its blind tokens, one after the other."""

    id: int
    row: Row
    tokens: bytes


class Write(NamedTuple):
    """The new state of a record. `message` and `status` only if it is live, `code` only if it is rejected."""

    record: str
    row: Row
    vct: str
    status: str = ""
    code: str = ""
    lookups: Lookups = ()
    message: bytes | None = None


class StoredRecord(NamedTuple):
    """What a lookup finds. `message` is None unless `condition` is `live`; then verified bytes, ready to disclose."""

    stream: Stream
    record: str
    position: Position
    identity: str
    condition: str
    status: str
    vct: str
    code: str
    message: bytes | None
    superseded: bool = False


class LogicalRow(NamedTuple):
    """A record without what differs from store to store: equal for any two stores of the same log."""

    stream: Stream
    record: str
    row: Row
    status: str
    vct: str
    code: str
    tokens: int
    message: bytes | None
