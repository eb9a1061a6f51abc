"""A witness: one key, a list of logs, a store. `add_checkpoint` is the whole of it.

1. Deciding, recording and answering for a log happen under one lock, so that two requests cannot both extend the same
   head (the race of tlog-witness).
2. The cosignature leaves after the record is durable. If that fails, nobody knows what a restart will find: the
   witness is dead (`on_fatal`) and answers nothing any more.
3. Alarms are JSON lines: what a log signed and was not shown to extend what was cosigned, once for each head, whether
   or not its note could be kept. No stranger makes a `log_forked`; one who sends an honest head that is newer than ours
   with a wrong proof makes a `checkpoint_not_consistent`.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

from audit import notes
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner
from audit.lines import alarm
from audit.witness.protocol import Accepted, Head, Reply, Request, decide, origin_of, parse_request, suspicion
from audit.witness.store import WitnessStore
from contracts.errors import Fault

_REMEMBERED = 1024  # heads of a log that were told of; no stranger can make so many, and whoever can is told of again


class Witness:
    """Safe from any thread. `clock` gives Unix seconds."""

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Sequence[notes.NoteKey],
        store: WitnessStore,
        clock: Callable[[], int],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """Raises `Corrupt` when the store does not verify."""
        self._cosigner = cosigner
        self._logs: Mapping[str, notes.NoteKey] = {key.name: key for key in logs}
        self._store = store
        self._clock = clock
        self._on_fatal = on_fatal
        self._dead = False
        self._heads = store.heads(self._logs, cosigner.public)
        self._told: Mapping[str, deque[Checkpoint]] = {origin: deque(maxlen=_REMEMBERED) for origin in self._logs}
        self._locks = {origin: threading.Lock() for origin in self._logs}

    def add_checkpoint(self, body: bytes) -> Reply:
        """The answer to `POST add-checkpoint`; status 200 with the cosignature line when it was accepted."""
        try:
            request = parse_request(body)
            origin = origin_of(request)
        except Fault as fault:
            return Reply(400, f"{fault.row.title.en}\n".encode())
        with self._locks.get(origin, nullcontext()):
            return self._add(request, origin)

    def checkpoint(self, name: str) -> bytes | None:
        """The checkpoint last cosigned for the log of this `origin_hash`, cosignature included."""
        return self._store.note(name)

    def _add(self, request: Request, origin: str) -> Reply:
        if self._dead:
            return Reply(503, b"the witness has failed\n")
        head = self._heads.get(origin, Head())
        decision = decide(request, self._logs.get(origin), head)
        if isinstance(decision, Reply):
            self._look_closer(request, decision, head)
            return decision
        return self._record(decision, origin)

    def _record(self, accepted: Accepted, origin: str) -> Reply:
        """Rule 2."""
        line = self._cosigner.line(accepted.text, self._clock())
        try:
            self._store.keep(origin, self._own_note(accepted, origin) + line)
        except OSError as error:
            self._dead = True
            self._on_fatal(error)
            return Reply(503, b"the checkpoint could not be recorded\n")
        self._heads[origin] = Head(accepted.checkpoint.size, accepted.checkpoint.root)
        return Reply(200, line)

    def _own_note(self, accepted: Accepted, origin: str) -> bytes:
        """Text and the log's own signature only: lines of strangers are not ours to hand on."""
        key = self._logs[origin]
        parsed = notes.parse(accepted.note)
        lines = [line for line in parsed.signatures if (line.name, line.key_id) == (key.name, key.key_id)]
        return accepted.text + b"\n" + b"".join(notes.signature_line(key, line.value) for line in lines[:1])

    def _look_closer(self, request: Request, refused: Reply, head: Head) -> None:
        """Rule 3. A plain 409 is how logs learn our size, unless it is another tree of this very size."""
        event, signed = suspicion(refused, head), refused.signed
        if event is None or signed is None:
            return
        try:
            path = self._store.keep_evidence(event, signed, request.note)
            why = None if path is not None else "there are too many already"
        except OSError as error:
            path, why = None, type(error).__name__
        told = self._told[signed.origin]
        if signed in told:
            return
        told.append(signed)
        facts = {"log": signed.origin, "size": signed.size, "root": signed.root.hex(), "held": head.size}
        alarm(event, **facts, evidence=None if path is None else str(path))
        if why is not None:
            alarm("evidence_not_kept", log=signed.origin, size=signed.size, error=why)
