"""The double-random sample (双随机): which records are looked at, and by whom, follows from a seed. Pure.

1. seed = SHA-256(text of each checkpoint, in order of origin ‖ nonce in UTF-8). The text is the checkpoint's three
   lines (origin, size, root), which its log signed; signature lines are not in it, because whoever draws could leave
   some out and choose among seeds. Nobody chooses both halves: the operator does not know the nonce, nor the auditor
   the root, if the auditor publishes SHA-256(nonce) first and takes the first checkpoint that is cosigned after that.
2. Every access record of those logs below the checkpoint's size that the filters admit is in the population. Its rank
   is SHA-256(seed ‖ 0x00 ‖ origin ‖ 0x0A ‖ position in 8 bytes, big-endian). The lowest ranks of a stratum are picked.
3. Strata are the values of one facet, or one stratum. Of K picks each stratum gets one, if K allows. What is left is
   shared in proportion to what the strata have left, rounded down; the rest goes to the largest remainders (then to the
   larger stratum, then by name).
4. Reviewers, in order of SHA-256(seed ‖ 0x01 ‖ name), are dealt the picks, in order of SHA-256(seed ‖ 0x02 ‖ origin ‖
   0x0A ‖ position), one after the other: nobody gets more than one more than another.
5. The outcome is one JSON document that names all of this; whoever has the logs draws it again.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

Place = tuple[str, int]  # origin and position


class Candidate(NamedTuple):
    """A record of the population."""

    origin: str
    position: int
    stratum: str


class Pick(NamedTuple):
    """A record to be looked at."""

    origin: str
    position: int
    stratum: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample. `strata`: name → (population, picked)."""

    seed: bytes
    picks: Sequence[Pick]
    strata: Mapping[str, tuple[int, int]]


def seed_of(texts: Mapping[str, bytes], nonce: str) -> bytes:
    """Rule 1; `texts`: origin → text of the checkpoint."""
    return sha256(b"".join(text for _, text in sorted(texts.items())) + nonce.encode()).digest()


def draw(seed: bytes, population: Iterable[Candidate], size: int, reviewers: Sequence[str]) -> Drawn:
    """Rules 2 to 4. `size` ≥ 1; `reviewers` differ and are at least one."""
    counts: Counter[str] = Counter()
    lowest: dict[str, list[tuple[int, int, str]]] = {}
    for origin, position, stratum in population:
        counts[stratum] += 1
        keep = lowest.setdefault(stratum, [])
        entry = (-_rank(seed + b"\x00", origin, position), position, origin)
        if len(keep) < size:
            heapq.heappush(keep, entry)
        elif entry > keep[0]:
            heapq.heapreplace(keep, entry)
    shares = allocate(counts, size)
    picked = [
        Candidate(origin, position, stratum)
        for stratum in sorted(shares)
        for _, position, origin in sorted(lowest[stratum], reverse=True)[: shares[stratum]]
    ]
    strata = {stratum: (counts[stratum], shares[stratum]) for stratum in sorted(counts)}
    return Drawn(seed, _assign(seed, picked, reviewers), strata)


def allocate(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many picks each stratum gets (rule 3): never more than it has; all of them together min(size, N)."""
    total = sum(counts.values())
    size = min(size, total)
    if size == total:
        return dict(counts)
    first = 1 if size >= len(counts) else 0
    rest = size - first * len(counts)
    free = {name: count - first for name, count in counts.items()}
    whole = total - first * len(counts)
    shares = {name: first + rest * count // whole for name, count in free.items()}
    order = sorted(counts, key=lambda name: (-(rest * free[name] % whole), -counts[name], name))
    for name in order[: size - sum(shares.values())]:
        shares[name] += 1
    return shares


def _rank(begin: bytes, origin: str, position: int) -> int:
    return int.from_bytes(sha256(begin + origin.encode() + b"\n" + position.to_bytes(8, "big")).digest(), "big")


def _assign(seed: bytes, picked: Sequence[Candidate], reviewers: Sequence[str]) -> list[Pick]:
    order = sorted(reviewers, key=lambda name: sha256(seed + b"\x01" + name.encode()).digest())
    dealt = sorted(picked, key=lambda one: _rank(seed + b"\x02", one.origin, one.position))
    picks = [Pick(*one, order[number % len(order)]) for number, one in enumerate(dealt)]
    return sorted(picks)
