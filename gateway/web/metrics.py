"""`GET /metrics`: counts and durations for Prometheus.

1. Labels are names from our own tables: action, outcome code, state, stream. Never a person, app, case or address.
2. Each serving process has a registry of its own, so that two of them can live in one test.
3. What other rooms know (streams, log) is asked when somebody scrapes, not when it changes.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import Counter, Histogram
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# (name, help, label names) and one value for each tuple of labels.
Gauge = tuple[str, str, Sequence[str], Sequence[tuple[Sequence[str], float]]]


class Metrics:
    """The metrics of one process."""

    def __init__(self, gauges: Callable[[], Sequence[Gauge]]) -> None:
        """`gauges` is asked at each scrape."""
        self._registry = CollectorRegistry()
        self._calls = Counter(
            "oncegate_calls", "Authenticated and refused calls", ["action", "outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "oncegate_call_seconds", "Duration of calls", ["action"], buckets=_SECONDS, registry=self._registry
        )
        self._registry.register(_Asked(gauges))
        self._call_counters: dict[tuple[str, str], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def count(self, action: str, outcome: str, seconds: float) -> None:
        """One call. `outcome` is "granted" or a code of the error table."""
        counter = self._call_counters.get((action, outcome))
        if counter is None:
            counter = self._call_counters[action, outcome] = self._calls.labels(action, outcome)
        histogram = self._histograms.get(action)
        if histogram is None:
            histogram = self._histograms[action] = self._seconds.labels(action)
        counter.inc()
        histogram.observe(seconds)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)


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
