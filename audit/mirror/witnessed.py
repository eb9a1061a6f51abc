"""One witness under the mirror's eyes: what it holds of the logs, beside what gateways show of them.

1. A head counts with the log's signature and the pinned witness's only. A witness's word alone accuses nobody.
2. A head that the copy has not yet is awaited (`withheld`). Once the copy reaches so far, it must be of one history
   with it, like the head of any gateway (`Copy.compare`): else it is kept as evidence, and is an alarm until one fits.
3. A witness that has given no answer that verifies for longer than `SILENT_S` is an alarm, too: nothing is compared.
4. A look never raises for what the witness does. It raises for what is wrong here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.checkpoints import open_note
from audit.mirror import evidence
from audit.mirror.follower import Follower, slot_name
from audit.mirror.judge import SILENT_S, WELL, Alarm, Facts, Log, Trouble
from audit.mirror.withheld import Awaited, awaited, withheld
from audit.notes import parse_vkey
from audit.witness.cosigning import WitnessAddress, held_by
from contracts.errors import Fault, Unavailable


@dataclass(slots=True)
class Witnessed:
    """Belongs to one thread; what it found is replaced whole and may be read by any. `evidence`: where proofs are kept.
    `clock` gives Unix seconds. `answered_at`: when it last answered. `seen`: by log, what it held then."""

    address: WitnessAddress
    evidence: Path
    clock: Callable[[], float]
    answered_at: float
    seen: Mapping[Log, Awaited] = field(default_factory=dict)
    awaited: Mapping[Log, Awaited] = field(default_factory=dict)
    troubles: Mapping[Log, Trouble] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.address.endpoint.url.rstrip("/")

    def ask(self, logs: Sequence[Log], since: float) -> None:
        """Once, for what it holds of each. `since`: from when on it counts as seen."""
        for log in logs:
            try:
                key = parse_vkey(log.vkey)
                note = held_by(self.address, key)
            except (Unavailable, Fault):
                continue
            self.answered_at = self.clock()
            if note is not None:
                self.seen = {**self.seen, log: Awaited(open_note(note, key)[0].size, note, since)}

    def compare(self, followers: Mapping[Log, Follower]) -> None:
        """Rule 2, for these logs. Raises `Corrupt` for a copy, OSError."""
        for log, follower in followers.items():
            one = replace(follower.facts, size=follower.copy.published.size)
            heads = [found for found in (self.awaited.get(log), self.seen.get(log)) if found is not None]
            found = [self._judged(follower, head.note) for head in heads if head.size <= one.size]
            trouble = next((each for each in found if each != WELL), WELL if found else self.troubles.get(log, WELL))
            self.troubles = {**self.troubles, log: trouble}
            self._await(log, one)

    def alarms(self, facts: Sequence[Facts], now: float) -> Iterator[Alarm]:
        """What is wrong at `now` with what it holds of these logs, and with itself."""
        for one in facts:
            code, detail = self.troubles.get(one.log, WELL)
            if code:
                yield Alarm(code, one.log.slot, detail)
            if (head := self.awaited.get(one.log)) is not None:
                yield from withheld(head, self.url, one, now)
        if facts and now - self.answered_at > SILENT_S:
            yield Alarm("witness_silent", self.url, "it has given no answer that verifies")

    def _await(self, log: Log, one: Facts) -> None:
        head = awaited(self.awaited.get(log), self.seen.get(log), one, self.clock())
        rest = {name: found for name, found in self.awaited.items() if name != log}
        self.awaited = rest if head is None else {**rest, log: head}

    def _judged(self, follower: Follower, note: bytes) -> Trouble:
        refusal = follower.copy.compare(note)
        if refusal is None:
            return WELL
        kept = evidence.keep(self.evidence / slot_name(follower.facts.log.slot), follower.key, refusal)
        return refusal.reason, f"{self.url}: {kept}"
