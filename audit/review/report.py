"""Is a sample reviewed? Counts, and one row for each record. Pure.

1. A record is decided when it has a verdict that counts. It is awaited while that verdict asks for an explanation and
   none came; overdue when the deadline has passed as well.
2. The review is complete when there are records, every one is decided and none is awaited. That a review is complete
   says nothing about what was found: verdicts and explanations are a person's to read.
3. An explanation that came after the verdict is named (`judge_again`): the reviewer should read it, and a further
   verdict may say what came of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit.review.events import VERDICTS, Place, Recorded, SampleDrawn, Verdict
from audit.review.ledger import Due, Ledger, Standing
from audit.review.samples import Sample
from audit.search import cells
from audit.search.output import csv_text, time_text
from audit.search.sample import Pick
from contracts.encoding import Json
from contracts.text import Text


class Row(NamedTuple):
    """A record of the sample. `verdict`: the one that counts; `before`: how many it superseded."""

    place: Place
    pick: Pick
    verdict: Verdict | None
    time: int | None
    before: int
    standing: Standing
    due: Due | None
    explanations: int
    judge_again: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of some rows (rule 1). `verdicts`: every one of VERDICTS."""

    drawn: int
    decided: int
    verdicts: Mapping[str, int]
    awaited: int
    overdue: int
    judge_again: int

    @property
    def undecided(self) -> int:
        return self.drawn - self.decided

    def as_json(self) -> dict[str, Json]:
        """All of it."""
        return {
            "drawn": self.drawn,
            "decided": self.decided,
            "undecided": self.undecided,
            "verdicts": dict(self.verdicts),
            "awaited": self.awaited,
            "overdue": self.overdue,
            "judge_again": self.judge_again,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """`day`: the date in Beijing that deadlines are compared with. `drawn_again`: when the review began, the sample was
    drawn again from an index. `irregular`: position in the own log, and why."""

    sample: Sample
    day: str
    drawn_again: bool
    rows: Sequence[Row]
    total: Tally
    by_reviewer: Mapping[str, Tally]
    by_stratum: Mapping[str, Tally]
    irregular: Sequence[tuple[int, Text]]

    @property
    def complete(self) -> bool:
        """Rule 2."""
        return bool(self.total.drawn) and not self.total.undecided and not self.total.awaited


def report(ledger: Ledger, sample: Sample, day: str) -> Report:
    """Where the review of a sample stands; the ledger knows the sample."""
    rows = [_row(ledger, place, pick, day) for place, pick in sample.picks.items()]
    by_reviewer = _by(rows, lambda row: row.pick.reviewer, sample.reviewers)
    by_stratum = _by(rows, lambda row: row.pick.stratum, sample.strata)
    began = ledger.started.get(sample.digest)
    drawn_again = began is not None and isinstance(began.event, SampleDrawn) and began.event.drawn_again
    return Report(sample, day, drawn_again, rows, _tally(rows), by_reviewer, by_stratum, tuple(ledger.irregular))


def as_json(found: Report, head: tuple[str, int, bytes]) -> dict[str, Json]:
    """For a program. `head`: origin, size and root of the own log."""
    origin, size, root = head
    return {
        "kind": "review",
        "sample": found.sample.digest,
        "seed": found.sample.seed,
        "population": found.sample.population,
        "drawn_again": found.drawn_again,
        "witnessed": found.sample.document["witnessed"],
        "cosigned": found.sample.document["cosigned"],
        "left_out": found.sample.document["left_out"],
        "day": found.day,
        "complete": found.complete,
        "total": found.total.as_json(),
        "by_reviewer": {name: tally.as_json() for name, tally in found.by_reviewer.items()},
        "by_stratum": {name: tally.as_json() for name, tally in found.by_stratum.items()},
        "records": [_row_json(row) for row in found.rows],
        "irregular": [{"position": number, "what": what.as_json()} for number, what in found.irregular],
        "own_log": {"origin": origin, "size": size, "root": root.hex()},
    }


COLUMNS = (
    "log", "position", "stratum", "assigned", "verdict", "reviewer", "instead_of", "time", "superseded", "standing",
    "organisation", "unit", "deadline", "extensions", "explanations", "judge_again",
)  # fmt: skip


def as_csv(found: Report) -> str:
    """One line for each record."""
    told = ({**_row_json(row), "deadline": cells.day(row.due and row.due.deadline)} for row in found.rows)
    return csv_text(COLUMNS, ([row[name] for name in COLUMNS] for row in told))


def _row(ledger: Ledger, place: Place, pick: Pick, day: str) -> Row:
    given: Sequence[Recorded] = ledger.verdicts.get(place, ())
    return Row(
        place,
        pick,
        ledger.verdict(place),
        given[-1].time if given else None,
        max(0, len(given) - 1),
        ledger.standing(place, day),
        ledger.requests.get(place),
        len(ledger.explanations.get(place, ())),
        ledger.to_judge_again(place),
    )


def _row_json(row: Row) -> dict[str, Json]:
    verdict, due = row.verdict, row.due
    return {
        "log": row.place.log,
        "position": row.place.position,
        "stratum": row.pick.stratum,
        "assigned": row.pick.reviewer,
        "verdict": verdict and verdict.verdict,
        "reviewer": verdict and verdict.reviewer,
        "instead_of": verdict and verdict.instead_of,
        "time": None if row.time is None else time_text(row.time),
        "superseded": row.before,
        "standing": row.standing.value,
        "organisation": due and due.whom.organisation,
        "unit": due and due.whom.unit,
        "deadline": due and due.deadline,
        "extensions": 0 if due is None else due.extensions,
        "explanations": row.explanations,
        "judge_again": row.judge_again,
    }


def _by(rows: Sequence[Row], name: Callable[[Row], str], names: Iterable[str]) -> Mapping[str, Tally]:
    groups: dict[str, list[Row]] = {known: [] for known in names}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return {known: _tally(group) for known, group in groups.items()}


def _tally(rows: Sequence[Row]) -> Tally:
    said = Counter(row.verdict.verdict for row in rows if row.verdict is not None)
    overdue = sum(row.standing is Standing.OVERDUE for row in rows)
    awaited = overdue + sum(row.standing is Standing.ASKED for row in rows)
    again = sum(row.judge_again for row in rows)
    return Tally(len(rows), said.total(), {name: said[name] for name in VERDICTS}, awaited, overdue, again)
