"""Ways to spoil an installation below a directory, each one thing; what is returned must be kept until `release`."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import adapters.cli
from adapters.outbox import Lock
from audit.disk import lock
from contracts.edge.output import execute
from gateway.config import load
from gateway.store.database import lock_writer

Spoil = Callable[[Path], object]
ADAPTER = "departments/market-regulation-1"
NODE, SLOT = "node/oncegate.toml", "node/data/audit/gov-extranet-1"


def fine(_: Path) -> None:
    """Nothing is wrong but the command."""


def gone(name: str) -> Spoil:
    return lambda city: shutil.rmtree(city / name) if (city / name).is_dir() else (city / name).unlink()


def holds(name: str, data: bytes) -> Spoil:
    def spoil(city: Path) -> None:
        (city / name).parent.mkdir(parents=True, exist_ok=True)
        (city / name).write_bytes(data)

    return spoil


def a_directory(name: str) -> Spoil:
    def spoil(city: Path) -> None:
        (city / name).unlink(missing_ok=True)
        (city / name).mkdir(parents=True)

    return spoil


def a_file(name: str) -> Spoil:
    def spoil(city: Path) -> None:
        shutil.rmtree(city / name, ignore_errors=True)
        (city / name).write_bytes(b"")

    return spoil


def exposed(name: str) -> Spoil:
    return lambda city: (city / name).chmod(0o644)


def replaced(name: str, by: str) -> Spoil:
    return lambda city: shutil.copy(city / by, city / name)


def says(name: str, old: str, new: str) -> Spoil:
    def spoil(city: Path) -> None:
        text = (city / name).read_text("utf-8")
        assert old in text
        (city / name).write_text(text.replace(old, new, 1), "utf-8")

    return spoil


def altered_parts(city: Path) -> None:
    for path in (city / "registry/build/parts").iterdir():
        path.write_bytes(b"[]")


def torn_topic(city: Path) -> None:
    topic = city / "log/registry.t"
    topic.write_bytes(topic.read_bytes()[:4096] + b"\xff" * 50_000)


def anothers_outbox(city: Path) -> None:
    execute(adapters.cli.app, ["run", str(city / "departments/traffic-police-1/adapter.toml")])
    shutil.copy(city / "departments/traffic-police-1/outbox.db", city / ADAPTER / "outbox.db")


def busy_port(city: Path) -> object:
    serve = load(city / NODE).serve
    assert serve is not None
    return socket.create_server((serve.host, serve.port))


def second_writer(city: Path) -> object:
    (city / SLOT).mkdir(parents=True)
    return lock(city / SLOT / "lock")


def second_ingest(city: Path) -> object:
    return lock_writer(city / "node/data/stores/1.sqlite")


def second_adapter(city: Path) -> object:
    return Lock(city / ADAPTER / "outbox.db")


def release(held: object) -> None:
    if isinstance(held, socket.socket):
        held.close()
    elif isinstance(held, Lock):
        held.__exit__()
    elif type(held) is int and held > 2:
        os.close(held)
