"""What an auditor does in a review, each as one function over values: for the command line and for the auditor's API.

1. Each opens the own log, which verifies it, and closes it again (`book`). What changes it is one entry, durable before
   the function returns: a program that is killed in between leaves a whole step or none, and the next one goes on.
2. An opening is shown after the entry that says so.
3. Time comes from this machine's clock; deadlines are dates in Beijing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.review import DEFAULT_DAYS, answers, deadlines
from audit.review.book import Book, Own, now_ms, opened
from audit.review.events import (
    EXPLANATION_REQUIRED,
    VERDICTS,
    Asked,
    Explained,
    Extended,
    Opened,
    Place,
    Recorded,
    SampleDrawn,
    Subject,
    Verdict,
    Whom,
    Withdrawn,
    sound_name,
    sound_text,
)
from audit.review.ledger import KNOWN, NOT_ASKED, NOT_STARTED, Due, Standing, Texts
from audit.review.letters import Question
from audit.review.records import Records
from audit.review.report import Report, report
from audit.review.samples import Sample
from audit.search.sample import Pick
from audit.show import Line
from contracts.errors import UserError
from contracts.text import Text

_NO_VERDICT = Text("不是评查结论", "Not a verdict")
_ONE_OF = Text("可选:正常、可疑、要求说明。", "One of normal, suspicious, explanation_required (正常, 可疑, 要求说明).")
_NO_WHOM = Text("不知道应由哪个单位说明", "Nobody knows which unit is to explain")
_GIVE_WHOM = Text(
    "请用 --index 给出索引,或用 --of 给出单位/处室。", "Give the index with --index, or the unit with --of."
)
_NO_PICKS = Text("抽样中没有记录", "There is no record in this sample")
_NOT_A_REVIEWER = Text("不是该抽样的评查人", "Not a reviewer of this sample")

Keys = Sequence[X25519PrivateKey]
_VERDICTS: Mapping[str, str] = {word: name for name, text in VERDICTS.items() for word in (name, text.zh)}


class Said(NamedTuple):
    """An event with the texts of its opening; None: erased, or no key that opens them."""

    recorded: Recorded
    texts: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict to be recorded: one of VERDICTS, or its Chinese word. `whom` (who is to explain, within so many
    working `days`) is needed for `explanation_required`, else unused. `instead_of`: the assigned reviewer, replaced for
    a `reason`."""

    place: Place
    verdict: str
    reviewer: str
    note: str = ""
    instead_of: str | None = None
    reason: str = ""
    whom: Whom | None = None
    days: int = DEFAULT_DAYS


class Explanation(NamedTuple):
    """What a unit says; `by`: the auditor who received it, `explained_by`: who in the unit says so."""

    subject: Subject
    whom: Whom
    text: str
    by: str
    explained_by: str = ""


class Next(NamedTuple):
    """The next record of a reviewer. `left`: undecided ones, this included; `again`: it has a verdict that asked for
    the explanation which is there now; `line`: the record itself, where the logs were given."""

    place: Place
    pick: Pick
    left: int
    again: bool
    line: Line | None
    verdicts: Sequence[Said]
    explanations: Sequence[Said]


class Late(NamedTuple):
    """A request whose deadline has passed."""

    subject: Subject
    due: Due


