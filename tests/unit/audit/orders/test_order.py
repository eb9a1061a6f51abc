"""Orders: one form, two signatures."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner
from audit.notes import NoteSigner
from audit.orders.order import ACTIONS, REASONS, Order, check, countersign, parse, sign, signed_by
from audit.ranges import Ranges
from contracts.errors import Fault

LOG = NoteSigner.of("gov.example/log", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
AUDITOR = NoteSigner.of("audit.example/orders", Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
OTHER = NoteSigner.of("audit.example/orders", Ed25519PrivateKey.from_private_bytes(b"\3" * 32))
ORDER = Order("gov.example/log", "erase", 3, 1_763_787_600, Ranges.of([(5, 5), (7, 9)]), "unlawful", "第四十七条")
TEXT = """oncegate openings order v1
log gov.example/log
action erase
number 3
time 2025-11-22T05:00:00Z
positions 5,7-9
reason unlawful
basis 第四十七条
""".encode()


def test_the_form() -> None:
    assert ORDER.text() == TEXT
    assert parse(TEXT) == ORDER
    assert len(ORDER.digest) == 64


@given(
    st.sampled_from([(action, code) for code, one in REASONS.items() for action in one.actions]),
    st.integers(1, 10**9),
    st.integers(0, (1 << 35) - 1),
    st.sets(st.integers(0, 10**6), min_size=1, max_size=50),
)
def test_every_order_reads_back(ground: tuple[str, str], number: int, time: int, positions: set[int]) -> None:
    made = Order("gov.example/log", ground[0], number, time, Ranges.single(positions), ground[1], "Article 47")
    assert parse(made.text()) == made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"v1", b"v2"),
        (b"log gov.example/log", b"log gov example"),
        (b"erase", b"burn"),
        (b"unlawful", b"because"),
        (b"unlawful", b"ground_ended"),
        (b"number 3", b"number 03"),
        (b"number 3", b"number 0"),
        (b"05:00:00Z", b"05:00:00+00:00"),
        (b"05:00:00Z", b"25:00:00Z"),
        (b"5,7-9", b"7-9,5"),
        (b"5,7-9", b""),
        (b"5,7-9", b"5,6"),
        (b"basis ", b"basis  "),
        (b"basis ", b"reason "),
        ("第四十七条".encode(), b""),
        (b"number 3\n", b""),
        (b"basis ", b"more 1\nbasis "),
    ],
)
def test_any_other_form_is_none(before: bytes, after: bytes) -> None:
    with pytest.raises(Fault, match="order_malformed"):
        parse(TEXT.replace(before, after))


@pytest.mark.parametrize("basis", ["11010119900307001X", "case 2026 0001234", "138-0013-8000", "x" * 201, " x", "a\tb"])
def test_a_basis_names_a_law_and_nobody(basis: str) -> None:
    with pytest.raises(Fault, match="order_malformed"):
        replace(ORDER, basis=basis).text()


def test_both_signatures_in_any_order() -> None:
    note = countersign(sign(ORDER, AUDITOR), LOG)
    assert check(note, AUDITOR.public, LOG.public) == ORDER
    turned = countersign(LOG.sign(ORDER.text()), AUDITOR)
    assert check(turned, AUDITOR.public, LOG.public) == ORDER
    assert signed_by(note, (LOG.public,)) == (ORDER, frozenset({LOG.public}))


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (sign(ORDER, AUDITOR), "order_not_signed_twice"),
        (LOG.sign(ORDER.text()), "order_not_signed_twice"),
        (countersign(sign(ORDER, OTHER), LOG), "order_not_signed_twice"),
        (sign(ORDER, OTHER), "note_signature_invalid"),
        (countersign(sign(ORDER, AUDITOR), LOG).replace(b"number 3", b"number 4"), "note_signature_invalid"),
        (countersign(sign(replace(ORDER, origin="gov.example/b"), AUDITOR), LOG), "order_of_another_log"),
        (b"no note", "note_malformed"),
    ],
)
def test_one_is_not_enough(note: bytes, code: str) -> None:
    with pytest.raises(Fault, match=code):
        check(note, AUDITOR.public, LOG.public)


def test_one_key_is_not_two_parties() -> None:
    same = NoteSigner.of("audit.example/orders", LOG.key)
    with pytest.raises(Fault, match="order_keys_same"):
        check(countersign(sign(ORDER, same), LOG), same.public, LOG.public)


def test_a_cosignature_is_no_order() -> None:
    """A witness of the auditor's signs what logs say; that never becomes an order."""
    cosigner = Cosigner.of("audit.example/orders", AUDITOR.key)
    note = LOG.sign(ORDER.text()) + cosigner.line(ORDER.text(), 1_763_787_600)
    with pytest.raises(Fault, match="order_not_signed_twice"):
        check(note, AUDITOR.public, LOG.public)
    with pytest.raises(Fault, match="order_not_signed_twice"):
        check(note, cosigner.public, LOG.public)


def test_an_order_is_no_checkpoint_and_a_checkpoint_no_order() -> None:
    with pytest.raises(Fault, match="checkpoint"):
        checkpoints.open_note(LOG.sign(ORDER.text()), LOG.public)
    with pytest.raises(Fault, match="order_malformed"):
        parse(Checkpoint("gov.example/log", 3, bytes(32)).text())
    with pytest.raises(Fault, match="vkey_invalid"):
        NoteSigner.of("oncegate openings order v1", LOG.key)


def test_the_largest_order_is_a_note() -> None:
    many = replace(ORDER, positions=Ranges.single(range(0, 10_000, 2)))
    note = countersign(sign(many, AUDITOR), LOG)
    assert len(note) < notes.MAX_NOTE
    assert check(note, AUDITOR.public, LOG.public) == many


def test_every_action_has_a_reason() -> None:
    assert {action for one in REASONS.values() for action in one.actions} == set(ACTIONS)
