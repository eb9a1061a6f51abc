"""The demo as a newcomer runs it, and a stranger who believes nothing that the demo says of itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from contracts.edge.clock import now_ms
from contracts.edge.transport.embedded import embedded
from contracts.edge.transport.interface import DAY_MS
from gateway.ingest.run import ingest_once
from gateway.node import opened
from gateway.roles import ingest_parts
from gateway.store.reader import Reader
from tests.e2e.stranger import Stranger, commit_digest, leaf_digest, leaves, released_digest, unb64

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Demo:
    """A demo that serves: the JSON that it printed, and `demo.json`."""

    printed: Mapping[str, Any]
    handover: Mapping[str, Any]
    directory: Path

    @property
    def log(self) -> Path:
        return Path(self.handover["audit_logs"][0]["directory"])

    def stranger(self, app: str = "approval-windows", binding: str = "mtls") -> Stranger:
        return Stranger(self.handover, app, binding)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo") / "city"
    command = [str(BIN / "oncegate"), "demo", "--json", "--data-dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "LANG": "C.UTF-8"}) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        yield Demo(printed, json.loads((directory / "demo.json").read_bytes()), directory)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline
        os.sched_yield()
    return found


def published(log: Path, leaf_hash: str) -> list[bytes]:
    """The leaves with this hash; none while a new head takes the place of the old one's partial files."""
    try:
        return [leaf for leaf in leaves(log) if leaf_digest(leaf) == leaf_hash]
    except FileNotFoundError:
        return []


def copied(log: Path, copy: Path) -> bool:
    """Copy a log that serves; False when a new head came meanwhile."""
    shutil.rmtree(copy, ignore_errors=True)
    head = (log / "checkpoint").read_bytes()
    try:
        shutil.copytree(log, copy)
    except shutil.Error:
        return False
    return head == (copy / "checkpoint").read_bytes() == (log / "checkpoint").read_bytes()


def test_each_count_is_what_was_planted(demo: Demo) -> None:
    printed = demo.printed
    assert printed["rows_read"] >= 20_000
    assert printed["rows_refused"] == printed["planted"]["rows"] > 0
    assert printed["published"] == printed["rows_read"] - printed["planted"]["rows"]
    assert printed["ingested"] == printed["published"]
    assert printed["messages_rejected"] == printed["planted"]["messages"] >= 3
    assert all(printed["lookups"][name] > 0 for name in ("granted", "refused", "not_found"))
    assert printed["receipts_verified"] == sum(printed["lookups"].values())
    assert printed["audit"]["verified"]
    assert printed["audit"]["tamper_detected"]
    assert printed["audit"]["size"] >= sum(printed["lookups"].values())


@pytest.mark.parametrize("outcome", ["granted", "refused", "not_found"])
def test_each_answer_has_exactly_one_leaf_that_a_stranger_can_recompute(demo: Demo, outcome: str) -> None:
    example = demo.handover["examples"][outcome]
    binding = "mtls" if "mtls" in demo.handover["apps"][example["app"]]["bindings"] else "dpop"
    with demo.stranger(example["app"], binding) as stranger:
        status, answer = stranger.ask(example["method"], example["path"], example["body"])
        record = stranger.receipt(answer["receipt"])["record"]
    assert (status == 200) == (outcome != "refused")
    receipt, salt = answer["receipt"], unb64(answer["receipt"]["salt"])
    evidence = [entry for part in answer.get("proofs", [answer]) for entry in part.get("evidence", [])]
    assert bool(evidence) == (outcome == "granted")

    found = wait_for(lambda: published(demo.log, receipt["leaf_hash"]))
    assert len(found) == 1
    leaf = json.loads(found[0])
    assert leaf["released"] == released_digest(salt, [entry["sd_jwt"] for entry in evidence])
    body = example["body"]
    opening = {
        "case": body["case"],
        "clerk": body["clerk"],
        "holder": body.get("holder") or body["by"]["holder"],
        "records": [entry["record"] for entry in evidence],
        "terminal": None,
    }
    assert leaf["commit"] == commit_digest(salt, opening)
    assert leaf["transaction"] == answer["transaction"]
    assert leaf["decision"] == ("refused" if outcome == "refused" else "granted")
    assert record.encode() == found[0]


