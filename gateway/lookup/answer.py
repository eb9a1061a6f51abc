"""From a granted question and what was found to an answer. Pure.

1. Each record found is in the answer once, in the order of record ids. An answer has at most `MAX_RECORDS`; more are
   not cut off: nothing is released.
2. Nothing found is an answer, too: an empty list, with the feed that says what this is worth.
3. `released` are the strings that leave, in answer order: the `sd_jwt` of each record that has one. With them the
   access record says what was released, so that whoever has the answer can compute the same.
4. `members` is the answer's JSON without its outer braces: transaction and receipt are put around it when the access
   record is durable.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from audit.record import MAX_RECORDS
from contracts.errors import Fault
from contracts.evidence_types import EvidenceType
from gateway.access.decide import Granted
from gateway.lookup.feeds import Feed
from gateway.lookup.records import Frame, Rendered, frame, render
from gateway.store.rows import StoredRecord

MAX_FRAMES = 1024


class Answer(NamedTuple):
    """What leaves, and what the access record says of it. The mappings are by evidence type (id without version)."""

    members: bytes
    released: tuple[bytes, ...]
    records: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]
    feed: Mapping[str, str]


class Frames:
    """The frames of one registry version, made on first use."""

    def __init__(self, types: Mapping[str, EvidenceType]) -> None:
        """`types` by vct."""
        self._types = types
        self._frames: dict[tuple[str, frozenset[str]], Frame] = {}

    def of(self, granted: Granted, vct: str) -> Frame:
        """The frame of a record. A version that the registry has not shows nothing but what is always visible."""
        evidence_type = self._types.get(vct)
        known = evidence_type or granted.type
        allowed = granted.listing.allowed(known.version) if evidence_type is not None else frozenset[str]()
        found = self._frames.get((known.vct, allowed))
        if found is None:
            if len(self._frames) >= MAX_FRAMES:  # a client chooses the fields, so it must not choose how many
                self._frames.clear()
            found = self._frames[known.vct, allowed] = frame(known, allowed)
        return found


def compose(granted: Granted, rows: Sequence[StoredRecord], feed: Feed, frames: Frames) -> Answer:
    """The answer to a lookup; raises `Fault` `answer_too_large`."""
    ordered = in_order(rows)
    rendered = [render(granted, row, frames.of(granted, row.vct)) for row in ordered]
    released = released_of(rendered)
    evidence = b",".join([one.form for one in rendered])
    name = granted.type.id
    return Answer(
        b'"by":%b,%b,"evidence":[%b]' % (orjson.dumps(granted.by.to_json()), feed.members, evidence),
        released,
        tuple([row.record for row in ordered]),
        {name: granted.listing.fields},
        {name: len(released)},
        {name: feed.state},
    )


def in_order(rows: Sequence[StoredRecord]) -> Sequence[StoredRecord]:
    """Rule 1; raises `Fault` `answer_too_large`."""
    if len(rows) > MAX_RECORDS:
        raise Fault("answer_too_large")
    return rows if len(rows) < 2 else sorted(rows, key=lambda row: (row.record, row.stream))


def released_of(rendered: Sequence[Rendered]) -> tuple[bytes, ...]:
    """Rule 3."""
    return tuple([one.released for one in rendered if one.released is not None])
