"""Where a review stands: the events so far, and which further ones are admitted. Pure.

1. A verdict is for a record of a sample that was started, by the reviewer to whom it was dealt, or by another one who
   names that reviewer (`instead_of`) and gives the reason. The newest counts; the ones before stay. Who says
   `suspicious` or `explanation_required` says why.
2. `explanation_required` is a request with a deadline at the same time. Any other verdict takes a request back.
3. An explanation is taken for a record of a sample that was started, or for a finding; from the unit that was asked, if
   one was; the same one once.
4. A deadline is moved by an auditor, with a reason, to a later day, while its request is not answered. So nobody asks
   the same unit once more with a later day; where another verdict, or asking another unit, makes it later, that counts
   as an extension.
5. An auditor takes a request back, with a reason, while it is not answered: a finding's id is of no list that this log
   has, so nobody else would notice one that was mistyped. The verdict of a record stays; who asks again later, extends.
6. Nothing else ends anything: no time that passes, and no program, closes a record or a finding. An explanation answers
   a request; whether it is good enough a person says, with another verdict or another request.
7. The same rules hold for what is to be appended and for what is read: an event in the log that breaks one has no
   effect and is named (`irregular`). Whether a record is in a sample, and who is assigned, is known of those samples
   only that are at hand.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from audit.review.events import (
    NORMAL,
    Asked,
    Event,
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
)
from audit.review.samples import Sample
from contracts.text import Text

NOT_STARTED = Text("该抽样尚未开始评查", "The review of this sample has not been started")
STARTED = Text("该抽样已开始评查", "The review of this sample was started before")
NOT_IN_SAMPLE = Text("该记录不在抽样中", "This record is not in the sample")
NOT_ASSIGNED = Text("该记录未分派给此评查人", "This record was dealt to another reviewer")
NOT_INSTEAD = Text("只能代替该记录的评查人,且须另有其人", "Only its reviewer can be replaced, and by somebody else")
NO_REASON = Text("须说明理由", "A reason is needed")
NO_NOTE = Text("可疑与要求说明须附意见", "A verdict other than normal needs a note")
NO_TEXT = Text("说明内容为空", "The explanation is empty")
OTHER_UNIT = Text("被要求说明的是另一单位", "Another unit was asked")
KNOWN = Text("同一说明已登记", "The same explanation was taken before")
NOT_ASKED = Text("没有待答复的说明要求", "No explanation is awaited for this")
ASKED_ALREADY = Text(
    "已要求该单位说明,延期须说明理由(extend)", "Asked already; more time is given with a reason (extend)"
)
NOT_LATER = Text("新期限须晚于原期限", "The new deadline is not later than the present one")


class Standing(StrEnum):
    """How a record or a finding stands with explanations."""

    OPEN = "open"  # nobody asked, nobody explained
    ASKED = "asked"
    OVERDUE = "overdue"
    EXPLAINED = "explained"


class Due(NamedTuple):
    """A request. `deadline`: as extended; `answered`: number of the explanation in the log."""

    whom: Whom
    deadline: str
    time: int
    number: int
    extensions: int = 0
    answered: int | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Whether an event's opening has a note (or an explanation), and a reason. Of an event that is only read, without
    the auditors' key, nobody can tell the two apart."""

    note: bool = False
    reason: bool = False


