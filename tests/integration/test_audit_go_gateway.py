"""`tlogcheck` at a gateway that serves, over real access records and TLS: entries are for auditors only."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.encoding import b64url_encode
from contracts.registry import Auditor
from contracts.text import Text
from tests.integration.go_programs import Programs, build
from tests.integration.serve_world import AUDITOR_KEY, SLOT, City, build_city, running
from tests.integration.test_serve import ask, closing, question, wait_until_published
from tests.integration.token_server import Identity, make_identity


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
