"""Running on: a stream runs again when its source changed, a statement is due, an approval came, or entries wait.

A look costs a `stat` of each source file. SIGTERM and Ctrl-C end the loop after the batch in hand; whatever the
outbox then holds goes out with the next start.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

from adapters.config import AdapterConfig, StreamConfig
from adapters.outbox import Outbox
from adapters.report import StreamReport
from adapters.run import Effects, run_stream
from adapters.sealing import statement_due
from adapters.sources import Stamp
from contracts.edge.clock import now_ms
from contracts.errors import UserError

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
    while not effects.stop.is_set():
        for config in adapter.streams:
            stamp = _stamp(config)
            name = config.stream.evidence_type
            if not effects.stop.is_set() and (seen.get(name) != stamp or _due(config, effects.outbox)):
                tell(run_stream(adapter, config, effects))
                seen[name] = stamp
        effects.stop.wait(every_s)


def _stamp(config: StreamConfig) -> Stamp:
    try:
        return config.source.stamp()
    except (UserError, OSError):
        return ()  # the run says what is wrong, once


def _due(config: StreamConfig, outbox: Outbox) -> bool:
    state = outbox.known_stream(config.stream.evidence_type)
    if state is None or outbox.approved_plan(state) is not None or outbox.backlog(state):
        return True
    return not outbox.is_braked(state) and statement_due(state, now_ms() // 1000, config.every_s)
