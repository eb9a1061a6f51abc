"""The log's side of witnessing: obtains cosignatures for what is published, off the path of every request.

1. A thread for each witness looks at the published head every `look_s`. It submits a head that has grown, and an
   unchanged one every `refresh_s`, so that a witness that went away shows at night, too.
2. The old size is what the witness said last; its 409 tells it. Cosignatures go to a file of their own beside
   `checkpoint` (`reader.COSIGNED`): newest head, lines of all witnesses that cosigned this very head.
3. A witness that refuses, or is further than we are, is asked for the checkpoint that it holds. If our own key signed
   that one and it is not a head of this log, the log was put back or rewritten: it is condemned, and the process ends.
   A witness's word alone proves nothing, and only counts as trouble.
4. `age_s` is how long ago the last cosignature came, of any witness; a restart does not reset it. Above `late_s` it is
   an alarm, above `refuse_s` questions are refused.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from audit import cosignatures
from audit.checkpoints import Checkpoint, open_note
from audit.contradictions import Condemned, condemn, contradiction
from audit.cosignatures import Cosignature
from audit.disk import Disk
from audit.fetch import Client, Endpoint
from audit.lines import alarm, info
from audit.notes import MAX_NOTE, NoteKey
from audit.reader import COSIGNED, LogReader
from audit.threads import guarded
from audit.witness.protocol import Behind, Declined, Request, origin_hash, read_answer
from contracts.errors import Fault, Unavailable


class Log(Condemned, Protocol):
    """What is cosigned: an open log, or the last head of a closed one. Done when it is not `alive` any more."""

    @property
    def verifier(self) -> NoteKey: ...
    @property
    def published(self) -> Checkpoint: ...
    @property
    def alive(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """A witness that a log uses: where it is, and its pinned key."""

    endpoint: Endpoint
    key: NoteKey


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds."""

    look_s: float = 1.0
    retry_s: float = 5.0  # after a failure
    refresh_s: float = 300.0
    late_s: float = 900.0
    refuse_s: float = 14_400.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands now. `size`: entries under the newest cosigned head; `troubles`: URL → why."""

    size: int
    age_s: float
    late: bool
    overdue: bool
    troubles: Mapping[str, str]


def held_by(address: WitnessAddress, log: NoteKey) -> bytes | None:
    """The checkpoint that a witness holds of a log, signed by both; None when it holds none.

    Raises `Unavailable`, also for an answer that does not verify: it says nothing about the log.
    """
    client = Client(address.endpoint)
    try:
        return _held(client, address.key, log)
    finally:
        client.close()


class Cosigning:
    """The threads of one log. `standing` and `check` are for any thread. `clock` gives Unix seconds."""

    def __init__(
        self,
        log: Log,
        directory: Path,
        witnesses: Sequence[WitnessAddress],
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises `UserError` for an address or certificate that cannot be used."""
        self.log = log
        self.reader = LogReader(directory, log.verifier)
        self.keys = tuple(one.key for one in witnesses)
        self.patience = patience
        self.clock = clock
        self.stop = threading.Event()
        self._file = directory / COSIGNED
        self._disk = Disk()
        self._changing = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._alarmed = False
        self._size, self._since = self._before(clock())
        self._threads = [
            guarded(f"cosigning-{at}", _Asking(self, one, Client(one.endpoint)).run, self._failed)
            for at, one in enumerate(witnesses)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End; waits for an exchange that is under way."""
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def standing(self) -> Standing:
        """Rule 4."""
        age = max(0.0, self.clock() - self._since)
        late, overdue = age > self.patience.late_s, age > self.patience.refuse_s
        return Standing(self._size, age, late, overdue, dict(self._troubles))

    def check(self) -> None:
        """Raises `Fault` `witness_overdue` when questions are to be refused (rule 4)."""
        if self.clock() - self._since > self.patience.refuse_s:
            raise Fault("witness_overdue")

    # --- what the threads report -------------------------------------------------------------------------------

    def obtained(self, note: bytes, cosignature: Cosignature) -> str | None:
        """A cosignature on our checkpoint `note`: keep it (rule 2); why it does not count, or None. Raises OSError.

        On an unchanged head only a later time shows that the witness spoke now: an old line could be played back.
        """
        size = open_note(note, self.log.verifier)[0].size
        with self._changing:
            others = self._others(note)
            if any(one.key == cosignature.key and one.time >= cosignature.time for one in others):
                return "the cosignature is not newer than the one before"
            if size >= self._size:
                self._disk.replace(self._file, cosignatures.merged(note, [*others, cosignature]))
                self._size = size
            self._since = self.clock()
            self._alarmed = False
        return None

    def trouble(self, url: str, why: str | None) -> None:
        """How it went with the witness at `url`; None: well. Says so once, and once more when it is late."""
        with self._changing:
            before = self._troubles.pop(url, None)
            if why is not None:
                self._troubles[url] = why
            standing = self.standing()
            newly_late = standing.late and not self._alarmed
            self._alarmed = standing.late
        if why is not None and why != before:
            alarm("witness_trouble", log=self.log.origin, witness=url, reason=why)
        if why is None and before is not None:
            info("witness_well", log=self.log.origin, witness=url)
        if newly_late:
            alarm("no_cosignature", log=self.log.origin, seconds=int(standing.age_s))

    def contradicted(self, note: bytes, reason: str, url: str) -> None:
        """Rule 3."""
        condemn(self.log, self.reader, note, reason, url)

    def _failed(self, error: BaseException) -> None:
        alarm("cosigning_failed", log=self.log.origin, error=type(error).__name__)
        self.log.condemn(error)

    def _others(self, note: bytes) -> list[Cosignature]:
        cosigned = self.reader.cosigned_note()
        if cosigned is None or not cosigned.startswith(note):
            return []
        return cosignatures.of_note(cosigned, self.keys)

    def _before(self, now: float) -> tuple[int, float]:
        """Size and time of what an earlier process obtained; a file that does not verify counts for nothing."""
        cosigned = self.reader.cosigned_note()
        try:
            if cosigned is not None and (found := cosignatures.of_note(cosigned, self.keys)):
                size = open_note(cosigned, self.log.verifier)[0].size
                return size, min(now, max(one.time for one in found))
        except Fault:
            pass
        return 0, now


@dataclass
class _Asking:
    """The thread of one witness. `old`: what it cosigned last, as far as we know."""

    owner: Cosigning
    address: WitnessAddress
    client: Client
    old: int = 0
    submitted: tuple[int, float] = (-1, 0.0)

    def run(self) -> None:
        """Until the end of the log or of `Cosigning`."""
        pause = 0.0
        while not self.owner.stop.wait(pause) and self.owner.log.alive:
            why = self._once() if self._due() else None
            self.owner.trouble(self.client.url, why)
            pause = self.owner.patience.look_s if why is None else self.owner.patience.retry_s
        self.client.close()

    def _due(self) -> bool:
        """Rule 1."""
        size, when = self.submitted
        return self.owner.log.published.size != size or time.monotonic() - when >= self.owner.patience.refresh_s

    def _once(self) -> str | None:
        """Submit the published head, twice if its 409 tells the old size; why it failed, or None."""
        try:
            note = self.owner.reader.note()
            head = open_note(note, self.owner.log.verifier)[0]
            found = self._submit(note, head)
            if isinstance(found, Behind) and found.size <= head.size:
                self.old = found.size
                found = self._submit(note, head)
            if not isinstance(found, Cosignature):
                return self._look_closer(found)
            why = self.owner.obtained(note, found)
        except Unavailable as error:
            return str(error)
        except OSError as error:
            return f"the cosignature cannot be stored: {type(error).__name__}"
        self.old = head.size
        if why is None:
            self.submitted = (head.size, time.monotonic())
        return why

    def _submit(self, note: bytes, head: Checkpoint) -> Cosignature | Behind | Declined:
        old = min(self.old, head.size)
        request = Request(old, tuple(self.owner.reader.consistency_proof(old, head.size)), note)
        answer = self.client.post("/add-checkpoint", request.encode(), MAX_NOTE)
        return read_answer(answer.status, answer.headers, answer.body, note, self.address.key)

    def _look_closer(self, found: Behind | Declined) -> str:
        """Rule 3."""
        if isinstance(found, Declined) and found.status != 422:
            return f"{found.status}: {found.why}"
        note = _held(self.client, self.address.key, self.owner.log.verifier)
        if note is None:
            return "it refuses, and holds no checkpoint that would say why"
        held = open_note(note, self.owner.log.verifier)[0]
        reason = contradiction(held, self.owner.reader.checkpoint(), self.owner.reader)
        if reason is None:
            self.old = held.size
            return "it refused a head that extends the one that it holds"
        self.owner.contradicted(note, reason, self.client.url)
        return reason


def _held(client: Client, witness: NoteKey, log: NoteKey) -> bytes | None:
    answer = client.get(f"/{origin_hash(log.name)}/checkpoint", MAX_NOTE)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise Unavailable(f"{client.url}: status {answer.status}")
    try:
        _, cosigned = open_note(answer.body, log, [witness])
    except Fault as fault:
        raise Unavailable(f"{client.url}: {fault.code}") from None
    if not cosigned:
        raise Unavailable(f"{client.url}: the checkpoint is not cosigned by the pinned key")
    return answer.body
