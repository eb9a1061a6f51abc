"""What happens in a review, as entries of the auditors' own log. Pure.

1. An entry is canonical JSON `{"commit"?, "event", "facts", "kind": "review", "time": Unix ms, "v": 1}`. Each event has
   exactly the facts of its row in `EVENTS`; anything else is no event that we made.
2. What an event is about is a record of a sample (`{"log", "position", "sample"}`) or a finding (`{"finding"}`). Facts
   name auditors as the sample names them, organisations and units; never a clerk, a holder or a case.
3. What people write (a note, a reason, an explanation, who gave it) goes into the opening, sealed to the auditors, in
   the form of an access record's opening: `{"opening": {name: text}, "salt"}`; `commit` ties it to the entry. An event
   without any has no `commit`, and its opening is `NO_OPENING`.
4. A text has at most MAX_TEXT characters, a name MAX_NAME; of control characters tabs and line ends only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple
from unicodedata import category

from audit.record import commit_digest
from contracts.encoding import Json, b64url_encode, canonical, parse_object
from contracts.errors import Fault, UserError
from contracts.text import Text

VERSION: Final = 1
NO_OPENING: Final = b"{}"
MAX_TEXT: Final = 8_000  # at most 4 bytes each: an opening has 64 KB
MAX_NAME: Final = 200

NORMAL, SUSPICIOUS, EXPLANATION_REQUIRED = "normal", "suspicious", "explanation_required"
VERDICTS: Mapping[str, Text] = {
    NORMAL: Text("正常", "normal"),
    SUSPICIOUS: Text("可疑", "suspicious"),
    EXPLANATION_REQUIRED: Text("要求说明", "explanation required"),
}

_TOO_LONG = Text("文字过长", "The text is too long")
_AT_MOST = Text("最多 {most} 个字。", "At most {most} characters.")
_NO_NAME = Text("姓名不能为空", "A name is missing")
_CONTROL = Text("文字含控制字符", "The text has control characters")
_PLAIN = Text("请用纯文本。", "Use plain text.")


class Place(NamedTuple):
    """A record of a sample: the sample's digest, origin, position."""

    sample: str
    log: str
    position: int


Subject = Place | str  # a record of a sample, or the id of a finding


class Whom(NamedTuple):
    """Who is asked for an explanation. `unit` None: the organisation."""

    organisation: str
    unit: str | None

    def text(self) -> str:
        """As a command takes it: ORGANISATION/UNIT, or ORGANISATION."""
        return self.organisation if self.unit is None else f"{self.organisation}/{self.unit}"


@dataclass(frozen=True, slots=True)
class SampleDrawn:
    """A sample is to be reviewed. `drawn_again`: it was compared with an index before."""

    sample: str
    seed: str
    picks: int
    drawn_again: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A reviewer is about to see the opening of a record. `auditors`: ids of the keys."""

    subject: Place
    reviewer: str
    auditors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of VERDICTS. `instead_of`: the assigned reviewer, where another one decided. `whom` and `deadline`
    (YYYY-MM-DD, that day included) with `explanation_required` only."""

    subject: Place
    reviewer: str
    verdict: str
    instead_of: str | None = None
    whom: Whom | None = None
    deadline: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An explanation is asked for, by an auditor."""

    subject: Subject
    whom: Whom
    deadline: str
    by: str


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation came in, and who of the auditors received it. `token`: keyed digest, so that the same one is not
    taken twice."""

    subject: Subject
    whom: Whom
    by: str
    token: str


