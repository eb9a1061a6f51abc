"""The embedded log: the message log of one machine, in a directory, without a server.

1. One SQLite file a topic (`topic_file.py`). Any number of processes of this machine write and read at once; the
   directory must be on a local disk (WAL needs shared memory).
2. SQLite tells other processes nothing. Writers ring a bell (`bell.py`); a waiting reader looks at it first after
   1 ms, then less and less often, at most `MAX_PAUSE_S` apart, and after a ring asks each topic whether it changed
   (`PRAGMA data_version`).
3. A file that somebody removed by hand is noticed: writers look before each write, readers whenever a topic gives
   nothing; neither goes on with a file that has lost its name.
4. A read takes a share from each topic that has some, and the next one begins with another topic: a long topic never
   starves the others. Positions move when everything was read, so that an error in one topic loses nothing of another.

One trust domain: who can write the directory can write the log. Signatures protect what records say, not their stay.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from contracts.edge.clock import now_ms
from contracts.edge.config import Section
from contracts.edge.transport.bell import Bell
from contracts.edge.transport.closing import Closing
from contracts.edge.transport.interface import (
    COMPACTED,
    Cleaning,
    Headers,
    Record,
    TopicReplaced,
    TopicUnknown,
    check_sizes,
    full_name,
)
from contracts.edge.transport.topic_file import SUFFIX, TopicFile, create_file, require_sqlite
from contracts.errors import UserError
from contracts.text import Text

MIN_PAUSE_S = 0.001
MAINTAINED = 100  # topics looked at in one call: of thousands some at random, each soon compared with any lag
MAX_PAUSE_S = 0.025  # a wake-up within 50 ms, with the read and an unlucky scheduler in it


@dataclass(frozen=True, slots=True)
class EmbeddedTransport:
    """The log in `directory`; topics are those whose names begin with `prefix`."""

    directory: Path
    prefix: str = ""

    @property
    def rolls_after_ms(self) -> int | None:
        return None  # rule 4 of `topic_file`: what is old enough is cleaned, however long ago the last record came

    def writer(self) -> "EmbeddedWriter":
        return EmbeddedWriter(self)

    def reader(self) -> "EmbeddedReader":
        return EmbeddedReader(self)

    def admin(self) -> "EmbeddedAdmin":
        return EmbeddedAdmin(self)

    def path_of(self, topic: str) -> Path:
        """The file of a topic; raises `TopicNameInvalid`."""
        return self.directory / (full_name(self.prefix, topic) + SUFFIX)

    def names(self) -> list[str]:
        """The topics under the prefix, the deleted ones among them."""
        names = (path.name.removesuffix(SUFFIX) for path in sorted(self.directory.glob(f"*{SUFFIX}")))
        return [name.removeprefix(self.prefix) for name in names if name.startswith(self.prefix)]

    def open(self, topic: str) -> TopicFile:
        """A connection to a topic; raises `TopicUnknown`."""
        return TopicFile(self.path_of(topic), topic)

    def identities(self, topics: Iterable[str]) -> Mapping[str, str]:
        """The identities of those topics that are there."""
        found = ((topic, self._identity(topic)) for topic in topics)
        return {topic: identity for topic, identity in found if identity is not None}

    def _identity(self, topic: str) -> str | None:
        try:
            with closing(self.open(topic)) as file:
                return file.identity()
        except TopicUnknown:
            return None

    def bell(self) -> Bell:
        """The bell of this log, for one reader or writer."""
        return Bell(self.directory / "bell")


def open_embedded(section: Section) -> EmbeddedTransport:
    """The embedded log of a configuration table: `directory` (made if it is not there), `prefix`."""
    return embedded(section.path("directory"), section.text("prefix", default=""))


def embedded(directory: Path, prefix: str = "") -> EmbeddedTransport:
    """The embedded log in `directory`, made if it is not there; raises `UserError`."""
    require_sqlite()
    full_name(prefix, "x")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = Text(f"无法创建日志目录:{error.strerror}", f"The log directory cannot be made: {error.strerror}")
        raise UserError(what, str(directory), Text("请核对路径与权限。", "Check the path and permissions.")) from None
    return EmbeddedTransport(directory, prefix)


class EmbeddedWriter(Closing):
    """A `Writer`. One lock a writer: threads take turns, as SQLite would make them."""

    def __init__(self, transport: EmbeddedTransport) -> None:
        self._transport = transport
        self._files: dict[str, TopicFile] = {}
        self._lock = threading.Lock()
        self._bell = transport.bell()

    def write(self, topic: str, key: bytes, value: bytes, headers: Headers = ()) -> int:
        return self.write_many(topic, ((key, value),), headers)[0]

    def write_many(self, topic: str, entries: Iterable[tuple[bytes, bytes]], headers: Headers = ()) -> Sequence[int]:
        batch = entries if isinstance(entries, list | tuple) else list(entries)
        check_sizes(batch)
        with self._lock:
            file = self._file(topic)
            if not batch:
                return ()
            offsets = file.append(batch, headers, now_ms())
            self._bell.ring()
        return offsets

    def close(self) -> None:
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()
            self._bell.close()

    def _file(self, topic: str) -> TopicFile:
        file = self._files.get(topic)
        if file is not None and not file.is_current():
            self._files.pop(topic).close()
            file = None
        if file is None:
            file = self._files[topic] = self._transport.open(topic)
        return file


@dataclass(slots=True)
class _Position:
    """Where one topic is read: `seen` is the file's version when it last had nothing more."""

    file: TopicFile
    next: int
    identity: str
    seen: int | None = None


