"""From a question's body to what is asked of the index. Pure but for the index that is looked at.

1. Filters in a body are the words of the command line in another form (`audit.search.asked`), so both mean the same.
2. A person in a question needs the tokens of the index and the key for them; without, it is refused, not answered
   "none".
3. What asks for a holder, or compares holders of a list, takes two auditors: such a question is `Prepared` with the
   `subject` that the second auditor must come to: the holder's token, or the digest of the file.
4. A mistake in words becomes `QuestionInvalid`, with the sentence that the command line would print.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

from audit.api.checking import Breach
from audit.api.lanes import Work
from audit.search.asked import Asked, filters_of, parse, recorded
from audit.search.database import known_checks
from audit.search.doubts import doubts
from audit.search.filters import Cursor, Filters
from audit.search.tokens import TokenKeys, checks, holder_token
from contracts.encoding import Json
from contracts.errors import Fault, UserError
from contracts.text import Text


@dataclass(frozen=True, slots=True)
class Given:
    """What came with a request. `file`: an upload's bytes; None without one."""

    body: Mapping[str, Json] = field(repr=False)
    file: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer says, and how many things it shows; `facts`: what is recorded of it beside the question."""

    members: dict[str, Json] = field(repr=False)
    count: int
    facts: dict[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that can be asked, again and again. `facts` and `sealed`: what is recorded of it; `shown`: what a
    second auditor is told; `subject`: rule 3, None when one auditor is enough; `warnings`: what makes its filters
    doubtful."""

    facts: dict[str, Json] = field(repr=False)
    ask: Callable[[Work, Cursor | None], Answered] = field(repr=False)
    subject: bytes | None = field(default=None, repr=False)
    shown: dict[str, Json] = field(default_factory=dict, repr=False)
    sealed: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: list[Json] | None = field(default=None, repr=False)

    @property
    def warned(self) -> dict[str, Json]:
        """The warnings as a member of an answer; none for what has no filters."""
        return {} if self.warnings is None else {"warnings": self.warnings}


@dataclass(frozen=True, slots=True)
class Understood:
    """Filters of a question, with tokens for people."""

    filters: Filters = field(repr=False)
    asked: Asked = field(repr=False)
    warnings: list[Json] = field(repr=False)
    shown: dict[str, Json] = field(default_factory=dict, repr=False)

    @property
    def facts(self) -> dict[str, Json]:
        """What is recorded of the filters."""
        return recorded(self.asked, self.filters)

    def prepared(
        self,
        ask: Callable[[Work, Cursor | None], Answered],
        facts: Mapping[str, Json] | None = None,
        doubts: Sequence[Text] = (),
    ) -> Prepared:
        """The question; `facts` that are recorded, and doubts that are told, beside those of the filters."""
        warnings = [*self.warnings, *(doubt.as_json() for doubt in doubts)]
        subject = self.filters.people.get("holder")
        return Prepared({**self.facts, **(facts or {})}, ask, subject, self.shown, warnings=warnings)


class QuestionInvalid(Fault):
    """A question that its schema, or the meaning of its words, refuses."""

    def __init__(self, code: str, errors: Sequence[Breach]) -> None:
        super().__init__(code, errors[0].pointer)
        self.errors = tuple(errors)


def understand(filters: Mapping[str, Json], work: Work, keys: TokenKeys | None) -> Understood:
    """Rules 1 and 2; raises `Fault`."""
    shown = {name: value for name, value in filters.items() if name != "holder"}
    holder = filters.get("holder")
    about = {} if holder is None else {"holder_scheme": holder["scheme"]}
    return replace(understood(words_of(filters), work, keys), shown={"filters": shown, "about": about})


def understood(words: Sequence[str], work: Work, keys: TokenKeys | None) -> Understood:
    """As `understand`, for words; raises `Fault`."""
    with as_faults():
        asked = parse(words)
        log = None if asked.log is None else work.index.log(asked.log).number
        filters = filters_of(asked, need(work, keys, asked.people), log)
        return Understood(filters, asked, [doubt.as_json() for doubt in doubts(asked, work.index.occurs)])


def words_of(filters: Mapping[str, Json]) -> list[str]:
    """Filters as `NAME=VALUE`."""
    found = []
    for name, value in filters.items():
        if name == "holder":
            found.append(f"holder={value['scheme']}:{value['id']}")
        else:
            found += [f"{name}={one}" for one in (value if type(value) is list else [value])]
    return found


def need(work: Work, keys: TokenKeys | None, kinds: Mapping[str, object] | Sequence[str]) -> TokenKeys | None:
    """The keys, of these kinds at least (rule 2); raises `Fault`."""
    known, ours = known_checks(work.index.db), {} if keys is None else checks(keys)
    for kind in kinds:
        if kind not in known:
            raise Fault("tokens_missing", detail=kind)
        if kind not in ours or ours[kind] != known[kind]:
            raise Fault("keys_missing", detail=kind)
    return keys


def token_of(holder: Mapping[str, Json], keys: TokenKeys | None) -> bytes | None:
    """The token of a holder in a body; None without the keys."""
    return None if keys is None else holder_token(keys, holder["scheme"], holder["id"])


def digest_of(file: bytes) -> bytes:
    """What stands for an upload."""
    return sha256(file).digest()


@contextmanager
def as_faults() -> Iterator[None]:
    """Rule 4."""
    try:
        yield
    except UserError as error:
        where = f" ({error.where})" if error.where else ""
        remedy = error.remedy or Text("", "")
        message = Text(
            f"{error.what.zh}{where}。{remedy.zh}".rstrip("。") + "。", f"{error.what.en}{where}. {remedy.en}"
        )
        raise QuestionInvalid("question_invalid", [Breach("", "question", message)]) from None
