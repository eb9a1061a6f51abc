"""The demo's exports through the demo's adapter configurations: exactly the planted rows are refused."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.config import AdapterConfig, load
from adapters.outbox import Outbox
from adapters.run import trial
from contracts.edge.keys import create_hpke_key, create_signing_key, write_hpke_public
from gateway.demo.data import PlantedFile, generate
from gateway.demo.layout import ADAPTERS
from tests.integration.adapter_city import ROOT

# What each planted kind must be refused for.
CODES = {
    "check_digit": "document_invalid",
    "missing_value": "row_value_missing",
    "impossible_date": "row_date_invalid",
    "too_long": "document_invalid",
    "undecodable": "row_undecodable",
    "unknown_code": "row_code_unknown",
    "column_missing": "row_columns",
    "column_extra": "row_columns",
}


def _configurations(root: Path) -> Iterator[AdapterConfig]:
    (root / "keys").mkdir()
    write_hpke_public(root / "keys/zone-gov-extranet.pub.pem", create_hpke_key(root / "zone.pem").public_key())
    for path in sorted((ROOT / "gateway/demo/adapters").glob("*.toml")):
        own = tomllib.loads(path.read_text("utf-8"))["adapter"]
        assert ADAPTERS[own["id"]] == own["alg"]
        create_signing_key(root / "keys" / f"adapter-{own['id']}.pem", own["alg"])
        yield load(Path(shutil.copy(path, root / "departments" / own["id"] / "adapter.toml")))


@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_the_planted_rows_are_refused(tmp_path: Path, seed: int) -> None:
    planted = generate(tmp_path / "departments", seed=seed, scale=0.05)
    files: dict[str, PlantedFile] = {file.source.evidence_type: file for file in planted.files}
    for config in _configurations(tmp_path):
        with Outbox(None, config.organisation, config.adapter) as outbox:
            reports = [trial(stream, outbox, lambda _: None) for stream in config.streams]
        for report in reports:
            file = files.pop(report.stream)
            assert report.rows_read == file.rows
            refused = {fault.line: fault for fault in report.faults}
            assert {bad.line: CODES[bad.kind] for bad in file.bad} == {line: one.code for line, one in refused.items()}
            assert all(refused[bad.line].column == bad.column for bad in file.bad if bad.kind != "check_digit")
            assert report.plan is not None
            assert report.plan.added == file.good
    assert not files
