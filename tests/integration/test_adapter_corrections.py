"""A department's side of correction requests: `oncegate-adapter corrections` and `answer-correction` as processes."""

from pathlib import Path

import pytest

from adapters.doctor import doctor
from contracts.algorithms import SigningKey
from contracts.corrections import Correction, open_reply, replies_topic, requests_topic, seal_request
from contracts.edge.clock import now_ms
from contracts.edge.keys import create_signing_key, load_signing_key, write_public_key
from contracts.edge.transport import Expiring
from tests.integration.adapter_city import STREAM, TYPE_ID, Department, department, row
from tests.integration.doctor_world import found_by


@pytest.fixture
def city(tmp_path: Path) -> Department:
    """Three published certificates; node-1 is pinned."""
    made = department(tmp_path)
    key = create_signing_key(tmp_path / "node-1.pem", "ES256")
    write_public_key(tmp_path / "node-1.pub.pem", key.public)
    pin = '\n[[nodes]]\nid = "node-1"\npublic_key = "node-1.pub.pem"\n'
    made.config.write_text(made.config.read_text("utf-8") + pin, "utf-8")
    with made.transport.admin() as admin:
        admin.create_topics({requests_topic("market-1"): Expiring(), replies_topic("node-1"): Expiring()})
    made.write([row(1), row(2), row(3)])
    assert made.run().code == 0
    return made


def node_key(city: Department) -> SigningKey:
    return load_signing_key(city.root / "node-1.pem", "ES256")


def request(
    city: Department,
    identifier: str,
    index: int,
    key: SigningKey | None = None,
    adapter: str = "market-1",
    due_at: int = 1_770_864_000_000,
) -> None:
    """A node passes on that the message at `index` is wrong."""
    claims = city.messages()[index].claims
    asked = Correction(
        identifier, "node-1", STREAM.organisation, adapter, TYPE_ID, claims.record, claims.identity, ("name",),
        "wrong_value", "cn.open-restaurant", 1_770_000_000_000, due_at,
    )  # fmt: skip
    with city.transport.writer() as writer:
        writer.write(requests_topic("market-1"), identifier.encode(), seal_request(asked, key or node_key(city)))


def test_requests_are_told_with_row_fields_and_reason(city: Department) -> None:
    request(city, "id-1", 1)
    request(city, "id-1", 1)  # a crash sends it twice
    request(city, "id-2", 2, SigningKey.generate("ES256"))  # a stranger
    request(city, "id-3", 2, adapter="market-2")
    found = city.adapter("corrections", "--json").json
    assert (found["open"], found["answered"], found["unverified"]) == (1, 0, 2)
    (one,) = found["corrections"]
    assert (one["id"], one["fields"], one["reason"], one["line"]) == ("id-1", ["name"], "wrong_value", 3)
    told = city.adapter("corrections").out
    assert "1 open, 0 answered, 2 not verified" in told
    assert "certificates.csv, row at line 3" in told
    assert "a value is wrong; fields: name; asked 2026-02-02" in told


def test_a_corrected_row_closes_it(city: Department) -> None:
    request(city, "id-1", 1)
    city.write([row(1), row(2, name="周小兰"), row(3)])
    assert city.run().code == 0
    assert city.adapter("corrections", "--json").json["open"] == 0
    (one,) = city.adapter("corrections", "--all", "--json").json["corrections"]
    assert one["answered"] == "published"


def test_what_is_right_is_said_to_the_node_and_kept_in_the_journal(city: Department) -> None:
    request(city, "id-1", 1)
    for _ in range(2):  # again sends it again, and is one decision
        done = city.adapter("answer-correction", "id-1", "--reason", "compared with the file")
        assert (done.code, done.out.strip()) == (0, "id-1 is answered: the data is right")
    assert city.adapter("corrections", "--json").json["open"] == 0
    journal = city.adapter("journal", "--json").json
    assert [(one["act"], one["reason"], one["records"]) for one in journal] == [
        ("keep", "compared with the file", ["id-1"])
    ]
    with city.transport.reader() as reader:
        reader.assign({replies_topic("node-1"): 0})
        values = [record.value or b"" for record in reader.read(10, 0.0)]
    keys = {kid: ("market-1", signer.key) for kid, signer in city.registry.signers.items()}
    assert [(one.id, one.answer) for one in (open_reply(value, keys) for value in values)] == [("id-1", "kept")] * 2
    assert all(b"compared" not in value for value in values)


def test_status_and_doctor_tell_what_is_open(city: Department) -> None:
    def told() -> tuple[object, list[tuple[str, str, str]]]:
        before = sorted(path.name for path in city.root.iterdir())
        found = found_by(doctor(city.config))["corrections"]
        assert sorted(path.name for path in city.root.iterdir()) == before
        return city.adapter("status", "--json").json["corrections"], found

    assert told() == ({"open": 0, "overdue": 0}, [("ok", "No correction request is open", "")])
    request(city, "id-1", 1)
    request(city, "id-2", 2, due_at=now_ms() + 3_600_000)
    remedy = "See oncegate-adapter corrections, and answer them."
    assert told() == (
        {"open": 2, "overdue": 1},
        [("warning", "2 correction requests are open, 1 of them overdue", remedy)],
    )
    assert "2 correction requests open, 1 of them overdue" in city.adapter("status").out
    assert city.adapter("answer-correction", "id-1", "--reason", "compared").code == 0
    city.write([row(1), row(2), row(3, name="周小兰")])
    assert city.run().code == 0
    assert told() == ({"open": 0, "overdue": 0}, [("ok", "No correction request is open", "")])
    assert "correction" not in city.adapter("status").out


def test_without_a_topic_or_keys_nobody_can_say(city: Department) -> None:
    with city.transport.admin() as admin:
        admin.delete_topic(requests_topic("market-1"))
    assert city.adapter("status", "--json").json["corrections"] is None
    ((level, what, _),) = found_by(doctor(city.config))["corrections"]
    assert (level, what) == ("warning", "No request comes: the topic is not there, or may not be seen")
    city.config.write_text(city.config.read_text("utf-8").partition("[[nodes]]")[0], "utf-8")
    assert city.adapter("status", "--json").json["corrections"] is None
    assert "corrections" not in found_by(doctor(city.config))


def test_mistakes_end_as_one_line(city: Department) -> None:
    for arguments, said in (
        (("answer-correction", "nothing", "--reason", "x"), "no such correction request: nothing"),
        (("answer-correction", "nothing", "--reason", " "), "A reason is needed"),
    ):
        found = city.adapter(*arguments)
        assert (found.code, said in found.err) == (2, True), found.err
    city.config.write_text(city.config.read_text("utf-8").partition("[[nodes]]")[0], "utf-8")
    assert "no [[nodes]]" in city.adapter("corrections").err
