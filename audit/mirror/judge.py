"""What is wrong with the logs of a city, as far as their mirror can know. Pure: facts and a time in, alarms out.

1. A log whose signed head does not continue what is verified here: `log_forked`, `log_rolled_back`, `log_inconsistent`;
   one whose entries do not lead to its own head: `entries_altered`, `answer_strange`; one without a valid head:
   `checkpoint_invalid`. These stand until a head is followed again. What is wrong with orders about openings
   (`mirror.orders`) stands beside them, until a look at all of them finds it well.
2. Listed and silent for longer than `SILENT_S`: `log_silent`. It answers, but the copy is behind for longer than
   `LAG_S`: `log_lagging`. It answers and does not let us in: `not_admitted`. A closed log is neither silent
   nor behind once its last entry is here (`mirror.shards` has what can be wrong with it).
3. A gateway that serves what the registry does not list: `log_unlisted`. The same name under another key is unlisted,
   too.
4. A registry that cannot be used any more, or will soon be: `registry_unusable`, `registry_old`. The mirror goes on
   with the logs that it knows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.succession import Beginning, Ending

LAG_S: Final = 60.0
SILENT_S: Final = 60.0
NEVER: Final = 0.0

Trouble = tuple[str, str]  # code and detail; two empty texts: none
WELL: Final[Trouble] = ("", "")


@dataclass(frozen=True, slots=True)
class Log:
    """One log that somebody names: its slot, origin, and verifier key."""

    slot: str
    origin: str
    vkey: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found about a listed log. Times in Unix seconds.

    `trouble`: what is wrong with its heads and entries; `orders`: with orders about its openings, one of each code.
    `even_at`: when the copy last had all that the log had published. `answered_at`: when a gateway last showed a head
    of it. Both begin when the mirror does, or at `NEVER`.
    """

    log: Log
    url: str | None
    size: int
    source_size: int
    even_at: float
    answered_at: float
    trouble: Trouble = WELL
    orders: tuple[Trouble, ...] = ()
    confirmed: int = 0
    ending: Ending | None = None
    beginning: Beginning | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to look at. `about`: a slot, or a gateway's URL, or "registry"."""

    code: str
    about: str
    detail: str


def alarms(
    facts: Sequence[Facts], served: Mapping[str, Iterable[Log]], listed: Iterable[Log], registry: str, now: float
) -> tuple[Alarm, ...]:
    """Everything that is wrong at `now`. `served`: by gateway, what it says it serves; `registry`: "" or a code."""
    found = [alarm for one in facts for alarm in _of_log(one, now)]
    found += _unlisted(served, frozenset(listed))
    if registry:
        found.append(Alarm(registry, "registry", ""))
    return tuple(found)


def _of_log(one: Facts, now: float) -> Iterator[Alarm]:
    """Rules 1 and 2."""
    silent, behind = now - one.answered_at, now - one.even_at
    for code, detail in (one.trouble, *one.orders):
        if code:
            yield Alarm(code, one.log.slot, detail)
    if one.ending is not None:
        return
    if silent > SILENT_S:
        yield Alarm("log_silent", one.log.slot, f"no gateway has shown a head{_for(one.answered_at, now)}")
    elif behind > LAG_S and one.trouble == WELL:
        yield Alarm("log_lagging", one.log.slot, f"{one.source_size - one.size} entries behind{_for(one.even_at, now)}")


def _for(since: float, now: float) -> str:
    return "" if since == NEVER else f" for {now - since:.0f} s"


def _unlisted(served: Mapping[str, Iterable[Log]], listed: frozenset[Log]) -> Iterator[Alarm]:
    """Rule 3."""
    for url, logs in served.items():
        for log in logs:
            if log not in listed:
                yield Alarm("log_unlisted", url, f"{log.slot}: {log.origin}")
