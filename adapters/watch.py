"""Running on: a stream runs again when its source changed, a statement is due, an approval came, or entries wait.

A look costs a `stat` of each source file, of a database what its `stamp` says. SIGTERM and Ctrl-C end the loop after
the batch in hand; whatever the outbox then holds goes out with the next start.

A source that cannot be read is reported once and tried again when it changes. A run that a full disk or a source that
is away stopped is tried again at each look, and reported once.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from adapters.config import AdapterConfig, StreamConfig
from adapters.outbox import Outbox, OutboxUnusable
from adapters.outbox_journal import approved
from adapters.report import AWAY, StreamReport
from adapters.run import Effects, run_stream
from adapters.sealing import statement_due
from adapters.sources import Stamp
from contracts.edge.clock import now_ms
from contracts.errors import Unavailable, UserError

Tell = Callable[[StreamReport], None]


@contextmanager
def stopping(stop: Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop` meanwhile."""
    former = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def watch(adapter: AdapterConfig, effects: Effects, every_s: float, tell: Tell) -> None:
    """Look every `every_s` seconds and run what is due, until `effects.stop`."""
    seen: dict[str, Stamp] = {}
    troubles: dict[str, str] = {}  # what keeps a run from being done, whatever its source
    while not effects.stop.is_set():
        for config in adapter.streams:
            stamp = _stamp(config)
            name = config.stream.evidence_type
            if not effects.stop.is_set() and (
                seen.get(name) != stamp or troubles.get(name) or _due(config, effects.outbox)
            ):
                report = run_stream(adapter, config, effects)
                if report.error is None or str(report.error) != troubles.get(name):
                    tell(report)
                troubles[name] = _trouble(report)
                seen[name] = stamp
        effects.stop.wait(every_s)


def _stamp(config: StreamConfig) -> Stamp:
    try:
        return config.source.stamp()
    except (UserError, Unavailable, OSError):
        return ()  # the run says what is wrong, once


def _trouble(report: StreamReport) -> str:
    passes = report.state == AWAY or isinstance(report.error, OutboxUnusable)
    return str(report.error) if passes else ""


def _due(config: StreamConfig, outbox: Outbox) -> bool:
    try:
        return _is_due(config, outbox)
    except OutboxUnusable:
        return True  # the run says what is wrong


def _is_due(config: StreamConfig, outbox: Outbox) -> bool:
    state = outbox.known_stream(config.stream.evidence_type)
    if state is None or outbox.approved_plan(state) is not None or outbox.backlog(state) or approved(outbox, state):
        return True
    return not outbox.is_braked(state) and statement_due(state, now_ms() // 1000, config.every_s)
