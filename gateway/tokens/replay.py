"""A memory of what was used once: assertions and proofs (RFC 7523 §3 rule 7, RFC 9449 §11.1).

1. A thing is named by its key and `jti`, and by when it was issued and until when it could be accepted; all of
   this is signed, so the same thing always has the same times.
2. Whatever was issued before this memory began is refused: an earlier memory may have seen it.
3. It is forgotten only when nobody may accept it any more. What may have been forgotten is refused, even when the
   clock has jumped back: nothing is ever accepted twice. Nothing else is: a clock that jumped ahead and came back costs
   no more than what was forgotten meanwhile.
4. A full memory refuses; it never forgets to make room.
5. Where there are `Marks`, each key's newest use is written there before it is accepted. Another life of the process
   refuses what is not newer, whatever the clock says then: a proof dated ahead, or a clock set back, helps nobody.
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


class Marks(Protocol):
    """The newest use of each key in each space, beyond the life of a process. Times in Unix seconds."""

    def before(self, space: str, kid: str) -> int:
        """The newest one that an earlier life accepted; -1 for none."""
        ...

    def raise_to(self, space: str, kid: str, issued: int) -> None:
        """This life accepts one, newer than all before. Raises OSError: then it must not."""
        ...


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

    def __init__(self, started: int, limit: int = LIMIT, marks: Marks | None = None) -> None:
        """`started` in Unix ms: a start refuses what is older than itself."""
        self._marks = marks
        self._before: dict[tuple[str, str], int] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._second = 0
        self._accepts_from = whole_second(started)
        self._limit = limit
        self._forgotten = 0  # whatever expires before this second may be forgotten
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
        if second != self._second:
            self._forget(second)
        if (
            use.issued * 1000 < self._accepts_from
            or use.expires < max(second, self._forgotten)
            or self._is_of_former_life(use)
        ):
            return STALE
        name = use.name
        if name in self._names:
            return SEEN
        if len(self._names) >= self._limit or not self._mark(use):
            return FULL
        self._names.add(name)
        self._by_second.setdefault(use.expires, []).append(name)
        return FIRST

    def _forget(self, second: int) -> None:
        for expired in [key for key in self._by_second if key < second]:
            self._names.difference_update(self._by_second.pop(expired))
            self._forgotten = max(self._forgotten, expired + 1)
        self._second = second

    def _is_of_former_life(self, use: Use) -> bool:
        if self._marks is None:
            return False
        key = (use.space, use.kid)
        before = self._before.get(key)
        if before is None:
            before = self._before[key] = self._marks.before(*key)
        return use.issued <= before

    def _mark(self, use: Use) -> bool:
        """Rule 5; False if it cannot be written."""
        key = (use.space, use.kid)
        if self._marks is None or use.issued <= self._newest.get(key, -1):
            return True
        try:
            self._marks.raise_to(*key, use.issued)
        except OSError:
            return False
        self._newest[key] = use.issued
        return True
