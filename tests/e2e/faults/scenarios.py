"""The table of faults. A new one is a function of a city and a row here.

`fault(city, times)` injects `times` faults while everybody works, leaves nothing broken behind, and returns how many
it injected. Afterwards the city settles and the checker compares. `times` is how many the long run has, `short` how
many the short one (0: the row is not there), `nodes` how many brokers the city has. Random instants are drawn from
`city.chance`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.e2e.faults import clock, disk_full
from tests.e2e.faults.city import ADAPTERS, SERVES, City

FREEZE_S = 20.0
UNDER_WAY_S = 3.0  # of work before and after a fault that takes its time

Fault = Callable[[City, int], int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row. `times`: faults in the long run. `may_end`: processes that may end by themselves in it."""

    name: str
    fault: Fault
    times: int
    short: int = 0
    nodes: int = 1
    may_end: frozenset[str] = frozenset()

    def times_in(self, long: bool) -> int:
        return self.times if long else self.short


def _kill_each(names: Iterable[str]) -> Fault:
    """kill -9 at random instants, each of `names` in turn."""
    chosen = tuple(names)

    def fault(city: City, times: int) -> int:
        for number in range(times):
            city.kill_at_random(chosen[number % len(chosen)])
        return times

    return fault


def _kill_any(city: City, times: int) -> int:
    """kill -9 of whatever the dice say."""
    names = sorted(city.processes)
    for _ in range(times):
        city.kill_at_random(city.chance.choice(names))
    return times


def _nothing(city: City, times: int) -> int:
    """Everybody works, nothing breaks: what the checker says then."""
    for _ in range(2):  # the first export, and a change of it
        for name in city.processes:
            city.wait_for(f"{name} to work", city.works(name))
    return 0


def _restart_broker(city: City, times: int) -> int:
    for _ in range(times):
        city.wait(city.chance.uniform(0.5, UNDER_WAY_S))
        city.broker.stop()
        city.start_brokers()
    return times


def _kill_broker(city: City, times: int) -> int:
    for _ in range(times):
        city.wait(city.chance.uniform(0.5, UNDER_WAY_S))
        city.kill_broker()
        city.start_brokers()
    return times


def _freeze_broker(city: City, times: int) -> int:
    for _ in range(times):
        city.wait(city.chance.uniform(0.5, UNDER_WAY_S))
        city.freeze_broker(FREEZE_S)
    return times


def _lose_one_of_three(city: City, times: int) -> int:
    """Each broker in turn is killed; the city settles without it, before it comes back."""
    for number in range(times):
        city.wait(city.chance.uniform(0.5, UNDER_WAY_S))
        city.kill_broker(number % 3)
        city.wait(UNDER_WAY_S)
        city.settle()
        city.go_on()
        city.start_brokers()
    return times


NOTHING = Scenario("nothing", _nothing, times=1)  # what the checker is tried on
_IN_TURN = (ADAPTERS[0], "ingest", SERVES[0], ADAPTERS[1], "ingest", SERVES[1], ADAPTERS[2], "ingest")
SCENARIOS = (
    Scenario("kill -9 in turn", _kill_each(_IN_TURN), times=0, short=8),
    Scenario("kill -9 adapters", _kill_each(ADAPTERS), times=24),
    Scenario("kill -9 ingest", _kill_each(["ingest"]), times=24),
    Scenario("kill -9 serve", _kill_each(SERVES), times=24),
    Scenario("kill -9 anything", _kill_any, times=24),
    Scenario("broker restart", _restart_broker, times=3),
    Scenario("broker kill -9", _kill_broker, times=3, short=1),
    Scenario("broker frozen 20 s", _freeze_broker, times=2),
    Scenario("disk full under the outbox", disk_full.outbox, times=3, short=1),
    Scenario("disk full under the store", disk_full.store, times=2),
    Scenario("disk full under the audit log", disk_full.audit, times=2, may_end=frozenset(SERVES)),
    Scenario("clock + 1 h", clock.ahead, times=3),
    Scenario("clock - 1 h", clock.back, times=3),
    Scenario("one of three brokers lost", _lose_one_of_three, times=3, nodes=3),
    Scenario("three brokers, kill -9 anything", _kill_any, times=8, nodes=3),
)
