"""An evidence package is checked again, without a network, an index, or a file on the disk.

1. The container is one that this program writes (`container`, rule 2), and has exactly the files that its manifest
   lists, with these sizes and digests, in this order. Names follow from the manifest; there is no other.
2. A key is one that the caller pinned, or the package's own, which is said; where the caller has another key of that
   name, the package is refused. A log's head must be signed by its key, and bad cosignatures refuse it, of the
   package's witnesses and of pinned ones.
3. The records hold together with their proofs, openings and the table (`check_records`).
4. If the extractors signed, both signatures are over this manifest, under two keys. Whose key was given cannot stand in
   the package without a signature.
5. Where keys were given, one of them at least has signed something here: else this is not what the caller has keys for.

The first difference ends the work; it names the file, and the record or member, that it concerns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from audit import notes
from audit.checkpoints import Checkpoint, open_note
from audit.cosignatures import of_note
from audit.notes import COSIGNATURE, ED25519, MAX_NOTE, NoteKey
from audit.package import differences as wrong
from audit.package import manifest as names
from audit.package.check_records import Records
from audit.package.container import Container, Malformed, when_of
from audit.package.differences import Difference, Differs
from audit.package.digests import Digesting
from audit.package.manifest import (
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
from audit.package.scope import is_question
from contracts.errors import Fault

MAX_MANIFEST = 4 << 20
_SMALL = MAX_NOTE


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome. Without `difference` everything holds; `manifest` None: not even that could be read. `heads`: origin
    → head; `cosigned`: origin → by how many witnesses, of the package's and of those pinned; `unpinned`: names of keys
    that only the package vouches for."""

    manifest: Manifest | None
    heads: Mapping[str, Checkpoint]
    cosigned: Mapping[str, int]
    unpinned: Sequence[str]
    difference: Difference | None = None


def check(file: IO[bytes], pinned: Sequence[NoteKey] = (), advance: Callable[[int], None] = lambda _: None) -> Checked:
    """Check the package in `file`. `pinned`: keys known from elsewhere, of logs, witnesses, extractors; `advance(n)` is
    told of n more bytes read. Raises OSError only."""
    work = _Work(pinned, advance)
    try:
        work.check(file)
    except Malformed as found:
        return work.outcome(Difference(found.member, 0, found.what))
    except Differs as found:
        return work.outcome(found.difference)
    return work.outcome(None)


