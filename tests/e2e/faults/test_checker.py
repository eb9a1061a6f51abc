"""The checker can fail: each loss, duplicate, reordering and unaudited answer that is planted is found.

Plants are made in copies of what the faults left behind: in the files where there are files (outbox, store, log), else
in what was read.
"""

import base64
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest

from tests.e2e.faults.checker import Verdict, judge
from tests.e2e.faults.evidence import Found, Message, Stream, read_outbox, read_store
from tests.e2e.faults.layout import DEPARTMENTS
from tests.e2e.faults.ledger import Log, read_log
from tests.e2e.faults.load import Answer
from tests.e2e.faults.matrix import Run
from tests.e2e.faults.sources import name_of

ONE = DEPARTMENTS[0].adapter


def verdict_on(run: Run, found: Found) -> Verdict:
    return judge(found, run.looked().before)[0]


# --- planted in what was read ------------------------------------------------------------------------------------


def with_stream(found: Found, change: Callable[[Stream], Stream]) -> Found:
    first, *others = found.streams
    return replace(found, streams=(change(first), *others))


def with_messages(found: Found, change: Callable[[tuple[Message, ...]], tuple[Message, ...]]) -> Found:
    def edit(stream: Stream) -> Stream:
        return replace(stream, topic=replace(stream.topic, messages=change(stream.topic.messages)))

    return with_stream(found, edit)


def with_answer(found: Found, change: Callable[[Answer], Answer]) -> Found:
    """The newest answer that shows a record, changed."""
    at = max(number for number, one in enumerate(found.answers) if one.status == 200 and one.body["evidence"])
    answers = list(found.answers)
    answers[at] = change(answers[at])
    return replace(found, answers=tuple(answers))


def with_body(answer: Answer, **members: object) -> Answer:
    return answer._replace(body={**answer.body, **members})


def first_evidence(answer: Answer, **members: object) -> Answer:
    first, *others = answer.body["evidence"]
    return with_body(answer, evidence=[{**first, **members}, *others])


def lost_row(found: Found) -> Found:
    return with_stream(found, lambda stream: replace(stream, rows={**stream.rows, 0: stream.rows[0] + 1}))


def lost_message(found: Found) -> Found:
    return with_messages(found, lambda messages: messages[:-1])


def lost_early_message(found: Found) -> Found:
    return with_messages(found, lambda messages: messages[1:])


def lost_answer(found: Found) -> Found:
    """The last round shows nothing for a row that is there."""
    return with_answer(found, lambda answer: with_body(answer, evidence=[]))


def sent_under_two_numbers(found: Found) -> Found:
    def again(messages: tuple[Message, ...]) -> tuple[Message, ...]:
        newest = max(messages, key=lambda one: one.seq)
        put = next(one for one in reversed(messages) if one.operation == "put")
        return (*messages, put._replace(seq=newest.seq + 1, offset=newest.offset + 1))

    return with_messages(found, again)


