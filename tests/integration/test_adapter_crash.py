"""Nothing acknowledged is lost: crashes at every step between append and mark, and kills at random instants."""

import random
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from adapters import run as run_module
from adapters.config import AdapterConfig, load
from adapters.outbox import Outbox
from adapters.report import StreamReport
from adapters.run import Effects, run_stream
from contracts.algorithms import suite_of
from contracts.edge.transport import Headers, LogUnavailable, Writer
from contracts.feeds import bucket_digests
from tests.integration.adapter_city import COMMAND, ENVIRONMENT, Department, department, row

Entries = Sequence[tuple[bytes, bytes]]
Step = Callable[[Writer, str, Entries, Headers], Sequence[int]]


class Crash(Exception):
    """The process is gone."""


def _before(_: Writer, __: str, ___: Entries, ____: Headers) -> Sequence[int]:
    raise Crash


def _after(writer: Writer, topic: str, entries: Entries, headers: Headers) -> Sequence[int]:
    writer.write_many(topic, entries, headers)
    raise Crash


def _in_the_middle(writer: Writer, topic: str, entries: Entries, headers: Headers) -> Sequence[int]:
    writer.write_many(topic, entries[: len(entries) // 2], headers)
    raise Crash


def _away(_: Writer, __: str, ___: Entries, ____: Headers) -> Sequence[int]:
    raise LogUnavailable("the log is away")


def _away_after_all(writer: Writer, topic: str, entries: Entries, headers: Headers) -> Sequence[int]:
    writer.write_many(topic, entries, headers)
    raise LogUnavailable("written, but reported as failed")


def _works(writer: Writer, topic: str, entries: Entries, headers: Headers) -> Sequence[int]:
    return writer.write_many(topic, entries, headers)


class Faulty:
    """A `Writer` that takes a script: one step for each batch, then works."""

    def __init__(self, writer: Writer, script: Iterable[Step]) -> None:
        self._writer = writer
        self._script = iter(script)

    def write(self, topic: str, key: bytes, value: bytes, headers: Headers = ()) -> int:
        return self.write_many(topic, ((key, value),), headers)[0]

    def write_many(self, topic: str, entries: Iterable[tuple[bytes, bytes]], headers: Headers = ()) -> Sequence[int]:
        return next(self._script, _works)(self._writer, topic, list(entries), headers)

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@pytest.fixture
def dept(tmp_path: Path) -> Department:
    return department(tmp_path)


def _run(config: AdapterConfig, script: Iterable[Step] = (), patience_s: float = 0.0) -> StreamReport:
    """One run as a process would do it, up to its crash."""
    with (
        Outbox(config.outbox, config.organisation, config.adapter) as outbox,
        Faulty(config.transport.writer(), script) as writer,
    ):
        return run_stream(config, config.streams[0], Effects(outbox, writer, patience_s=patience_s))


def _assert_whole(dept: Department, count: int, live: int) -> None:
    """Every number from 1 to `count` at least once, the same bytes each time, and a last statement that fits."""
    by_number: dict[int, set[bytes]] = defaultdict(set)
    for evidence in dept.messages():
        by_number[evidence.claims.position.seq].add(evidence.message)
    assert sorted(by_number) == list(range(1, count + 1))
    assert all(len(copies) == 1 for copies in by_number.values())
    assert len({evidence.claims.position.epoch for evidence in dept.messages()}) == 1
    full = [statement for statement in dept.statements() if statement.buckets is not None][-1]
    found = dept.live()
    assert (full.position.seq, full.count) == (count, live)
    assert full.buckets == bucket_digests(found.values(), suite_of("ES256"))


@pytest.mark.parametrize("step", [_before, _in_the_middle, _after])
@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_crash_between_append_and_mark(
    dept: Department, step: Step, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "BATCH", 10)
    dept.write(row(number) for number in range(35))
    config = load(dept.config)
    with pytest.raises(Crash):
        _run(config, [*[_works] * batches, step])
    dept.write(row(number) for number in range(1, 36))
    assert dept.run("--full").code == 3  # one of 35 gone is more than 2 %: what was appended is out nevertheless
    _assert_whole(dept, 35, 35)
    assert dept.adapter("approve-run", "2").code == 0
    assert dept.run("--full").code == 0
    _assert_whole(dept, 37, 35)


@pytest.mark.parametrize("step", [_away, _away_after_all])
def test_a_log_that_is_away_costs_nothing(dept: Department, step: Step) -> None:
    dept.write(row(number) for number in range(5))
    config = load(dept.config)
    report = _run(config, [step])
    assert (report.state, report.unsent) == ("published", 6)
    assert _run(config, [step, _works], patience_s=30).unsent == 0
    _assert_whole(dept, 5, 5)


def test_a_crash_while_sealing_gives_no_numbers(dept: Department, monkeypatch: pytest.MonkeyPatch) -> None:
    dept.write(row(number) for number in range(5))
    config = load(dept.config)
    salts = iter([b"s" * 16] * 20)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_random", lambda _: salts)
        with pytest.raises((StopIteration, RuntimeError)):
            _run(config)
    assert dept.records() == []
    _run(config)
    _assert_whole(dept, 5, 5)


def test_kills_at_random_instants(dept: Department) -> None:
    chance = random.Random(7)
    count = killed = 0
    for _ in range(10):
        count += 400  # always something to publish
        dept.write(row(number) for number in range(count))
        with subprocess.Popen([*COMMAND, "run"], cwd=dept.root, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0.4, 1.2))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    assert killed
    assert dept.run("--full").code == 0
    _assert_whole(dept, count, count)
    assert dept.run().json["unchanged"] == count


def test_a_new_outbox_restates_everything_in_a_higher_epoch(dept: Department) -> None:
    dept.write(row(number) for number in range(3))
    dept.run()
    for path in dept.root.glob("outbox*"):
        path.unlink()
    dept.run()
    epochs = [evidence.claims.position for evidence in dept.messages()]
    assert [position.seq for position in epochs] == [1, 2, 3, 1, 2, 3]
    assert epochs[3].epoch > epochs[0].epoch
    assert dept.statements()[-1].buckets is not None
