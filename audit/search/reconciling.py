"""What came of comparing accesses with cases (`reconcile`), as the index tells it."""

from collections.abc import Sequence

from audit.search.output import hit_json
from audit.search.query import Hit, Index
from audit.search.reconcile import KINDS, Finding, Reconciled
from contracts.encoding import Json


def hits_of(index: Index, found: Reconciled) -> list[Hit | None]:
    """The access of each finding; None for a case without one."""
    entries = [finding.entry for finding in found.findings]
    known = iter(index.hits([entry for entry in entries if entry is not None]))
    return [None if entry is None else next(known) for entry in entries]


def reconciled_json(found: Reconciled, hits: Sequence[Hit | None]) -> dict[str, Json]:
    """The outcome for a program."""
    return {
        "compared": found.compared,
        "not_compared": found.not_compared,
        "counts": dict(found.counts()),
        "findings": [_finding(*pair) for pair in zip(found.findings, hits, strict=True)],
    }


def _finding(finding: Finding, hit: Hit | None) -> Json:
    access = None if hit is None else hit_json(hit)
    return {"kind": finding.kind, "what": KINDS[finding.kind].as_json(), "case": finding.case, "access": access}
