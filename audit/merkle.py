"""The RFC 6962 Merkle tree: hashes, a growing tree, proofs, and their verification. No storage, no clock.

1. `leaf_hash` and `node_hash` are domain-separated (RFC 6962 §2.1): 0x00 before a leaf, 0x01 before two nodes.
2. A `Tree` keeps only the peaks: the roots of the perfect subtrees that its size is made of, at most one for each
   height. `extend` works height by height, so n leaves cost about n node hashes. It also hands out the nodes that
   it completed at every eighth height, because these are exactly the contents of C2SP hash tiles.
3. Proofs are built from perfect subtrees, fetched through `Nodes`: (height, index) → hash. Where they come from
   (tiles, memory) is the caller's business.
4. Verification follows RFC 9162 §2.1.3.2 and §2.1.4.2 and is independent of how proofs are built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_SIZE = 32
TILE_HEIGHT = 8
EMPTY_ROOT = sha256(b"").digest()

Nodes = Callable[[int, int], bytes]  # (height, index): MTH(D[index << height : (index + 1) << height])


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one log entry (RFC 6962 §2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


def parents(nodes: Sequence[bytes]) -> list[bytes]:
    """The nodes one height up of an even number of neighbours."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of `size` leaves. `peaks[h]` is the perfect subtree of height h at its right, where size has bit h."""

    size: int = 0
    peaks: tuple[bytes | None, ...] = ()

    def extend(self, leaves: Sequence[bytes]) -> "tuple[Tree, list[list[bytes]]]":
        """The tree with these leaf hashes appended, and the nodes completed at heights 0, 8, 16, …"""
        nodes, peaks, tiles = list(leaves), list(self.peaks), []
        height = 0
        while nodes:
            if height % TILE_HEIGHT == 0:
                tiles.append(list(nodes))
            peak = peaks[height] if height < len(peaks) else None
            if peak is not None:
                nodes.insert(0, peak)
            _put(peaks, height, nodes.pop() if len(nodes) % 2 else None)
            nodes = parents(nodes)
            height += 1
        return Tree(self.size + len(leaves), tuple(peaks)), tiles

    def root(self) -> bytes:
        """MTH of the whole tree."""
        root: bytes | None = None
        for peak in self.peaks:
            if peak is not None:
                root = peak if root is None else node_hash(peak, root)
        return EMPTY_ROOT if root is None else root


def _put(peaks: list[bytes | None], height: int, peak: bytes | None) -> None:
    if height < len(peaks):
        peaks[height] = peak
    else:
        peaks.append(peak)


def tree_at(size: int, nodes: Nodes) -> Tree:
    """The tree of the first `size` leaves."""
    peaks = tuple(nodes(h, (size >> h) - 1) if size >> h & 1 else None for h in range(size.bit_length()))
    return Tree(size, peaks)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes held in memory."""
    return Tree().extend(leaves)[0].root()


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """PATH(index, D[size]) (RFC 6962 §2.1.1), the leaf's sibling first; raises ValueError when index ≥ size."""
    if not 0 <= index < size:
        raise ValueError("the index is outside the tree")
    begin, end, proof = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(_range_hash(begin, middle, nodes))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """PROOF(old, D[new]) (RFC 6962 §2.1.2); raises ValueError unless 0 < old ≤ new."""
    if not 0 < old <= new:
        raise ValueError("a consistency proof needs 0 < old size <= new size")
    begin, end, proof = 0, new, []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(_range_hash(begin, middle, nodes))
            begin = middle
    if begin > 0:
        proof.append(_range_hash(begin, end, nodes))
    return proof[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` (a leaf hash) is entry `index` of the tree of `size` leaves under `root` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or not _hashes([leaf, root, *proof]):
        return False
    position, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            position, last = _up_to_left_child(position, last)
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the tree of `new` leaves extends the tree of `old` leaves (RFC 9162 §2.1.4.2).

    Never for `old` = 0: every tree extends the empty one, so nothing could be shown.
    """
    if not 0 < old <= new or not _hashes(proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    return bool(path) and _both_roots(old - 1, new - 1, path) == (old_root, new_root)


def _both_roots(position: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            position, last = _up_to_left_child(position, last)
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return (old, new) if last == 0 else None


def _up_to_left_child(position: int, last: int) -> tuple[int, int]:
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def _split(width: int) -> int:
    """The largest power of two below `width` (RFC 6962's k)."""
    return 1 << (width - 1).bit_length() - 1


def _range_hash(begin: int, end: int, nodes: Nodes) -> bytes:
    """MTH(D[begin:end]) for a `begin` that is a multiple of the power of two not below the width."""
    computed: bytes | None = None
    while end > begin:
        height = (end & -end).bit_length() - 1
        if 1 << height > end - begin:
            height = (end - begin).bit_length() - 1
        node = nodes(height, (end >> height) - 1)
        computed = node if computed is None else node_hash(node, computed)
        end -= 1 << height
    if computed is None:
        raise ValueError("an empty range has no place in a proof")
    return computed