class Ledger:
    """The fold. `samples`: those at hand, by digest."""

    def __init__(self, samples: Mapping[str, Sample]) -> None:
        self.samples = samples
        self.started: dict[str, Recorded] = {}
        self.verdicts: dict[Place, list[Recorded]] = {}
        self.requests: dict[Subject, Due] = {}
        self.explanations: dict[Subject, list[Recorded]] = {}
        self.openings: dict[Place, list[Recorded]] = {}
        self.irregular: list[tuple[int, Text]] = []
        self._tokens: set[tuple[Subject, str]] = set()
        self._taken_back: dict[Subject, Due] = {}

    def take(self, recorded: Recorded) -> None:
        """An event of the log, in its order (rule 7)."""
        wrong = self.refusal(recorded.event, Texts(recorded.sealed, recorded.sealed))
        if wrong is None:
            _TAKE[type(recorded.event)](self, recorded, recorded.event)
        elif wrong is not STARTED:  # two who start at once: no harm
            self.irregular.append((recorded.number, wrong))

    def refusal(self, event: Event, texts: Texts) -> Text | None:
        """Why this event is not admitted now; None: it is (rules 1 to 5)."""
        return _REFUSE[type(event)](self, event, texts)

    def verdict(self, place: Place) -> Verdict | None:
        """The one that counts (rule 1)."""
        given = self.verdicts.get(place)
        event = None if not given else given[-1].event
        return event if isinstance(event, Verdict) else None

    def standing(self, subject: Subject, today: str) -> Standing:
        """Where it stands; `today`: the date in Beijing."""
        due = self.requests.get(subject)
        if due is None:
            return Standing.EXPLAINED if subject in self.explanations else Standing.OPEN
        if due.answered is not None:
            return Standing.EXPLAINED
        return Standing.OVERDUE if due.deadline < today else Standing.ASKED

    def awaited(self, subject: Subject) -> Due | None:
        """The request that is not answered."""
        due = self.requests.get(subject)
        return due if due is not None and due.answered is None else None

    def to_judge_again(self, place: Place) -> bool:
        """Whether an explanation came after the verdict, and no other one is awaited."""
        given, said = self.verdicts.get(place), self.explanations.get(place)
        later = given is not None and said is not None and said[-1].number > given[-1].number
        return later and self.awaited(place) is None

    # --- what is not admitted ---------------------------------------------------------------------------------------

    def _bad_sample(self, event: SampleDrawn, _: Texts) -> Text | None:
        return STARTED if event.sample in self.started else None

    def _bad_place(self, place: Subject) -> Text | None:
        if isinstance(place, str):
            return None
        if place.sample not in self.started:
            return NOT_STARTED
        sample = self.samples.get(place.sample)
        return NOT_IN_SAMPLE if sample is not None and place not in sample.picks else None

    def _bad_opened(self, event: Opened, _: Texts) -> Text | None:
        return self._bad_place(event.subject)

    def _bad_verdict(self, event: Verdict, texts: Texts) -> Text | None:
        wrong = self._bad_place(event.subject) or self._bad_reviewer(event)
        if wrong is not None:
            return wrong
        if event.instead_of is not None and not texts.reason:
            return NO_REASON
        return NO_NOTE if event.verdict != NORMAL and not texts.note else None

    def _bad_reviewer(self, event: Verdict) -> Text | None:
        sample = self.samples.get(event.subject.sample)
        if event.instead_of == event.reviewer:
            return NOT_INSTEAD
        if sample is None:
            return None
        assigned = sample.picks[event.subject].reviewer
        if event.instead_of is not None:
            return None if event.instead_of == assigned else NOT_INSTEAD
        return None if event.reviewer == assigned else NOT_ASSIGNED

    def _bad_request(self, event: Asked, _: Texts) -> Text | None:
        due = self.awaited(event.subject)
        if due is not None and due.whom == event.whom and due.deadline < event.deadline:
            return ASKED_ALREADY
        return self._bad_place(event.subject)

    def _bad_explanation(self, event: Explained, texts: Texts) -> Text | None:
        wrong = self._bad_place(event.subject)
        if wrong is not None:
            return wrong
        due = self.requests.get(event.subject)
        if due is not None and due.whom != event.whom:
            return OTHER_UNIT
        if (event.subject, event.token) in self._tokens:
            return KNOWN
        return None if texts.note else NO_TEXT

    def _bad_extension(self, event: Extended, texts: Texts) -> Text | None:
        due = self.awaited(event.subject)
        if due is None:
            return NOT_ASKED
        if event.deadline <= due.deadline:
            return NOT_LATER
        return None if texts.reason else NO_REASON

    def _bad_withdrawal(self, event: Withdrawn, texts: Texts) -> Text | None:
        if self.awaited(event.subject) is None:
            return NOT_ASKED
        return None if texts.reason else NO_REASON

    # --- what an event does -----------------------------------------------------------------------------------------

    def _start(self, recorded: Recorded, event: SampleDrawn) -> None:
        self.started[event.sample] = recorded

    def _open(self, recorded: Recorded, event: Opened) -> None:
        self.openings.setdefault(event.subject, []).append(recorded)

    def _judge(self, recorded: Recorded, event: Verdict) -> None:
        self.verdicts.setdefault(event.subject, []).append(recorded)
        if event.whom is None or event.deadline is None:
            self.requests.pop(event.subject, None)
        else:
            self._request(recorded, event.subject, event.whom, event.deadline)

    def _ask(self, recorded: Recorded, event: Asked) -> None:
        self._request(recorded, event.subject, event.whom, event.deadline)

    def _request(self, recorded: Recorded, subject: Subject, whom: Whom, deadline: str) -> None:
        before = self.awaited(subject) or self._taken_back.pop(subject, None)
        extensions = 0 if before is None else before.extensions + (before.deadline < deadline)
        self.requests[subject] = Due(whom, deadline, recorded.time, recorded.number, extensions)

    def _explain(self, recorded: Recorded, event: Explained) -> None:
        self.explanations.setdefault(event.subject, []).append(recorded)
        self._tokens.add((event.subject, event.token))
        due = self.awaited(event.subject)
        if due is not None:
            self.requests[event.subject] = due._replace(answered=recorded.number)

    def _extend(self, _: Recorded, event: Extended) -> None:
        due = self.requests[event.subject]
        self.requests[event.subject] = due._replace(deadline=event.deadline, extensions=due.extensions + 1)

    def _withdraw(self, _: Recorded, event: Withdrawn) -> None:
        self._taken_back[event.subject] = self.requests.pop(event.subject)


def fold(events: Iterable[Recorded], samples: Iterable[Sample] = ()) -> Ledger:
    """The ledger after these events."""
    ledger = Ledger({sample.digest: sample for sample in samples})
    for recorded in events:
        ledger.take(recorded)
    return ledger


# Kinds of events, each with its own methods: the type of the event is that of its row.
_REFUSE: Mapping[type, Callable[[Ledger, Any, Texts], Text | None]] = {
    SampleDrawn: Ledger._bad_sample,
    Opened: Ledger._bad_opened,
    Verdict: Ledger._bad_verdict,
    Asked: Ledger._bad_request,
    Explained: Ledger._bad_explanation,
    Extended: Ledger._bad_extension,
    Withdrawn: Ledger._bad_withdrawal,
}
_TAKE: Mapping[type, Callable[[Ledger, Recorded, Any], None]] = {
    SampleDrawn: Ledger._start,
    Opened: Ledger._open,
    Verdict: Ledger._judge,
    Asked: Ledger._ask,
    Explained: Ledger._explain,
    Extended: Ledger._extend,
    Withdrawn: Ledger._withdraw,
}
