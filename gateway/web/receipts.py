"""`GET /v1/receipts/{log}/{index}`: an access record, the proof that it is in the log, and how far to trust that.

1. `{log}` is the origin of an audit log, percent-encoded: of the one that this process writes, or of a closed one
   before it; `{index}` as in the answer's receipt. A log that was removed after its time is `past_retention` to all.
2. Only the app that the record is about may have it. To all others, and for all other logs and indexes, the answer is
   `entry_unknown`: nobody learns how many records there are, or whose.
3. A record that is durable but not yet under a published checkpoint has no proof yet, and says so. Where a witness
   has cosigned a head that covers it, the proof leads to that head.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from audit.checkpoints import open_note
from audit.closed_logs import ClosedLogs
from audit.log import AuditLog
from audit.notes import NoteKey
from audit.reader import LogReader
from audit.receipts import Level, Proof
from contracts.errors import Corrupt, Fault
from gateway.access.usage import GRANTED
from gateway.web.calls import Asked, Call, Outcome, access_facts

_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Receipts:
    """The call, over the audit logs of a process."""

    log: AuditLog
    reader: LogReader
    witnesses: Sequence[NoteKey] = ()
    closed: ClosedLogs = field(default_factory=ClosedLogs)

    async def receipt(self, call: Call, request: web.Request) -> Outcome:
        """The record, its proof and its trust level; raises `Fault` `entry_unknown` or `past_retention`."""
        origin, index = request.match_info["log"], _index(request)
        leaf, proof, trust = await asyncio.to_thread(self._find, origin, index, call.caller.app.id)
        form = {
            "log": origin,
            "index": index,
            "record": leaf.decode(),
            "proof": None if proof is None else proof.decode(),
            "trust": trust.text,
        }
        return Outcome(access_facts(call, Asked(), GRANTED, None), orjson.dumps(form)[1:-1])

    def _find(self, origin: str, index: int, app: str) -> tuple[bytes, bytes | None, Level]:
        """Rule 1: in which log."""
        if origin == self.log.origin:
            return self._proved(self.log.entry(index), self.reader, index, app)
        closed = self.closed.of_origin(origin)
        try:
            leaf = closed.reader.entry(index, closed.ending.head.size)
            return self._proved(leaf, closed.reader, index, app)
        except (Corrupt, FileNotFoundError):
            self.closed.of_origin(origin)  # if it is being removed, this says so
            raise

    def _proved(self, leaf: bytes, reader: LogReader, index: int, app: str) -> tuple[bytes, bytes | None, Level]:
        """Rules 2 and 3."""
        if orjson.loads(leaf).get("app") != app:
            raise Fault("entry_unknown")
        note = reader.note_covering(index)
        head, cosigned = open_note(note, reader.key, self.witnesses)
        if index >= head.size:
            return leaf, None, Level.DURABLE
        proof = Proof(index, tuple(reader.inclusion_proof(index, head.size)), note).encode()
        return leaf, proof, Level.WITNESSED if cosigned else Level.PUBLISHED


def _index(request: web.Request) -> int:
    text = request.match_info["index"]
    if _INDEX.fullmatch(text) is None:
        raise Fault("entry_unknown")
    return int(text)
