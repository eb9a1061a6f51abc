"""`tlogcheck` at a gateway that serves: the auditor's guide as it is written, over real access records and TLS."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit.reader import LogReader
from audit.receipts import parse_proof
from contracts.encoding import b64url_encode
from contracts.registry import Auditor
from contracts.text import Text
from tests.integration.go_programs import Programs, build
from tests.integration.serve_world import AUDITOR_KEY, SLOT, City, build_city, running
from tests.integration.test_serve import ask, closing, question, receipt_of, wait_until_published
from tests.integration.token_server import Identity, make_identity

GUIDE = Path(__file__).parents[2] / "docs" / "auditor-guide.md"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The TLS certificate of the auditor's own program."""
    return make_identity(tmp_path_factory.mktemp("auditor"), "auditor")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, auditor: Identity) -> Iterator[City]:
    city = build_city(tmp_path_factory.mktemp("city"))
    wrapped = b64url_encode(AUDITOR_KEY.public_key().public_bytes_raw()).decode()
    entry = Auditor("auditor", Text("审计员", "auditor"), "X25519", wrapped, (auditor.pem,))
    city.registry = replace(city.registry, contents=replace(city.registry.contents, auditors=(entry,)))
    with running(city) as one:
        yield one


def test_the_auditors_guide_over_a_serving_gateway(go: Programs, city: City, auditor: Identity, tmp_path: Path) -> None:
    with closing(city.client()) as window:
        receipt = ask(window, question())[1]["receipt"]
        wait_until_published(city, receipt["index"])
        (tmp_path / "kept.checkpoint").write_bytes((city.log_dir / "checkpoint").read_bytes())
        _, found = receipt_of(window, receipt)
    wait_until_published(city, city.log.size - 1)
    (tmp_path / "record.json").write_text(found["record"], "utf-8")
    (tmp_path / "receipt.tlog-proof").write_text(found["proof"], "utf-8")
    (tmp_path / "city-ca.pem").write_bytes(city.server.certificate.read_bytes())
    (tmp_path / "auditor-tls.pem").write_bytes(auditor.certificate.read_bytes())
    (tmp_path / "auditor-tls.key").write_bytes(auditor.private_key.read_bytes())
    lines = go.shell(
        guide_commands(), tmp_path, VKEY=city.log.verifier.vkey, LOG=str(city.log_dir), GATEWAY=city.base_url, SLOT=SLOT
    )
    assert [line.split(",")[0] for line in lines] == [
        *[f"OK: {city.log.size} entries"] * 4,
        f"OK: entry {receipt['index']} of {receipt['index'] + 1}",
        f"OK: grown from {receipt['index'] + 1} to {city.log.size} entries",
    ]
    made = parse_proof((tmp_path / "entry-0.tlog-proof").read_bytes())
    assert made == LogReader(city.log_dir, city.log.verifier).proof(0)


def guide_commands() -> str:
    """The commands of the auditor's guide that call `tlogcheck`."""
    section = GUIDE.read_text("utf-8").partition("## Checking with other people's software")[2]
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return next(block for block in blocks if "tlogcheck log" in block)


def test_a_gateway_gives_entries_to_auditors_only(go: Programs, city: City, tmp_path: Path) -> None:
    vkey, url = city.log.verifier.vkey, f"{city.base_url}/audit/logs/{SLOT}"
    with closing(city.client()) as window:
        wait_until_published(city, ask(window, question())[1]["receipt"]["index"])
    ca = ("-ca", city.server.certificate)
    as_app = ("-cert", city.window.certificate, "-key", city.window.private_key)
    for shown, why in (((), "certificate"), (ca, "403 Forbidden"), ((*ca, *as_app), "403 Forbidden")):
        said = go.tlogcheck("log", vkey, *shown, url)
        assert (said.code, said.out) == (1, b"")
        assert why in said.error
