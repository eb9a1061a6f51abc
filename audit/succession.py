"""One log goes on from another: what the last entry of the one and the first of the other say. Pure.

1. A closed log ends with the notice `log_closed`, which names the origin of its successor. Nothing comes after it.
2. The successor begins with `log_opened`: origin, size and root of the closed head. So whoever holds the successor's
   entries knows how the former log ended, and cannot be given a shorter or longer one.
"""

from dataclasses import dataclass

from audit.checkpoints import Checkpoint
from audit.notices import LOG_CLOSED, LOG_OPENED, Notice, parse
from audit.record import digest_text


@dataclass(frozen=True, slots=True)
class Ending:
    """How a closed log ended. `time`: when it was closed, in Unix ms."""

    head: Checkpoint
    successor: str
    time: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a log goes on from: the origin, size and root (`alg:hex`) of the closed one."""

    predecessor: str
    size: int
    root: str


def ending_of(last: bytes, head: Checkpoint) -> Ending | None:
    """What the last entry under `head` says; None: the log is open."""
    notice = parse(last)
    if notice is None or notice.kind != LOG_CLOSED:
        return None
    return Ending(head, str(notice.facts["successor"]), notice.time)


def beginning_of(first: bytes) -> Beginning | None:
    """What the first entry of a log says; None: it goes on from no other."""
    notice = parse(first)
    if notice is None or notice.kind != LOG_OPENED:
        return None
    size = notice.facts["size"]
    return Beginning(str(notice.facts["predecessor"]), size if type(size) is int else -1, str(notice.facts["root"]))


def after(head: Checkpoint) -> Beginning:
    """The beginning that goes on from `head`."""
    return Beginning(head.origin, head.size, digest_text(head.root))


def closes(entry: bytes) -> bool:
    """Whether this entry is the last of its log (rule 1)."""
    notice = parse(entry)
    return notice is not None and notice.kind == LOG_CLOSED


def closing(successor: str, time: int) -> bytes:
    """The entry that closes a log in favour of the origin `successor`."""
    return Notice(LOG_CLOSED, time, {"successor": successor}).encode()


def opening(head: Checkpoint, time: int) -> bytes:
    """The entry that opens the log which goes on from the closed `head`."""
    said = after(head)
    facts = {"predecessor": said.predecessor, "size": said.size, "root": said.root}
    return Notice(LOG_OPENED, time, facts).encode()
