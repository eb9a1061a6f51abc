"""What nodes refused of this adapter's messages: read from `rejects.<adapter>`, verified, told in words.

1. A reject counts only under a key that the configuration pins (`[[nodes]]`). Others are counted as `unverified`.
2. Every node that refused a message says so; a crash says it twice. It is one refusal: by place in the log and code.
3. `current`: the refused message is the newest that the outbox has published of its record, so it is still to be
   mended. Refusals of former states are told only on request.
4. Where the row stood is known for what this outbox has published; of a message that names no record, nothing is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters import outbox_journal
from adapters.config import AdapterConfig
from adapters.outbox import Outbox
from contracts.edge.transport import Record
from contracts.encoding import Json
from contracts.errors import ERRORS, Fault
from contracts.messages import record_of
from contracts.rejects import NodeKeys, Refused, rejects_topic
from contracts.text import Text

_BATCH = 1000
_UNKNOWN = Text("未知代码 {code}", "Unknown code {code}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused message. `file` and `line` are None where rule 4 knows nothing."""

    stream: str
    record: str
    code: str
    pointer: str
    topic: str
    offset: int
    at: int  # Unix s, the log's clock
    current: bool
    nodes: tuple[str, ...]
    file: str | None = None
    line: int | None = None

    @property
    def title(self) -> Text:
        row = ERRORS.get(self.code)
        return _UNKNOWN.fill(code=self.code) if row is None else row.title

    @property
    def next_step(self) -> Text:
        row = ERRORS.get(self.code)
        return Text("", "") if row is None else row.next_step

    def to_json(self) -> dict[str, Json]:
        return {
            "stream": self.stream,
            "record": self.record,
            "code": self.code,
            "title": self.title.as_json(),
            "next_step": self.next_step.as_json(),
            "pointer": self.pointer,
            "topic": self.topic,
            "offset": self.offset,
            "at": self.at,
            "current": self.current,
            "nodes": list(self.nodes),
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Refusals:
    """Everything in the topic, in the order of the log; `unverified`: records that no pinned node has signed."""

    found: tuple[Refusal, ...]
    unverified: int

    @property
    def current(self) -> tuple[Refusal, ...]:
        return tuple(one for one in self.found if one.current)


def read_refusals(config: AdapterConfig, outbox: Outbox) -> Refusals:
    """Read the topic to its end; raises `TopicUnknown`, `LogUnavailable`."""
    keys = NodeKeys(config.nodes)
    found: dict[tuple[str, int, str], tuple[Refused, int, set[str]]] = {}
    unverified = 0
    for record in _records(config):
        try:
            node, refused = keys.open(record.value or b"")
        except Fault:
            unverified += 1
            continue
        place = (refused.topic, refused.offset, refused.code)
        found.setdefault(place, (refused, record.timestamp_ms // 1000, set()))[2].add(node)
    return Refusals(tuple(_told(config, outbox, found.values())), unverified)


def _records(config: AdapterConfig) -> Iterator[Record]:
    topic = rejects_topic(config.adapter)
    with config.transport.reader() as reader:
        end = reader.end(topic)
        reader.assign({topic: reader.earliest(topic)})
        while reader.position(topic) < end and (batch := reader.read(_BATCH, 1.0)):
            yield from batch


def _told(config: AdapterConfig, outbox: Outbox, found: Iterable[tuple[Refused, int, set[str]]]) -> Iterator[Refusal]:
    names = {stream.stream.topic: stream.stream.evidence_type for stream in config.streams}
    for refused, at, nodes in found:
        stream, record = names.get(refused.topic, ""), record_of(refused.key.decode("utf-8", "replace"))
        state = outbox.known_stream(stream)
        known = None if state is None else outbox_journal.published(outbox, state, [record]).get(record)
        current = known is not None and known.identity == refused.identity
        file, line = (known.file, known.line) if known is not None and current else (None, None)
        yield Refusal(
            stream, record, refused.code, refused.pointer, refused.topic, refused.offset, at, current,
            tuple(sorted(nodes)), file, line,
        )  # fmt: skip
