"""Source rows ↔ outbox ↔ topic ↔ store ↔ HTTP answers ↔ audit log: what does not agree, and how it is called. Pure.

The city stands still: everything was published, ingested, answered and published by the logs.

- **lost**: something acknowledged is missing downstream. A row of the source that is not live on its topic in its
  newest version; a number that the outbox gave and the topic has not; a message on the topic that has no effect in the
  store (its number is neither a record's nor among the superseded ones); an outbox that still waits; a reject (every
  message here is good); a stream that is not complete; a row that a client asked for and was not given; a leaf of the
  audit log that is not where it was.
- **duplicated**: one change of a source that is effective twice: the same version of a record under two numbers, two
  withdrawals on end, one number with two identities, a number that is both a record's and superseded, a record twice
  in an answer. The same message on the topic again is a **resend**: harmless, because the store counts one effect for
  each number; counted in a column of its own.
- **reordered**: a number not rising at effect. Numbers whose first copy on the topic does not rise, versions of a
  record that do not rise with its numbers, a record whose state in the store is not that of its highest number, a
  client that is shown an older version than somebody was shown before it asked.
- **unaudited**: an answer that a client received and that is not in the durable log at its index, or there with
  another `released`, `commit`, transaction, app, item or decision; a log whose entries do not lead to its signed root.
- **unverified**: an answer with status 200 whose evidence does not verify with the department's key, or says another
  thing than its `document`; anything on a topic that does not.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.e2e.faults.evidence import Found, Message, Stored, Stream, Topic, subject
from tests.e2e.faults.ledger import leaf_hash
from tests.e2e.faults.load import CLERK, ITEM, Answer
from tests.e2e.faults.opening import Invalid, unb64
from tests.e2e.faults.sources import person
from tests.e2e.stranger import commit_digest, released_digest

MAX_SUPERSEDED = 10_000  # what a store keeps of the numbers that no record has any more
TIMED_OUT = 408  # the question never came whole, so its record knows nothing of it
KINDS = ("lost", "duplicated", "reordered", "unaudited", "unverified")

Finding = tuple[str, str]  # kind, sentence


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, by kind; and how much was looked at."""

    findings: tuple[Finding, ...]
    messages: int
    resent: int
    answers: int

    def count(self, kind: str) -> int:
        return sum(found == kind for found, _ in self.findings)

    def told(self) -> str:
        """The first findings, for people."""
        return "\n".join(f"{kind}: {sentence}" for kind, sentence in self.findings[:30])


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier looks saw: the leaves of each log, the newest version of each (adapter, person) shown."""

    leaves: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    shown: Mapping[tuple[str, int], int] = field(default_factory=dict)


def judge(found: Found, before: Before) -> tuple[Verdict, Before]:
    """Compare everything with everything."""
    sightings = [one for answer in found.answers for one in seen_in(answer, found)]
    findings = [
        *(finding for stream in found.streams for finding in _stream(stream)),
        *(("lost", f"{found.rejects} rejects on the log") for _ in range(bool(found.rejects))),
        *(finding for name, log in found.logs.items() for finding in _log(name, log, before)),
        *(finding for answer in found.answers for finding in _answer(answer, found)),
        *_shown(found, sightings, before),
    ]
    messages = sum(len(stream.topic.messages) for stream in found.streams)
    resent = sum(messages_again(stream.topic) for stream in found.streams)
    leaves = {name: tuple(map(leaf_hash, log.leaves)) for name, log in found.logs.items()}
    after = Before(leaves, _newest(sightings, before))
    return Verdict(tuple(findings), messages, resent, len(found.answers)), after


# --- from the source to the store ------------------------------------------------------------------------------


def _stream(stream: Stream) -> Iterator[Finding]:
    name = stream.department.adapter
    yield from (("unverified", sentence) for sentence in stream.topic.wrong)
    once = first_copies(stream.topic)
    for check in (_source, _outbox, _topic, _versions, _store):
        yield from ((kind, f"{name}: {sentence}") for kind, sentence in check(stream, once))


def first_copies(topic: Topic) -> Mapping[tuple[int, int], Message]:
    """The first message of each number, in the order of the log."""
    found: dict[tuple[int, int], Message] = {}
    for message in topic.messages:
        found.setdefault((message.epoch, message.seq), message)
    return found


def messages_again(topic: Topic) -> int:
    return len(topic.messages) - len(first_copies(topic))


def newest(messages: Iterable[Message]) -> Mapping[str, Message]:
    """The message of the highest number of each record."""
    found: dict[str, Message] = {}
    for message in messages:
        known = found.get(message.record)
        if known is None or (message.epoch, message.seq) > (known.epoch, known.seq):
            found[message.record] = message
    return found


Copies = Mapping[tuple[int, int], Message]


def _source(stream: Stream, once: Copies) -> Iterator[Finding]:
    live = {one.person: one.version for one in newest(once.values()).values() if one.operation == "put"}
    for who, version in stream.rows.items():
        if live.get(who) != version:
            yield "lost", f"row {who} is at version {version}, its topic at {live.get(who)}"
    for gone in live.keys() - stream.rows.keys():
        yield "lost", f"the withdrawal of row {gone}"


def _outbox(stream: Stream, once: Copies) -> Iterator[Finding]:
    outbox = stream.outbox
    if outbox.pending:
        yield "lost", f"{outbox.pending} entries still wait in the outbox"
    for seq in range(1, outbox.last + 1):
        if (outbox.epoch, seq) not in once:
            yield "lost", f"number {seq} of the outbox is not on the topic"
    for epoch, seq in once:
        if epoch != outbox.epoch or seq > outbox.last:
            yield "duplicated", f"number {epoch}/{seq} on the topic was never given by the outbox"
    for record, message in newest(once.values()).items():
        known = outbox.records.get(record)
        if known is None or known[:2] != (message.seq, message.identity) or known.live != (message.operation == "put"):
            yield "lost", f"record {record} of the topic is another one in the outbox"
    for record in outbox.records.keys() - {one.record for one in once.values()}:
        yield "lost", f"record {record} of the outbox is not on the topic"


def _topic(stream: Stream, once: Copies) -> Iterator[Finding]:
    highest = (0, 0)
    for number in once:
        if number < highest:
            yield "reordered", f"number {number[1]} first comes after {highest[1]}"
        highest = max(highest, number)
    for message in stream.topic.messages:
        if message.identity != once[message.epoch, message.seq].identity:
            yield "duplicated", f"number {message.seq} stands for two messages"


def _versions(stream: Stream, once: Copies) -> Iterator[Finding]:
    """Each change of a row is published once, in its turn."""
    latest: dict[str, Message] = {}
    shown: dict[str, int] = {}
    for _, message in sorted(once.items()):
        known = latest.get(message.record)
        if message.version is None:
            if known is not None and known.version is None:
                yield "duplicated", f"two withdrawals of {message.record} on end"
        elif message.version == shown.get(message.record):
            yield "duplicated", f"version {message.version} under two numbers, again as {message.seq}"
        elif message.version < shown.get(message.record, 0):
            yield "reordered", f"version {message.version} after {shown[message.record]}, as number {message.seq}"
        latest[message.record] = message
        shown[message.record] = max(message.version or 0, shown.get(message.record, 0))


def _store(stream: Stream, once: Copies) -> Iterator[Finding]:
    stored = stream.stored
    numbers = {(row.epoch, row.seq) for row in stored.rows.values()}
    yield from (("duplicated", f"number {seq} is effective twice") for _, seq in numbers & stored.superseded.keys())
    yield from (("lost", f"{count} messages refused: {code}") for code, count in stored.refusals.items())
    kept_from = min(stored.superseded, default=(0, 0)) if len(stored.superseded) >= MAX_SUPERSEDED else (0, 0)
    for number in once.keys() - numbers - stored.superseded.keys():
        if number > kept_from:
            yield "lost", f"number {number[1]} had no effect in the store"
    yield from (("duplicated", f"number {seq} of the store is not on the topic") for _, seq in numbers - once.keys())
    for record, message in newest(once.values()).items():
        yield from _row(stored, record, message)
    yield from _state(stored, stream)


def _row(stored: Stored, record: str, message: Message) -> Iterator[Finding]:
    row = stored.rows.get(record)
    if row is None:
        yield "lost", f"record {record} is not in the store"
    elif (row.epoch, row.seq) != (message.epoch, message.seq):
        yield "reordered", f"record {record} is at number {row.seq}, its topic at {message.seq}"
    elif row.identity != message.identity or row.condition != ("live" if message.version else "withdrawn"):
        yield "lost", f"record {record} is {row.condition}, not what number {row.seq} says"
    elif row.text != (message.text if message.version else None):
        yield "lost", f"the content of record {record}"


def _state(stored: Stored, stream: Stream) -> Iterator[Finding]:
    state = json.loads(stored.state)
    if stored.next != stream.topic.end:
        yield "lost", f"the store is at offset {stored.next} of {stream.topic.end}"
    if state["gaps"] or state["mismatch"] is not None or state["stopped"] or state["as_of"] is None:
        yield "lost", f"the stream is not complete: {stored.state}"
    if tuple(state["head"]) != (stream.outbox.epoch, stream.outbox.last):
        yield "lost", f"the store's head is {state['head']}, the outbox's {stream.outbox.last}"


# --- answers and their records -----------------------------------------------------------------------------------


def _log(name: str, log: Any, before: Before) -> Iterator[Finding]:
    yield from (("unaudited", sentence) for sentence in log.wrong)
    known = before.leaves.get(name, ())
    now = [leaf_hash(leaf) for leaf in log.leaves[: len(known)]]
    missing = sum(old != new for old, new in zip(known, now, strict=False)) + len(known) - len(now)
    if missing:
        yield "lost", f"{name}: {missing} entries of the audit log are not what they were"


def _answer(answer: Answer, found: Found) -> Iterator[Finding]:
    """An answer against its record in the log, and against what the department signed."""
    where = f"{answer.slot} {answer.case} ({answer.status})"
    receipt = answer.body.get("receipt") if isinstance(answer.body, dict) else None
    if receipt is not None:
        yield from (("unaudited", f"{where}: {why}") for why in _record(answer, receipt, found))
    elif answer.status == 200:
        yield "unaudited", f"{where}: no receipt"
    if answer.status == 200:
        names = Counter(one["record"] for one in answer.body["evidence"])
        yield from (("duplicated", f"{where}: record {name} twice") for name, times in names.items() if times > 1)
        yield from (("unverified", f"{where}: {why}") for why in _evidence(answer, found))


def _record(answer: Answer, receipt: Mapping[str, Any], found: Found) -> Iterator[str]:
    log = found.logs[answer.slot]
    if receipt["log"] != log.origin or receipt["index"] >= len(log.leaves):
        yield f"entry {receipt['index']} is not in the log of {len(log.leaves)}"
        return
    leaf = log.leaves[receipt["index"]]
    if f"sha-256:{leaf_hash(leaf).hex()}" != receipt["leaf_hash"]:
        yield f"entry {receipt['index']} is another one"
        return
    known, said = json.loads(leaf), _expected(answer, unb64(receipt["salt"]))
    yield from (f"{name} is {known.get(name)!r}, not {value!r}" for name, value in said.items() if known[name] != value)


def _expected(answer: Answer, salt: bytes) -> Mapping[str, Any]:
    """The members of the record that the client knows (docs/api.md, "Receipts")."""
    body, granted, read = answer.body, answer.status == 200, answer.status != TIMED_OUT
    evidence = body["evidence"] if granted else []
    asked = body["by"] if granted else {"scheme": "cn.ric", "id": person(answer.question.person)}
    opening = {
        "case": answer.case if read else None,
        "clerk": CLERK if read else None,
        "holder": asked if read else None,
        "records": [one["record"] for one in evidence],
        "terminal": None,
    }
    strings = [one["sd_jwt"] for one in evidence if one["sd_jwt"] is not None]
    return {
        "transaction": body["transaction"],
        "app": answer.app,
        "service_item": ITEM if read else None,
        "decision": "granted" if granted else "refused",
        "reason": body.get("code"),
        "released": released_digest(salt, strings),
        "commit": commit_digest(salt, opening),
    }


def _evidence(answer: Answer, found: Found) -> Iterator[str]:
    for one in answer.body["evidence"]:
        try:
            stream = _publisher(one["sd_jwt"], found)
            opened = stream.key.open(one["sd_jwt"])
        except (Invalid, KeyError, ValueError, AttributeError) as error:
            yield f"record {one['record']}: {error!r}"
            continue
        shown = {"status": opened.claims["doc"]["status"], **opened.fields}
        if opened.claims["rec"] != one["record"] or any(one["document"].get(key) != shown[key] for key in shown):
            yield f"record {one['record']}: the document is not what was signed"
        if subject(answer.question.evidence_type, opened.fields)[0] != answer.question.person:
            yield f"record {one['record']}: of somebody else"


def _publisher(sd_jwt: str, found: Found) -> Stream:
    adapter = json.loads(unb64(sd_jwt.split(".")[1]))["adp"]
    return next(stream for stream in found.streams if stream.department.adapter == adapter)


# --- what clients saw, in time -----------------------------------------------------------------------------------


class Sighting(NamedTuple):
    """A client was shown this version (0: no record) of a person's row between two instants."""

    began: float
    ended: float
    adapter: str
    person: int
    version: int


