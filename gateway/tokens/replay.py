"""A memory of what was used once: assertions and proofs (RFC 7523 §3 rule 7, RFC 9449 §11.1).

1. A thing is named by its key and `jti`, and by when it was issued and until when it could be accepted; all of
   this is signed, so the same thing always has the same times.
2. Whatever was issued before this memory began is refused: an earlier memory may have seen it.
3. It is forgotten only when nobody may accept it any more. What the memory has already forgotten it refuses,
   even when the clock has jumped back: nothing is ever accepted twice.
4. A full memory refuses; it never forgets to make room.
"""

from dataclasses import dataclass
from typing import Protocol

from contracts.algorithms import sha256

FIRST, SEEN, STALE, FULL = "first", "seen", "stale", "full"
LIMIT = 1_000_000  # about 110 bytes each


@dataclass(frozen=True, slots=True)
class Use:
    """One use. `space` keeps assertions and proofs apart; `issued` and `expires` in Unix seconds, both signed."""

    space: str
    kid: str
    jti: str
    issued: int
    expires: int

    @property
    def name(self) -> bytes:
        """16 bytes that name it: of fixed length, so that a client cannot choose how much we remember."""
        return sha256(f"{self.space}\0{self.kid}\0{self.jti}".encode())[:16]


class ReplayMemory(Protocol):
    """Answers FIRST at most once for each use. `accepts_from` is Unix ms: what was issued before is STALE."""

    @property
    def accepts_from(self) -> int: ...

    def once(self, use: Use, now: int) -> str:
        """FIRST, SEEN, STALE or FULL; `now` in Unix ms. The use is remembered when the answer is FIRST."""
        ...


def whole_second(milliseconds: int) -> int:
    """The first whole second that is not before: `iat` has no finer grain, so a start counts from there."""
    return -(-milliseconds // 1000) * 1000


class LocalReplay:
    """The memory of one process. Not for threads; safe under one event loop."""

    def __init__(self, started: int, limit: int = LIMIT) -> None:
        """`started` in Unix ms: a start refuses what is older than itself."""
        self._accepts_from = whole_second(started)
        self._limit = limit
        self._forgotten = 0  # everything that expires before this second is forgotten
        self._names: set[bytes] = set()
        self._by_second: dict[int, list[bytes]] = {}

    @property
    def accepts_from(self) -> int:
        return self._accepts_from

    def __len__(self) -> int:
        return len(self._names)

    def once(self, use: Use, now: int) -> str:
        """See `ReplayMemory.once`. About 2 µs."""
        second = now // 1000
        if second > self._forgotten:
            self._forget(second)
        if use.issued * 1000 < self._accepts_from or use.expires < self._forgotten:
            return STALE
        name = use.name
        if name in self._names:
            return SEEN
        if len(self._names) >= self._limit:
            return FULL
        self._names.add(name)
        self._by_second.setdefault(use.expires, []).append(name)
        return FIRST

    def _forget(self, second: int) -> None:
        for expired in [key for key in self._by_second if key < second]:
            self._names.difference_update(self._by_second.pop(expired))
        self._forgotten = second
