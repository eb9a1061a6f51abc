"""The questions themselves: what each call prepares, and asks of the index.

Each function takes what came with a request and gives a `Prepared` one (`asking`). `KINDS` is the table of all calls
that are questions: path, name in the log of questions, schema, upload, and which lane.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.api import schemas
from audit.api.asking import Answered, Given, Prepared, as_faults, digest_of, need, understand, understood, words_of
from audit.api.callers import OPEN, SEARCH
from audit.api.lanes import Work
from audit.api.proving import opened, proof_text
from audit.api.restrictions import Restrictions
from audit.notes import NoteKey
from audit.search.analysing import analysed, facts_of_analysis, finding_json, own_pairs, silent, text_of
from audit.search.database import known_checks
from audit.search.drawing import Order, differences, document, facts_of, order_of
from audit.search.filters import Cursor, Filters, parse_cursor
from audit.search.holders import fields_named
from audit.search.output import hit_json, stats_json
from audit.search.reconcile import Case, cases_of, read_rows, reconcile
from audit.search.reconciling import facts_of_cases, hits_of, reconciled_json
from audit.search.tokens import TokenKeys
from audit.search.witnessed import not_cosigned, witness_of
from contracts.encoding import Json, canonical
from contracts.errors import Fault

MAX_FINDINGS: Final = 20_000
MAX_LINES: Final = 500_000

_CASES, _ROSTER = "cases.csv", "roster.csv"


@dataclass(frozen=True, slots=True)
class Desk:
    """The keys that questions need. `auditor` None: openings stay sealed."""

    tokens: TokenKeys | None
    auditor: X25519PrivateKey | None
    restrictions: Restrictions = field(default_factory=Restrictions)


Prepare = Callable[[Given, Work, Desk], Prepared]


@dataclass(frozen=True, slots=True)
class Kind:
    """A call. `file`: the name of its upload; `needs_file`: not without it. `most`: bytes of a body. `waits`: it may be
    about holders, and take two."""

    path: str
    command: str
    schema: Mapping[str, Any]
    prepare: Prepare
    long: bool = False
    role: str = SEARCH
    file: str | None = None
    needs_file: bool = False
    most: int = schemas.MAX_BODY
    waits: bool = False


def search(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/searches`."""
    body = given.body
    found = understand(body["filters"], work, desk.tokens)
    after = parse_cursor(body["after"]) if "after" in body else None
    if "after" in body and after is None:
        raise Fault("question_invalid", "/after")
    page = _Page(found.filters, body.get("limit", 50), body.get("proof", False), after)
    return found.prepared(page.ask)


@dataclass(frozen=True, slots=True)
class _Page:
    filters: Filters
    limit: int
    proof: bool
    first: Cursor | None

    def ask(self, work: Work, after: Cursor | None) -> Answered:
        hits = work.index.page(self.filters, self.limit + 1, after or self.first)
        shown, more = hits[: self.limit], len(hits) > self.limit
        found = [hit_json(hit, proof_text(work, hit) if self.proof else None) for hit in shown]
        return Answered({"hits": found, "next": shown[-1].cursor.text() if more else None}, len(shown))


