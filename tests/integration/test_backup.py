"""The rehearsal: backups under load, everything wiped, restored in another place; and nothing is forged by it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.config import load
from adapters.outbox import Outbox
from gateway.demo.layout import ADAPTERS, SLOT
from tests.integration.installation import MARKET, Installation, installed
from tests.waiting import until

TYPE = "cn.business-licence"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("backup") / "city") as one:
        one.start("ingest", "serve")
        one.wait_until_answered()
        one.run("oncegate", "keygen", "recovery", str(one.root.parent / "recovery.pem"))
        yield one


def _node_backup(city: Installation) -> dict[str, Any]:
    to = ["--recipient", str(city.root.parent / "recovery.pub.pem"), "--also", str(city.layout.registry)]
    made: dict[str, Any] = json.loads(city.oncegate("backup", str(city.root.parent), *to, "--json"))
    return made


def _adapter_backup(city: Installation, adapter: str) -> str:
    config, to = str(city.layout.adapter_config(adapter)), str(city.root.parent / "recovery.pub.pem")
    made = json.loads(
        city.run("oncegate-adapter", "backup", str(city.root.parent), config, "--recipient", to, "--json")
    )
    return str(made["file"])


def _restore(city: Installation, program: str, file: str, into: Path, *options: str, code: int = 0) -> Any:
    key = str(city.root.parent / "recovery.pem")
    out = city.run(program, "restore", file, "--into", str(into), "--recovery-key", key, "--json", *options, code=code)
    return json.loads(out) if code == 0 else out


def _a_record(city: Installation) -> str:
    config = load(city.layout.adapter_config(MARKET))
    with Outbox(config.outbox, config.organisation, config.adapter) as outbox:
        state = outbox.known_stream(TYPE)
        assert state is not None
        return max(outbox.live_digests(state))


def _erase(city: Installation, record: str) -> None:
    config = str(city.layout.adapter_config(MARKET))
    facts = ("--record", record, "--type", TYPE, "--reason", "test", "--json")
    city.run("oncegate-adapter", "erase", config, *facts, code=3)  # it waits for approval
    city.run("oncegate-adapter", "approve-erase", "1", config)


def _streams(city: Installation) -> list[dict[str, Any]]:
    streams: list[dict[str, Any]] = json.loads(city.oncegate("status", "--json"))["streams"]
    return streams


def test_backed_up_under_load_wiped_and_restored_elsewhere(city: Installation) -> None:
    with city.lookups():
        until(lambda: city.asked > 20)
        early = _node_backup(city)
        adapters = [_adapter_backup(city, adapter) for adapter in ADAPTERS]
        asked = city.asked
        until(lambda: city.asked > asked + 20)
    assert city.failed == []
    assert early["audit"][SLOT] > 0
    assert b"PRIVATE KEY" not in Path(early["file"]).read_bytes()

    # What the backups of the adapters do not know any more.
    record = _a_record(city)
    _erase(city, record)
    city.rename_business("周记分店")
    for role in ("serve", "ingest"):
        city.stop(role)

    new = _new_machine(city)
    assert "an old copy" in _restore(city, "oncegate", early["file"], new, code=3)
    assert not (new / "node").exists()

    restored = _restore(city, "oncegate", _node_backup(city)["file"], new)
    for file in adapters:
        assert _restore(city, "oncegate-adapter", file, new)["erased"] == (1 if MARKET in file else 0)
    shutil.rmtree(city.root / "keys")
    moved = replace_root(city, new)
    assert restored["config"] == str(moved.config)

    moved.start("ingest", "serve")
    moved.wait_until_answered()
    log = str(moved.layout.audit_dir)
    assert json.loads(moved.run("oncegate-audit", "verify", log, "--openings", "--json"))["size"] > early["audit"][SLOT]

    reports = {adapter: moved.adapter(adapter) for adapter in ADAPTERS}
    heads = {(name, row["stream"]): row["epoch"] for name, report in reports.items() for row in report["streams"]}
    until(lambda: [_place(one, heads) for one in _streams(moved)] == [(True, "", True)] * len(heads))
    config = load(moved.layout.adapter_config(MARKET))
    with Outbox(config.outbox, config.organisation, config.adapter) as outbox:
        state = outbox.known_stream(TYPE)
        assert state is not None
        assert record not in outbox.live_digests(state)
    with moved.lookups():
        until(lambda: len(moved.answers) > 0)
    assert moved.failed == []
    assert "周记分店" in _shown(moved)


def _place(one: dict[str, Any], heads: dict[tuple[str, str], int]) -> tuple[bool, str, bool]:
    """Whether all is there (one demo feed is always overdue), the alarm, whether it is in its adapter's epoch."""
    head = heads[one["stream"]["adapter"], one["stream"]["evidence_type"]]
    return one["state"] in {"complete", "stale"}, one["stopped"], one["epoch"] == head


def _new_machine(city: Installation) -> Path:
    """Another place that has what is elsewhere and survives: the message log, the heads, the sources, the apps."""
    new = city.root.parent / "new"
    for name in ("log", "heads"):
        shutil.copytree(city.root / name, new / name)
    for path in (*(city.root / "departments").rglob("*.csv"), *city.layout.keys.glob("app-*")):
        target = new / path.relative_to(city.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return new


def replace_root(city: Installation, new: Path) -> Installation:
    return replace(city, layout=replace(city.layout, root=new), asked=0, failed=[], answers=[])


def _shown(city: Installation) -> str:
    client = city.client()
    by = {"unified_social_credit_code": city.cast.restaurateur.credit_code}
    purpose = {"service_item": "cn.open-restaurant", "case": "CY-2026-000118", "clerk": "clerk-0412"}
    _, _, answer = client.post("/v1/lookups", {**purpose, "evidence_type": TYPE, "by": by})
    client.close()
    return json.dumps(answer["evidence"], ensure_ascii=False)
