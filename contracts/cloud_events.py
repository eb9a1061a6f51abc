"""CloudEvents 1.0 for those outside: one event as JSON, a batch of them, and the signed form on a topic. Pure.

1. An event is the JSON format of CloudEvents 1.0 (structured mode): `specversion`, `id`, `source`, `type`, `time`
   (RFC 3339, UTC, milliseconds), `datacontenttype` `application/json`, `data`. `source` and `id` together are unique:
   an event that comes twice is known by them.
2. A batch is the JSON batch format: an array of events, in order. One event travels as a batch of one, so that whoever
   reads has one form to read.
3. Signed, a batch is a compact JWS (`typ` `oncegate-events+jws`) around the bytes of the batch: whoever carries it can
   withhold it, never alter it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import orjson

from contracts import jws
from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, parse_strict
from contracts.errors import Fault

TYP: Final = "oncegate-events+jws"
BATCH_MEDIA_TYPE: Final = "application/cloudevents-batch+json"
MAX_SIGNED: Final = 1_000_000
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999  # years 1 and 9999

_REQUIRED = frozenset({"specversion", "id", "source", "type"})
_EVENT = (
    b'{"data":%b,"datacontenttype":"application/json","id":%b,"source":%b,"specversion":"1.0","time":"%b","type":%b}'
)


class Event(NamedTuple):
    """One event. `time` in Unix ms; `data` is its JSON, taken as it is."""

    id: str
    source: str
    type: str
    time: int
    data: bytes


def encode(event: Event) -> bytes:
    """Rule 1."""
    named = (orjson.dumps(event.id), orjson.dumps(event.source))
    return _EVENT % (event.data, *named, timestamp(event.time).encode(), orjson.dumps(event.type))


def batch(events: Sequence[bytes]) -> bytes:
    """Rule 2: encoded events as one batch."""
    return b"[" + b",".join(events) + b"]"


def seal(events: bytes, key: SigningKey) -> bytes:
    """Rule 3: an encoded batch, signed."""
    return jws.sign(TYP, events, key)


def open_batch(token: bytes, keys: Mapping[str, VerifyKey]) -> list[dict[str, Json]]:
    """The events of a signed batch; `keys` by key id are the ones believed. Raises `Fault`."""
    if len(token) > MAX_SIGNED:
        raise Fault("message_too_large")
    compact = jws.parse(token, TYP)
    key = keys.get(compact.kid)
    if key is None:
        raise Fault("key_unknown")
    found = parse_strict(compact.verified_payload(key))
    if type(found) is not list or not all(_is_event(one) for one in found):
        raise Fault("claims_invalid")
    return found


def timestamp(time: int) -> str:
    """RFC 3339 of Unix ms; what is beyond its years is their first or last instant."""
    seconds, milliseconds = divmod(min(max(time, _FIRST), _LAST), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"


def _is_event(value: Json) -> bool:
    if type(value) is not dict or not value.keys() >= _REQUIRED or value["specversion"] != "1.0":
        return False
    return all(type(value[name]) is str and value[name] for name in _REQUIRED)
