"""Clocks that are set while a department or a node works: nothing is refused for its date, nothing accepted twice."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from contracts.edge.keys import load_signing_key
from gateway.client import TokenClient, tls_context
from gateway.ingest.state import COMPLETE, StreamState, Told, feed_state
from gateway.store.stores import Stores
from tests.e2e.faults.layout import APPS, DEPARTMENTS
from tests.e2e.faults.load import CLERK, ITEM
from tests.e2e.faults.sources import HEALTH, person
from tests.false_clock import HOUR, FalseClock
from tests.integration.disk_town import Town, ends_well, town
from tests.waiting import until

DEPARTMENT = DEPARTMENTS[0]
MOBILE = APPS[1]
PATH = "/v1/lookups"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path, "64m") as one:
        yield one


def state_of(made: Town) -> StreamState:
    """The department's stream in the store."""
    with Stores(made.layout.data / "stores", made.layout.keys / "store.key").open_current() as reader:
        states = {stream.adapter: state for stream, state in reader.all_streams()}
    return states.get(DEPARTMENT.adapter, StreamState())


def told(made: Town) -> Told | None:
    """The last statement that ingest took."""
    return state_of(made).told if (made.layout.data / "stores" / "current").exists() else None


@pytest.mark.long
def test_statements_of_an_adapter_whose_clock_went_back_are_taken(made: Town, tmp_path: Path) -> None:
    clock = FalseClock(tmp_path / "clock")
    made.sources[DEPARTMENT.adapter].fill()
    ingest = made.start("ingest")
    issued = [0]
    for ahead in (0, HOUR, 0, 0, -HOUR, 0):  # the source does not change: all statements speak of the same number
        clock.jump(ahead)
        made.adapter(DEPARTMENT, environment=clock.environment)
        until(lambda: (last := told(made)) is not None and last.issued_at > issued[-1])
        last = told(made)
        assert last is not None
        assert last.next_at <= time.time() + ahead + 7200
        issued.append(last.issued_at)
    assert issued[2] > time.time() + HOUR - 120
    assert feed_state(state_of(made), int(time.time())).state == COMPLETE
    assert made.rejects() == 0
    assert ends_well(ingest)


def test_a_proof_dated_ahead_passes_once_though_the_process_is_killed(made: Town) -> None:
    made.publish()
    ingest = made.start("ingest")
    until(lambda: told(made) is not None)
    serve = made.start("serve")
    until(lambda: '"serving"' in made.said("serve"))
    with closing(mobile(made, 50)) as client:
        headers = fields(client)
        status, answer = asked(client, headers)
        assert (status, len(answer["evidence"])) == (200, 1)
        serve.kill()
        serve.wait()
        client.close()
        made.log("serve").unlink()
        again = made.start("serve")
        until(lambda: '"serving"' in made.said("serve"))
        assert asked(client, headers)[0] == 401
        assert asked(client, fields(client))[0] == 200
    assert ends_well(again)
    assert ends_well(ingest)


def mobile(made: Town, ahead: int) -> TokenClient:
    """The app with DPoP, its clock `ahead` seconds ahead."""
    layout = made.layout
    key = load_signing_key(layout.private(MOBILE.name), "ES256")
    tls = tls_context(layout.certificate("tls"))
    return TokenClient(layout.slots[0].base_url, MOBILE.name, tls, key, "dpop", lambda: int(time.time()) + ahead)


def fields(client: TokenClient) -> dict[str, str]:
    return {"Content-Type": "application/json", **client.authorization("POST", PATH)}


def asked(client: TokenClient, headers: dict[str, str]) -> tuple[int, dict[str, list[object]]]:
    """Status and answer of one lookup under these header fields."""
    holder = {"scheme": "cn.ric", "id": person(0)}
    body = {
        "service_item": ITEM,
        "case": "case-1",
        "clerk": CLERK,
        "evidence_type": HEALTH.evidence_type,
        "by": {"holder": holder},
    }
    status, _, answer = client.send("POST", PATH, json.dumps(body).encode(), headers)
    return status, answer
