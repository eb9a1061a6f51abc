"""Runs of the adapter on real files, a real outbox and a real log, as a process."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from contracts.algorithms import suite_of
from contracts.feeds import bucket_digests
from tests.integration.adapter_city import COMMAND, ENVIRONMENT, HEADER, Department, configuration, department, row


@pytest.fixture
def dept(tmp_path: Path) -> Department:
    return department(tmp_path)


def _rows(count: int) -> list[tuple[str, ...]]:
    return [row(number) for number in range(count)]


def _counts(report: dict[str, object]) -> tuple[object, ...]:
    return tuple(report[name] for name in ("rows_read", "refused", "published", "unchanged", "withdrawn"))


@pytest.mark.parametrize(("alg", "encoding"), [("ES256", "gb18030"), ("EdDSA", "utf-8-sig"), ("ES384", "utf-8")])
def test_rows_become_verified_evidence(tmp_path: Path, alg: str, encoding: str) -> None:
    dept = department(tmp_path, alg)
    dept.write(_rows(3), encoding)
    outcome = dept.run()
    assert (outcome.code, outcome.err) == (0, "")
    assert _counts(outcome.json) == (3, 0, 3, 0, 0)
    messages = dept.messages()
    assert [one.claims.position.seq for one in messages] == [1, 2, 3]
    document = messages[0].document()
    assert document["name"] == "周晓兰"
    assert document["validity"] == {"from": "2025-10-07", "until": "2026-10-06"}
    assert document["holders"] == [{"scheme": "cn.ric", "id": "430102198703162829"}]


def test_nothing_readable_is_left_in_log_and_outbox(dept: Department) -> None:
    dept.write(_rows(3))
    assert dept.run().code == 0
    for path in [*dept.root.glob("outbox.*"), *dept.root.glob("log/*")]:
        data = path.read_bytes()
        assert not any(word in data for word in ("周晓兰".encode(), b"430102198703162829", b"00000000000001"))
        if path.name.startswith("outbox"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_run_publishes_only_what_changed(dept: Department) -> None:
    dept.write(_rows(10))
    dept.run()
    assert _counts(dept.run().json) == (10, 0, 0, 10, 0)
    changed = [*_rows(9)[1:], row(0, status="作废"), row(77)]
    dept.write(changed)
    assert _counts(dept.run().json) == (10, 0, 2, 8, 1)
    newest = dept.messages()[10:]
    assert [(one.claims.position.seq, one.claims.operation) for one in newest] == [
        (11, "put"),
        (12, "put"),
        (13, "withdraw"),
    ]
    assert newest[0].document()["status"] == "void"
    assert newest[0].claims.record == dept.messages()[0].claims.record
    assert len(dept.live()) == 10


def test_statements_say_what_is_live(dept: Department) -> None:
    dept.write(_rows(30))
    dept.run()
    dept.write([row(0, name="李四"), *_rows(30)[1:], row(30)])
    dept.run()
    dept.run("--full")
    live = dept.live()
    first, second, third = dept.statements()
    assert [one.position.seq for one in (first, second, third)] == [30, 32, 32]
    assert [one.count for one in (first, second, third)] == [30, 31, 31]
    assert first.buckets is not None
    assert second.buckets is None
    assert third.buckets == bucket_digests(live.values(), suite_of("ES256"))
    assert third.next_at - third.issued_at == 3600
    assert dept.records()[-1].key == b"@feed/full"


def test_a_row_that_turned_bad_keeps_its_record(dept: Department) -> None:
    dept.write(_rows(5))
    dept.run()
    dept.write([row(0, status="状态不明"), *_rows(5)[1:4]])
    outcome = dept.run()
    assert _counts(outcome.json) == (4, 1, 0, 3, 1)
    assert outcome.stream["planned"]["kept"] == 1
    refusal = outcome.stream["refusals"][0]
    assert (refusal["file"], refusal["line"], refusal["column"], refusal["code"]) == (
        "certificates.csv",
        2,
        "状态",
        "row_code_unknown",
    )
    assert [json.loads(line) for line in Path(outcome.stream["report"]).read_text("utf-8").splitlines()] == [refusal]
    assert len(dept.live()) == 4


@pytest.mark.parametrize("bad", [("", *row(0)[1:]), row(0)[1:], (f"{0:014}", "extra,cells", *row(0)[1:])])
def test_an_unreadable_key_withdraws_nothing(dept: Department, bad: tuple[str, ...]) -> None:
    dept.write(_rows(5)[1:])
    dept.run()
    dept.write([bad, *_rows(4)[2:]])
    outcome = dept.run()
    assert _counts(outcome.json) == (3, 1, 0, 2, 0)
    assert outcome.stream["planned"]["withheld"] == 2
    assert "withdraws nothing" in dept.adapter("run").out
    assert len(dept.live()) == 4


def test_a_key_twice_refuses_both_rows(dept: Department) -> None:
    dept.write(_rows(3))
    dept.run()
    dept.write([*_rows(3), row(1, name="李四")])
    outcome = dept.run()
    assert [(one["line"], one["code"]) for one in outcome.stream["refusals"]] == [
        (3, "row_key_duplicate"),
        (5, "row_key_duplicate"),
    ]
    assert len(dept.live()) == 3


def test_bad_bytes_and_quotes_cost_only_their_rows(dept: Department) -> None:
    lines = [",".join(cells).encode("gb18030") for cells in (HEADER, *_rows(6))]
    lines[2] = lines[2].replace("周晓兰".encode("gb18030"), b"\xff\xfe")
    lines[4] = lines[4].replace(b",", b',"', 1)
    dept.source.write_bytes(b"\n".join(lines))
    outcome = dept.run()
    assert _counts(outcome.json) == (6, 2, 4, 0, 0)
    assert [(one["line"], one["code"], one["column"]) for one in outcome.stream["refusals"]] == [
        (3, "row_undecodable", "姓名"),
        (5, "row_quotes", ""),
    ]


# --- the brake ---------------------------------------------------------------------------------------------------


def test_the_brake_publishes_nothing_until_approved(dept: Department) -> None:
    dept.write(_rows(100))
    dept.run()
    before = dept.records()
    dept.write(_rows(90))
    braked = dept.run()
    assert (braked.code, braked.stream["state"], braked.json["withdrawn"]) == (3, "braked", 0)
    assert "10 of 100" in braked.stream["brake"][0]["en"]
    assert dept.records() == before
    assert dept.run().stream["run"] == braked.stream["run"]

    run = str(braked.stream["run"])
    assert f"approve-run {run} adapter.toml" in dept.adapter("run").out
    approved = dept.adapter("approve-run", run, "--json")
    assert (approved.code, approved.json["withdrawn"]) == (0, 10)
    assert len(dept.live()) == 90
    assert dept.adapter("approve-run", run).code == 2
    assert dept.run().code == 0


def test_an_approval_is_for_that_plan_only(dept: Department) -> None:
    dept.write(_rows(100))
    dept.run()
    dept.write(_rows(90))
    first = dept.run().stream["run"]
    dept.write(_rows(50))
    second = dept.adapter("approve-run", str(first), "--config", "adapter.toml", "--json")
    assert (second.code, second.stream["state"]) == (3, "braked")
    assert second.stream["run"] != first
    assert len(dept.live()) == 100
    assert dept.adapter("approve-run", str(first)).code == 2
    assert dept.adapter("approve-run", str(second.stream["run"])).code == 0
    assert len(dept.live()) == 50


@pytest.mark.parametrize("content", [b"", ",".join(HEADER).encode()])
def test_an_empty_source_brakes(dept: Department, content: bytes) -> None:
    dept.write(_rows(2))
    dept.run()
    dept.source.write_bytes(content)
    assert dept.run().code == 3
    assert len(dept.live()) == 2


def test_limits_from_the_configuration(dept: Department) -> None:
    limits = "[streams.brake]\nwithdraw_percent = 50\nmodify_percent = 0\nfrom_records = 1"
    dept.config.write_text(configuration(extra=limits), "utf-8")
    dept.write(_rows(4))
    dept.run()
    dept.write(_rows(2))
    assert dept.run().json["withdrawn"] == 2
    dept.write([row(0, name="李四"), row(1)])
    assert dept.run().code == 3


# --- trial runs, status, keys --------------------------------------------------------------------------------------


def test_a_trial_run_changes_nothing(dept: Department) -> None:
    dept.write(_rows(2))
    outcome = dept.run("--dry-run")
    assert (outcome.code, outcome.stream["state"], outcome.stream["planned"]["added"]) == (0, "planned", 2)
    assert dept.records() == []
    assert not (dept.root / "outbox.db").exists()
    dept.run()
    dept.write(_rows(3))
    assert dept.run("--dry-run").stream["planned"]["added"] == 1
    assert len(dept.messages()) == 2


def test_check_and_status(dept: Department) -> None:
    dept.write([*_rows(2), row(2, status="?")])
    checked = dept.adapter("check", "--json")
    assert (checked.code, checked.json["rows_read"], checked.json["refused"]) == (0, 3, 1)
    assert dept.adapter("status", "--json").json["streams"][0]["state"] == "new"
    dept.run()
    state = dept.adapter("status", "--json").json["streams"][0]
    assert (state["seq"], state["live"], state["unsent"], state["state"]) == (2, 2, 0, "published")


def test_keygen(dept: Department) -> None:
    outcome = dept.adapter("keygen", "new.pem", "--alg", "EdDSA", "--json")
    assert outcome.json["jwk"]["crv"] == "Ed25519"
    assert (dept.root / "new.pem").stat().st_mode & 0o777 == 0o600
    assert 'public_key = "second.pub.pem"' in dept.adapter("keygen", "second.pem").out
    assert dept.adapter("keygen", "new.pem").code == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"certificates.csv"', '"missing.csv"', "missing.csv"),
        ('name = "姓名"', 'name = "名字"', "名字"),
        ("cn.food-handler-health", "cn.food-handler", "cn.food-handler"),
        ('id = "market-1"', 'idd = "market-1"', "id is missing"),
        ('directory = "log"', 'directory = "other"', "evidence.cn.food-handler-health.market-1"),
        ('key = "adapter.pem"', 'key = "zone.pub.pem"', "zone.pub.pem"),
        ("complete = true", "compleet = true", "Did you mean complete"),
    ],
)
def test_mistakes_end_in_one_line(dept: Department, old: str, new: str, words: str) -> None:
    dept.write(_rows(1))
    text = dept.config.read_text("utf-8")
    assert old in text
    dept.config.write_text(text.replace(old, new, 1), "utf-8")
    outcome = dept.adapter("run")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert words in outcome.err


def test_an_outbox_belongs_to_one_adapter(dept: Department) -> None:
    dept.write(_rows(1))
    dept.run()
    dept.config.write_text(dept.config.read_text("utf-8").replace("market-1", "market-2"), "utf-8")
    assert "belongs to another adapter" in dept.adapter("run").err


def test_a_damaged_outbox_is_said_and_not_repaired(dept: Department) -> None:
    dept.write(_rows(1))
    (dept.root / "outbox.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    outcome = dept.adapter("run")
    assert (outcome.code, outcome.err.count("\n")) == (5, 1)


# --- running on --------------------------------------------------------------------------------------------------


def _until(condition: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + 60, Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watching(dept: Department, number: int) -> None:
    dept.write(_rows(2))
    command = [*COMMAND, "run", "--json", "--watch", "0.1"]
    with subprocess.Popen(command, cwd=dept.root, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        _until(lambda: len(dept.statements()) == 1)
        assert dept.adapter("run").code == 2  # the outbox is in use
        dept.write(_rows(3))
        _until(lambda: len(dept.messages()) == 3)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [json.loads(line)["published"] for line in out.splitlines()][:2] == [2, 1]


def test_approving_beside_a_watching_adapter(dept: Department) -> None:
    dept.write(_rows(100))
    dept.run()
    dept.write(_rows(50))
    command = [*COMMAND, "run", "--json", "--watch", "0.1"]
    with subprocess.Popen(command, cwd=dept.root, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        _until(lambda: dept.adapter("status", "--json").json["streams"][0]["state"] == "braked")
        run = dept.adapter("status", "--json").json["streams"][0]["run"]
        assert "publishes it" in dept.adapter("approve-run", str(run)).out
        _until(lambda: len(dept.live()) == 50)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_statement_is_made_before_its_time_is_over(dept: Department) -> None:
    dept.config.write_text(configuration(extra="statement_every_s = 1"), "utf-8")
    dept.write(_rows(2))
    command = [*COMMAND, "run", "--watch", "0.1"]
    with subprocess.Popen(command, cwd=dept.root, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        _until(lambda: len(dept.statements()) >= 3)
        process.terminate()
        process.wait(60)
    assert {one.count for one in dept.statements()} == {2}
