"""What a run publishes: the documents of the source against what was published before. Pure.

1. A record whose key is in the source more than once is refused, every row of it: nobody knows which one is right.
2. A document that was not published, or was withdrawn, is an addition; one whose digest differs is a modification.
3. A refused row keeps its record as it was published.
4. What is live and no longer in a source that is declared complete is withdrawn; unless a row's key could not be
   read: it may be any record's, so this run withdraws nothing. A key in doubt counts as read only if it names a live
   record.
5. The brake stops a plan that (a) empties a complete source, or, from `limits.minimum` live records on,
   (b) withdraws more than `limits.withdrawn` of them or (c) modifies more than `limits.modified`. Additions never
   count. With nothing live, as in a first run, only (a) applies: an empty first statement would withdraw everything
   that an earlier outbox published.
6. Where a new epoch is to be restated, every erasure and everything good is published again. What is not good and
   here is withdrawn, whatever became of its row and whether or not the source is complete: nobody has its content any
   more. The brake weighs that as any other withdrawal.
7. An approval names the digest of exactly one plan; another plan brakes again.

Digests of documents are keyed (`contents.digest`): neither they nor a plan's digest tell anything about a person.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from adapters.mapping import Document
from adapters.rows import RowFault
from contracts.algorithms import sha256
from contracts.text import Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document with the keyed digest of its content."""

    document: Document
    digest: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """The brake. Shares of the live records from 0 to 1; percentages apply from `minimum` live records on."""

    withdrawn: Fraction = Fraction(2, 100)
    modified: Fraction = Fraction(30, 100)
    minimum: int = 20


@dataclass(frozen=True, slots=True)
class Previous:
    """What was published: live records with their digests. `first`: no statement was made in this epoch yet.

    `restates`: they are of the former epoch (rule 6). `erased`: what is said again in the new one.
    """

    live: Mapping[str, bytes]
    first: bool
    restates: bool = False
    erased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to publish. `faults` includes those found here; `kept` live records stay although their row was refused.

    `unreadable`: rows whose key could not be read; then `withheld` records that are gone stay as they are (rule 4).
    `restated`: puts of a new epoch that say the same as before; `erased` comes first in one.
    """

    puts: tuple[Candidate, ...]
    withdrawals: tuple[str, ...]
    faults: tuple[RowFault, ...]
    added: int
    modified: int
    unchanged: int
    kept: int
    withheld: int = 0
    unreadable: int = 0
    restated: int = 0
    erased: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many messages it publishes."""
        return len(self.erased) + len(self.puts) + len(self.withdrawals)

    @property
    def digest(self) -> str:
        """The name of exactly this plan, for approvals."""
        lines = [f"put {put.document.record} {put.digest.hex()}\n" for put in self.puts]
        lines += [f"withdraw {record}\n" for record in self.withdrawals]
        return sha256("".join(sorted(lines)).encode()).hex()


@dataclass(frozen=True, slots=True)
class Brake:
    """A plan that needs approval, and why."""

    plan: Plan
    why: tuple[Text, ...]


_EMPTY = Text("源中没有可用记录，而已发布 {live} 条", "the source has no usable record, but {live} are published")
_WITHDRAWN = Text(
    "将撤回 {count}/{live} 条，超过 {limit}%", "{count} of {live} records would be withdrawn, more than {limit} %"
)
_MODIFIED = Text(
    "将修改 {count}/{live} 条，超过 {limit}%", "{count} of {live} records would be modified, more than {limit} %"
)


def plan(
    previous: Previous,
    candidates: Sequence[Candidate],
    faults: Sequence[RowFault],
    limits: Limits,
    complete: bool,
    approved: str | None = None,
) -> Plan | Brake:
    """What to publish, or why a person must look first. `approved`: the digest of an approved plan."""
    good, refused = _without_duplicates(candidates, faults)
    if previous.restates:
        made, complete = replace(_restate(previous.live, good, refused), erased=previous.erased), True
    else:
        made = _compare(previous, good, refused, complete)
    why = tuple(_reasons(previous, made, bool(good), limits, complete))
    return Brake(made, why) if why and made.digest != approved else made


def _without_duplicates(
    candidates: Sequence[Candidate], faults: Sequence[RowFault]
) -> tuple[list[Candidate], list[RowFault]]:
    """Rule 1."""
    names = Counter(candidate.document.record for candidate in candidates)
    names.update({fault.record for fault in faults if fault.record is not None and fault.certain})
    good = [candidate for candidate in candidates if names[candidate.document.record] == 1]
    twice = (candidate.document for candidate in candidates if names[candidate.document.record] > 1)
    found = (RowFault(one.file, one.line, "", "row_key_duplicate", record=one.record) for one in twice)
    return good, sorted((*faults, *found), key=lambda fault: (fault.file, fault.line))


def _compare(previous: Previous, good: Sequence[Candidate], refused: Iterable[RowFault], complete: bool) -> Plan:
    """Rules 2 to 4."""
    live = previous.live
    refused = tuple(refused)
    puts = tuple(one for one in good if live.get(one.document.record) != one.digest)
    added = sum(one.document.record not in live for one in puts)
    present = {one.document.record for one in good}
    kept = {fault.record for fault in refused if fault.record in live} - present
    gone = tuple(record for record in live if record not in present and record not in kept) if complete else ()
    made = Plan(puts, gone, refused, added, len(puts) - added, len(good) - len(puts), len(kept))
    unreadable = sum(_unreadable(fault, live) for fault in refused)
    return replace(made, withdrawals=(), withheld=len(gone), unreadable=unreadable) if unreadable else made


def _restate(live: Mapping[str, bytes], good: Sequence[Candidate], refused: Sequence[RowFault]) -> Plan:
    """Rule 6."""
    present = {one.document.record for one in good}
    gone = tuple(record for record in live if record not in present)
    added = len(present - live.keys())
    same = sum(live.get(one.document.record) == one.digest for one in good)
    return Plan(tuple(good), gone, tuple(refused), added, len(good) - added - same, 0, 0, restated=same)


def _unreadable(fault: RowFault, live: Mapping[str, bytes]) -> bool:
    return fault.record is None or not (fault.certain or fault.record in live)


def _reasons(previous: Previous, made: Plan, any_good: bool, limits: Limits, complete: bool) -> Iterable[Text]:
    """Rule 5."""
    live = len(previous.live)
    if complete and not any_good and (made.withdrawals or previous.first):
        yield _EMPTY.fill(live=live)
    if live < limits.minimum:
        return
    if len(made.withdrawals) > limits.withdrawn * live:
        yield _WITHDRAWN.fill(count=len(made.withdrawals), live=live, limit=_percent(limits.withdrawn))
    if made.modified > limits.modified * live:
        yield _MODIFIED.fill(count=made.modified, live=live, limit=_percent(limits.modified))


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):g}"
