"""A full disk under a node: ingest waits for room and keeps its place; without an access record nothing is released,
and the process that cannot write one ends; after room was made everything goes on, nothing lost."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from audit.notes import parse_vkey
from audit.reader import LogReader
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import open_transport
from gateway.client import TokenClient, tls_context
from gateway.config import load
from gateway.control.build import build, publish
from gateway.demo.processes import command
from gateway.store.stores import Stores
from tests.e2e.faults.layout import APPS, DEPARTMENTS
from tests.e2e.faults.load import Answer, Asker, Question
from tests.integration.disk_town import FULL, Town, cpu_seconds, ends_well, town
from tests.waiting import until

DEPARTMENT = DEPARTMENTS[0]
QUESTION = Question(DEPARTMENT.table.evidence_type, 0)


def stored(made: Town) -> dict[str, tuple[str, int, int]]:
    """By stream: state, highest number, refused records; as a reader sees it."""
    stores = Stores(made.layout.data / "stores", made.layout.keys / "store.key")
    with stores.open_current() as reader:
        return {
            stream.adapter: (state.stopped, state.head.seq, state.rejected) for stream, state in reader.all_streams()
        }


def has_all(made: Town) -> bool:
    """Whether the first export was ingested."""
    there = (made.layout.data / "stores" / "current").exists()
    return there and made.rows() in stored(made).get(DEPARTMENT.adapter, ())


def test_ingest_waits_for_room_and_keeps_its_place(tmp_path: Path) -> None:
    with town(tmp_path, "48m") as made:
        made.publish()
        ingest = made.start("ingest")
        until(lambda: has_all(made))
        made.disk.fill()
        published = made.rows()
        while FULL not in made.said("ingest"):  # SQLite may have room in its own files for some batches
            made.publish()
            published += made.rows()
        kept = stored(made)[DEPARTMENT.adapter][1]
        assert kept < published
        before = cpu_seconds(ingest.pid)
        until(lambda: made.said("ingest").count('"paused"') >= 2)
        assert cpu_seconds(ingest.pid) - before < 1
        ingest.kill()
        ingest.wait()
        again = made.start("ingest")  # on the full disk: it waits, too
        lines = made.said("ingest").count('"paused"')
        until(lambda: made.said("ingest").count('"paused"') > lines)
        assert again.poll() is None
        made.disk.free()
        until(lambda: stored(made)[DEPARTMENT.adapter] == ("", published, 0))
        assert made.rejects() == 0
        assert ends_well(again)


@contextmanager
def asking(made: Town) -> Iterator[Asker]:
    with closing(Asker(made.layout, made.layout.slots[0], APPS[0], "disk")) as asker:
        yield asker


def answered(asker: Asker) -> Answer:
    """The first 200."""
    found: list[Answer] = []

    def ask() -> bool:
        answer = asker.ask(QUESTION)
        found[:] = [answer] if answer is not None and answer.status == 200 else []
        return bool(found)

    until(ask)
    return found[0]


def fill_store(made: Town) -> None:
    made.publish()
    ingest = made.start("ingest")
    until(lambda: has_all(made))
    assert ends_well(ingest)


@pytest.mark.parametrize("where", ["node/data/audit", pytest.param("heads", marks=pytest.mark.long)])
def test_without_room_for_its_record_nothing_is_released_and_the_process_ends(tmp_path: Path, where: str) -> None:
    with town(tmp_path, "8m", where) as made, asking(made) as asker:
        fill_store(made)
        serve = made.start("serve", made.disk.path / "stderr")  # its own log is on the full disk, too
        answers = [answered(asker)]
        made.disk.fill()
        while serve.poll() is None:
            answer = asker.ask(QUESTION)
            if answer is not None and answer.status == 200:
                answers.append(answer)
            elif answer is not None:
                assert (answer.status, answer.body["code"]) == (503, "audit_unavailable")
                assert "evidence" not in answer.body
        assert serve.returncode == 70
        on_full = made.start("serve")
        assert on_full.wait(60) == 4
        [line] = [line for line in made.said("serve").splitlines() if line.startswith("Error:")]
        assert FULL in line
        assert f"/{made.disk.path.name}/" in line
        made.disk.free()
        serve = made.start("serve")
        answers.append(answered(asker))
        assert ends_well(serve)
        assert_audited(made, answers)


def assert_audited(made: Town, answers: list[Answer]) -> None:
    """The log is whole, and has the record of every answer."""
    directory = made.layout.audit(made.layout.slots[0])
    subprocess.run([command("oncegate-audit"), "verify", str(directory)], check=True, stdout=subprocess.DEVNULL)
    reader = LogReader(directory, parse_vkey((directory / "vkey").read_text("utf-8").strip()))
    for answer in answers:
        record = json.loads(reader.entry(answer.body["receipt"]["index"], size(directory)))
        assert record["transaction"] == answer.body["transaction"]


def size(directory: Path) -> int:
    return int((directory / "checkpoint").read_text("utf-8").splitlines()[1])


@pytest.mark.long
def test_a_registry_that_cannot_be_written_down_is_taken_once_there_is_room(tmp_path: Path) -> None:
    with town(tmp_path, "48m") as made, asking(made) as asker:
        fill_store(made)
        made.start("serve")
        answered(asker)
        made.disk.fill()
        publish_registry(made)
        until(lambda: "registry not taken" in made.said("serve"))
        assert registry_version(made) == 1
        made.disk.free()
        until(lambda: registry_version(made) == 2)


def publish_registry(made: Town) -> None:
    """The next version."""
    layout = made.layout
    root = keys.load_signing_key(layout.private("root"), "EdDSA")
    build(layout.registry, root, now_ms())
    publish(layout.registry, root.public, open_transport(load(layout.node_config(layout.slots[0])).log))


def registry_version(made: Town) -> int:
    """As `/readyz` says."""
    slot, tls = made.layout.slots[0], tls_context(made.layout.certificate("tls"))
    client = TokenClient(slot.base_url, "", tls, None, "mtls")
    version: int = client.send("GET", "/readyz", None, {})[2]["registry_version"]
    client.close()
    return version
