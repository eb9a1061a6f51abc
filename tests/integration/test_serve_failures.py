"""When something fails: no record, no data; and what a restart remembers."""

import errno
import json
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from audit.disk import Disk
from contracts.registry import Snapshot
from gateway.web import calls
from tests.integration.serve_world import DAY_MS, IDENTITY, City, build_city, example, open_log, running
from tests.integration.test_serve import closing, question
from tests.integration.test_serve_mistakes import PATH

NAME = example(IDENTITY)["name"]


class BreakingDisk(Disk):
    """Works until it is told to break."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = threading.Event()

    def datasync(self, descriptor: int) -> None:
        if self.broken.is_set():
            raise OSError(errno.EIO, "injected")
        super().datasync(descriptor)


def test_without_a_durable_record_nothing_is_released(tmp_path: Path) -> None:
    disk = BreakingDisk()
    with running(build_city(tmp_path / "city", disk)) as city, closing(city.client()) as client:
        assert client.post(PATH, question())[0] == 200
        durable = city.log.size
        disk.broken.set()
        status, headers, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (503, "audit_unavailable")
        assert headers["content-type"] == "application/problem+json"
        text = json.dumps(answer, ensure_ascii=False)
        assert NAME not in text
        assert "receipt" not in answer
        assert city.log.size == durable
        assert ["injected" in str(error) for error in city.deaths] == [True]


def test_the_process_ends_when_its_log_is_dead(tmp_path: Path) -> None:
    """`running` joins the serving thread, which nobody told to stop."""
    disk = BreakingDisk()
    with running(build_city(tmp_path / "city", disk)) as city, closing(city.client()) as client:
        client.token()
        disk.broken.set()
        assert client.post(PATH, question())[0] == 503
        city.served.join(20)
        assert not city.served.is_alive()


def test_a_restart_remembers_how_often_was_asked_today(tmp_path: Path) -> None:
    city = build_city(tmp_path / "city", per_day=3)
    with running(city), closing(city.client()) as client:
        assert [client.post(PATH, question())[0] for _ in range(2)] == [200, 200]
        assert client.post(PATH, question(fields=["born_on"]))[0] == 403
    city.log = open_log(city.directory, city.deaths)
    with running(city), closing(city.client()) as client:
        statuses = [client.post(PATH, question())[::2] for _ in range(2)]
        assert [status for status, _ in statuses] == [200, 429]
        assert statuses[1][1]["code"] == "limit_reached"


def test_without_a_store_nothing_is_found_and_nothing_claimed(tmp_path: Path) -> None:
    city = build_city(tmp_path / "city")
    hidden = city.store.path.rename(tmp_path / "hidden.db")
    with running(city), closing(city.client()) as client:
        status, _, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (503, "store_unavailable")
        assert json.loads(city.log.entry(answer["receipt"]["index"]))["reason"] == "store_unavailable"
        status, _, ready = client.send("GET", "/readyz", None, {})
        assert (status, ready["checks"]["store"]) == (503, "store_unavailable")
        hidden.rename(city.store.path)
        assert client.post(PATH, question())[0] == 200
        assert client.send("GET", "/readyz", None, {})[0] == 200


def test_past_its_validity_the_registry_closes_the_gateway(tmp_path: Path) -> None:
    city = build_city(tmp_path / "city")
    with running(city), closing(city.client()) as client:
        client.token()
        city.registry = replace(city.registry, fresh_until=0)
        assert "registry_degraded" in client.send("GET", "/readyz", None, {})[2]["warnings"]
        assert client.post(PATH, question())[0] == 200
        city.registry = replace(city.registry, valid_until=0)
        status, _, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (503, "registry_expired")


def test_a_grant_that_is_taken_back_is_gone_with_the_next_request(tmp_path: Path) -> None:
    city = build_city(tmp_path / "city")
    with running(city), closing(city.client()) as client:
        assert client.post(PATH, question())[0] == 200
        city.registry = without_grants(city.registry)
        status, _, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (403, "item_not_granted")
        assert client.get("/v1/service-items")[2]["service_items"] == []


def without_grants(registry: Snapshot) -> Snapshot:
    contents = registry.contents
    apps = tuple(replace(app, grants=()) for app in contents.apps)
    return Snapshot(registry.version + 1, registry.fresh_until, registry.valid_until, replace(contents, apps=apps))


def test_a_run_out_grant_is_refused(tmp_path: Path) -> None:
    city = build_city(tmp_path / "city")
    (grant,) = city.registry.apps["window"].grants
    city.registry = replace(city.registry, fresh_until=grant.until + DAY_MS, valid_until=grant.until + DAY_MS)
    contents = city.registry.contents
    apps = tuple(replace(app, grants=(replace(app.grants[0], until=1),)) for app in contents.apps)
    city.registry = replace(city.registry, contents=replace(contents, apps=apps))
    with running(city), closing(city.client()) as client:
        status, _, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (403, "grant_expired")


def test_a_body_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BODY_SECONDS", 0.2)
    city = build_city(tmp_path / "city")
    with running(city), closing(city.client()) as client:
        fields = {"Content-Type": "application/json", **client.authorization("POST", PATH)}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        host, port = "127.0.0.1", int(city.base_url.rpartition(":")[2])
        with (
            socket.create_connection((host, port), timeout=30) as raw,
            client.tls.wrap_socket(raw, server_hostname=host) as tls,
        ):
            tls.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{head}\r\n{{".encode())
            received = tls.recv(65536)
        answer = json.loads(received.partition(b"\r\n\r\n")[2])
        assert (received[9:12], answer["code"]) == (b"408", "request_timeout")
        assert json.loads(city.log.entry(answer["receipt"]["index"]))["reason"] == "request_timeout"


def test_a_full_server_turns_newcomers_away_and_serves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.web.server import GuardedServer

    monkeypatch.setattr(GuardedServer, "limit", 1)
    city: City = build_city(tmp_path / "city")
    with running(city), closing(city.client()) as client, closing(city.client()) as other:
        assert client.post(PATH, question())[0] == 200
        with pytest.raises(OSError, match=r".*"):
            other.send("GET", "/livez", None, {})
        assert client.post(PATH, question())[0] == 200
