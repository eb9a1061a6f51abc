"""Names for people: every member of a record and an opening has one; strangers keep theirs."""

from audit.labels import heading, name_of, value_of
from audit.record import AccessFacts
from audit.search.rows import FACETS
from contracts.text import Text


def test_what_can_be_counted_has_a_name() -> None:
    for member in (*FACETS, "evidence_type", "day", "hour"):
        assert heading(member).zh.endswith(f" {member}")
        assert heading(member).en == name_of(member).en == member


def test_what_an_opening_holds_has_a_name() -> None:
    members = AccessFacts.__dataclass_fields__.keys()
    for member in ("holder", "clerk", "terminal", "case", "records"):
        assert member in members
        assert not name_of(member).zh.isascii()
    assert not name_of("facts").zh.isascii()


def test_values() -> None:
    assert value_of("decision", "refused") == Text("拒绝 refused", "refused")
    assert value_of("decision", "postponed") == Text("postponed", "postponed")
    assert value_of("unit", "refused") == Text("refused", "refused")
    assert value_of("unit", None) == Text("-", "-")
    assert name_of("another") == heading("another") == Text("another", "another")