def stats(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/stats`."""
    found = understand(given.body["filters"], work, desk.tokens)

    def ask(work: Work, _: Cursor | None) -> Answered:
        counted = work.index.stats(found.filters)
        return Answered(stats_json(counted, given.body.get("by", "day")), counted.total)

    return found.prepared(ask)


def opening(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/openings`: who and why, of one entry."""
    origin, position = given.body["log"], given.body["position"]
    with as_faults():
        work.index.log(origin)
    if desk.auditor is None:
        raise Fault("keys_missing", detail="auditor")
    private = desk.auditor

    def ask(work: Work, _: Cursor | None) -> Answered:
        line = opened(work, origin, position, private, desk.restrictions)
        opening = None if line.opening is None else dict(line.opening)
        record = None if line.record is None else dict(line.record)
        members = {"log": origin, "position": position, "record": record, "opening": opening}
        return Answered({**members, "erased": line.erased, "restricted": line.restricted}, 1)

    return Prepared({"log": origin, "position": position}, ask)


def analysis(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/analyses`; a roster names holders, so it takes two auditors."""
    found = understand(given.body["filters"], work, desk.tokens)
    # Nearly every rule is about clerks: without tokens "nothing found" would lie.
    keys = need(work, desk.tokens, ("clerk", "holder") if given.file is not None else ("clerk",))
    _short(given.file or b"")
    own: frozenset[tuple[bytes, bytes]] = frozenset()
    if given.file is not None and keys is not None:
        with as_faults():
            own = frozenset(own_pairs(text_of(given.file, _ROSTER), _ROSTER, keys))
    limits = given.body.get("limits", {})
    facts = facts_of_analysis(limits, None if given.file is None else own)
    ask = partial(_analyse, filters=found.filters, limits=limits, own=own)
    return _with_file(found.prepared(ask, facts), given.file)


def _analyse(
    work: Work, _: Cursor | None, filters: Filters, limits: Mapping[str, int], own: frozenset[tuple[bytes, bytes]]
) -> Answered:
    findings = analysed(work.index, work.rows(work.index.entries(filters)), limits, own)
    _bounded(findings)
    told = [finding_json(finding, work.index.positions(finding.places)) for finding in findings]
    not_applied = silent("holder" in known_checks(work.index.db), bool(own))
    return Answered({"findings": told, "not_applied": not_applied}, len(told))


def reconciliation(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/reconciliations`; where the list names holders, it takes two auditors."""
    found = understand(given.body["filters"], work, desk.tokens)
    file = given.file or b""
    _short(file)
    with as_faults():
        rows = read_rows(text_of(file, _CASES), _CASES)
        holders = any(row.holder_id for row in rows)
        keys = need(work, desk.tokens, ("case", "holder") if holders else ("case",))
        cases = {} if keys is None else cases_of(rows, keys, _CASES)
    ask = partial(_reconcile, filters=found.filters, cases=cases, auditor=desk.auditor)
    prepared = found.prepared(ask, facts_of_cases(cases), fields_named(row.holder_scheme for row in rows))
    named = _with_file(prepared, file)
    return named if holders or prepared.subject is not None else replace(named, subject=None)


def _reconcile(
    work: Work, _: Cursor | None, filters: Filters, cases: Mapping[bytes, Case], auditor: X25519PrivateKey | None
) -> Answered:
    found = reconcile(cases, work.rows(work.index.entries(filters)))
    _bounded(found.findings)
    return Answered(reconciled_json(found, hits_of(work.index, found), auditor), len(found.findings))


def _bounded(findings: Sequence[object]) -> None:
    """What nobody reads is not sent."""
    if len(findings) > MAX_FINDINGS:
        raise Fault("question_too_large", detail=f"more than {MAX_FINDINGS} findings")


def _short(file: bytes) -> None:
    """A list of very many very short lines is a hundred times its size in memory."""
    if max(file.count(b"\n"), file.count(b"\r")) > MAX_LINES:
        raise Fault("question_too_large", detail=f"more than {MAX_LINES} lines")


def _with_file(prepared: Prepared, file: bytes | None) -> Prepared:
    """The upload is recorded by its digest, and the second auditor must have it, too. Sealed: a list of one person is
    guessed from a bare digest."""
    if file is None:
        return prepared
    digest = digest_of(file)
    sealed = prepared.sealed | {"file": "sha-256:" + digest.hex()}
    about = prepared.shown["about"] | {"file_bytes": len(file), "file_lines": file.count(b"\n")}
    # Of a holder in the filters beside a file both are to be named: the token is over both.
    subject = digest if prepared.subject is None else digest + prepared.subject
    return replace(prepared, sealed=sealed, subject=subject, shown=prepared.shown | {"about": about})


def sample(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/samples`."""
    del desk
    body = given.body
    notes, words = [note.encode() for note in body["checkpoints"]], words_of(body.get("filters", {}))
    with as_faults():
        witnesses = [witness_of(vkey) for vkey in body.get("witnesses", ())]
        order = Order(notes, body["nonce"], body["size"], body.get("by", ""), body["reviewers"], words, witnesses)
    found = understood(words, work, None)
    return found.prepared(partial(_draw, order=order, filters=found.filters))


def _draw(work: Work, _: Cursor | None, order: Order, filters: Filters) -> Answered:
    with as_faults():
        drawn = document(work.index, order, filters)
    return Answered({"sample": drawn}, len(drawn["picks"]), facts_of(drawn))


def sample_check(given: Given, work: Work, desk: Desk) -> Prepared:
    """`POST /v1/samples/verify`: draw again and compare."""
    del desk
    with as_faults():
        order, document_ = order_of(canonical(given.body["sample"]), "sample")
        known = [witness_of(vkey) for vkey in given.body.get("witnesses", ())]
    found = understood(order.words, work, None)
    again = partial(_draw_again, order=order, filters=found.filters, given=document_, known=known)
    return Prepared(found.facts, again)


def _draw_again(
    work: Work,
    _: Cursor | None,
    order: Order,
    filters: Filters,
    given: Mapping[str, Json],
    known: Sequence[NoteKey],
) -> Answered:
    with as_faults():
        ours = document(work.index, order, filters)
    wrong = differences(given, ours)
    lacking: list[Json] = [*(not_cosigned(order.notes, known) if known else ())]
    members = {"right": not wrong and not lacking, "different": wrong, "not_cosigned": lacking}
    members |= {name: ours[name] for name in ("witnessed", "left_out")}
    return Answered(members, len(ours["picks"]), facts_of(ours))


KINDS: Sequence[Kind] = (
    Kind("/v1/searches", "search", schemas.SEARCH, search, waits=True),
    Kind("/v1/stats", "stats", schemas.STATS, stats, long=True, waits=True),
    Kind("/v1/openings", "opening", schemas.OPENING, opening, long=True, role=OPEN),
    Kind(
        "/v1/analyses", "analyse", schemas.ANALYSIS, analysis,
        long=True, file="roster", most=schemas.MAX_UPLOAD, waits=True,
    ),
    Kind(
        "/v1/reconciliations", "reconcile", schemas.RECONCILIATION, reconciliation,
        long=True, file="cases", needs_file=True, most=schemas.MAX_UPLOAD, waits=True,
    ),
    Kind("/v1/samples", "sample", schemas.SAMPLE, sample, long=True, most=8 * schemas.MAX_BODY),
    Kind("/v1/samples/verify", "sample verify", schemas.SAMPLE_CHECK, sample_check, long=True, most=schemas.MAX_UPLOAD),
)  # fmt: skip