@dataclass(frozen=True, slots=True)
class Extended:
    """The deadline is later now."""

    subject: Subject
    deadline: str
    by: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The request is taken back, by an auditor: it was made by mistake, or of nobody who could explain."""

    subject: Subject
    by: str


Event = SampleDrawn | Opened | Verdict | Asked | Explained | Extended | Withdrawn


class Recorded(NamedTuple):
    """An event in the log: position there, Unix ms, whether its opening says something."""

    number: int
    time: int
    event: Event
    sealed: bool


def encode(event: Event, texts: Mapping[str, str], salt: bytes, now: int) -> tuple[bytes, bytes]:
    """The entry and its opening (rules 1 and 3); `texts`: name → text, the empty ones left out. `now` in Unix ms."""
    members: dict[str, Json] = {
        "event": _NAMES[type(event)],
        "facts": facts_of(event),
        "kind": "review",
        "time": now,
        "v": VERSION,
    }
    said = {name: text for name, text in texts.items() if text}
    if not said:
        return canonical(members), NO_OPENING
    opening = canonical(said)
    members["commit"] = commit_digest(salt, opening)
    return canonical(members), b'{"opening":' + opening + b',"salt":"' + b64url_encode(salt) + b'"}'


def parse(number: int, entry: bytes) -> Recorded | None:
    """The event in an entry; None when it is none (rule 1)."""
    if b'"kind":"review"' not in entry:  # most entries are searches: not parsed for this
        return None
    try:
        members = parse_object(entry)
        event = EVENTS[members["event"]].read(members["facts"])
        known = (members["kind"], members["v"], type(members["time"])) == ("review", VERSION, int)
        sound = known and members.keys() - {"commit"} == {"event", "facts", "kind", "time", "v"}
        sound = sound and facts_of(event) == members["facts"]
    except (Fault, KeyError, TypeError, ValueError):
        return None
    return Recorded(number, members["time"], event, "commit" in members) if sound else None


def facts_of(event: Event) -> dict[str, Json]:
    """The facts of an event, as its entry has them."""
    return EVENTS[_NAMES[type(event)]].facts(event)


def subject_json(subject: Subject) -> dict[str, Json]:
    """Rule 2."""
    if isinstance(subject, str):
        return {"finding": subject}
    return {"log": subject.log, "position": subject.position, "sample": subject.sample}


def sound_name(text: str) -> str:
    """A name of somebody; raises `UserError` (rule 4)."""
    found = sound_text(text, MAX_NAME)
    if not found:
        raise UserError(_NO_NAME)
    return found


def sound_text(text: str, most: int = MAX_TEXT) -> str:
    """A text without outer white space; raises `UserError` (rule 4)."""
    text = text.strip().replace("\r\n", "\n")
    if len(text) > most:
        raise UserError(_TOO_LONG, str(len(text)), _AT_MOST.fill(most=most))
    if any(_hidden(character) for character in text):
        raise UserError(_CONTROL, "", _PLAIN)
    return text


def _hidden(character: str) -> bool:
    """What a terminal would obey, and what would turn the direction of reading."""
    direction = "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"
    return direction or (category(character) == "Cc" and character not in "\n\t")


# --- the table ----------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    facts: Callable[..., dict[str, Json]]
    read: Callable[[Mapping[str, Json]], Event]


def _subject(facts: Mapping[str, Json]) -> Subject:
    return _text(facts, "finding") if "finding" in facts else _place(facts)


def _place(facts: Mapping[str, Json]) -> Place:
    return Place(_text(facts, "sample"), _text(facts, "log"), _number(facts, "position"))


def _whom(facts: Mapping[str, Json]) -> Whom:
    return Whom(_text(facts, "organisation"), None if facts["unit"] is None else _text(facts, "unit"))


def _text(facts: Mapping[str, Json], name: str) -> str:
    value = facts[name]
    if type(value) is not str or not value:
        raise ValueError(name)
    return value


def _number(facts: Mapping[str, Json], name: str) -> int:
    value = facts[name]
    if type(value) is not int or value < 0:
        raise ValueError(name)
    return value


def _date(facts: Mapping[str, Json], name: str) -> str:
    value = _text(facts, name)
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError(name)
    return value


def _one_of(value: str, table: Mapping[str, object]) -> str:
    if value not in table:
        raise ValueError(value)
    return value


def _verdict_facts(event: Verdict) -> dict[str, Json]:
    request: Json = None
    if event.whom is not None:
        request = {**event.whom._asdict(), "deadline": event.deadline}
    said = {"instead_of": event.instead_of, "request": request, "reviewer": event.reviewer, "verdict": event.verdict}
    return {**subject_json(event.subject), **said}


def _read_verdict(facts: Mapping[str, Json]) -> Verdict:
    request = facts["request"]
    whom, deadline = (None, None) if request is None else (_whom(request), _date(request, "deadline"))
    verdict = _one_of(_text(facts, "verdict"), VERDICTS)
    if (verdict == EXPLANATION_REQUIRED) != (whom is not None):
        raise ValueError("a request goes with this verdict, and with no other")
    instead_of = None if facts["instead_of"] is None else _text(facts, "instead_of")
    return Verdict(_place(facts), _text(facts, "reviewer"), verdict, instead_of, whom, deadline)


def _read_sample(facts: Mapping[str, Json]) -> SampleDrawn:
    return SampleDrawn(
        _text(facts, "sample"), _text(facts, "seed"), _number(facts, "picks"), facts["drawn_again"] is True
    )


def _read_opened(facts: Mapping[str, Json]) -> Opened:
    return Opened(_place(facts), _text(facts, "reviewer"), tuple(facts["auditors"]))


EVENTS: Mapping[str, _Kind] = {
    "sample_drawn": _Kind(
        lambda e: {"drawn_again": e.drawn_again, "picks": e.picks, "sample": e.sample, "seed": e.seed}, _read_sample
    ),
    "opened": _Kind(
        lambda e: {**subject_json(e.subject), "auditors": list(e.auditors), "reviewer": e.reviewer}, _read_opened
    ),
    "verdict": _Kind(_verdict_facts, _read_verdict),
    "request": _Kind(
        lambda e: {**subject_json(e.subject), **e.whom._asdict(), "by": e.by, "deadline": e.deadline},
        lambda facts: Asked(_subject(facts), _whom(facts), _date(facts, "deadline"), _text(facts, "by")),
    ),
    "explanation": _Kind(
        lambda e: {**subject_json(e.subject), **e.whom._asdict(), "by": e.by, "token": e.token},
        lambda facts: Explained(_subject(facts), _whom(facts), _text(facts, "by"), _text(facts, "token")),
    ),
    "extension": _Kind(
        lambda e: {**subject_json(e.subject), "by": e.by, "deadline": e.deadline},
        lambda facts: Extended(_subject(facts), _date(facts, "deadline"), _text(facts, "by")),
    ),
    "withdrawn": _Kind(
        lambda e: {**subject_json(e.subject), "by": e.by},
        lambda facts: Withdrawn(_subject(facts), _text(facts, "by")),
    ),
}
_NAMES: Mapping[type, str] = {
    SampleDrawn: "sample_drawn",
    Opened: "opened",
    Verdict: "verdict",
    Asked: "request",
    Explained: "explanation",
    Extended: "extension",
    Withdrawn: "withdrawn",
}
