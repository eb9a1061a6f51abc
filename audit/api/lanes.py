"""Where questions are worked on: a few threads with connections of their own, bounded in number and in time.

1. A lane has so many threads and so many places; whoever finds no place is told to come again (`auditors_busy`). A
   place is taken before a body is read, so that bodies are bounded too.
2. A piece of work sees one state of the index from beginning to end (a read transaction).
3. SQLite asks every few thousand steps whether the time is over, and `Work.rows` bounds what is taken into memory. What
   runs on after that in Python is linear in those rows.
4. An index that was built again is another file, and every connection to the former one is closed.
5. Short questions and long ones have lanes of their own: an analysis keeps no search waiting but for the processor.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Final, TypeVar

import apsw

from audit.search.database import open_index, undamaged
from audit.search.query import Index
from contracts.edge.sqlite_errors import as_system_errors
from contracts.errors import Fault, UserError

MAX_ROWS: Final = 1_000_000
_STEPS = 20_000  # of SQLite's machine: some 0.2 ms

T = TypeVar("T")
_File = tuple[int, int]  # device and number


@dataclass(frozen=True, slots=True)
class Work:
    """What a piece of work gets. `ends`: by the monotonic clock, in seconds."""

    index: Index
    ends: float

    @property
    def logs(self) -> list[tuple[str, int]]:
        """Origin and size of each log, as this work sees them."""
        return [(log.origin, log.size) for log in self.index.logs.values()]

    def rows(self, found: Iterable[T]) -> Iterator[T]:
        """At most `MAX_ROWS`; raises `Fault` `question_too_large`."""
        for number, one in enumerate(found):
            if number == MAX_ROWS:
                raise Fault("question_too_large", detail=f"more than {MAX_ROWS} records")
            yield one


class Lane:
    """Threads for questions to one index. `places` and `run` are for the event loop."""

    def __init__(self, path: Path, threads: int, waiting: int, seconds: float) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="audit-question")
        self._places = threads + waiting
        self._seconds = seconds
        self._connections: LifoQueue[tuple[apsw.Connection, _File]] = LifoQueue()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for one question (rule 1); raises `Fault` `auditors_busy`."""
        if not self._places:
            raise Fault("auditors_busy")
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def run(self, work: Callable[[Work], T]) -> T:
        """Do `work` in a thread; raises what it raises, and `Fault` `question_too_long`, `index_unavailable`."""
        ends = time.monotonic() + self._seconds
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work, ends)

    def close(self) -> None:
        """Wait for what is being worked on, and close."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._connections.empty():
            self._connections.get_nowait()[0].close()

    def _do(self, work: Callable[[Work], T], ends: float) -> T:
        with self._connection() as db:
            db.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
            try:
                db.execute("BEGIN")
                return work(Work(Index(db), ends))
            except apsw.InterruptError:
                raise Fault("question_too_long") from None
            finally:
                db.set_progress_handler(None)
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        """One that is free, or a new one; after an error of the index itself it is not used again."""
        db, file = self._free()
        try:
            with as_system_errors(self._path), undamaged(self._path):
                yield db
        except (UserError, OSError) as error:
            db.close()
            raise Fault("index_unavailable", detail=type(error).__name__) from None
        except Fault:
            self._connections.put((db, file))
            raise
        self._connections.put((db, file))

    def _free(self) -> tuple[apsw.Connection, _File]:
        try:
            now = _file(self._path)
            while (free := self._waiting()) is not None:
                if free[1] == now:  # rule 4
                    return free
                free[0].close()
            return open_index(self._path), now
        except (UserError, OSError) as error:
            raise Fault("index_unavailable", detail=type(error).__name__) from None

    def _waiting(self) -> tuple[apsw.Connection, _File] | None:
        try:
            return self._connections.get_nowait()
        except Empty:
            return None


def _file(path: Path) -> _File:
    found = path.stat()
    return found.st_dev, found.st_ino
