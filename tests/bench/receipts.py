"""How long a receipt takes: `GET /v1/receipts/{log}/{index}` over loopback TLS, one at a time.

The log has 100,000 entries and more, the entries asked for are random ones. Like every answer, a receipt leaves only
after its own access record is durable; so the cost of one fdatasync is in it. The median counts; the 99th percentile,
in which the machine's other work stands, is printed beside it.
"""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from gateway.config import LOCAL
from tests.bench.lookups import Gateway, Load, client_core, pinned, started
from tests.bench.result import Result
from tests.integration.serve_world import ORIGIN

ENTRIES = 120_000
SAMPLES = 2_000
LIMIT_MS = 5.0
SERVER = "tests.bench.audited_server"


def receipts(samples: int = SAMPLES) -> Result:
    """The median in ms."""
    with (
        pinned(client_core()),
        tempfile.TemporaryDirectory(prefix="oncegate-bench-") as directory,
        started(Path(directory), 10, module=SERVER, more=(str(ENTRIES), LOCAL)) as gateway,
    ):
        found = sorted(_latencies(gateway, samples))
    facts = {"entries": float(ENTRIES), "p99_ms": at(found, 0.99)}
    return Result("receipts", at(found, 0.50), LIMIT_MS, 1.0, "ms", at_most=True, facts=facts)


def at(ordered: list[float], share: float) -> float:
    """A percentile of ordered seconds, in ms."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def _latencies(gateway: Gateway, samples: int) -> Iterator[float]:
    token, numbers = gateway.client("mtls").token(), random.Random(7)
    host = gateway.base_url.partition("//")[2]
    with Load(gateway.base_url, gateway.tls("mtls"), connections=1, in_flight=1) as load:
        for sample in range(samples + 100):
            path = f"/v1/receipts/{quote(ORIGIN, safe='')}/{numbers.randrange(ENTRIES)}"
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
            taken = load.run([request.encode()])
            if sample >= 100:
                yield taken
