"""The Merkle tree against the vectors of transparency-dev/merkle and against a naive one."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Nodes,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    tree_at,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.audit import naive

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc6962-proofs.json").read_text())
ENTRIES = [b"entry %d" % number for number in range(700)]
SIZES = st.integers(1, 600)


@cache
def _node(height: int, index: int) -> bytes:
    return naive.mth(ENTRIES[index << height : (index + 1) << height])


NODES: Nodes = _node


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(case: dict[str, Any]) -> list[bytes]:
    return [_bytes(part) for part in case["proof"] or []]


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: case["case"])
def test_inclusion_vector(case: dict[str, Any]) -> None:
    leaf, root = _bytes(case["leafHash"]), _bytes(case["root"])
    assert verify_inclusion(case["leafIdx"], case["treeSize"], leaf, _proof(case), root) is not case["wantErr"]


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: case["case"])
def test_consistency_vector(case: dict[str, Any]) -> None:
    roots = _bytes(case["root1"]), _bytes(case["root2"])
    assert verify_consistency(case["size1"], case["size2"], _proof(case), *roots) is not case["wantErr"]


def test_the_vectors_are_all_there() -> None:
    assert [len(VECTORS[kind]) for kind in ("inclusion", "consistency")] == [98, 98]


@given(st.lists(st.integers(0, 300), max_size=5))
def test_a_tree_grown_in_steps_has_the_root_and_the_nodes_of_the_whole(steps: list[int]) -> None:
    levels: list[list[bytes]] = [[], [], []]
    tree, size = Tree(), 0
    for step in steps:
        entries = [b"%d" % number for number in range(size, size + step)]
        tree, new = tree.extend([leaf_hash(entry) for entry in entries])
        for level, nodes in enumerate(new):
            levels[level].extend(nodes)
        size += step
    everything = [b"%d" % number for number in range(size)]
    assert (tree.size, tree.root()) == (size, naive.mth(everything))
    assert levels[0] == [leaf_hash(entry) for entry in everything]
    assert levels[1] == [naive.mth(everything[at : at + 256]) for at in range(0, size - 255, 256)]


@given(SIZES)
def test_a_tree_found_again_goes_on_like_the_old_one(size: int) -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    assert tree_at(size, NODES) == Tree().extend(leaves[:size])[0]
    assert tree_at(size, NODES).extend(leaves[size:])[0].root() == root_of(leaves)


@given(st.data())
def test_inclusion_proofs_equal_the_naive_ones_and_verify(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    made = inclusion_proof(index, size, NODES)
    assert made == naive.path(index, ENTRIES[:size])
    assert verify_inclusion(index, size, leaf_hash(ENTRIES[index]), made, naive.mth(ENTRIES[:size]))


@given(st.data())
def test_consistency_proofs_equal_the_naive_ones_and_verify(data: st.DataObject) -> None:
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    made = consistency_proof(old, new, NODES)
    assert made == naive.proof(old, ENTRIES[:new])
    assert verify_consistency(old, new, made, naive.mth(ENTRIES[:old]), naive.mth(ENTRIES[:new]))


@given(st.data())
def test_a_changed_proof_does_not_verify(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 600))
    index = data.draw(st.integers(0, size - 1))
    made = inclusion_proof(index, size, NODES)
    leaf, root = leaf_hash(ENTRIES[index]), naive.mth(ENTRIES[:size])
    at, bit = data.draw(st.integers(0, len(made) * 32 - 1)), data.draw(st.integers(0, 7))
    altered = bytearray(b"".join(made))
    altered[at] ^= 1 << bit
    parts = [bytes(altered[i : i + 32]) for i in range(0, len(altered), 32)]
    assert not verify_inclusion(index, size, leaf, parts, root)
    assert not verify_inclusion(index, size, leaf, made[:-1], root)
    assert not verify_inclusion(index, size, leaf, [*made, leaf], root)
    assert not verify_inclusion(
        data.draw(st.integers(0, size - 1).filter(lambda i: i != index)), size, leaf, made, root
    )


def test_empty_trees() -> None:
    assert Tree().root() == EMPTY_ROOT == naive.mth([])
    assert not verify_consistency(0, 5, [], EMPTY_ROOT, naive.mth(ENTRIES[:5]))
    assert not verify_inclusion(0, 0, EMPTY_ROOT, [], EMPTY_ROOT)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        inclusion_proof(index, size, NODES)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3)])
def test_no_consistency_proof_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="old size"):
        consistency_proof(old, new, NODES)