class EmbeddedReader(Closing):
    """A `Reader`."""

    def __init__(self, transport: EmbeddedTransport) -> None:
        self._transport = transport
        self._positions: dict[str, _Position] = {}
        self._turn: deque[_Position] = deque()
        self._bell = transport.bell()

    def assign(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        self._remove_all()
        self.extend(positions, identities)

    def add(self, topic: str, offset: int, identity: str = "") -> None:
        self.extend({topic: offset}, {topic: identity})

    def extend(self, positions: Mapping[str, int], identities: Mapping[str, str] = {}) -> None:
        with ExitStack() as opened:
            files = {topic: opened.enter_context(closing(self._transport.open(topic))) for topic in positions}
            opened.pop_all()
        for topic, file in files.items():
            self.remove(topic)
            identity = identities.get(topic) or file.identity() or ""
            position = self._positions[topic] = _Position(file, positions[topic], identity)
            self._turn.append(position)

    def remove(self, topic: str) -> None:
        position = self._positions.pop(topic, None)
        if position is not None:
            self._turn.remove(position)
            position.file.close()

    def read(self, max_records: int, timeout_s: float) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        pause = MIN_PAUSE_S
        self._bell.silent()  # heard before the look, so that what is written after it rings
        records = self._take(max_records)
        while not records and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 2, MAX_PAUSE_S)
            if not self._bell.silent():
                records = self._take(max_records)
        return records

    def position(self, topic: str) -> int:
        return self._positions[topic].next

    def earliest(self, topic: str) -> int:
        return self._bounds(topic)[0]

    def end(self, topic: str) -> int:
        return self._bounds(topic)[1]

    def starts(self, topics: Iterable[str]) -> Mapping[str, int]:
        return {topic: start for topic, (start, _) in self._all_bounds(topics)}

    def ends(self, topics: Iterable[str]) -> Mapping[str, int]:
        return {topic: end for topic, (_, end) in self._all_bounds(topics)}

    def identities(self, topics: Iterable[str]) -> Mapping[str, str]:
        return self._transport.identities(topics)

    def close(self) -> None:
        self._remove_all()
        self._bell.close()

    def _remove_all(self) -> None:
        for topic in list(self._positions):
            self.remove(topic)

    def _bounds(self, topic: str) -> tuple[int, int]:
        position = self._positions.get(topic)
        if position is not None and position.file.is_current():
            return position.file.bounds()
        with closing(self._transport.open(topic)) as file:
            return file.bounds()

    def _all_bounds(self, topics: Iterable[str]) -> Iterator[tuple[str, tuple[int, int]]]:
        for topic in topics:
            with suppress(TopicUnknown):
                yield topic, self._bounds(topic)

    def _take(self, max_records: int) -> list[Record]:
        taken = list(self._fetched(max_records))  # positions move when all is read: an error loses nothing
        for position, version, records, whole in taken:
            if records:
                position.next = records[-1].offset + 1
            if whole:
                position.seen = version
        if taken:
            self._turn.rotate(-1)
        return list(chain.from_iterable(records for _, _, records, _ in taken))

    def _fetched(self, left: int) -> Iterator[tuple[_Position, int, list[Record], bool]]:
        versions = [(position, _changed(position)) for position in self._turn]
        changed = [(position, version) for position, version in versions if version is not None]
        for index, (position, version) in enumerate(changed):
            share = -(-left // (len(changed) - index))
            records, whole = position.file.fetch(position.next, share, position.identity) if share else ([], False)
            left -= len(records)
            yield position, version, records, whole


def _changed(position: _Position) -> int | None:
    """The file's version if there may be something to read."""
    version = position.file.version()
    if version != position.seen:
        return version
    if not position.file.is_current():
        raise TopicReplaced(position.file.topic, position.next)
    return None


class EmbeddedAdmin(Closing):
    """An `Admin`."""

    def __init__(self, transport: EmbeddedTransport) -> None:
        self._transport = transport

    def create_topic(self, topic: str, cleaning: Cleaning = COMPACTED) -> bool:
        return create_file(self._transport.path_of(topic), topic, cleaning)

    def create_topics(self, topics: Mapping[str, Cleaning]) -> Sequence[str]:
        return [topic for topic, cleaning in topics.items() if self.create_topic(topic, cleaning)]

    def delete_topic(self, topic: str) -> None:
        with closing(self._transport.open(topic)) as file:
            file.delete()

    def topics(self) -> Mapping[str, str]:
        return self._transport.identities(self._transport.names())

    def maintain(self, now_ms: int) -> None:
        names = self._transport.names()
        for topic in random.sample(names, min(MAINTAINED, len(names))):
            with suppress(TopicUnknown), closing(self._transport.open(topic)) as file:
                if file.is_due(now_ms):
                    file.clean(now_ms)

    def compact(self, topic: str, now_ms: int) -> int:
        """Clean one topic now, as of `now_ms` (Unix ms), due or not. How many records went."""
        with closing(self._transport.open(topic)) as file:
            return file.clean(now_ms)

    def close(self) -> None:
        """Nothing is kept open between calls."""