def test_the_departments_signature_verifies_on_what_is_left(demo: Demo) -> None:
    example = demo.handover["examples"]["granted"]
    with demo.stranger() as stranger:
        _, answer = stranger.ask(example["method"], example["path"], example["body"])
    keys = {one["kid"]: one for one in demo.handover["departments"].values()}
    checked = 0
    for entry in (entry for part in answer["proofs"] for entry in part["evidence"]):
        token = entry["sd_jwt"].split("~")[0]
        key = jwt.PyJWK.from_dict({**(one := keys[jwt.get_unverified_header(token)["kid"]])["jwk"], "alg": one["alg"]})
        claims = jwt.decode(token, key, [one["alg"]], options={"verify_iat": False})
        seen = SDJWTVerifier(entry["sd_jwt"], lambda *_, jwk=one["jwk"]: JWK(**jwk)).get_verified_payload()
        assert seen["doc"]["status"] == claims["doc"]["status"] == entry["status"]
        hidden = {name for name in entry["withheld"] if name in seen["doc"]}
        assert not hidden
        assert {name: seen["doc"].get(name) for name in entry["document"]} == entry["document"]
        checked += 1
    assert checked >= 3


def test_no_certificate_is_readable_in_any_file_of_log_store_and_audit(demo: Demo) -> None:
    """Names and numbers of the morning, and a sample of all sources, are in no file that the gateway keeps."""
    needles = [
        "周晓兰".encode(),
        b"43010219870316282",
        "欧阳䶮".encode(),
        b"LGXC76C49M0105230",
        b"clerk-0412",
        b"CY-2026",
    ]
    for folder in ("log", "node/data", "heads", "logs"):
        for path in (demo.directory / folder).rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not [needle for needle in needles if needle in data], path


def test_oncegate_audit_agrees_and_notices_one_byte(demo: Demo, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    wait_for(lambda: copied(demo.log, copy))
    vkey = demo.handover["audit_logs"][0]["vkey"]
    command = [str(BIN / "oncegate-audit"), "verify", str(copy), "--vkey", vkey]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    bundle = max(
        (path for path in (copy / "tile" / "entries").rglob("*") if path.is_file()), key=lambda p: p.stat().st_mtime
    )
    data = bytearray(bundle.read_bytes())
    data[len(data) // 3] ^= 0x20
    bundle.write_bytes(data)
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_a_store_built_after_compaction_is_the_same(demo: Demo, tmp_path: Path) -> None:
    """Same logical rows, same bucket digests, and complete."""
    copy = tmp_path / "city"
    shutil.copytree(demo.directory, copy, ignore=shutil.ignore_patterns("*.tmp"))
    with embedded(copy / "log").admin() as admin:
        for topic in admin.topics():
            if topic.startswith("evidence."):
                admin.compact(topic, now_ms() + 4 * DAY_MS)
    shutil.rmtree(copy / "node" / "data")
    with opened(copy / "node" / "oncegate.toml") as node:
        ingest_once(ingest_parts(node))
        with (
            Reader(node.config.store_path, node.store_key()) as second,
            Reader(demo.directory / "node" / "data" / "store.sqlite", node.store_key()) as first,
        ):
            assert list(second.logical_rows()) == list(first.logical_rows())
            registry = node.registry.current()
            for signer in registry.signers.values():
                for stream in signer.adapter.streams():
                    suite = signer.key.suite
                    assert second.bucket_digests(stream, suite) == first.bucket_digests(stream, suite)
            states = dict(second.all_streams())
            assert all(states[stream].as_of == state.as_of for stream, state in first.all_streams())


def test_once_ends_with_the_same_figures(tmp_path: Path, demo: Demo) -> None:
    command = [str(BIN / "oncegate"), "demo", "--once", "--json", "--data-dir", str(tmp_path / "city")]
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    printed = json.loads(done.stdout)
    timed = ("seconds", "ready_seconds", "audit")
    assert {k: v for k, v in printed.items() if k not in timed} == {
        k: v for k, v in demo.printed.items() if k not in timed
    }


def test_a_directory_of_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", "utf-8")
    command = [str(BIN / "oncegate"), "demo", "--once", "--data-dir", str(tmp_path)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "ONCEGATE_LANG": "en"}
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Choose another directory" in done.stderr
    assert (tmp_path / "mine.txt").read_text("utf-8") == "keep"
