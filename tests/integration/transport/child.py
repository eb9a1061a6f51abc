"""Another process that writes to a log: `python -m tests.integration.transport.child COMMAND CONFIG TOPIC …`."""

import itertools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.edge.config import read_toml
from contracts.edge.transport import Writer, open_transport


def batches(writer: Writer, topic: str, name: str, count: str) -> None:
    """Write `count` batches of 25 records, numbered, under keys of this writer."""
    numbers = itertools.count()
    for _ in range(int(count)):
        entries = [(f"{name}-{number}".encode(), b"%d" % number) for number in itertools.islice(numbers, 25)]
        writer.write_many(topic, entries)


def on_demand(writer: Writer, topic: str) -> None:
    """For each line on stdin write one record that holds the time."""
    print("ready", flush=True)
    for _ in sys.stdin:
        writer.write(topic, b"time", b"%d" % time.monotonic_ns())


def for_ever(writer: Writer, topic: str, name: str) -> None:
    """Write batches of 20 until killed; say each key that the log has acknowledged."""
    for number in itertools.count():
        keys = [f"{name}-{number}-{index}" for index in range(20)]
        writer.write_many(topic, [(key.encode(), b"v" * 500) for key in keys])
        print("\n".join(keys), flush=True)


COMMANDS: Mapping[str, Callable[..., None]] = {"batches": batches, "on_demand": on_demand, "for_ever": for_ever}


if __name__ == "__main__":
    command, config, topic, *rest = sys.argv[1:]
    with open_transport(read_toml(Path(config)).section("log")).writer() as writer:
        COMMANDS[command](writer, topic, *rest)
