"""From an entry of the audit log to an event. Pure.

1. Each entry is exactly one event, in the order of the log, with the id `origin#index`: a receiver sees by the index
   that nothing was left out, and by the id that something came twice.
2. `data` holds the entry as it stands in the log, its index, the log's origin and the leaf hash (RFC 6962). The bytes
   of the entry are its canonical JSON, so a receiver can compute the leaf hash and later ask the auditor for the proof.
   Nothing else is added: what is not in the leaf (holder, clerk, case, record ids) is not in the event.
3. The type says what happened (`TYPES`). A correction request that was taken is a correction, not an access; one that
   was refused is a refused access. An entry that this program does not know is an event all the same (`UNKNOWN`).
4. A heartbeat is no entry: it says that the feed is alive though nothing happened, and carries the signed checkpoint,
   so that supervision holds heads of the log that the gateway cannot take back. Its id names size and time.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import orjson

from audit import notices
from audit.merkle import leaf_hash
from audit.record import digest_text
from contracts.cloud_events import Event, encode
from contracts.encoding import Json

GRANTED: Final = "oncegate.access.granted.v1"
REFUSED: Final = "oncegate.access.refused.v1"
CORRECTION: Final = "oncegate.correction.v1"
HEARTBEAT: Final = "oncegate.supervision.heartbeat.v1"
UNKNOWN: Final = "oncegate.log.entry.v1"
TYPES: Mapping[str, str] = {
    notices.SUPERVISION_ON: "oncegate.supervision.on.v1",
    notices.SUPERVISION_OFF: "oncegate.supervision.off.v1",
    notices.FEED_LATE: "oncegate.feed.late.v1",
    notices.FEED_RECOVERED: "oncegate.feed.recovered.v1",
    notices.CORRECTION_LATE: "oncegate.correction.late.v1",
    notices.CORRECTION_ANSWERED: "oncegate.correction.answered.v1",
}

CORRECTION_ACTION: Final = "correction"  # the action of the access record of `POST /v1/corrections`
_ENTRY = b'{"entry":%b,"index":%d,"leaf_hash":"%b","log":%b}'
_HEARTBEAT = b'{"checkpoint":%b,"log":%b,"size":%d}'


def event_of(origin: str, index: int, entry: bytes) -> bytes:
    """The event of one entry, encoded (rules 1 to 3)."""
    kind, time = _kind(entry)
    known = b"null" if kind is UNKNOWN else entry
    data = _ENTRY % (known, index, digest_text(leaf_hash(entry)).encode(), orjson.dumps(origin))
    return encode(Event(f"{origin}#{index}", source_of(origin), kind, time, data))


def heartbeat_of(origin: str, size: int, checkpoint: bytes, now: int) -> bytes:
    """Rule 4. `size`: entries under `checkpoint`, a signed note; `now` in Unix ms."""
    data = _HEARTBEAT % (orjson.dumps(checkpoint.decode()), orjson.dumps(origin), size)
    return encode(Event(f"{origin}#{size}@{now}", source_of(origin), HEARTBEAT, now, data))


def source_of(origin: str) -> str:
    """The log as a URN."""
    return "urn:oncegate:log:" + quote(origin, safe="/.-_~")


def _kind(entry: bytes) -> tuple[str, int]:
    notice = notices.parse(entry)
    if notice is not None:
        return TYPES.get(notice.kind, f"oncegate.log.{notice.kind}.v1"), notice.time
    try:
        facts = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return UNKNOWN, 0
    return _access(facts) if type(facts) is dict and type(facts.get("time")) is int else (UNKNOWN, 0)


def _access(facts: Mapping[str, Json]) -> tuple[str, int]:
    if facts.get("decision") != "granted":
        return REFUSED if facts.get("decision") == "refused" else UNKNOWN, facts["time"]
    return CORRECTION if facts.get("action") == CORRECTION_ACTION else GRANTED, facts["time"]
