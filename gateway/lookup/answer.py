"""From a granted question and what was found to an answer. Pure.

1. Each record found is in the answer once, in the order of record ids. An answer has at most `MAX_RECORDS`; more are
   not cut off: nothing is released. What another record found supersedes is left out and counted (`superseded`),
   unless the question asks for the history.
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
from contracts.streams import Stream
from gateway.access.decide import Granted
from gateway.lookup.feeds import Feed
from gateway.lookup.records import Frame, Rendered, frame, render
from gateway.store.rows import StoredRecord

MAX_FRAMES = 1024

Place = tuple[Stream, str]  # a record: its stream and its id


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


class Shown(NamedTuple):
    """What an answer shows of the rows found, in order, and how many superseded ones it leaves out."""

    records: tuple[str, ...]
    rendered: Sequence[Rendered]
    superseded: int


def compose(granted: Granted, rows: Sequence[StoredRecord], feed: Feed, frames: Frames, now: int) -> Answer:
    """The answer to a lookup at `now` (Unix ms); raises `Fault` `answer_too_large`."""
    shown = show(granted, rows, frames, now)
    released = released_of(shown.rendered)
    evidence = b",".join([one.form for one in shown.rendered])
    name = granted.type.id
    return Answer(
        b'"by":%b,%b,"superseded":%d,"evidence":[%b]'
        % (orjson.dumps(granted.by.to_json()), feed.members, shown.superseded, evidence),
        released,
        shown.records,
        {name: granted.listing.fields},
        {name: len(released)},
        {name: feed.state},
    )


def show(granted: Granted, rows: Sequence[StoredRecord], frames: Frames, now: int) -> Shown:
    """Rule 1; raises `Fault` `answer_too_large`."""
    ordered = in_order(rows)
    rendered = [render(granted, row, frames.of(granted, row.vct), now) for row in ordered]
    if len(rendered) > 1 and granted.type.supersession and not granted.history:
        pairs = list(zip(ordered, rendered, strict=True))
        former = _former({(row.stream, row.record): one.supersedes for row, one in pairs})
        kept = [(row, one) for row, one in pairs if (row.stream, row.record) not in former]
        return Shown(tuple(row.record for row, _ in kept), [one for _, one in kept], len(pairs) - len(kept))
    return Shown(tuple([row.record for row in ordered]), rendered, 0)


def _former(supersedes: Mapping[Place, Sequence[str]]) -> set[Place]:
    """The records that lead back, one after the other, from one that nothing supersedes. Records that supersede each
    other in a circle have no such beginning and all stay: whatever is found is shown."""
    named = {(place[0], record) for place, records in supersedes.items() for record in records if record != place[1]}
    former: set[Place] = set()
    waiting = [place for place in supersedes if place not in named]
    while waiting:
        place = waiting.pop()
        named_here = {(place[0], record) for record in supersedes[place] if record != place[1]}
        found = named_here & supersedes.keys() - former
        former |= found
        waiting.extend(found)
    return former


def in_order(rows: Sequence[StoredRecord]) -> Sequence[StoredRecord]:
    """By record id; raises `Fault` `answer_too_large`."""
    if len(rows) > MAX_RECORDS:
        raise Fault("answer_too_large")
    return rows if len(rows) < 2 else sorted(rows, key=lambda row: (row.record, row.stream))


def released_of(rendered: Sequence[Rendered]) -> tuple[bytes, ...]:
    """Rule 3."""
    return tuple([one.released for one in rendered if one.released is not None])