class Taken(NamedTuple):
    """What came of a table. `known`: explanations that were taken before; `empty`: rows without any."""

    taken: int
    known: int
    empty: int
    bad: Sequence[answers.Bad]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a finding or a record stands with explanations."""

    standing: Standing
    due: Due | None
    explanations: Sequence[Said]


# --- a sample -------------------------------------------------------------------------------------------------------


def start(own: Own, sample: Sample, drawn_again: bool) -> bool:
    """Begin a review; False when it was begun before. `drawn_again`: the caller has drawn the sample again."""
    if not sample.picks:
        raise UserError(_NO_PICKS, sample.digest)
    with opened(own, [sample]) as book:
        if sample.digest in book.ledger.started:
            return False
        book.append(SampleDrawn(sample.digest, sample.seed, len(sample.picks), drawn_again), {})
    return True


def next_record(
    own: Own, sample: Sample, reviewer: str, records: Records | None = None, keys: Keys = ()
) -> Next | None:
    """The first undecided record of a reviewer, then those with an explanation to be judged; None: nothing is left."""
    if reviewer not in sample.reviewers:
        raise UserError(_NOT_A_REVIEWER, reviewer)
    with opened(own, [sample]) as book:
        _require_started(book, sample)
        ours = [place for place, pick in sample.picks.items() if pick.reviewer == reviewer]
        open_ones = [place for place in ours if book.ledger.verdict(place) is None]
        again = [place for place in ours if book.ledger.to_judge_again(place)]
        place = next(iter((*open_ones, *again)), None)
        if place is None:
            return None
        verdicts = _said(book, book.ledger.verdicts.get(place, ()), keys)
        explanations = _said(book, book.ledger.explanations.get(place, ()), keys)
        if records is not None and records.auditors:
            book.append(Opened(place, reviewer, records.auditors), {})
    line = None if records is None else records.line(place)
    return Next(place, sample.picks[place], len(open_ones), not open_ones, line, verdicts, explanations)


def give_verdict(own: Own, sample: Sample, decision: Decision) -> Recorded:
    """Record a verdict; raises `UserError` when it is not admitted."""
    name = verdict_of(decision.verdict)
    whom = decision.whom if name == EXPLANATION_REQUIRED else None
    if name == EXPLANATION_REQUIRED and whom is None:
        raise UserError(_NO_WHOM, "", _GIVE_WHOM)
    deadline = None if whom is None else deadlines.after(deadlines.today(now_ms()), decision.days)
    event = Verdict(decision.place, sound_name(decision.reviewer), name, decision.instead_of, whom, deadline)
    with opened(own, [sample]) as book:
        return book.append(event, {"note": decision.note, "reason": decision.reason})


def verdict_of(text: str) -> str:
    """One of VERDICTS, from its name or its Chinese word; raises `UserError`."""
    name = _VERDICTS.get(text)
    if name is None:
        raise UserError(_NO_VERDICT, text, _ONE_OF)
    return name


def make_report(own: Own, sample: Sample) -> tuple[Report, tuple[str, int, bytes]]:
    """Where the review stands today, and origin, size and root of the own log that says so."""
    with opened(own, [sample]) as book:
        _require_started(book, sample)
        head = book.head
        found = report(book.ledger, sample, deadlines.today(now_ms()))
    return found, (head.origin, head.size, head.root)


def questions(
    own: Own, sample: Sample, records: Records, advanced: Callable[[int], None] = lambda _: None
) -> list[Question]:
    """What units still have to explain, each with its record. `advanced(n)`: n more records are read."""
    day = deadlines.today(now_ms())
    with opened(own, [sample]) as book:
        _require_started(book, sample)
        awaited = [(place, due) for place in sample.picks if (due := book.ledger.awaited(place)) is not None]
    found = []
    for place, due in awaited:
        found.append(Question(place, due, records.line(place).record or {}, due.deadline < day))
        advanced(1)
    return found


def take_answers(own: Own, table: answers.Table, by: str, advanced: Callable[[int], None] = lambda _: None) -> Taken:
    """Record the explanations of a table, received by an auditor. Only what was asked for is taken, and only once."""
    taken = known = 0
    bad = list(table.bad)
    with opened(own) as book:
        for row in table.answers:
            event = _explained(book, Explanation(row.subject, row.whom, row.explanation, by, row.explained_by))
            wrong = book.ledger.refusal(event, Texts(note=True))
            if wrong is None and row.subject not in book.ledger.requests:
                wrong = NOT_ASKED
            if wrong is None:
                book.append(event, {"explanation": row.explanation, "explained_by": row.explained_by})
                taken += 1
            elif wrong is KNOWN:
                known += 1
            else:
                bad.append(answers.Bad(row.line, wrong))
            advanced(1)
    return Taken(taken, known, table.empty, sorted(bad))


def overdue(own: Own) -> list[Late]:
    """Requests whose deadline has passed, of every sample and finding; the oldest first."""
    day = deadlines.today(now_ms())
    with opened(own) as book:
        late = [Late(subject, due) for subject, due in book.ledger.requests.items() if due.deadline < day]
        return sorted((one for one in late if one.due.answered is None), key=lambda one: one.due.deadline)


# --- records and findings -------------------------------------------------------------------------------------------


def ask(
    own: Own,
    subject: Subject,
    whom: Whom,
    by: str,
    days: int = DEFAULT_DAYS,
    samples: Sequence[Sample] = (),
) -> Recorded:
    """Ask a unit to explain within so many working days. A record must be one of a sample that was started."""
    deadline = deadlines.after(deadlines.today(now_ms()), days)
    with opened(own, samples) as book:
        return book.append(Asked(subject, whom, deadline, sound_name(by)), {})


def explain(own: Own, said: Explanation, samples: Sequence[Sample] = ()) -> Recorded:
    """Record an explanation that a unit gave, and who of the auditors received it. Closes nothing."""
    with opened(own, samples) as book:
        return book.append(_explained(book, said), {"explanation": said.text, "explained_by": said.explained_by})


def extend(own: Own, subject: Subject, deadline: str, by: str, reason: str) -> Recorded:
    """Give more time; `deadline`: YYYY-MM-DD."""
    with opened(own) as book:
        return book.append(Extended(subject, deadlines.date_of(deadline), sound_name(by)), {"reason": reason})


def withdraw(own: Own, subject: Subject, by: str, reason: str) -> Recorded:
    """Take a request back that nobody answered."""
    with opened(own) as book:
        return book.append(Withdrawn(subject, sound_name(by)), {"reason": reason})


def shown(own: Own, subjects: Sequence[Subject], keys: Keys = ()) -> dict[Subject, Shown]:
    """How these stand with explanations; with the auditors' key also the texts."""
    day = deadlines.today(now_ms())
    with opened(own) as book:
        ledger = book.ledger
        return {
            subject: Shown(
                ledger.standing(subject, day),
                ledger.requests.get(subject),
                _said(book, ledger.explanations.get(subject, ()), keys),
            )
            for subject in subjects
        }


def _explained(book: Book, said: Explanation) -> Explained:
    told = (said.whom.text(), sound_text(said.text), sound_text(said.explained_by))
    return Explained(said.subject, said.whom, sound_name(said.by), book.token(said.subject, told))


def _said(book: Book, recorded: Sequence[Recorded], keys: Keys) -> list[Said]:
    return [Said(*one) for one in zip(recorded, book.texts(recorded, keys), strict=True)]


def _require_started(book: Book, sample: Sample) -> None:
    if sample.digest not in book.ledger.started:
        raise UserError(NOT_STARTED, sample.digest)
