"""Machines that come up together need no order: the roles wait for a Kafka that is not there yet."""

import os
import select
import socket
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from contracts.edge.config import parse_toml
from contracts.edge.keys import load_public_key
from contracts.edge.transport import open_transport
from gateway.control.build import publish
from gateway.demo.layout import Layout, prepare
from gateway.demo.message_log import KAFKA, MessageLog, Wanted
from gateway.up import ROLES
from tests.e2e.kafka.broker import Broker, free_port
from tests.integration.up_process import PATIENCE_S, running

PREFIX = "late."


@contextmanager
def reachable(port: int, broker: Broker) -> Iterator[None]:
    """From now on the broker is at `port` too: whoever asks there is told where it is, and goes on by itself."""
    with closing(socket.create_server(("127.0.0.1", port))) as door:
        threading.Thread(target=_let_in, args=(door, broker.port), daemon=True).start()
        yield
        door.shutdown(socket.SHUT_RDWR)


def _let_in(door: socket.socket, port: int) -> None:
    with suppress(OSError):  # the door was closed
        while True:
            ours, theirs = door.accept()[0], socket.create_connection(("127.0.0.1", port))
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError), source:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def city(broker: Broker, port: int, directory: Path) -> Layout:
    """A city whose registry is on the broker, and whose node looks for the broker at `port`."""
    direct = broker.section(PREFIX)
    table = tomllib.loads(direct) | {"bootstrap": f"127.0.0.1:{port}", "patience": 1}
    layout = prepare(directory, MessageLog(Wanted(KAFKA), table))
    root = load_public_key(layout.public("registry-root"), "EdDSA")
    publish(layout.registry, root, open_transport(parse_toml(direct, directory / "direct.toml")))
    return layout


def test_the_roles_wait_for_a_broker_then_begin_and_do_not_outlive_up(broker: Broker, tmp_path: Path) -> None:
    port = free_port()
    with running(city(broker, port, tmp_path / "city")) as up:
        up.wait_for(lambda: len({event.get("reason") for event in up.events("waiting_for_message_log")} - {None}))
        up.wait_for(lambda: len(up.events("waiting_for_message_log")) >= 4)
        with reachable(port, broker):
            up.wait_for(lambda: up.events("ingest_started") and up.events("serving"))
        assert not up.events("role_ended")
        roles = [os.pidfd_open(up.started(role)) for role in ROLES]
        up.process.kill()
        for role in roles:
            assert select.select([role], [], [], PATIENCE_S)[0], "a role outlived its up"
            os.close(role)
