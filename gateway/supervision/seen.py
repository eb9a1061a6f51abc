"""What the audit log says about its own supervision: a fold over its notices. Pure.

1. The log decides what is on, not the configuration and not a file beside it: a sink is on from the notice that
   switched it on to the one that switched it off. So removing it from the configuration cannot be silent.
2. A sink gets every entry from its `since` on; one that was switched off, up to and including the notice of that
   (`off`), so that the last thing that it hears is that it hears no more. One that was on in the log before this one
   may be switched off here.
3. A stream is late from its notice on, in the state of the newest one, until the notice of its recovery.
4. `Seen` can be kept as JSON and folded on from there; without it, the log is read from its start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from audit import notices
from audit.notices import Notice
from contracts.encoding import Json
from contracts.streams import Stream


class Span(NamedTuple):
    """When a sink was on: indexes of its notices (rule 2). `off_at` in Unix ms."""

    since: int
    off: int | None = None
    off_at: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the first `size` entries of a log say."""

    size: int = 0
    sinks: Mapping[str, Span] = field(default_factory=dict)
    late: Mapping[Stream, str] = field(default_factory=dict)

    @property
    def on(self) -> tuple[str, ...]:
        """The sinks that are on."""
        return tuple(name for name, span in self.sinks.items() if span.off is None)

    def to_json(self) -> dict[str, Json]:
        late = [[one.organisation, one.adapter, one.evidence_type, state] for one, state in self.late.items()]
        return {"size": self.size, "sinks": {name: list(span) for name, span in self.sinks.items()}, "late": late}

    @classmethod
    def from_json(cls, form: Mapping[str, Json]) -> "Seen":
        """The inverse of `to_json`; raises KeyError, TypeError, ValueError."""
        late = {Stream(*names): state for *names, state in form["late"]}
        return cls(form["size"], {name: Span(*span) for name, span in form["sinks"].items()}, late)


def folded(seen: Seen, entries: Iterable[bytes]) -> Seen:
    """`seen` and the entries that follow it."""
    size, sinks, late = seen.size, dict(seen.sinks), dict(seen.late)
    for entry in entries:
        notice = notices.parse(entry)
        if notice is not None:
            _take(notice, size, sinks, late)
        size += 1
    return Seen(size, sinks, late)


def changes(seen: Seen, wanted: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which sinks are to be switched off, and which on, for `wanted` to be on."""
    on = seen.on
    return tuple(name for name in on if name not in wanted), tuple(name for name in wanted if name not in on)


def stream_facts(stream: Stream) -> dict[str, Json]:
    """A stream in the facts of a notice."""
    names = (stream.organisation, stream.adapter, stream.evidence_type)
    return dict(zip(("organisation", "adapter", "evidence_type"), names, strict=True))


def _take(notice: Notice, index: int, sinks: dict[str, Span], late: dict[Stream, str]) -> None:
    facts = notice.facts
    if notice.kind == notices.SUPERVISION_ON:
        sinks.update({name: Span(index) for name in facts["sinks"]})
    elif notice.kind == notices.SUPERVISION_OFF:
        since = {name: sinks[name].since if name in sinks else index for name in facts["sinks"]}
        sinks.update({name: Span(first, index, notice.time) for name, first in since.items()})
    elif notice.kind in (notices.FEED_LATE, notices.FEED_RECOVERED):
        stream = Stream(facts["organisation"], facts["adapter"], facts["evidence_type"])
        late.pop(stream, None)
        if notice.kind == notices.FEED_LATE:
            late[stream] = facts["state"]
