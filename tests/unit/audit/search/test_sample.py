"""The double-random sample: against a plain reading of its rules, and a vector for other programs."""

from collections import Counter
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from audit.search.sample import Candidate, allocate, draw, seed_of

TEXTS = {"b.example/log": b"b.example/log\n300\nBBBB\n", "a.example/log": b"a.example/log\n1000\nAAAA\n"}
PEOPLE = ("Wang", "Li", "Zhang")


def _rank(seed: bytes, tag: int, origin: str, position: int) -> bytes:
    return sha256(seed + bytes([tag]) + origin.encode() + b"\n" + position.to_bytes(8, "big")).digest()


def test_the_seed_is_texts_by_origin_and_then_the_nonce() -> None:
    plain = TEXTS["a.example/log"] + TEXTS["b.example/log"] + "随机".encode()
    assert seed_of(TEXTS, "随机") == sha256(plain).digest()


def test_vector() -> None:
    """docs/auditor-guide.md prints this one."""
    seed = seed_of({"a.example/log": TEXTS["a.example/log"]}, "nonce")
    population = [Candidate("a.example/log", n, "odd" if n % 2 else "even") for n in range(1000)]
    drawn = draw(seed, population, 5, PEOPLE)
    assert seed.hex() == "b8c54686add076e572e264c8ad2b48e1d58d0cc270720db39e61c690887f5a09"
    assert [(pick.position, pick.stratum, pick.reviewer) for pick in drawn.picks] == [
        (59, "odd", "Zhang"),
        (63, "odd", "Wang"),
        (212, "even", "Zhang"),
        (618, "even", "Wang"),
        (804, "even", "Li"),
    ]


@given(
    st.binary(min_size=32, max_size=32),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    st.integers(1, 70),
    st.sampled_from([("Wang",), PEOPLE]),
)
def test_a_plain_reading_of_the_rules(seed: bytes, strata: list[str], size: int, reviewers: tuple[str, ...]) -> None:
    population = [Candidate(f"log-{n % 2}", n, stratum) for n, stratum in enumerate(strata)]
    drawn = draw(seed, population, size, reviewers)
    shares = allocate(Counter(strata), size)
    wanted = set()
    for stratum, share in shares.items():
        of_it = [one for one in population if one.stratum == stratum]
        wanted |= set(sorted(of_it, key=lambda one: _rank(seed, 0, one.origin, one.position))[:share])
    assert {pick[:3] for pick in drawn.picks} == wanted
    order = sorted(reviewers, key=lambda name: sha256(seed + b"\1" + name.encode()).digest())
    dealt = sorted(drawn.picks, key=lambda pick: _rank(seed, 2, pick.origin, pick.position))
    assert [pick.reviewer for pick in dealt] == [order[n % len(order)] for n in range(len(dealt))]
    assert drawn.strata == {name: (strata.count(name), shares[name]) for name in sorted(shares)}
    assert draw(seed, reversed(population), size, reviewers) == drawn


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1), st.integers(1, 300))
def test_shares_are_fair_and_complete(counts: dict[str, int], size: int) -> None:
    shares = allocate(counts, size)
    assert sum(shares.values()) == min(size, sum(counts.values()))
    assert all(0 <= shares[name] <= count for name, count in counts.items())
    assert size < len(counts) or all(shares.values())
    for one, count in counts.items():
        assert all(shares[one] >= shares[other] for other, fewer in counts.items() if fewer < count)
