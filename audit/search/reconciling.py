"""What came of comparing accesses with cases (`reconcile`), as the index tells it."""

from collections.abc import Mapping, Sequence
from itertools import chain

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.review.findings import case_finding_id, finding_id
from audit.search.output import hit_json
from audit.search.own_log import listed
from audit.search.query import Hit, Index
from audit.search.reconcile import KINDS, Case, Finding, Reconciled
from contracts.encoding import Json


def facts_of_cases(cases: Mapping[bytes, Case]) -> dict[str, Json]:
    """What is recorded of a case list."""
    return listed({"cases": cases, "holders": chain.from_iterable(case.holders for case in cases.values())})


def hits_of(index: Index, found: Reconciled) -> list[Hit | None]:
    """The access of each finding; None for a case without one."""
    entries = [finding.entry for finding in found.findings]
    known = iter(index.hits([entry for entry in entries if entry is not None]))
    return [None if entry is None else next(known) for entry in entries]


def ids_of(found: Reconciled, hits: Sequence[Hit | None], auditor: X25519PrivateKey | None = None) -> list[str | None]:
    """The id of each finding; a case without an access has one for the auditor only, else None."""
    return [_id_of(finding, hit, auditor) for finding, hit in zip(found.findings, hits, strict=True)]


def reconciled_json(
    found: Reconciled, hits: Sequence[Hit | None], auditor: X25519PrivateKey | None = None
) -> dict[str, Json]:
    """The outcome for a program; `auditor` as for `ids_of`."""
    ids = ids_of(found, hits, auditor)
    return {
        "compared": found.compared,
        "not_compared": found.not_compared,
        "counts": dict(found.counts()),
        "findings": [_finding(*one) for one in zip(ids, found.findings, hits, strict=True)],
    }


def _id_of(finding: Finding, hit: Hit | None, auditor: X25519PrivateKey | None) -> str | None:
    if hit is not None:
        return finding_id(finding.kind, "", hit.log, hit.position)
    return None if auditor is None else case_finding_id(auditor, finding.kind, finding.case or "")


def _finding(identity: str | None, finding: Finding, hit: Hit | None) -> dict[str, Json]:
    access = None if hit is None else hit_json(hit)
    return {
        "id": identity,
        "kind": finding.kind,
        "what": KINDS[finding.kind].as_json(),
        "case": finding.case,
        "access": access,
    }
