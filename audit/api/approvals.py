"""Questions about holders wait here for a second auditor. Pure: times and ids are given.

1. A question waits for `WAIT_MS`. Another auditor, never who asked, agrees or refuses; then it is decided for good.
2. Who agrees names the holder (or the digest of the file) again, from what the reason points to: nobody here tells. So
   the second auditor agrees to this person and no other, and learns nothing from asking. `MISTAKES` wrong ones are a
   refusal, else naming would be a way to find out.
3. An agreed question can be asked by its owner, and by nobody else, for `WAIT_MS` after the decision.
4. What is held is in memory only. A restart forgets it; it is asked anew.
5. Deciding gives a new value; it counts when it is put back (`put`), which is after it was recorded.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from contracts.encoding import Json
from contracts.errors import Fault

WAIT_MS: Final = 3_600_000
MISTAKES: Final = 3
MOST, MOST_EACH = 100, 20

WAITING, AGREED, REFUSED, EXPIRED = "waiting", "agreed", "refused", "expired"


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that takes two. Times in Unix ms. `subject`: what the second auditor must come to by themself;
    `shown`: what they are told; `question`: what will be asked."""

    id: str
    call: str
    by: str
    asked: int
    expires: int
    shown: dict[str, Json] = field(repr=False)
    subject: bytes = field(repr=False)
    question: Any = field(repr=False)
    state: str = WAITING
    second: str | None = None
    mistakes: int = 0


class Approvals:
    """The questions that wait, or were agreed to. For one thread."""

    def __init__(self) -> None:
        self._held: dict[str, Pending] = {}

    def room_for(self, auditor: str) -> None:
        """Raises `Fault` `approvals_full`."""
        live = [one.by for one in self._held.values() if one.state in (WAITING, AGREED)]
        if live.count(auditor) >= MOST_EACH or len(live) >= MOST:
            raise Fault("approvals_full")

    def put(self, pending: Pending) -> None:
        """Hold a question, in place of what it was before."""
        self._held[pending.id] = pending

    def expired(self, now: int) -> list[Pending]:
        """What is over since it was looked for last: its question is forgotten, its id for as long again."""
        over = [one for one in self._held.values() if one.expires <= now]
        for one in over:
            del self._held[one.id]
        ended = [one for one in over if one.state in (WAITING, AGREED)]
        for one in ended:
            self.put(replace(one, state=EXPIRED, expires=now + WAIT_MS, shown={}, subject=b"", question=None))
        return ended

    def for_others(self, auditor: str, now: int) -> list[Pending]:
        """What this auditor may decide about, oldest first."""
        return [one for one in self._held.values() if one.by != auditor and one.state == WAITING and one.expires > now]

    def decided(self, name: str, auditor: str, now: int, agrees: bool, fits: Callable[[Pending], bool]) -> Pending:
        """The question as this decision leaves it (rules 1, 2 and 5). `fits`: whether the right one was named.

        Raises `Fault` `approval_unknown`, `approval_of_own`, `approval_done`, `approval_expired`.
        """
        one = self._of(name, now)
        if one.by == auditor:
            raise Fault("approval_of_own")
        if one.state != WAITING:
            raise Fault("approval_done")
        if agrees and not fits(one):
            last = one.mistakes + 1 >= MISTAKES
            return replace(one, mistakes=one.mistakes + 1, state=REFUSED if last else WAITING, second=auditor)
        state = AGREED if agrees else REFUSED
        return replace(one, state=state, second=auditor, expires=now + WAIT_MS)

    def agreed(self, name: str, call: str, auditor: str, now: int) -> Pending:
        """The question for its owner (rule 3): agreed to, or still waiting.

        Raises `Fault` `approval_unknown`, `approval_expired`, `approval_refused`.
        """
        one = self._of(name, now)
        if one.by != auditor or one.call != call:
            raise Fault("approval_unknown")
        if one.state == REFUSED:
            raise Fault("approval_refused")
        return one

    def _of(self, name: str, now: int) -> Pending:
        one = self._held.get(name)
        if one is None:
            raise Fault("approval_unknown")
        if one.expires <= now or one.state == EXPIRED:
            raise Fault("approval_expired")
        return one


def same(ours: bytes, theirs: bytes | None) -> bool:
    """Whether the second auditor came to the same subject."""
    return theirs is not None and hmac.compare_digest(ours, theirs)
