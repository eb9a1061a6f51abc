"""`durable = mirrored`: an answer leaves when the auditor's mirror has its record, and never before; and what the
mirror holds refuses an older copy of the log."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.checkpoints import Checkpoint, open_note, sign
from audit.log import AuditLog
from audit.merkle import leaf_hash, root_of
from audit.mirror.heads import MirrorHeads
from audit.notes import parse
from audit.reader import MIRRORED, LogReader
from audit.verify import verify
from contracts.errors import Corrupt
from gateway.client import TokenClient
from tests.integration.mirrored_world import MIRROR, OTHER, SIGNER, Mirrored, asking, build, pin
from tests.integration.serve_world import IDENTITY, City, example, open_log, running
from tests.integration.test_serve import closing, question
from tests.integration.test_serve_mistakes import PATH
from tests.integration.witness_world import FakeLog
from tests.waiting import until

NAME = example(IDENTITY)["name"]
SOON_S = 0.3


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Mirrored]:
    """It waits as long as a test lasts."""
    made = build(tmp_path)
    with running(made.city):
        yield made


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Mirrored]:
    """It waits for a short while only."""
    made = build(tmp_path, wait_s=SOON_S)
    with running(made.city):
        yield made


def ready(client: TokenClient) -> tuple[int, Any]:
    status, _, document = client.send("GET", "/readyz", None, {})
    return status, document


def reasons(city: City) -> list[str | None]:
    return [json.loads(city.log.entry(index))["reason"] for index in range(city.log.size)]


def answers_again(client: TokenClient) -> bool:
    return client.post(PATH, question())[0] == 200


# --- waiting ---------------------------------------------------------------------------------------------------------


def test_an_answer_waits_until_the_mirror_has_its_record(patient: Mirrored) -> None:
    """Durable and published is not enough; refusals wait, too."""
    city = patient.city
    with closing(city.client()) as client:
        bodies = [question(), question(case="1" * 200), *[question(case=f"2026-{n}") for n in range(20)]]
        with asking(client, bodies) as under_way:
            until(lambda: city.log.published.size == len(bodies) and patient.waiting() == len(bodies))
            assert not any(one.done() for one in under_way)
            with patient.mirror():
                statuses = [one.result(30)[0] for one in under_way]
                assert statuses == [200, 400, *[200] * 20]
                for one in under_way:
                    index = one.result()[2]["receipt"]["index"]
                    held = LogReader(patient.copy(), SIGNER.public).checkpoint()
                    assert index < held.size
                assert client.post(PATH, question())[0] == 200
                assert patient.waiting() == 0
    assert verify(patient.copy(), SIGNER.public, openings=True).difference is None


def test_without_the_mirror_nothing_is_released_and_the_record_stays(hasty: Mirrored) -> None:
    city = hasty.city
    with closing(city.client()) as client:
        status, headers, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (503, "mirror_unavailable")
        assert headers["content-type"] == "application/problem+json"
        assert NAME not in json.dumps(answer, ensure_ascii=False)
        assert "receipt" not in answer
        assert reasons(city) == [None], "granted, and never released"
        status, document = ready(client)
        assert (status, document["checks"]["mirror"]) == (503, "mirror_unavailable")
        status, _, answer = client.post(PATH, question())
        assert (status, answer["code"]) == (503, "mirror_unavailable")
        assert answer["receipt"]["index"] == 1, "it waits for nothing, since it releases nothing"
        assert client.get("/v1/service-items")[0] == 503
        assert reasons(city) == [None, "mirror_unavailable", None]
        with hasty.mirror():
            until(lambda: answers_again(client))
            assert ready(client)[0] == 200
        assert client.post(PATH, question())[2]["code"] == "mirror_unavailable", "gone once more"
        with hasty.mirror():
            until(lambda: answers_again(client))


def test_the_gateway_ends_while_answers_wait(patient: Mirrored) -> None:
    """They are refused; whoever waits for a head is told."""
    city = patient.city
    with closing(city.client()) as client, asking(client, [question()]) as (under_way,):
        until(lambda: patient.waiting() == 1)
        city.log.condemn(Corrupt("the end"))
        assert under_way.result(30)[2]["code"] == "mirror_unavailable"
        city.served.join(30)
        assert not city.served.is_alive()


def test_where_answers_do_not_wait_the_mirror_is_heard_all_the_same(tmp_path: Path) -> None:
    made = build(tmp_path, wait_s=None)
    with running(made.city), closing(made.city.client()) as client:
        assert answers_again(client)
        with made.mirror() as mirror:
            until(lambda: [one.facts.confirmed for one in mirror.followers.values()] == [1])
        status, document = ready(client)
        assert status == 200
        assert document["mirror"] == {"holds": 1, "heard": True, "since": document["mirror"]["since"]}


def test_what_was_confirmed_is_remembered(patient: Mirrored) -> None:
    city = patient.city
    with closing(city.client()) as client, patient.mirror():
        assert answers_again(client)
        assert answers_again(client)
        until((city.log_dir / MIRRORED).exists)
    assert city.mirror is not None
    city.mirror.keep(at_once=True)
    again = MirrorHeads(city.log, city.log_dir, MIRROR.public)
    assert (again.standing().size, again.standing().heard) == (2, True)
    assert not MirrorHeads(city.log, city.log_dir, OTHER.public).standing().heard


# --- the next head ---------------------------------------------------------------------------------------------------


def test_the_next_head_is_told_at_once(hasty: Mirrored) -> None:
    city = hasty.city
    with closing(city.client()) as client:
        for size in range(3):
            client.post(PATH, question())
            status, note = hasty.next(size)
            assert status == 200
            assert open_note(note, SIGNER.public)[0].size == size + 1
    assert hasty.next(0, city.window)[0] == 403
    assert hasty.say(b"", city.window)[0] == 403


# --- what does not count ---------------------------------------------------------------------------------------------


def test_only_the_pinned_key_confirms(hasty: Mirrored) -> None:
    """Another key of the same name; none; and a wrong line under the right key."""
    city = hasty.city
    with closing(city.client()) as client:
        for name, cosigner in (("other", OTHER), ("keyless", None)):
            with hasty.mirror(cosigner, name):
                until((hasty.copy(name) / "checkpoint").exists)
                assert client.post(PATH, question())[2]["code"] == "mirror_unavailable"
        note = LogReader(city.log_dir, SIGNER.public).note()
        assert hasty.say(note) == (200, b"known\n")
        good = MIRROR.line(parse(note).text, 1_800_000_000)
        bad = MIRROR.line(parse(note).text + b"x\n", 1_800_000_000)
        assert hasty.say(note + bad)[0] == 422
        assert client.post(PATH, question())[2]["code"] == "mirror_unavailable"
        assert hasty.say(note + good) == (200, b"confirmed\n")


def test_what_is_no_head_of_this_log(hasty: Mirrored) -> None:
    city = hasty.city
    with closing(city.client()) as client:
        client.post(PATH, question())
        forged = FakeLog(SIGNER.public.name).note(9)
        for note, status in [(forged, 422), (b"", 422), (b"\xff" * 100, 422), (b"x" * 20_000, 413)]:
            assert hasty.say(note)[0] == status
        assert hasty.say(LogReader(city.log_dir, SIGNER.public).note(), call="next/1")[0] == 405
        assert city.log.alive


def test_an_older_head_confirms_what_it_covers_and_no_more(hasty: Mirrored) -> None:
    city = hasty.city
    reader = LogReader(city.log_dir, SIGNER.public)
    with closing(city.client()) as client:
        client.post(PATH, question())
        until(lambda: city.log.published.size == 1)
        old = reader.note()
        old += MIRROR.line(parse(old).text, 1_800_000_000)
        assert hasty.say(old) == (200, b"confirmed\n")
        assert client.post(PATH, question())[2]["code"] == "mirror_unavailable", "the second entry is not covered"
        assert hasty.say(old) == (200, b"confirmed\n")
        assert client.post(PATH, question())[2]["code"] == "mirror_unavailable"
        assert city.log.alive


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_head_that_the_log_never_had_ends_it(hasty: Mirrored, size: int) -> None:
    """Signed by its own key: another tree of a size that it had or has, or a size that it never had."""
    city = hasty.city
    with closing(city.client()) as client:
        for _ in range(2):
            client.post(PATH, question())
            until(lambda: city.log.published.size == city.log.size)
            note = LogReader(city.log_dir, SIGNER.public).note()
            assert hasty.say(note + MIRROR.line(parse(note).text, 1_800_000_000))[0] == 200
        forked = sign(Checkpoint(SIGNER.public.name, size, root_of([leaf_hash(b"x")] * size)), SIGNER)
        forked += MIRROR.line(parse(forked).text, 1_800_000_000)
        assert hasty.say(forked)[0] == 409
        city.served.join(30)
        assert not city.served.is_alive()
    assert [type(error) for error in city.deaths] == [Corrupt]
    evidence = {path.suffix: path.read_bytes() for path in (city.log_dir / "evidence").iterdir()}
    assert {name: open_note(note, SIGNER.public)[0].size for name, note in evidence.items()} == {
        ".checkpoint": size,
        ".own": 2,
    }
    city.log.close()
    with pytest.raises(Corrupt, match=r"an old copy|not the one that was published"):
        open_log(city.directory, [])


# --- a log that was put back -----------------------------------------------------------------------------------------


def put_back(made: Mirrored, more: int) -> AuditLog:
    """The log of 3 mirrored entries as it was with one, then grown by `more`."""
    city = made.city
    with running(city), closing(city.client()) as client, made.mirror(name="early"):
        assert answers_again(client)
    shutil.copytree(city.log_dir, made.root / "old")
    city.log = open_log(city.directory, city.deaths)
    pin(city)
    with running(city), closing(city.client()) as client, made.mirror():
        assert [answers_again(client) for _ in range(2)] == [True, True]
    shutil.rmtree(city.log_dir)
    (made.root / "old").rename(city.log_dir)
    log = city.log = open_log(city.directory, city.deaths)
    for number in range(more):
        log.append_blocking(b'{"another":%d,"time":0}' % number, b"{}")
    return log


@pytest.mark.parametrize(("more", "keyed"), [(0, True), (1, False), (2, True), (9, False)])
def test_an_old_copy_releases_nothing_and_ends_at_the_first_contact(tmp_path: Path, more: int, *, keyed: bool) -> None:
    """An old copy, or one that grew another way since, to any size; by a mirror with a key or without."""
    made = build(tmp_path)
    log, city = put_back(made, more), made.city
    pin(city)
    with running(city), closing(city.client()) as client, asking(client, [question()]) as (under_way,):
        until(lambda: made.waiting() == 1)
        with made.mirror(MIRROR if keyed else None):
            answer = under_way.result(30)
            until(lambda: not log.alive)
        assert (answer[0], answer[2]["code"]) == (503, "mirror_unavailable")
    assert "the mirror" in str(city.deaths[0])
    kept = list((made.root / "mirror" / "evidence").rglob("*.checkpoint"))
    assert kept, "the mirror has both heads, too"
    city.log.close()
    with pytest.raises(Corrupt, match=r"an old copy|not the one that was published"):
        open_log(city.directory, [])


def test_without_any_of_the_three_a_rollback_is_said_to_be_undetectable(tmp_path: Path) -> None:
    """Until a mirror was heard, if only one without a key."""
    made = build(tmp_path, wait_s=None, key=None)
    with running(made.city), closing(made.city.client()) as client:
        assert "rollback_undetectable" in ready(client)[1]["warnings"]
        with made.mirror(None):
            until(lambda: "rollback_undetectable" not in ready(client)[1]["warnings"])
