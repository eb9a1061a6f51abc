"""`GET /metrics`: counts and durations for Prometheus.

1. Labels are names from our own tables: action, outcome code, state, stream. Never a person, app, case or address.
2. Each serving process has a registry of its own, so that two of them can live in one test.
3. What other rooms know (streams, log) is asked when somebody scrapes, not when it changes.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

_BOUNDS = (*map(str, _SECONDS), "+Inf")

# (name, help, label names) and one value for each tuple of labels.
Gauge = tuple[str, str, Sequence[str], Sequence[tuple[Sequence[str], float]]]


class _Durations:
    """A histogram of one action: calls by bucket, and their sum in seconds."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_SECONDS) + 1)
        self.total = 0.0


class Metrics:
    """The metrics of one process, for its event loop. Plain numbers, because every lookup counts itself."""

    def __init__(self, gauges: Callable[[], Sequence[Gauge]]) -> None:
        """`gauges` is asked at each scrape."""
        self._registry = CollectorRegistry()
        self._calls: dict[tuple[str, str], int] = {}
        self._durations: dict[str, _Durations] = {}
        self._registry.register(_Asked(gauges))
        self._registry.register(_Counted(self._calls, self._durations))

    def count(self, action: str, outcome: str, seconds: float) -> None:
        """One call. `outcome` is "granted" or a code of the error table."""
        self._calls[action, outcome] = self._calls.get((action, outcome), 0) + 1
        durations = self._durations.get(action)
        if durations is None:
            durations = self._durations[action] = _Durations()
        durations.buckets[bisect_left(_SECONDS, seconds)] += 1
        durations.total += seconds

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)


class _Counted(Collector):
    def __init__(self, calls: Mapping[tuple[str, str], int], durations: Mapping[str, _Durations]) -> None:
        self._calls = calls
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("oncegate_calls", "Calls by what came of them", labels=("action", "outcome"))
        for labels, number in self._calls.items():
            calls.add_metric(labels, number)
        yield calls
        seconds = HistogramMetricFamily("oncegate_call_seconds", "Duration of calls", labels=("action",))
        for action, durations in self._durations.items():
            bounds = (*map(str, _SECONDS), "+Inf")
            seconds.add_metric(
                (action,), list(zip(bounds, accumulate(durations.buckets), strict=True)), durations.total
            )
        yield seconds


class _Asked(Collector):
    def __init__(self, gauges: Callable[[], Sequence[Gauge]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, words, labels, values in self._gauges():
            family = GaugeMetricFamily(name, words, labels=labels)
            for texts, value in values:
                family.add_metric(texts, value)
            yield family

    def describe(self) -> Iterator[Metric]:
        """Nothing at registration: the gauges cannot be asked before the process is complete."""
        return iter(())
