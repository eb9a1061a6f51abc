"""An evidence package is made: one pass over the records into scratch files, then manifest, signatures, container.

1. The order of files in a package is always the same: 提取说明, manifest, its signatures, table, records, proofs,
   openings, then checkpoints and keys, log by log. The same question to the same logs at the same time gives the same
   bytes.
2. Each log has its signed head and its key, each witness and each extractor who signed a key: as vkey, and as PEM for
   openssl. What somebody gave by hand is said to be that; a key from the index is said to be from there.
3. A witness's key that is given is checked: a bad cosignature under it refuses. Lines of others stay in the note.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO

from audit import notes
from audit.checkpoints import open_note
from audit.cosignatures import of_note
from audit.notes import NoteKey, NoteSigner
from audit.package import container, manifest
from audit.package.digests import digest_of
from audit.package.files import Scratch
from audit.package.lines import opening_line, proof_text, record_line
from audit.package.manifest import (
    GIVEN,
    INDEX,
    FileFacts,
    KeyFacts,
    LogFacts,
    Manifest,
    checkpoint_name,
    extractor_key,
    key_files,
    log_key,
    signed_text,
    witness_key,
)
from audit.package.selection import AskedLog, Proved, Selection
from audit.package.statement import Example, Head, Signed, statement
from audit.package.table import GRANTED, STATES, Opening, columns, csv_head, csv_line
from contracts.errors import UserError
from contracts.text import Text

MAX_RECORDS = 1_000_000

_TOO_MANY = Text("记录数超过一个文件包的上限 {most}", "More records than one package takes: {most}")
_NARROWER = Text(
    "请用 from、to 等条件分成几个文件包。", "Ask for less, in several packages: narrower from and to, say."
)
_OTHER_KEY = Text("给出的公钥中没有该日志的", "The keys given are not this log's")
_RIGHT_KEY = Text("请给出注册库中该日志的公钥。", "Give the key that the registry lists for it.")


@dataclass(frozen=True, slots=True)
class Extractor:
    """One of the two. `signer`: a key of theirs, under their name; or None."""

    name: str
    signer: NoteSigner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is put on a package: `name` of the file, `time` in Unix ms; `logs` and `witnesses`: keys given by hand;
    `recorded`: where the auditors' own log has this export."""

    name: str
    time: int
    tool: str
    extractors: Sequence[Extractor]
    logs: Sequence[NoteKey] = ()
    witnesses: Sequence[NoteKey] = ()
    recorded: tuple[str, int] | None = None


def check(selection: Selection, order: Order) -> None:
    """What would refuse this package, before anything is recorded or written; raises `UserError`, `Fault`."""
    if selection.count > MAX_RECORDS:
        raise UserError(_TOO_MANY.fill(most=MAX_RECORDS), str(selection.count), _NARROWER)
    for asked in selection.logs:
        if order.logs and asked.reader.key not in order.logs:
            raise UserError(_OTHER_KEY, asked.log.origin, _RIGHT_KEY)
        open_note(asked.note, asked.reader.key, order.witnesses)


def make(target: IO[bytes], selection: Selection, order: Order, advance: Callable[[int], None]) -> None:
    """The package of `selection` into `target`, a file on disk; raises what `Selection.records` raises, `UserError`."""
    with closing(_Streams(Path(str(target.name)), selection)) as streams:
        for proved in selection.records():
            streams.add(proved)
            advance(1)
        container.write(target, _members(selection, order, streams), order.time)


def _members(selection: Selection, order: Order, streams: "_Streams") -> Mapping[str, IO[bytes]]:
    """Every file, in order (rule 1)."""
    small = {**_checkpoints(selection), **_keys(selection, order)}
    files = [FileFacts(name, stream.done()) for name, stream in streams.files.items()]
    files += [FileFacts(name, digest_of(data)) for name, data in small.items()]
    made = _manifest(selection, order, files, streams.openings)
    told = statement(order.name, made, _heads(selection, order), streams.example)
    encoded = replace(made, files=(FileFacts(manifest.STATEMENT, digest_of(told)), *files)).encode()
    first = {manifest.STATEMENT: told, manifest.NAME: encoded, **_signatures(order, encoded)}
    members: dict[str, IO[bytes]] = {name: BytesIO(data) for name, data in first.items()}
    members |= {name: stream.file for name, stream in streams.files.items()}
    return members | {name: BytesIO(data) for name, data in small.items()}