class _Work:
    """One package, step by step; what is known so far stands in the outcome."""

    def __init__(self, pinned: Sequence[NoteKey], advance: Callable[[int], None]) -> None:
        self._pinned = pinned
        self._advance = advance
        self._manifest: Manifest | None = None
        self._heads: dict[str, Checkpoint] = {}
        self._cosigned: dict[str, int] = {}
        self._unpinned: list[str] = []
        self._signers: set[NoteKey] = set()
        self._notes: dict[str, bytes] = {}

    def outcome(self, difference: Difference | None) -> Checked:
        return Checked(self._manifest, self._heads, self._cosigned, self._unpinned, difference)

    def check(self, file: IO[bytes]) -> None:
        container = Container(file)
        made = self._manifest = self._read_manifest(container)
        self._check_files(container, made)
        self._check_keys(container, made)
        for log in made.logs:
            self._check_head(container, made, log)
        Records(container, made, self._heads, self._notes, self._advance).check()
        self._check_signatures(container, made)
        if self._pinned and self._signers.isdisjoint(self._pinned):
            raise Differs("", 0, wrong.NONE_GIVEN)

    # --- rule 1 ----------------------------------------------------------------------------------------------------

    def _read_manifest(self, container: Container) -> Manifest:
        if names.NAME not in container.members:
            raise Differs(names.NAME, 0, wrong.MISSING)
        try:
            made = names.parse(container.content(names.NAME, MAX_MANIFEST))
        except Fault as fault:
            raise Differs(names.NAME, 0, wrong.MANIFEST, f"{fault.pointer} {fault.detail}".strip()) from None
        if not is_question(made.filters):
            raise Differs(names.NAME, 0, wrong.MANIFEST, "/filters")
        try:
            when = when_of(made.time)
        except (ValueError, OverflowError, OSError):
            raise Differs(names.NAME, 0, wrong.MANIFEST, "/time") from None
        if container.when != when:
            raise Differs(names.NAME, 0, wrong.TIME)
        return made

    def _check_files(self, container: Container, made: Manifest) -> None:
        listed = [one.name for one in made.files]
        if listed != _files_of(made):
            raise Differs(names.NAME, 0, wrong.FILES, "/files")
        signed = [names.SIGNATURES] if _is_signed(made) else []
        wanted = [listed[0], names.NAME, *signed, *listed[1:]]
        for name in wanted:
            if name not in container.members:
                raise Differs(name, 0, wrong.MISSING)
        for found in container.members:
            if found not in wanted:
                raise Differs(found, 0, wrong.STRAY)
        if list(container.members) != wanted:
            raise Differs(names.NAME, 0, wrong.FILES)
        for one in made.files:
            self._check_digest(container, one)

    def _check_digest(self, container: Container, one: FileFacts) -> None:
        if container.members[one.name].size != one.digest.size:
            raise Differs(one.name, 0, wrong.ALTERED)
        digesting = Digesting()
        for piece in container.pieces(one.name):
            digesting.update(piece)
            self._advance(len(piece))
        if digesting.done() != one.digest:
            raise Differs(one.name, 0, wrong.ALTERED)

    # --- rule 2 ----------------------------------------------------------------------------------------------------

    def _check_keys(self, container: Container, made: Manifest) -> None:
        for log in made.logs:
            self._key(container, log.vkey, ED25519, log.origin, log.key)
        for witness in made.witnesses:
            self._key(container, witness.vkey, COSIGNATURE, witness.name, witness.key)
        signers = [
            self._key(container, one.vkey, ED25519, one.name, one.key)
            for one in made.extractors
            if one.vkey is not None
        ]
        if len({key.raw for key in signers}) < len(signers):
            raise Differs(f"{made.extractors[-1].key}.vkey", 0, wrong.ONE_KEY)
        for extractor in made.extractors:
            if extractor.vkey is None and self._is_known(extractor.name, ED25519):
                raise Differs(names.SIGNATURES, 0, wrong.UNSIGNED, extractor.name)

    def _key(self, container: Container, vkey: str | None, kind: int, name: str, file: str | None) -> NoteKey:
        try:
            key = notes.parse_vkey(vkey or "")
        except Fault:
            raise Differs(f"{file}.vkey", 0, wrong.KEY) from None
        if key.kind != kind or key.name != name:
            raise Differs(f"{file}.vkey", 0, wrong.KEY)
        for path, content in key_files(key, file or "").items():
            if container.content(path, _SMALL) != content:
                raise Differs(path, 0, wrong.KEY)
        if key not in self._pinned:
            if self._is_known(name, kind):
                raise Differs(f"{file}.vkey", 0, wrong.NOT_PINNED)
            self._unpinned.append(name)
        return key

    def _is_known(self, name: str, kind: int) -> bool:
        """Whether the caller has a key of this name."""
        return any((key.name, key.kind) == (name, kind) for key in self._pinned)

    def _check_head(self, container: Container, made: Manifest, log: LogFacts) -> None:
        note = container.content(log.checkpoint, MAX_NOTE)
        named = [notes.parse_vkey(one.vkey or "") for one in made.witnesses]
        witnesses = [*named, *(key for key in self._pinned if key.kind == COSIGNATURE and key not in named)]
        try:
            key = notes.parse_vkey(log.vkey)
            head = open_note(note, key, witnesses)[0]
            cosigned = {one.key for one in of_note(note, witnesses)}
        except Fault as fault:
            raise Differs(log.checkpoint, 0, wrong.HEAD, fault.code) from None
        if not log.records <= log.indexed <= head.size:
            raise Differs(names.NAME, 0, wrong.COUNT, log.origin)
        self._heads[log.origin], self._cosigned[log.origin], self._notes[log.origin] = head, len(cosigned), note
        self._signers |= {key, *cosigned}

    # --- rule 4 ----------------------------------------------------------------------------------------------------

    def _check_signatures(self, container: Container, made: Manifest) -> None:
        if not _is_signed(made):
            return
        keys = [notes.parse_vkey(one.vkey or "") for one in made.extractors]
        try:
            note = notes.parse(container.content(names.SIGNATURES, MAX_NOTE))
            signed = notes.verified_keys(note, keys)
        except Fault as fault:
            raise Differs(names.SIGNATURES, 0, wrong.SIGNATURE, fault.code) from None
        text = signed_text(container.content(names.NAME, MAX_MANIFEST))
        lines = [(line.name, line.key_id) for line in note.signatures]
        if note.text != text or signed != keys or lines != [(key.name, key.key_id) for key in keys]:
            raise Differs(names.SIGNATURES, 0, wrong.SIGNATURE)
        self._signers.update(keys)


def _is_signed(made: Manifest) -> bool:
    return made.extractors[0].vkey is not None


def _files_of(made: Manifest) -> list[str] | None:
    """The files that a package of this manifest has, in their order; None where it names keys and heads otherwise."""
    logs, witnesses = range(1, len(made.logs) + 1), range(1, len(made.witnesses) + 1)
    extractors = [extractor_key(number) for number in (1, 2)] if _is_signed(made) else []
    ours = [(log_key(number), checkpoint_name(number)) for number in logs]
    if [(log.key, log.checkpoint) for log in made.logs] != ours or len({log.origin for log in made.logs}) != len(ours):
        return None
    if _keys(made.witnesses) != [witness_key(number) for number in witnesses] or _keys(made.extractors) != extractors:
        return None
    streams = [names.TABLE, names.RECORDS, names.PROOFS] + ([] if made.openings is None else [names.OPENINGS])
    keys = (
        f"{key}.{ending}" for key in (*_keys(made.logs), *_keys(made.witnesses), *extractors) for ending in _ENDINGS
    )
    return [names.STATEMENT, *streams, *(checkpoint for _, checkpoint in ours), *keys]


_ENDINGS = ("vkey", "pem")


def _keys(of: Sequence[KeyFacts] | Sequence[LogFacts]) -> list[str]:
    return [one.key for one in of if one.key is not None]
