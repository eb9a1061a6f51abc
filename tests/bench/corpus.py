"""The messages that benchmarks of ingest read: business licences of 12 fields and 2 holders, in an embedded log.

Signing a million of them takes minutes, so each size is made once and kept in the system's directory for temporary
files, under a name that changes when the messages would. The last record is a full feed statement over all of them, so
that whoever reads the log to its end has compared all bucket digests, and is `complete`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path

from contracts import feeds
from contracts.edge.transport.embedded import EmbeddedTransport, embedded
from contracts.feeds import FULL_KEY, LiveRecord
from contracts.identifiers import credit_check_character, resident_check_digit
from contracts.streams import Position
from gateway.topics import create_missing
from tests.unit.gateway.ingest import world

EPOCH = 1
_CHUNK = 2_000

Made = tuple[bytes, bytes, str]  # log key, log value, identity of the message


def corpus(messages: int) -> EmbeddedTransport:
    """A log with `messages` licences and their full statement in the topic of `world.STREAM`, made if need be."""
    directory = _directory(messages)
    if not directory.exists():
        making = Path(tempfile.mkdtemp(prefix=f"{directory.name}-"))
        try:
            _make(embedded(making), messages)
            making.rename(directory)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return embedded(directory)


def corpus_values(messages: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """Key and value of all of its records, in portions."""
    with corpus(messages).reader() as reader:
        reader.assign({world.STREAM.topic: 0})
        while records := reader.read(_CHUNK, 0.0):
            yield [(record.key, record.value or b"") for record in records]


def _directory(messages: int) -> Path:
    data = world.message(_record(1), EPOCH, 1, content=licence(1)) + _statement([])
    name = f"oncegate-bench-{os.getuid()}-{sha256(data).hexdigest()[:16]}-{messages}"
    return Path(tempfile.gettempdir()) / name


def _make(log: EmbeddedTransport, messages: int) -> None:
    create_missing(log, world.registry())
    live: list[LiveRecord] = []
    firsts = range(1, messages + 1, _CHUNK)
    chunks = (range(first, min(first + _CHUNK, messages + 1)) for first in firsts)
    with log.writer() as writer, ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for numbers, made in zip(firsts, pool.map(_entries, chunks), strict=True):
            writer.write_many(world.STREAM.topic, [(key, value) for key, value, _ in made])
            live += (
                LiveRecord(key.decode(), Position(EPOCH, numbers + index), identity)
                for index, (key, _, identity) in enumerate(made)
            )
        writer.write(world.STREAM.topic, FULL_KEY, world.enveloped(_statement(live)))


def _statement(live: list[LiveRecord]) -> bytes:
    return feeds.seal(world.statement(EPOCH, len(live), live, full=True), world.ADAPTER_KEY)


def _entries(numbers: range) -> list[Made]:
    return [_entry(number) for number in numbers]


def _entry(number: int) -> Made:
    data = world.message(_record(number), EPOCH, number, content=licence(number))
    signed = data.partition(b"~")[0].rpartition(b".")[0]
    return _record(number).encode(), world.enveloped(data, number), world.SUITE.digest_text(signed)


def _record(number: int) -> str:
    """As random ids would come: in no order."""
    return f"rec-{number * 7919 % 1_000_003:07}"


def licence(number: int) -> dict[str, object]:
    """A whole business licence of its own holders."""
    first17 = f"91110105MA{number:07}"
    code = first17 + credit_check_character(first17)
    person17 = f"1101051980{1 + number % 12:02}{1 + number % 28:02}{number % 1000:03}"
    person = person17 + resident_check_digit(person17)
    holders = [{"scheme": "cn.uscc", "id": code}, {"scheme": "cn.ric", "id": person}]
    numbers = {"unified_social_credit_code": code, "legal_representative_id": person}
    return world.document(number, holders=holders, registered_capital_yuan=number, **numbers)
