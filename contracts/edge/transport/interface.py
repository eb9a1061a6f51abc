"""The message log as the nodes see it: topics of records with offsets, written, read and cleaned by key.

What every implementation promises (the contract test suite holds each one to it):

1. Durable: what `write` or `write_many` returned from survives the end of any process and of the machine.
   What raised may or may not be in the log; the caller writes it again, and readers tell by (`epoch`, `seq`).
2. Order: records of one topic have rising offsets, in the order of writing; a batch keeps its order (others may write
   in between). Offsets are never used twice. There may be holes: cleaning makes them, some logs have more.
3. Readers keep their own offsets: `assign` says where to go on, nothing is remembered here. At a hole the next record
   comes. A position below the log's start or past its end is `OffsetOutOfRange`: rebuild, never skip. An offset says
   nothing about another topic of the same name: a caller keeps the topic's identity beside it, and a topic that was
   deleted, and perhaps made anew, is `TopicReplaced`, while it is read and when it is assigned again later.
4. Cleaning: a compacted topic keeps the newest record of each key, for ever, and everything younger than the minimum
   lag. An expiring one drops what is older than its retention, from the start. Nothing else removes anything.
5. Topics are created by `Admin.create_topic` alone. A topic that nobody created is `TopicUnknown`, on every call.
6. Nobody writes null values. One that is read has the value None; what that means is for the reader to say (an alarm).

Names: those of Kafka. A configured prefix is added on the way in and taken off on the way out; callers never see it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from contracts.errors import Fault, Unavailable, UserError
from contracts.text import Text

DAY_MS = 86_400_000
MAX_RECORD_BYTES = 1_000_000  # key and value; with its framing below the 1 MiB that a broker takes by default
MAX_TOPIC_LENGTH = 249

_LEGAL = re.compile(r"[A-Za-z0-9._-]+")

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """One record. A named tuple, because tens of thousands are made each second.

    `timestamp_ms` is the log's own (Unix ms): for people and for cleaning, never for a decision. `headers` neither.
    """

    topic: str
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Compacted:
    """Keep the newest record of each key. A record stays `min_lag_ms` at least; one that was superseded goes by
    `max_lag_ms` plus one cleaning."""

    min_lag_ms: int = 3 * DAY_MS
    max_lag_ms: int = 7 * DAY_MS

    @property
    def segment_ms(self) -> int:
        """Where logs are cleaned in whole segments: how long one may grow, so that its last record is past the
        minimum lag when its first one reaches the maximum."""
        return max(self.max_lag_ms - self.min_lag_ms, 1)


@dataclass(frozen=True, slots=True)
class Expiring:
    """Keep every record for `retention_ms`, then drop it."""

    retention_ms: int = 7 * DAY_MS


Cleaning = Compacted | Expiring
COMPACTED = Compacted()


class TopicUnknown(UserError):
    """Nobody created this topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            Text(f"主题 {topic} 不存在", f"There is no topic {topic}"),
            remedy=Text(
                "请管理员运行 oncegate topics apply,或核对 [log] 的 prefix。",
                "The administrator creates it with `oncegate topics apply`; or check `prefix` in [log].",
            ),
        )
        self.topic = topic


class TopicNameInvalid(UserError):
    """Not a name that every log takes."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            Text(f"主题名不合规:{topic!r}", f"Not a topic name: {topic!r}"),
            remedy=Text(
                f"只用字母、数字、点、下划线和连字符,最长 {MAX_TOPIC_LENGTH} 个。",
                f"Letters, digits, '.', '_' and '-' only, at most {MAX_TOPIC_LENGTH}.",
            ),
        )


class LogUnavailable(Unavailable):
    """The log cannot do it now (disk full, broker away, locked too long). Try again later; nothing was promised."""


class OffsetOutOfRange(Exception):
    """The position is not in the topic: offsets from `earliest` up to and including `end` would be. Rebuild.

    `code` is its row in the table of errors.
    """

    code = "offset_out_of_range"

    def __init__(self, topic: str, asked: int, earliest: int, end: int) -> None:
        super().__init__(f"{topic}: offset {asked} is not within {earliest}..{end}")
        self.topic = topic
        self.asked = asked
        self.earliest = earliest
        self.end = end


class TopicReplaced(OffsetOutOfRange):
    """The topic that the position was in is gone; what may now have its name is another one (rule 3)."""

    code = "topic_replaced"

    def __init__(self, topic: str, asked: int) -> None:
        super().__init__(topic, asked, 0, 0)


class _Closing(Protocol):
    def close(self) -> None:
        """Give back files and connections. Twice does no harm."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Writer(_Closing, Protocol):
    """Writes records. Safe from several threads of one process; several processes may write one topic at once."""

    def write(self, topic: str, key: bytes, value: bytes, headers: Headers = ()) -> int:
        """Append one record; durable on return. Its offset.

        Raises `TopicUnknown`, `LogUnavailable`, `Fault` `log_record_too_large`.
        """

    def write_many(self, topic: str, entries: Iterable[tuple[bytes, bytes]], headers: Headers = ()) -> Sequence[int]:
        """Append (key, value) pairs in order, all with `headers`; durable on return. Their offsets.

        Much faster than one by one: give hundreds. If one is too large, none is written. Raises as `write`.
        """


