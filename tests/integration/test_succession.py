"""Succession over a real store: an old number leads to the current record, a holder's question to nobody else's."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts import catalogue
from contracts.evidence_types import EvidenceType
from contracts.registry import Snapshot
from contracts.registry.snapshot import Contents
from gateway.access.decide import Granted, Listing
from gateway.access.question import ByHolder, ByKey
from gateway.store.reader import Reader
from gateway.store.rows import SUPERSEDES
from gateway.store.writer import Writer
from gateway.web.evidence import Evidence
from tests.integration.test_store import HOLDER, KEK, TYPE, live, put

SELLER, BUYER = ("holder:cn.uscc", "91110000600037341L"), HOLDER[0]
NUMBER = "unified_social_credit_code"
CHAINED = replace(next(one for one in catalogue.evidence_types() if one.id == TYPE), supersession=True)
REGISTRY = Snapshot(1, 2**50, 2**51, Contents(evidence_types=(CHAINED,)))


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Record `a` of the seller under an old number; `b` replaces it, `c` replaces `b`, both the buyer's."""
    path = tmp_path / "store.db"
    writer = Writer(path, KEK)
    put(
        writer,
        live("a", 1, lookups=(SELLER, (NUMBER, "92430102MA4QX7K12R"))),
        live("b", 2, lookups=(BUYER, (SUPERSEDES, "a"))),
        live("c", 3, lookups=(BUYER, (SUPERSEDES, "b"))),
    )
    yield path
    writer.close()


def asked(path: Path, by: ByHolder | ByKey, evidence_type: EvidenceType = CHAINED) -> dict[str, bool]:
    granted = Granted(catalogue.service_items()[0], "window", Listing(evidence_type, (), frozenset(), {}), by)

    async def find() -> dict[str, bool]:
        evidence = Evidence(lambda: Reader(path, KEK), lambda: path)
        try:
            return {row.record: row.superseded for row in evidence.find(granted, REGISTRY, 1_750_000_000_000)[1]}
        finally:
            evidence.close()

    return asyncio.run(find())


def test_an_old_number_leads_to_the_current_record(path: Path) -> None:
    assert asked(path, ByKey(NUMBER, "92430102MA4QX7K12R")) == {"a": True, "b": True, "c": False}


def test_a_holder_gets_no_record_of_another_but_hears_that_there_is_one(path: Path) -> None:
    assert asked(path, ByHolder("cn.uscc", SELLER[1])) == {"a": True}
    assert asked(path, ByHolder("cn.uscc", BUYER[1])) == {"b": True, "c": False}


def test_a_type_without_succession_is_not_followed(path: Path) -> None:
    single = replace(CHAINED, supersession=False)
    assert asked(path, ByKey(NUMBER, "92430102MA4QX7K12R"), single) == {"a": False}