def seen_in(answer: Answer, found: Found) -> Iterator[Sighting]:
    """What an answer with status 200 shows of each department that publishes the type."""
    if answer.status != 200:
        return
    shown: dict[str, int] = {}
    for one in answer.body["evidence"]:
        if one["sd_jwt"] is not None:
            _, version = subject(answer.question.evidence_type, one["document"])
            shown[_publisher(one["sd_jwt"], found).department.adapter] = version or 0
    for stream in found.streams:
        if stream.department.table.evidence_type == answer.question.evidence_type:
            adapter = stream.department.adapter
            yield Sighting(answer.began, answer.ended, adapter, answer.question.person, shown.get(adapter, 0))


def _newest(sightings: Iterable[Sighting], before: Before) -> Mapping[tuple[str, int], int]:
    shown = dict(before.shown)
    for one in sightings:
        place = (one.adapter, one.person)
        shown[place] = max(one.version, shown.get(place, 0))
    return shown


def _shown(found: Found, sightings: Iterable[Sighting], before: Before) -> Iterator[Finding]:
    """No client is shown less than somebody was shown before it asked; the last round shows what the sources have."""
    by_place: dict[tuple[str, int], list[Sighting]] = {}
    for one in sightings:
        by_place.setdefault((one.adapter, one.person), []).append(one)
    for stream in found.streams:
        adapter = stream.department.adapter
        for (of, who), seen in by_place.items():
            if of == adapter:
                yield from _in_time(seen, before.shown.get((of, who), 0), stream.removed.get(who, ()))
        for who, version in stream.rows.items():
            last = max(by_place.get((adapter, who), ()), default=None)
            if last is None or last.version != version:
                yield "lost", f"{adapter}: row {who} is at {version}, the last answer at {last and last.version}"


def _in_time(seen: list[Sighting], known: int, removed: tuple[int, ...]) -> Iterator[Finding]:
    ends = sorted(seen, key=lambda one: one.ended)
    at = 0
    for one in sorted(seen):
        while at < len(ends) and ends[at].ended <= one.began:
            known = max(known, ends[at].version)
            at += 1
        if one.version and one.version < known:
            yield "reordered", f"{one.adapter}: row {one.person} shown at {one.version} after {known}"
        if not one.version and known and not any(version >= known for version in removed):
            yield "lost", f"{one.adapter}: row {one.person} not found after version {known} was shown"