class Reader(_Closing, Protocol):
    """Reads records from positions that the caller keeps. For one thread; many readers may exist."""

    def assign(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        """Read these topics, each from its next offset, and no others. Raises `TopicUnknown`.

        `identities`: of the topics that the positions are from (rule 3); without one it is whatever has the name now.
        """

    def add(self, topic: str, offset: int, identity: str = "") -> None:
        """Read this topic too (or from another offset). Raises `TopicUnknown`."""

    def extend(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        """As `add` for many at once, in a few requests. If one is unknown, none is added."""

    def remove(self, topic: str) -> None:
        """Read this topic no longer."""

    def read(self, max_records: int, timeout_s: float) -> list[Record]:
        """Up to `max_records` (fewer if they are large), in the order of each topic, a fair share from each.

        Blocks until there is a record, at most `timeout_s`, then gives an empty list: call it in a thread. Wakes
        within 50 ms of a write by another process. Raises `OffsetOutOfRange` and `TopicReplaced` (before it takes any
        record; the other topics go on once that one is removed or added anew) and `LogUnavailable` (nothing lost: read
        again).
        """

    def identities(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The identities of those topics that are there now: as `Admin.topics`, without the right to list others."""

    def position(self, topic: str) -> int:
        """The next offset to be read. Equal to `end` once everything was read."""

    def earliest(self, topic: str) -> int:
        """The lowest offset that may be asked for. Raises `TopicUnknown`."""

    def end(self, topic: str) -> int:
        """The offset that the next record will get at the earliest. Raises `TopicUnknown`."""

    def starts(self, topics: Iterable[str]) -> Mapping[str, int]:
        """`earliest` of those of the topics that are there, in a few requests."""

    def ends(self, topics: Iterable[str]) -> Mapping[str, int]:
        """`end` of those of the topics that are there, in a few requests."""


class Admin(_Closing, Protocol):
    """Manages topics. For one thread."""

    def create_topic(self, topic: str, cleaning: Cleaning = COMPACTED) -> bool:
        """Create the topic, durably; False if it is there already (and is left as it is). Raises `UserError`."""

    def create_topics(self, topics: Mapping[str, Cleaning]) -> Sequence[str]:
        """As `create_topic` for many at once, in a few requests; the names of those that were not there."""

    def delete_topic(self, topic: str) -> None:
        """Delete the topic with all its records. Raises `TopicUnknown`."""

    def topics(self) -> Mapping[str, str]:
        """Every topic under the prefix, with its identity: a topic made anew under the old name has another one."""

    def maintain(self, now_ms: int) -> None:
        """What a log without a server leaves to its users: clean the topics that are due at `now_ms` (Unix ms).

        Cheap when nothing is due; call it every few minutes, from any process. Nothing to do for a log with servers.
        """


class Transport(Protocol):
    """A message log. Safe from several threads; each call makes a new object with connections of its own."""

    @property
    def rolls_after_ms(self) -> int | None:
        """What was written last to a compacted topic of ours is not cleaned before something is written this much
        later; None where cleaning waits for no record."""

    def writer(self) -> Writer: ...

    def reader(self) -> Reader: ...

    def admin(self) -> Admin: ...


def full_name(prefix: str, topic: str) -> str:
    """The log's own name of a topic, if every log takes it; raises `TopicNameInvalid`."""
    name = prefix + topic
    if not topic or _LEGAL.fullmatch(name) is None or len(name) > MAX_TOPIC_LENGTH or name in {".", ".."}:
        raise TopicNameInvalid(name)
    return name


def check_sizes(entries: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises `Fault` `log_record_too_large`, with the place in the batch, if one is over `MAX_RECORD_BYTES`."""
    for index, (key, value) in enumerate(entries):
        if len(key) + len(value) > MAX_RECORD_BYTES:
            raise Fault("log_record_too_large", detail=f"entry {index}: more than {MAX_RECORD_BYTES} bytes")
