"""Sealed messages as stored records, and granted questions about them."""

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

from contracts import catalogue
from contracts.algorithms import SigningKey
from contracts.evidence_types import EvidenceType
from contracts.messages import Change, seal
from contracts.streams import Position, Stream
from gateway.access.decide import Granted, Listing
from gateway.access.question import ByHolder, ByKey
from gateway.ingest.state import COMPLETE, FeedState
from gateway.lookup.feeds import Feed, feed_of
from gateway.store.rows import LIVE, REJECTED, StoredRecord

NOW = 1_750_000_000_000  # 2025-06-15 in Beijing: within the validity of all first examples
KEY = SigningKey.generate("ES256")
ITEM = next(item for item in catalogue.service_items() if item.id == "cn.open-restaurant")
TYPES = {one.id: one for one in catalogue.evidence_types()}
BY_VCT = {one.vct: one for one in TYPES.values()}
IDENTITY, LICENCE = "cn.identity-card", "cn.business-licence"


def example(type_id: str, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {**catalogue.examples(type_id)["valid"][0], **changes}
    return document


def stream(type_id: str) -> Stream:
    return Stream("police", "police-1", type_id)


def salts(seed: str) -> Iterator[bytes]:
    return (hashlib.sha256(f"{seed}/{n}".encode()).digest()[:16] for n in itertools.count())


def stored(type_id: str, document: dict[str, Any] | None, record: str = "r-1") -> StoredRecord:
    """A stored record; without a document, one whose newest state was refused."""
    evidence_type = TYPES[type_id]
    where, vct = stream(type_id), evidence_type.vct
    if document is None:
        return StoredRecord(where, record, Position(1, 1), "id", REJECTED, "", vct, "document_invalid", None)
    change = Change(where, record, "put", Position(1, 1), 1_700_000_000, document)
    message = seal(change, evidence_type, KEY, salts(record), 1_700_000_000)
    return StoredRecord(where, record, Position(1, 1), "id", LIVE, document["status"], vct, "", message)


def granted(
    type_id: str, fields: frozenset[str], by: ByHolder | ByKey, evidence_type: EvidenceType | None = None
) -> Granted:
    listing = Listing(evidence_type or TYPES[type_id], tuple(sorted(fields)), fields, {})
    return Granted(ITEM, "window", listing, by)


def feed(type_id: str, state: str = COMPLETE, as_of: int | None = 1_700_000_000) -> Feed:
    return feed_of([(stream(type_id), FeedState(state, as_of, 0))])