class _Streams:
    """The files that grow with the records."""

    def __init__(self, beside: Path, selection: Selection) -> None:
        self.example: Example | None = None
        self.openings: dict[str, int] | None = None if selection.auditor is None else dict.fromkeys(STATES, 0)
        self._notes = {asked.log.origin: asked for asked in selection.logs}
        self._columns = columns(self.openings is not None)
        names = [manifest.TABLE, manifest.RECORDS, manifest.PROOFS]
        names += [manifest.OPENINGS] if self.openings is not None else []
        self.files = {name: Scratch(beside) for name in names}
        self.files[manifest.TABLE].write(csv_head(self._columns))

    def add(self, proved: Proved) -> None:
        """One record, into each of them."""
        item = proved.item
        asked = self._notes[item.origin]
        self.files[manifest.TABLE].write(csv_line(item, self._columns))
        self.files[manifest.RECORDS].write(record_line(item))
        self.files[manifest.PROOFS].write(proof_text(item, proved.hashes, asked.note))
        self.example = self.example or Example(item.leaf_hash, asked.head.root, None)
        if self.openings is not None and item.opening is not None:
            self._add_opening(item.number, item.opening, str(item.members.get("commit")))

    def close(self) -> None:
        """The scratch files are gone then."""
        for stream in self.files.values():
            stream.file.close()

    def _add_opening(self, number: int, opening: Opening, commit: str) -> None:
        if self.openings is None:
            raise ValueError("no openings were asked for")
        self.openings[opening.state] += 1
        self.files[manifest.OPENINGS].write(opening_line(number, opening))
        if self.example is not None and self.example.opened is None and opening.state == GRANTED:
            self.example = replace(self.example, opened=(number, commit.partition(":")[2]))


def _manifest(
    selection: Selection, order: Order, files: Sequence[FileFacts], openings: Mapping[str, int] | None
) -> Manifest:
    return Manifest(
        tool=order.tool,
        time=order.time,
        extractors=[
            KeyFacts(one.name, one.signer.public.vkey, extractor_key(number)) if one.signer else KeyFacts(one.name)
            for number, one in enumerate(order.extractors, 1)
        ],
        filters=selection.recorded,
        recorded=order.recorded,
        logs=[_log(asked, number, order) for number, asked in enumerate(selection.logs, 1)],
        witnesses=[KeyFacts(one.name, one.vkey, witness_key(number)) for number, one in enumerate(order.witnesses, 1)],
        records=selection.count,
        openings=openings,
        files=files,
    )


def _log(asked: AskedLog, number: int, order: Order) -> LogFacts:
    return LogFacts(
        origin=asked.log.origin,
        vkey=asked.reader.key.vkey,
        key_from=GIVEN if order.logs else INDEX,
        key=log_key(number),
        checkpoint=checkpoint_name(number),
        indexed=asked.log.size,
        records=asked.records,
    )


def _checkpoints(selection: Selection) -> Mapping[str, bytes]:
    return {checkpoint_name(number): asked.note for number, asked in enumerate(selection.logs, 1)}


def _keys(selection: Selection, order: Order) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    signers = [one.signer.public for one in order.extractors if one.signer]
    kinds: Sequence[tuple[Callable[[int], str], Iterable[NoteKey]]] = (
        (log_key, [asked.reader.key for asked in selection.logs]),
        (witness_key, order.witnesses),
        (extractor_key, signers),
    )
    for name_of, keys in kinds:
        for number, key in enumerate(keys, 1):
            found |= key_files(key, name_of(number))
    return found


def _signatures(order: Order, made: bytes) -> Mapping[str, bytes]:
    text = signed_text(made)
    lines = [
        notes.signature_line(one.signer.public, one.signer.key.sign(text)) for one in order.extractors if one.signer
    ]
    return {manifest.SIGNATURES: b"".join((text, b"\n", *lines))} if lines else {}


def _heads(selection: Selection, order: Order) -> Sequence[Head]:
    return [_head(asked, number, order) for number, asked in enumerate(selection.logs, 1)]


def _head(asked: AskedLog, number: int, order: Order) -> Head:
    """Who signed a log's head, and on which line of the note: for the commands in 提取说明."""
    parsed = notes.parse(asked.note)
    lines = parsed.text.count(b"\n")
    places = {(line.name, line.value): lines + 2 + at for at, line in enumerate(parsed.signatures)}
    own = next(line for line in parsed.signatures if line.key_id == asked.reader.key.key_id)
    signed = [Signed(own.name, log_key(number), places[own.name, own.value])]
    files = {key: witness_key(at) for at, key in enumerate(order.witnesses, 1)}
    cosigned = of_note(asked.note, order.witnesses)
    signed += [Signed(one.key.name, files[one.key], places[one.key.name, one.value], one.time) for one in cosigned]
    return Head(_log(asked, number, order), asked.head.size, asked.head.root, lines, signed)
