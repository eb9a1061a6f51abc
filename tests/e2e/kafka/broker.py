"""A real Kafka for tests: `deploy/kafka/kafka.sh` in a directory of its own, on ports that are free."""

import os
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "deploy" / "kafka" / "kafka.sh"
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
# Below those that the system gives out itself. What one worker has looked at and not taken yet, no other one takes.
PORTS = range(20_000, 32_000, 30)[_WORKER::_WORKERS]

# A cleaner and a retention check that are awake all the time: tests wait for what they do.
QUICK = (
    "log.cleaner.backoff.ms=50",
    "log.retention.check.interval.ms=200",
    "log.initial.task.delay.ms=100",
    "log.segment.delete.delay.ms=0",
)


@dataclass(frozen=True, slots=True)
class Broker:
    """A cluster that runs (or did)."""

    directory: Path
    port: int
    nodes: int = 1
    security: str = "none"

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{self.port + index}" for index in range(self.nodes))

    def start(self, properties: Sequence[str] = QUICK) -> None:
        settings = ("--nodes", str(self.nodes), "--port", str(self.port), "--security", self.security)
        kafka_sh("start", "--dir", str(self.directory), *settings, *_each("--property", properties))

    def stop(self) -> None:
        kafka_sh("stop", "--dir", str(self.directory))

    def section(self, prefix: str, **changes: str) -> str:
        """The lines of a configuration table `log` for it, as user `admin` where there are users."""
        lines = {"kind": "kafka", "bootstrap": self.bootstrap, "prefix": prefix, "security": self.security}
        if self.security == "sasl_tls":
            lines |= {
                "ca_file": str(self.directory / "tls" / "ca.crt"),
                "sasl_mechanism": "SCRAM-SHA-512",
                "username": "admin",
                "password_file": str(self.directory / "secrets" / "admin.password"),
            }
        return "".join(f'{name} = "{value}"\n' for name, value in (lines | changes).items() if value)


def kafka_sh(*arguments: str) -> str:
    """What the script printed. Its mistakes are told as they are."""
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KAFKA_HEAP": "256m"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(
    directory: Path, nodes: int = 1, security: str = "none", properties: Sequence[str] = QUICK
) -> Iterator[Broker]:
    """A cluster, stopped in the end whatever happens."""
    broker = Broker(directory, free_port(), nodes, security)
    try:
        broker.start(properties)
        yield broker
    finally:
        if (directory / "settings").exists():
            broker.stop()


def free_port() -> int:
    """A first port such that all those a cluster takes are free."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if _all_free(range(port, port + 30)))


def _all_free(ports: range) -> bool:
    with ExitStack() as stack:
        try:
            for port in ports:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
    return True


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
