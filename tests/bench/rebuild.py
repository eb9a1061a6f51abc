"""One log into two empty stores: equal bucket digests and logical rows, and memory that does not grow with them.

Each store is built by a process of its own (`python -m tests.bench.rebuild STORE MESSAGES`), so that its memory is its
own. It says how much it had after a tenth of the records (SQLite's cache is full by then) and at the most from there
to the end, the comparison of all bucket digests with the department's statement included. Pages of mapped files are
left out: the system takes them back when it likes.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from subprocess import run

import orjson

from gateway.ingest.run import Ingest
from gateway.roles import configure_logging
from gateway.store.reader import Reader
from tests.bench.corpus import corpus
from tests.bench.ingest import KEK, parts_of
from tests.bench.processes import own_mb
from tests.bench.result import Result
from tests.unit.gateway.ingest import world

SHORT, MILLION = 50_000, 1_000_000
CACHE_MB = 16.0  # what the allocator and SQLite may still take after the first tenth, beside what is there


def rebuilt(messages: int) -> Result:
    """Memory at the most over memory after a tenth of the records; no figure at all if the two stores differ."""
    corpus(messages)
    with tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        stores = [Path(directory) / name for name in ("one.db", "two.db")]
        began = time.perf_counter()
        facts = [_build(store, messages) for store in stores]
        seconds = (time.perf_counter() - began) / len(stores)
        _require_equal(stores, messages)
    early = max(one["early_mb"] for one in facts)
    most = max(one["most_mb"] for one in facts)
    spent = sum(one["cpu_s"] for one in facts) / len(facts)
    said: dict[str, float | str] = {
        "records": messages,
        "seconds": seconds,
        "records_per_s": messages / seconds,
        "records_per_s_of_a_core": messages / spent,
        "stores": "equal bucket digests and logical rows",
    }
    return Result("rebuild", most, early + CACHE_MB, 1.0, "MiB", at_most=True, facts=said)


def _build(store: Path, messages: int) -> dict[str, float]:
    done = run(
        [sys.executable, "-m", "tests.bench.rebuild", str(store), str(messages)], capture_output=True, check=True
    )
    facts: dict[str, float] = orjson.loads(done.stdout)
    return facts


def _require_equal(stores: list[Path], messages: int) -> None:
    """Raises unless both hold the same rows, all of them, and have the same digests."""
    with Reader(stores[0], KEK) as one, Reader(stores[1], KEK) as two:
        count = 0
        for left, right in zip_longest(one.logical_rows(), two.logical_rows()):
            count += 1
            if left != right:
                raise RuntimeError(f"the stores differ in row {count}: no figure")
        if count != messages or one.all_streams() != two.all_streams():
            raise RuntimeError(f"{count} records and the states of the streams are not as they should be: no figure")
        if one.bucket_digests(world.STREAM, world.SUITE) != two.bucket_digests(world.STREAM, world.SUITE):
            raise RuntimeError("the bucket digests differ: no figure")


# --- the process that builds one ----------------------------------------------------------------------------------


def main() -> None:
    """Build a store, and print what it took as one line of JSON."""
    configure_logging()
    store, messages = Path(sys.argv[1]), int(sys.argv[2])
    ingest = Ingest(parts_of(corpus(messages), store))
    taken = 0
    while taken < messages // 10:
        taken += ingest.step(0.0)
    early = own_mb()
    most = _watched(lambda: _rest(ingest, messages, taken))
    ingest.close()
    state = dict(Reader(store, KEK).all_streams())[world.STREAM]
    if ingest.counts.accepted != messages or state.as_of is None:
        raise SystemExit("the stream is not complete")
    facts = {"early_mb": early, "most_mb": most, "cpu_s": time.process_time()}
    sys.stdout.write(orjson.dumps(facts).decode())


def _rest(ingest: Ingest, messages: int, taken: int) -> None:
    while taken <= messages:  # the statement is one more
        taken += ingest.step(0.0)


def _watched(work: Callable[[], None]) -> float:
    """Do it; the most memory seen meanwhile, in MiB."""
    seen, ended = [own_mb()], threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            seen.append(own_mb())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        work()
    finally:
        ended.set()
        watcher.join()
    return max(*seen, own_mb())


if __name__ == "__main__":
    main()
