"""Nothing personal leaves the sealed openings: all that a log's directory and the audit calls hold is scanned for what
was planted, as it is, in hex, base64, with percent signs, and as its plain SHA-256."""

import base64
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.disk import Disk
from audit.fetch import Client, Endpoint
from audit.notes import NoteSigner
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.carrier import Carrier
from audit.orders.order import RESTRICT, Order, countersign, sign
from audit.ranges import Ranges
from audit.show import Viewer
from tests.integration.orders_world import BASIS, finished
from tests.integration.serve_world import (
    AUDITOR_KEY,
    IDENTITY,
    LICENCE,
    LOG_KEY,
    NOBODY,
    ORIGIN,
    PERSON,
    City,
    build_city,
    example,
    running,
)
from tests.integration.test_serve import COMPANY, ask, closing, person, question
from tests.waiting import until

CASE, CLERK, TERMINAL = "CASE-PLANTED-2026-0001", "planted.clerk.zhang", "planted-terminal-7"
RECORD = "rec-planted-0001"
LONG_ENOUGH = 8  # bytes: shorter ones are in any file by chance
ORDERS = NoteSigner.of("audit.example/orders", Ed25519PrivateKey.from_private_bytes(b"\5" * 32))


def texts(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(member)


def planted() -> set[str]:
    documents = [*texts(example(IDENTITY)), *texts(example(LICENCE))]
    schemes = {"cn.ric", "cn.uscc"}  # kinds of ids, not somebody's
    return {*documents, PERSON, NOBODY, COMPANY, CASE, CLERK, TERMINAL, RECORD} - schemes


def spellings(data: bytes) -> Iterator[bytes]:
    """How `data` may stand in a file: base64 at each of its three alignments."""
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for lead in range(3):
            text = encode(b"\0" * lead + data).rstrip(b"=")
            yield text[(0, 2, 3)[lead] : len(text) - 1]


def needles() -> dict[bytes, str]:
    """What must be nowhere → what it is."""
    found: dict[bytes, str] = {}
    for text in planted():
        data = text.encode()
        if len(data) < LONG_ENOUGH:
            continue
        for spelling in (*spellings(data), *spellings(sha256(data).digest()), quote(text, safe="").encode()):
            found[spelling] = text
    return found


def seen(data: bytes, wanted: dict[bytes, str]) -> set[str]:
    return {text for needle, text in wanted.items() if needle in data}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """After questions of every kind about planted people, and a restriction of one of them."""
    with running(build_city(tmp_path_factory.mktemp("city"))) as one:
        one.store.put(IDENTITY, RECORD, example(IDENTITY))
        _ask_everything(one)
        until(lambda: one.log.published.size == one.log.size)
        _restrict(one)
        until(lambda: one.log.published.size == one.log.size)
        yield one


def _ask_everything(city: City) -> None:
    words = {"case": CASE, "clerk": CLERK, "terminal": TERMINAL}
    asked = [
        question(**words),
        question(**words, by=person(NOBODY)),
        question(**words, evidence_type=LICENCE, by={"holder": {"scheme": "cn.uscc", "id": COMPANY}}),
        question(**words, by={"holder": {"scheme": "cn.ric", "id": PERSON[:-1] + "?"}}),
        question(**words, service_item=CASE),
        question(**words, evidence_type=CLERK),
        question(**words, fields=[PERSON]),
        {CLERK: PERSON, "by": {CASE: TERMINAL}},
    ]
    with closing(city.client()) as client:
        statuses = [ask(client, body)[0] for body in asked]
        assert statuses[:3] == [200, 200, 200]
        assert 200 not in statuses[3:]
        bundle = {"service_item": "cn.open-restaurant", **words, "holder": {"scheme": "cn.ric", "id": PERSON}}
        assert ask(client, bundle, "/v1/bundles")[0] == 200
        client.send("GET", f"/v1/receipts/{quote(ORIGIN, safe='')}/0", None, {})


def _restrict(city: City) -> None:
    order = Order(ORIGIN, RESTRICT, 1, city.now() // 1000, Ranges.of([(0, 0)]), "accuracy_disputed", BASIS)
    log = NoteSigner.of(ORIGIN, LOG_KEY.key)
    Disk().replace(files.pending_path(city.log_dir, order.digest), countersign(sign(order, ORDERS), log))
    carrier = Carrier(city.log, city.log_dir, lambda: Authority(ORDERS.public, log.public, 184))
    until(lambda: finished(carrier, city.log_dir))


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path.read_bytes()


def test_no_file_of_the_log_names_anybody(city: City) -> None:
    """Entry bundles, tiles, checkpoints, orders, frames, and the openings: sealed ones say nothing either."""
    wanted = needles()
    scanned = {name: seen(name.encode() + b"\n" + data, wanted) for name, data in _files(city.log_dir)}
    assert {name: found for name, found in scanned.items() if found} == {}
    assert {name.split("/")[0] for name in scanned} >= {"tile", "checkpoint", "orders", "frames", "openings"}
    entries = [city.log.entry(index) for index in range(city.log.size)]
    assert len(entries) >= 10
    assert b"openings_restricted" in entries[-1]
    assert not any(seen(entry, wanted) for entry in entries)


def test_no_answer_to_strangers_names_anybody(city: City) -> None:
    size, wanted, below = city.log.published.size, needles(), "/audit/logs/slot-1"
    public = ("checkpoint", f"tile/0/000.p/{size}")
    others = (f"tile/entries/000.p/{size}", f"openings/000.p/{size}", f"orders/{'0' * 64}")
    client = Client(Endpoint(city.base_url, city.server.certificate))
    for path, status in (
        *((f"{below}/{name}", 200) for name in public),
        *((f"{below}/{name}", 403) for name in others),
        *((name, 200) for name in ("/audit/logs", "/metrics", "/livez")),
    ):
        answer = client.get(path, 1 << 20)
        assert answer.status == status, path
        assert not seen(str(answer.headers).encode() + answer.body, wanted), path
    client.close()


def test_the_scan_finds_what_is_there(city: City) -> None:
    """In the opened opening, and in every spelling, in the middle of other bytes."""
    wanted = needles()
    viewer = Viewer(city.log_dir, city.log.verifier, AUDITOR_KEY)
    opened = [str(viewer.line(index).opening).encode() for index in range(1, 5)]
    assert set().union(*(seen(text, wanted) for text in opened)) >= {CASE, CLERK, TERMINAL, NOBODY, COMPANY}
    assert viewer.line(0).restricted
    for lead in (b"", b"x", b"xy"):
        whole = lead + CLERK.encode() + b"tail"
        for data in (whole, whole.hex().encode(), base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
            assert CLERK in seen(data, wanted)
    assert CASE in seen(b"sha-256:" + sha256(CASE.encode()).hexdigest().encode(), wanted)
    name = example(IDENTITY)["name"]
    assert name in seen(quote(name, safe="").encode(), wanted)
