"""`GET /v1/receipts/{log}/{index}`: an access record, the proof that it is in the log, and how far to trust that.

1. `{log}` is the origin of this process's audit log, percent-encoded; `{index}` as in the answer's receipt.
2. Only the app that the record is about may have it. To all others, and for all other logs and indexes, the answer is
   `entry_unknown`: nobody learns how many records there are, or whose.
3. A record that is durable but not yet under a published checkpoint has no proof yet, and says so. Where a witness
   has cosigned a head that covers it, the proof leads to that head.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web

from audit.checkpoints import open_note
from audit.log import AuditLog
from audit.notes import NoteKey
from audit.reader import LogReader
from audit.receipts import Level, Proof
from contracts.errors import Fault
from gateway.access.usage import GRANTED
from gateway.web.calls import Asked, Call, Outcome, access_facts

_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True)
class Receipts:
    """The call, over one audit log."""

    log: AuditLog
    reader: LogReader
    witnesses: Sequence[NoteKey] = ()

    async def receipt(self, call: Call, request: web.Request) -> Outcome:
        """The record, its proof and its trust level; raises `Fault` `entry_unknown`."""
        index = self._index(request)
        leaf, proof, trust = await asyncio.to_thread(self._find, index, call.caller.app.id)
        form = {
            "log": self.log.origin,
            "index": index,
            "record": leaf.decode(),
            "proof": None if proof is None else proof.decode(),
            "trust": trust.text,
        }
        return Outcome(access_facts(call, Asked(), GRANTED, None), orjson.dumps(form)[1:-1])

    def _index(self, request: web.Request) -> int:
        text = request.match_info["index"]
        if request.match_info["log"] != self.log.origin or _INDEX.fullmatch(text) is None:
            raise Fault("entry_unknown")
        return int(text)

    def _find(self, index: int, app: str) -> tuple[bytes, bytes | None, Level]:
        leaf = self.log.entry(index)
        if orjson.loads(leaf).get("app") != app:
            raise Fault("entry_unknown")
        note = self.reader.note_covering(index)
        head, cosigned = open_note(note, self.reader.key, self.witnesses)
        if index >= head.size:
            return leaf, None, Level.DURABLE
        proof = Proof(index, tuple(self.reader.inclusion_proof(index, head.size)), note).encode()
        return leaf, proof, Level.WITNESSED if cosigned else Level.PUBLISHED
