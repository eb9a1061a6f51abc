"""What `durable = "mirrored"` costs: lookups over loopback TLS whose answers wait for a mirror, beside others.

Gateway, mirror (`oncegate-audit mirror`, its own process, directory and disk writes) and client run on one machine: the
way between two hosts comes on top, twice. One question at a time shows the wait of a single answer; 256 connections
show that one head of the log serves all who wait for it.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.config import LOCAL, MIRRORED
from tests.bench.lookups import CONNECTIONS, RECORDS, Asker, Load, client_core, pinned, started
from tests.bench.receipts import SERVER, at
from tests.bench.result import Result

SAMPLES = 400
REQUESTS = 4_000
LIMIT_MS = 100.0  # ours, not promised: half of what a person at a window notices
_MIRROR = [sys.executable, "-c", "from audit.cli import main; main()", "mirror"]


def mirrored_answers(samples: int = SAMPLES) -> Result:
    """The median of one answer at a time in ms, beside the same with `durable = "local"`."""
    (local, local_rate), (ours, rate) = _measured(LOCAL, samples), _measured(MIRRORED, samples)
    facts = {
        "p99_ms": at(ours, 0.99),
        "local_p50_ms": at(local, 0.50),
        "local_p99_ms": at(local, 0.99),
        "lookups_per_s": rate,
        "local_lookups_per_s": local_rate,
    }
    return Result("mirrored_answers", at(ours, 0.50), LIMIT_MS, 1.0, "ms", at_most=True, facts=facts)


def _measured(durable: str, samples: int) -> tuple[list[float], float]:
    """Seconds of single answers, ordered; and answers a second over many connections."""
    with pinned(client_core()), tempfile.TemporaryDirectory(prefix="oncegate-bench-") as name:
        directory = Path(name)
        with started(directory, RECORDS, module=SERVER, more=("0", durable)) as gateway, _mirror(directory):
            ask = Asker(gateway, "mtls")
            _until_answered(ask)
            with Load(gateway.base_url, gateway.tls("mtls"), connections=1, in_flight=1) as one:
                one.run(ask.requests(50))
                single = sorted(one.run(ask.requests(1)) for _ in range(samples))
            with Load(gateway.base_url, gateway.tls("mtls"), connections=CONNECTIONS) as many:
                many.run(ask.requests(500))
                return single, REQUESTS / many.run(ask.requests(REQUESTS))


def _until_answered(ask: Asker) -> None:
    """The mirror comes up while the first question waits for it, or after that one was refused."""
    deadline = time.monotonic() + 60
    while True:
        try:
            ask.answer_size()
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def _mirror(directory: Path) -> Iterator[None]:
    """In both modes, so that both have the same company."""
    process = subprocess.Popen([*_MIRROR, "--config", str(directory / "mirror.toml")])
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError("the mirror has ended")
    finally:
        process.terminate()
        process.wait(30)