def number_used_twice(found: Found) -> Found:
    def again(messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return (*messages, messages[-1]._replace(identity=messages[0].identity))

    return with_messages(found, again)


def record_twice_in_an_answer(found: Found) -> Found:
    return with_answer(found, lambda answer: with_body(answer, evidence=answer.body["evidence"] * 2))


def swapped_messages(found: Found) -> Found:
    return with_messages(found, lambda messages: (messages[1], messages[0], *messages[2:]))


def older_shown_after_newer(found: Found) -> Found:
    """The newest answer again a moment later, with an older state of the row."""

    def older(answer: Answer) -> Answer:
        document = {**answer.body["evidence"][0]["document"], "name": name_of(1)}
        return first_evidence(answer, document=document)._replace(began=answer.ended + 1, ended=answer.ended + 2)

    return replace(found, answers=(*found.answers, *set_apart(found, with_answer(found, older))))


def set_apart(found: Found, changed: Found) -> tuple[Answer, ...]:
    return tuple(new for old, new in zip(found.answers, changed.answers, strict=True) if new is not old)


def answer_of_another_transaction(found: Found) -> Found:
    return with_answer(found, lambda answer: with_body(answer, transaction="0197"))


def answer_beyond_the_log(found: Found) -> Found:
    receipt = {"index": 10**9}
    return with_answer(found, lambda answer: with_body(answer, receipt={**answer.body["receipt"], **receipt}))


def answer_that_was_asked_otherwise(found: Found) -> Found:
    return with_answer(found, lambda answer: answer._replace(case="another"))


def more_released_than_recorded(found: Found) -> Found:
    def less(answer: Answer) -> Answer:
        text = answer.body["evidence"][0]["sd_jwt"]
        return first_evidence(answer, sd_jwt=text[: text.rindex("~", 0, -1) + 1])

    return with_answer(found, less)


def forged_evidence(found: Found) -> Found:
    def forge(answer: Answer) -> Answer:
        head, payload, rest = answer.body["evidence"][0]["sd_jwt"].split(".", 2)
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | {"src": 0}
        forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        return first_evidence(answer, sd_jwt=".".join((head, forged, rest)))

    return with_answer(found, forge)


def document_not_as_signed(found: Found) -> Found:
    def other(answer: Answer) -> Answer:
        return first_evidence(answer, document={**answer.body["evidence"][0]["document"], "status": "void"})

    return with_answer(found, other)


def log_that_forgot(found: Found) -> Found:
    def shorter(log: Log) -> Log:
        return replace(log, leaves=log.leaves[1:])

    return replace(found, logs={name: shorter(log) for name, log in found.logs.items()})


READ: tuple[tuple[Callable[[Found], Found], str], ...] = (
    (lost_row, "lost"),
    (lost_message, "lost"),
    (lost_early_message, "lost"),
    (lost_answer, "lost"),
    (sent_under_two_numbers, "duplicated"),
    (number_used_twice, "duplicated"),
    (record_twice_in_an_answer, "duplicated"),
    (swapped_messages, "reordered"),
    (older_shown_after_newer, "reordered"),
    (answer_of_another_transaction, "unaudited"),
    (answer_beyond_the_log, "unaudited"),
    (answer_that_was_asked_otherwise, "unaudited"),
    (more_released_than_recorded, "unaudited"),
    (log_that_forgot, "unaudited"),
    (forged_evidence, "unverified"),
    (document_not_as_signed, "unverified"),
)


def test_nothing_planted(run: Run) -> None:
    assert not verdict_on(run, run.looked().found).findings


@pytest.mark.parametrize(("plant", "kind"), READ, ids=lambda value: getattr(value, "__name__", None))
def test_planted_in_what_was_read(run: Run, plant: Callable[[Found], Found], kind: str) -> None:
    assert verdict_on(run, plant(run.looked().found)).count(kind)


def test_a_log_that_changed_between_two_looks(run: Run) -> None:
    found = log_that_forgot(run.looked().found)
    assert judge(found, run.before)[0].count("lost")


def test_the_same_message_again_is_harmless_and_counted(run: Run) -> None:
    found = with_messages(run.looked().found, lambda messages: (*messages, *messages[-3:]))
    verdict = verdict_on(run, found)
    assert verdict.resent == verdict_on(run, run.looked().found).resent + 3
    assert not verdict.findings


# --- planted in copies of the files --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Edit:
    """SQL on a copy of a file, and what the checker is to call it."""

    name: str
    kind: str
    statements: tuple[str, ...]


_STREAM = f"(SELECT id FROM streams WHERE adapter = '{ONE}')"
_LIVE = f"(SELECT max(id) FROM records WHERE condition = 'live' AND stream = {_STREAM})"
_GONE = f"(SELECT max(seq) FROM superseded WHERE stream = {_STREAM})"
STORE = (
    Edit("record", "lost", (f"DELETE FROM records WHERE id = {_LIVE}",)),
    Edit("content", "lost", (f"DELETE FROM contents WHERE record = {_LIVE}",)),
    Edit("condition", "lost", (f"UPDATE records SET condition = 'withdrawn' WHERE id = {_LIVE}",)),
    Edit("effect", "lost", (f"DELETE FROM superseded WHERE stream = {_STREAM} AND seq = {_GONE}",)),
    Edit("offset", "lost", (f"UPDATE streams SET next = next - 1 WHERE id = {_STREAM}",)),
    Edit("refusal", "lost", (f"INSERT INTO refusals VALUES ({_STREAM}, 'replayed', 1)",)),
    Edit(
        "twice",
        "duplicated",
        (f"INSERT INTO superseded SELECT stream, epoch, seq, identity FROM records WHERE id = {_LIVE}",),
    ),
    Edit(
        "older",
        "reordered",
        (f"DELETE FROM contents WHERE record = {_LIVE}", f"UPDATE records SET seq = 0 WHERE id = {_LIVE}"),
    ),
)
OUTBOX = (
    Edit("record", "lost", ("DELETE FROM records WHERE seq = (SELECT max(seq) FROM records)",)),
    Edit("number", "lost", ("UPDATE streams SET next_seq = next_seq + 1",)),
    Edit("waiting", "lost", ("INSERT INTO pending (stream, key, value) VALUES (1, x'00', x'00')",)),
    Edit("rolled back", "duplicated", ("UPDATE streams SET next_seq = next_seq - 1",)),
)


def edited(path: Path, folder: Path, edit: Edit) -> Path:
    """A copy of a database in use, edited."""
    copy = folder / "copy.sqlite"
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    with closing(apsw.Connection(str(copy))) as db:
        changed = [list(db.execute(statement)) == [] and db.changes() for statement in edit.statements]
    assert all(changed), "nothing to be changed"
    return copy


@pytest.mark.parametrize("edit", STORE, ids=lambda edit: edit.name)
def test_planted_in_the_store(run: Run, tmp_path: Path, edit: Edit) -> None:
    layout = run.city.layout
    stored = read_store(edited(layout.store, tmp_path, edit), layout.keys / "store.key")
    found = with_stream(run.looked().found, lambda stream: replace(stream, stored=stored[ONE]))
    assert verdict_on(run, found).count(edit.kind)


@pytest.mark.parametrize("edit", OUTBOX, ids=lambda edit: edit.name)
def test_planted_in_the_outbox(run: Run, tmp_path: Path, edit: Edit) -> None:
    outbox = read_outbox(edited(run.city.layout.outbox(DEPARTMENTS[0]), tmp_path, edit))
    found = with_stream(run.looked().found, lambda stream: replace(stream, outbox=outbox))
    assert verdict_on(run, found).count(edit.kind)


@pytest.mark.parametrize("name", ["tile/entries", "checkpoint"])
def test_one_byte_of_the_log(run: Run, tmp_path: Path, name: str) -> None:
    slot = run.city.layout.slots[0]
    copy = tmp_path / slot.name
    run.city.wait_for("a log that stands still", lambda: copied(run.city.layout.audit(slot), copy))
    vkey = (run.city.layout.keys / f"{slot.name}.vkey").read_text("ascii").strip()
    assert not read_log(copy, vkey).wrong
    place = copy / name
    file = place if place.is_file() else next(path for path in sorted(place.rglob("*")) if path.is_file())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    logs = {**run.looked().found.logs, slot.name: read_log(copy, vkey)}
    assert verdict_on(run, replace(run.looked().found, logs=logs)).count("unaudited")


def copied(log: Path, copy: Path) -> bool:
    """Copy a log that is written; False when a new head came meanwhile."""
    shutil.rmtree(copy, ignore_errors=True)
    head = (log / "checkpoint").read_bytes()
    try:
        shutil.copytree(log, copy)
    except shutil.Error:
        return False
    return head == (copy / "checkpoint").read_bytes() == (log / "checkpoint").read_bytes()
