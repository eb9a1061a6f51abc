"""What clerks say is wrong with this adapter's data: read from `requests.<adapter>`, verified, told in words.

1. A request counts only under a key that the configuration pins (`[[nodes]]`), and about a stream of this adapter.
   Others are counted as `unverified`.
2. A request is open while the message that it is about is the newest that the outbox has published of the record, and
   nobody has answered that the data is right.
3. To answer is a decision of an officer: it is in the outbox's journal, with its reason, before the node hears of it.
   The reason stays there. Answering again sends the same answer again.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from adapters import outbox_journal
from adapters.config import AdapterConfig
from adapters.outbox import Outbox
from contracts.corrections import (
    KEPT,
    REASONS,
    Correction,
    Reply,
    open_request,
    replies_topic,
    requests_topic,
    seal_reply,
)
from contracts.edge.transport import Record
from contracts.encoding import Json
from contracts.errors import Fault, UserError
from contracts.text import Text

_BATCH = 1000
_HEADERS = (("content-type", b"application/jose"),)
_NO_REQUEST = Text("没有这条纠错申请:{id}", "There is no such correction request: {id}")
_SEE = Text("用 oncegate-adapter corrections 查看。", "See oncegate-adapter corrections.")
_NEVER = Text("本机发件箱没有该数据流", "This outbox does not have the request's stream")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `answered`: `kept`, `published` anew, or "" while it is open. `file` and `line`: where the row is,
    if the outbox knows."""

    request: Correction
    answered: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def why(self) -> Text:
        return REASONS.get(self.request.reason, REASONS["other"])

    def to_json(self) -> dict[str, Json]:
        one = self.request
        return {
            "id": one.id,
            "stream": one.evidence_type,
            "record": one.record,
            "fields": list(one.fields),
            "reason": one.reason,
            "why": self.why.as_json(),
            "service_item": one.service_item,
            "node": one.node,
            "asked_at": one.asked_at // 1000,
            "due_at": one.due_at // 1000,
            "answered": self.answered,
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Requests:
    """Everything in the topic, in the order of the log; `unverified`: records that count for nothing."""

    found: tuple[Asked, ...]
    unverified: int

    @property
    def open(self) -> tuple[Asked, ...]:
        return tuple(one for one in self.found if not one.answered)


@dataclass(frozen=True, slots=True)
class Verified:
    """Everything in the topic that counts, each request as it was asked last; `unverified` as above."""

    requests: tuple[Correction, ...]
    unverified: int


def read_requests(config: AdapterConfig, outbox: Outbox) -> Requests:
    """What is asked, and how it stands; raises `TopicUnknown`, `LogUnavailable`."""
    verified, kept = read_verified(config), outbox_journal.kept(outbox)
    return Requests(tuple(_told(outbox, request, kept) for request in verified.requests), verified.unverified)


def read_verified(config: AdapterConfig) -> Verified:
    """Rule 1: read the topic to its end; raises `TopicUnknown`, `LogUnavailable`."""
    nodes = {key.kid: (node, key) for node, key in config.nodes}
    own = {stream.stream for stream in config.streams}
    found: dict[str, Correction] = {}
    unverified = 0
    for record in _records(config):
        try:
            request = open_request(record.value or b"", nodes)
        except Fault:
            unverified += 1
            continue
        if request.stream in own:
            found[request.id] = request  # asked again after a new epoch, it names the restated message
        else:
            unverified += 1
    return Verified(tuple(found.values()), unverified)


def is_open(request: Correction, identity: str | None, kept: Collection[str]) -> bool:
    """Rule 2. `identity`: of the newest message of the record, None: the outbox has none; `kept`: answered so."""
    return not _is_published(request, identity) and request.id not in kept


def overdue(requests: Iterable[Correction], now: int) -> int:
    """How many are past their day. `now` in Unix ms."""
    return sum(now > one.due_at for one in requests)


def answer(config: AdapterConfig, outbox: Outbox, identifier: str, reason: str, now_ms: int) -> Correction:
    """Rule 3: say that the data is right; raises `UserError`, `LogUnavailable`."""
    request = next((one.request for one in read_requests(config, outbox).found if one.request.id == identifier), None)
    if request is None:
        raise UserError(_NO_REQUEST.fill(id=identifier), "", _SEE)
    state = outbox.known_stream(request.evidence_type)
    if state is None:
        raise UserError(_NEVER, request.evidence_type, _SEE)
    if identifier not in outbox_journal.kept(outbox):
        outbox_journal.keep(outbox, state, identifier, reason, now_ms // 1000)
    reply = Reply(identifier, config.organisation, config.adapter, KEPT, now_ms)
    with config.transport.writer() as writer:
        topic = replies_topic(request.node)
        writer.write(topic, identifier.encode(), seal_reply(reply, config.key), _HEADERS)
    return request


def _records(config: AdapterConfig) -> Iterator[Record]:
    topic = requests_topic(config.adapter)
    with config.transport.reader() as reader:
        end = reader.end(topic)
        reader.assign({topic: reader.earliest(topic)})
        while reader.position(topic) < end and (batch := reader.read(_BATCH, 1.0)):
            yield from batch


def _told(outbox: Outbox, request: Correction, kept: frozenset[str]) -> Asked:
    """Rule 2."""
    state = outbox.known_stream(request.evidence_type)
    known = None if state is None else outbox_journal.published(outbox, state, [request.record]).get(request.record)
    if _is_published(request, None if known is None else known.identity):
        return Asked(request, "published")
    answered = KEPT if request.id in kept else ""
    return Asked(request, answered) if known is None else Asked(request, answered, known.file, known.line)


def _is_published(request: Correction, identity: str | None) -> bool:
    return identity is not None and identity != request.identity
