"""Who gets entries and sealed openings over real TLS: the slot's auditor by its registered certificate, nobody else."""

import http.client
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from contracts.registry import Auditor
from contracts.registry.snapshot import Contents
from contracts.text import Text
from gateway.client import tls_context
from tests.integration.serve_world import SLOT, City, build_city, running
from tests.integration.test_serve import closing, question
from tests.integration.test_serve_mistakes import PATH
from tests.integration.token_server import Identity, make_identity
from tests.waiting import until

BUNDLE, ROWS = f"/audit/logs/{SLOT}/tile/entries/000.p/1", f"/audit/logs/{SLOT}/openings/000.p/1"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A gateway with one published record."""
    made = build_city(tmp_path_factory.mktemp("city"))
    with running(made), closing(made.client()) as client:
        assert client.post(PATH, question())[0] == 200
        until(lambda: made.log.published.size == 1)
        yield made


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    directory = tmp_path_factory.mktemp("people")
    made = {name: make_identity(directory, name) for name in ("auditor", "other", "shared")}
    return {**made, "lapsed": make_identity(directory, "lapsed", days=(-9, -1))}


def auditor(name: str, *identities: Identity) -> Auditor:
    return Auditor(name, Text(name, name), "", "", tuple(one.pem for one in identities))


def list_auditors(city: City, *auditors: Auditor) -> None:
    """Registers them from the next handshake on."""
    contents: Contents = replace(city.registry.contents, auditors=auditors)
    city.registry = replace(city.registry, contents=contents)


def ask(city: City, path: str, shown: Identity | None) -> int:
    """The status; 0 when TLS refuses the certificate itself."""
    files = (None, None) if shown is None else (shown.certificate, shown.private_key)
    context = tls_context(city.server.certificate, *files)
    connection = http.client.HTTPSConnection(urlsplit(city.base_url).netloc, context=context, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except OSError:
        return 0
    else:
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize("path", [BUNDLE, ROWS])
def test_the_auditor_of_the_slot_and_nobody_else(city: City, people: dict[str, Identity], path: str) -> None:
    list_auditors(city, auditor("auditor", people["auditor"], people["shared"]), auditor("other", people["other"]))
    until(lambda: ask(city, path, people["auditor"]) == 200)
    assert ask(city, path, people["other"]) == 403
    assert ask(city, path, city.window) == 403
    assert ask(city, path, None) == 403
    assert ask(city, path, people["lapsed"]) == 0, "nobody registered it"


def test_a_certificate_that_two_register_is_nobodys(city: City, people: dict[str, Identity]) -> None:
    list_auditors(city, auditor("auditor", people["auditor"], people["shared"]), auditor("other", people["shared"]))
    until(lambda: ask(city, BUNDLE, people["auditor"]) == 200)
    until(lambda: ask(city, BUNDLE, people["shared"]) == 0)


def test_an_app_that_registers_as_auditor_stays_an_app(city: City, people: dict[str, Identity]) -> None:
    list_auditors(city, auditor("auditor", people["auditor"], city.window))
    until(lambda: ask(city, BUNDLE, people["auditor"]) == 200)
    assert ask(city, BUNDLE, city.window) == 403
    with closing(city.client()) as client:
        assert client.post(PATH, question())[0] == 200


def test_removed_means_out_also_on_an_open_connection(city: City, people: dict[str, Identity]) -> None:
    list_auditors(city, auditor("auditor", people["auditor"]))
    until(lambda: ask(city, BUNDLE, people["auditor"]) == 200)
    context = tls_context(city.server.certificate, people["auditor"].certificate, people["auditor"].private_key)
    connection = http.client.HTTPSConnection(urlsplit(city.base_url).netloc, context=context, timeout=30)
    try:
        statuses = []
        for listed in ((people["auditor"],), ()):
            list_auditors(city, auditor("auditor", *listed))
            connection.request("GET", BUNDLE)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        assert statuses == [200, 403]
    finally:
        connection.close()


def test_odd_paths_reach_nothing(city: City, people: dict[str, Identity]) -> None:
    list_auditors(city, auditor("auditor", people["auditor"]))
    until(lambda: ask(city, ROWS, people["auditor"]) == 200)
    for path in ("000.p/200", "001", "keys/../../lock", "keys/zz", "keys/00000000000000aa", "../lock", "000.p/256"):
        assert ask(city, f"/audit/logs/{SLOT}/openings/{path}", people["auditor"]) == 404, path
    assert ask(city, f"/audit/logs/slot-2/{ROWS.rpartition('slot-1/')[2]}", people["auditor"]) == 404


def test_which_logs_are_here_is_public(city: City) -> None:
    assert ask(city, "/audit/logs", None) == 200
