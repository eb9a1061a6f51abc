"""The snapshot: freshness, indexes, and which positions a key covers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Fault
from contracts.registry import Adapter, AdapterKey, App, AppKey, Node, Snapshot, Span, Zone, ZoneKey
from contracts.registry.snapshot import Contents
from contracts.streams import Position, Stream
from contracts.text import Text
from tests.vectors.world import (
    ALGS,
    OTHER_TYPE,
    PERMIT,
    adapter_of,
    fixed_key,
    fixed_zone_key,
    registry_of,
    stream_of,
)

NAMES = Text("名称", "Name")


@pytest.mark.parametrize(
    ("now", "state"), [(0, "fresh"), (9, "fresh"), (10, "degraded"), (19, "degraded"), (20, "closed"), (99, "closed")]
)
def test_freshness(now: int, state: str) -> None:
    assert Snapshot(1, 10, 20, Contents()).freshness(now) == state


def test_signers_by_key_id() -> None:
    registry = registry_of()
    for alg in ALGS:
        signer = registry.signers[fixed_key(alg).kid]
        assert (signer.adapter.id, signer.key) == (f"permits-{alg.lower()}", fixed_key(alg).public)
    assert len(registry.signers) == len(ALGS)


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = registry_of(adapter_of("ES256"), replace(adapter_of("ES256"), id="twin"))
    with pytest.raises(Fault, match="part_invalid"):
        assert twice.signers


def test_types_by_vct_and_the_current_version() -> None:
    newer = replace(PERMIT, version=2)
    registry = Snapshot(1, 2, 3, Contents(evidence_types=(newer, PERMIT, OTHER_TYPE)))
    assert registry.types[f"urn:oncegate:{PERMIT.id}:1"] is PERMIT
    assert registry.types[newer.vct] is newer
    assert registry.versions[PERMIT.id][0] is newer


def test_streams() -> None:
    both = Adapter("both", "city-permits", "gov", (PERMIT.id, OTHER_TYPE.id), ())
    registry = registry_of(adapter_of("ES256"), both)
    assert registry.streams == (
        stream_of("ES256"),
        Stream("city-permits", "both", PERMIT.id),
        Stream("city-permits", "both", OTHER_TYPE.id),
    )
    assert registry.streams_by_type[OTHER_TYPE.id] == (Stream("city-permits", "both", OTHER_TYPE.id),)
    assert len(registry.streams_by_type[PERMIT.id]) == 2


def test_only_active_app_keys_count() -> None:
    keys = [fixed_key("ES256", label).public for label in ("now", "before")]
    app = App("a", NAMES, "o", "u", (), (AppKey("ES256", keys[0].jwk), AppKey("ES256", keys[1].jwk, "retired")))
    registry = Snapshot(1, 2, 3, Contents(apps=(app,)))
    assert registry.app_keys == {keys[0].kid: (app, keys[0])}


def test_nodes_by_key_id() -> None:
    key = fixed_key("EdDSA", "node").public
    node = Node("n", "gov", "EdDSA", key.jwk)
    assert Snapshot(1, 2, 3, Contents(nodes=(node,))).node_keys == {key.kid: (node, key)}


def test_feed_keys_go_to_the_active_zone_key() -> None:
    public = fixed_zone_key().public
    old, now = ZoneKey(public.alg, "AAAA", "retired"), ZoneKey(public.alg, public.public)
    assert Zone("z", NAMES, (old, now)).active_key == public
    assert Zone("z", NAMES, (old,)).active_key is None


POSITIONS = st.builds(Position, st.integers(1, 4), st.integers(0, 4))
ENDS = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(POSITIONS, ENDS, st.none() | ENDS, st.sampled_from(["active", "retired", "compromised", "unheard-of"]))
def test_a_span_says_what_a_key_covers_whatever_its_state(
    position: Position, first: tuple[int, int], last: tuple[int, int] | None, status: str
) -> None:
    key = AdapterKey("ES256", {}, status, {PERMIT.id: Span(first, last)})
    expected = first <= tuple(position) and (last is None or tuple(position) <= last)
    assert key.covers(PERMIT.id, position) is expected


@given(POSITIONS, st.sampled_from(["active", "retired", "compromised", "unheard-of"]))
def test_without_a_span_an_active_key_covers_all_and_others_nothing(position: Position, status: str) -> None:
    assert AdapterKey("ES256", {}, status).covers(PERMIT.id, position) is (status == "active")
