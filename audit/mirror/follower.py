"""One log under the mirror's eyes: looks at its head, copies what is new, remembers what was wrong.

1. A look never raises for what a gateway does: it becomes `facts`. It raises for what is wrong here: the disk, or a
   copy that does not verify any more (`Corrupt`); then the mirror ends.
2. What a log's own key signed and the copy refuses is kept as evidence: the signed head and the one held then.
3. At the end of each look the gateway is told which head is held here (`confirm`), after evidence was kept.
4. Then the orders about openings that its entries name are carried out here, too (`orders`).
5. A copy is written under its lock, which retention takes to remove it: then there is nothing to look at any more.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from audit.checkpoints import open_note
from audit.cosignatures import Cosigner
from audit.disk import lock
from audit.fetch import Client
from audit.mirror import evidence
from audit.mirror.confirm import Confirming
from audit.mirror.copy import Copy
from audit.mirror.judge import WELL, Facts, Log, Trouble
from audit.mirror.orders import MirroredOrders
from audit.mirror.source import LogSource, NotAdmitted, Strange
from audit.notes import NoteKey, parse_vkey
from audit.orders.authority import Authority
from audit.orders.chain import Keys
from contracts.errors import Fault, Unavailable


def slot_name(slot: str) -> str:
    """What the directory of a slot's copy is called."""
    return quote(slot, safe="").replace(".", "%2E")


@dataclass(slots=True)
class Follower:
    """Belongs to one thread; `facts` is replaced whole and may be read by any."""

    directory: Path
    key: NoteKey
    copy: Copy
    clock: Callable[[], float]
    facts: Facts
    confirming: Confirming
    orders: MirroredOrders
    authority: Callable[[], Authority | None] = lambda: None

    @classmethod
    def of(
        cls,
        directory: Path,
        log: Log,
        clock: Callable[[], float],
        since: float,
        cosigner: Cosigner | None = None,
        authority: Callable[[], Authority | None] = lambda: None,
        keys: Callable[[], Keys] = dict,
    ) -> "Follower":
        """`since`: from when on silence counts. `cosigner`: the mirror's own key. `authority`: whose orders count.
        `keys`: of the logs that are listed, by origin.

        Raises `Corrupt`, OSError, and `Fault` for a vkey that is none.
        """
        key = parse_vkey(log.vkey)
        copy = Copy(directory / "logs" / slot_name(log.slot), key)
        facts = Facts(log, None, copy.size, copy.size, since, since, ending=copy.ending, beginning=copy.beginning)
        orders = MirroredOrders(copy, key, keys=keys, clock=clock)
        return cls(directory, key, copy, clock, facts, Confirming(cosigner, clock), orders, authority)

    def look(self, client: Client | None, advanced: Callable[[int], None] = lambda _: None) -> bool:
        """Once: fetch the head from the gateway that serves this log, and follow it (rule 1); whether all went well."""
        self.facts = replace(self.facts, url=None if client is None else client.url)
        source = None if client is None else LogSource(client, self.facts.log.slot)
        try:
            note = None if source is None else source.note()
        except (Unavailable, NotAdmitted):
            note = None  # `answered_at` tells how long already
        if source is None or note is None:
            return self._locked(lambda: self._carry_out(None))
        return self._take(note, source, advanced)

    def wait(self, client: Client, advanced: Callable[[int], None] = lambda _: None) -> bool:
        """As `look`, but wait for a new head; False also where the gateway cannot be waited for."""
        source = LogSource(client, self.facts.log.slot)
        try:
            note = source.note_after(self.copy.published.size)
        except (Unavailable, NotAdmitted):
            return False
        return note is not None and self._take(note, source, advanced)

    def _take(self, note: bytes, source: LogSource, advanced: Callable[[int], None]) -> bool:
        return self._locked(lambda: self._take_locked(note, source, advanced))

    def _locked(self, work: Callable[[], bool]) -> bool:
        """Under the copy's lock (rule 5); False without it."""
        try:
            descriptor = lock(self.copy.directory / "lock")
        except FileNotFoundError:
            return False
        if descriptor is None:
            return False
        try:
            return work()
        finally:
            os.close(descriptor)

    def _take_locked(self, note: bytes, source: LogSource, advanced: Callable[[int], None]) -> bool:
        self._see(note)
        trouble = self._follow(note, source, advanced)
        well = trouble == WELL
        even = self.clock() if well and self.copy.size == self.facts.source_size else self.facts.even_at
        self.facts = replace(self.facts, trouble=trouble or self.facts.trouble, size=self.copy.size, even_at=even)
        self.facts = replace(self.facts, ending=self.copy.ending, beginning=self.copy.beginning)
        if self.confirming.tell(self.copy, source):
            self.facts = replace(self.facts, confirmed=self.copy.size)
        if well:
            self._carry_out(source)
        return well

    def _carry_out(self, source: LogSource | None) -> bool:
        """Rule 4; nothing to copy is told by it."""
        self.facts = replace(self.facts, orders=self.orders.look(source, self.authority()))
        return False

    def _see(self, note: bytes) -> None:
        """A head that verifies is an answer."""
        try:
            size = open_note(note, self.key)[0].size
        except Fault:
            return
        self.facts = replace(self.facts, source_size=size, answered_at=self.clock())

    def _follow(self, note: bytes, source: LogSource, advanced: Callable[[int], None]) -> Trouble | None:
        """What is wrong; None: the source went away meanwhile, and what was known stays."""

        def on_advance(count: int) -> None:
            self.facts = replace(self.facts, size=self.copy.size, answered_at=self.clock())
            advanced(count)

        try:
            refusal = self.copy.follow(note, source, on_advance)
        except NotAdmitted:
            return "not_admitted", "the gateway does not give entries to our certificate"
        except Strange as error:
            return "answer_strange", str(error)
        except Fault as fault:
            return "checkpoint_invalid", fault.code
        except Unavailable:
            return None
        if refusal is None:
            return WELL
        name = slot_name(self.facts.log.slot)
        return refusal.reason, evidence.keep(self.directory / "evidence" / name, self.key, refusal)
