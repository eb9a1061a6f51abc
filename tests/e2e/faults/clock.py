"""Clocks that jump by an hour under a city, and come back: of all of them, of the departments and ingest, of the
serving processes.

Clients whose clock is right are refused by a gateway whose clock is not (401: tokens and proofs are from another
hour), and are served again when it is. Everything else must work on in the false hour as in the true one.
"""

from collections.abc import Mapping

from tests.e2e.faults.city import ADAPTERS, SERVES, City
from tests.false_clock import HOUR, FalseClock

FALSE_S = 4.0
EVERYBODY = (*ADAPTERS, "ingest", *SERVES)
_GROUPS = (EVERYBODY, (*ADAPTERS, "ingest"), SERVES)


def ahead(city: City, times: int) -> int:
    """One hour ahead, and back."""
    return _jumps(city, times, HOUR)


def back(city: City, times: int) -> int:
    """One hour back, and to the true time again."""
    return _jumps(city, times, -HOUR)


def _jumps(city: City, times: int, seconds: int) -> int:
    clocks = {name: FalseClock(city.layout.root / f"{name}.clock") for name in EVERYBODY}
    _restart(city, {name: clock.environment for name, clock in clocks.items()})
    for number in range(times):
        group = _GROUPS[number % len(_GROUPS)]
        _wait_for_work(city, EVERYBODY)
        for name in group:
            clocks[name].jump(seconds)
        _wait_for_work(city, (*ADAPTERS, "ingest"))
        city.wait(FALSE_S)
        for name in group:
            clocks[name].jump(0)
        _wait_for_work(city, EVERYBODY)
    _restart(city, {})
    return times


def _wait_for_work(city: City, names: tuple[str, ...]) -> None:
    for name in names:
        city.wait_for(f"{name} to work", city.works(name))


def _restart(city: City, environment: Mapping[str, Mapping[str, str]]) -> None:
    for name in EVERYBODY:
        city.hold(name)
        city.environment[name] = environment.get(name, {})
        city.release(name)
