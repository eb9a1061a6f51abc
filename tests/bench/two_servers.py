"""Two serving processes on one store: what a request costs them, beside what it costs one that is alone.

In turns: one process answers `REQUESTS` lookups, then two answer as many each at the same time, with as many
connections each. All of them on one core, the client on the other. Costs are processor time of the serving processes,
as the kernel counts it, so that a busy machine slows but does not spoil them.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.bench.lookups import RECORDS, Asker, Gateway, Load, client_core, pinned, started
from tests.bench.processes import cpu_seconds
from tests.bench.result import Result

CONNECTIONS = 64  # of each process
REQUESTS = 4_000
TURNS = 9
PROMISED = 1.1


def cost_of_two(turns: int = TURNS, requests: int = REQUESTS) -> Result:
    """Microseconds of processor time for each request: of two processes, and of one."""
    with pinned(client_core()), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory:
        first, second = Path(directory) / "first", Path(directory) / "second"
        first.mkdir()
        second.mkdir()
        with started(first, RECORDS) as one, started(second, RECORDS, first / "store.db") as two:
            pairs = _turns((one, two), turns, requests)
    # The ratio of each turn, so that a core that grows slower or faster from turn to turn counts on both sides.
    alone = median(single for _, single in pairs)
    ours = alone * median(both / single for both, single in pairs)
    facts: dict[str, float | str] = {"records": RECORDS, "connections_each": CONNECTIONS, "requests_each": requests}
    return Result("two_servers", ours, alone, PROMISED, "µs a request", at_most=True, facts=facts)


def _turns(gateways: tuple[Gateway, Gateway], turns: int, requests: int) -> list[tuple[float, float]]:
    """Of each turn: the cost with both at work, and with one."""
    one, two = (_Client(gateway) for gateway in gateways)
    with one.load, two.load, ThreadPoolExecutor(2) as threads:
        _cost((one, two), requests // 4, threads)  # warm
        pairs = []
        for turn in range(turns):
            alone = _cost(((one, two)[turn % 2],), requests, threads)
            pairs.append((_cost((one, two), requests, threads), alone))
    return pairs


class _Client:
    """The load on one server."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.ask = Asker(gateway, "mtls")
        self.load = Load(gateway.base_url, gateway.tls("mtls"), connections=CONNECTIONS)

    def spent(self) -> float:
        """Seconds of processor time of its server."""
        return cpu_seconds(self.gateway.pid)


def _cost(clients: Sequence[_Client], requests: int, threads: ThreadPoolExecutor) -> float:
    """Microseconds for each request, all of `clients` at work at once."""
    asked = [client.ask.requests(requests) for client in clients]
    before = sum(client.spent() for client in clients)
    done = [threads.submit(client.load.run, each) for client, each in zip(clients, asked, strict=True)]
    for one in done:
        one.result()
    spent = sum(client.spent() for client in clients) - before
    return spent / (requests * len(clients)) * 1e6
