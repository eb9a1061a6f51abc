"""What a demo must come to on every message log, seen by a stranger who believes nothing that the demo says of itself.

A test module inherits `DemoContract` and supplies the fixture `demo`: one that serves.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from tests.e2e.stranger import Stranger, commit_digest, leaf_digest, leaves, released_digest, unb64
from tests.waiting import until

BIN = Path(sys.executable).parent
# The seed gives these everywhere; on every log the story comes out the same.
FIGURES = {
    "rows_read": 27_000,
    "rows_refused": 216,
    "published": 26_784,
    "ingested": 26_784,
    "messages_rejected": 7,
    "planted": {"rows": 216, "messages": 7},
    "lookups": {"granted": 5, "refused": 2, "not_found": 1},
    "receipts_verified": 8,
}


@dataclass(frozen=True)
class Demo:
    """A demo that serves: the JSON that it printed, `demo.json`, and where its message log keeps its files."""

    printed: Mapping[str, Any]
    handover: Mapping[str, Any]
    directory: Path
    message_log: Path

    @property
    def log(self) -> Path:
        return Path(self.handover["audit_logs"][0]["directory"])

    def stranger(self, app: str = "approval-windows", binding: str = "mtls") -> Stranger:
        return Stranger(self.handover, app, binding)


@contextmanager
def serving(directory: Path, message_log: Path, options: Sequence[str] = ()) -> Iterator[Demo]:
    """A demo below `directory` from its first printed line on, ended as by Ctrl-C."""
    command = [str(BIN / "oncegate"), "demo", "--json", "--data-dir", str(directory), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "LANG": "C.UTF-8"}) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        yield Demo(printed, json.loads((directory / "demo.json").read_bytes()), directory, message_log)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


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


def holding(folder: Path, needles: Sequence[bytes]) -> list[bytes]:
    """Which needles are in the files of a folder, and b"" if there are files at all; none when one went meanwhile."""
    found = set[bytes]()
    try:
        for data in (path.read_bytes() for path in folder.rglob("*") if path.is_file()):
            found |= {needle for needle in (b"", *needles) if needle in data}
    except FileNotFoundError:
        return []
    return sorted(found)


class DemoContract:
    """The suite."""

    def test_each_count_is_what_was_planted(self, demo: Demo) -> None:
        printed = demo.printed
        assert {name: printed[name] for name in FIGURES} == FIGURES
        assert printed["audit"]["verified"]
        assert printed["audit"]["tamper_detected"]
        assert printed["audit"]["size"] >= sum(printed["lookups"].values())

    @pytest.mark.parametrize("outcome", ["granted", "refused", "not_found"])
    def test_each_answer_has_exactly_one_leaf_that_a_stranger_can_recompute(self, demo: Demo, outcome: str) -> None:
        example = demo.handover["examples"][outcome]
        binding = "mtls" if "mtls" in demo.handover["apps"][example["app"]]["bindings"] else "dpop"
        with demo.stranger(example["app"], binding) as stranger:
            status, answer = stranger.ask(example["method"], example["path"], example["body"])
            record = stranger.receipt(answer["receipt"])["record"]
        assert (status == 200) == (outcome != "refused")
        receipt, salt = answer["receipt"], unb64(answer["receipt"]["salt"])
        evidence = [entry for part in answer.get("proofs", [answer]) for entry in part.get("evidence", [])]
        assert bool(evidence) == (outcome == "granted")

        found = until(lambda: published(demo.log, receipt["leaf_hash"]))
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

    def test_the_departments_signature_verifies_on_what_is_left(self, demo: Demo) -> None:
        example = demo.handover["examples"]["granted"]
        with demo.stranger() as stranger:
            _, answer = stranger.ask(example["method"], example["path"], example["body"])
        keys = {one["kid"]: one for one in demo.handover["departments"].values()}
        checked = 0
        for entry in (entry for part in answer["proofs"] for entry in part["evidence"]):
            token = entry["sd_jwt"].split("~")[0]
            one = keys[jwt.get_unverified_header(token)["kid"]]
            key = jwt.PyJWK.from_dict({**one["jwk"], "alg": one["alg"]})
            claims = jwt.decode(token, key, [one["alg"]], options={"verify_iat": False})
            seen = SDJWTVerifier(entry["sd_jwt"], lambda *_, jwk=one["jwk"]: JWK(**jwk)).get_verified_payload()
            assert seen["doc"]["status"] == claims["doc"]["status"] == entry["status"]
            hidden = {name for name in entry["withheld"] if name in seen["doc"]}
            assert not hidden
            assert {name: seen["doc"].get(name) for name in entry["document"]} == entry["document"]
            checked += 1
        assert checked >= 3

    def test_no_certificate_is_readable_in_any_file_of_log_store_and_audit(self, demo: Demo) -> None:
        """Names and numbers of the morning, and a sample of all sources, are in no file that the gateway keeps."""
        needles = [
            "周晓兰".encode(),
            b"43010219870316282",
            "欧阳䶮".encode(),
            b"LGXC76C49M0105230",
            b"clerk-0412",
            b"CY-2026",
        ]
        folders = (demo.message_log, *(demo.directory / name for name in ("node/data", "heads", "logs")))
        for folder in folders:
            assert until(partial(holding, folder, needles)) == [b""], folder

    def test_oncegate_audit_agrees_and_notices_one_byte(self, demo: Demo, tmp_path: Path) -> None:
        copy = tmp_path / "log"
        until(lambda: copied(demo.log, copy))
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
