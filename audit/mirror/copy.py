"""One log's copy on disk: a tlog-tiles directory like the original, which `oncegate-audit verify` accepts.

1. Nothing is written before it is verified. Entries come in chunks of whole bundles; the tree over all entries so far
   must be consistent with the signed head (by a proof from the source's hash tiles), or be it. So what is on disk is
   always the beginning of a signed log.
2. Tiles are not copied but derived from the entries, by the code that the writer runs.
3. The order on disk: files of a chunk, durable; then `progress` (size, root, and the signed note they stand under);
   after the last chunk the log's `checkpoint` instead. A process that is killed at any instant goes on from the higher
   of both.
4. Sealed openings are copied with their entries, and wrapped day keys before them. What is in them only the auditor's
   private key can tell, which has no business on this host (`show --openings` checks them).
5. A closed log (`succession`) stays as it is: a head above the entry that closes it is refused, and so is one that has
   such an entry below its end.
6. The copy's head never goes back. A signed head below it, or one that is not a continuation, is refused: the caller
   keeps it as evidence.
7. A head of the same log that somebody else shows may be shorter or longer than the copy, but of no other history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit import merkle
from audit.checkpoints import Checkpoint, open_note
from audit.derive import Batch, Edge, Files, advance, grow, opening_path, partials
from audit.disk import Disk
from audit.merkle import EMPTY_ROOT, Tree
from audit.mirror.source import LogSource, Strange
from audit.notes import NoteKey
from audit.openings import key_id_of, key_path, parse_key
from audit.orders.erase import erase
from audit.ranges import Ranges
from audit.reader import LogReader
from audit.recovery import at_head
from audit.succession import Beginning, beginning_of, closes, ending_of
from audit.tiles import WIDTH
from contracts.errors import Corrupt, Fault

CHUNK = 64  # bundles verified and written at once
LENGTH = 2  # bytes before each entry of a bundle

FORKED, ROLLED_BACK, INCONSISTENT, ALTERED = "log_forked", "log_rolled_back", "log_inconsistent", "entries_altered"
GREW = "closed_log_grew"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A signed head that this copy does not follow. `reason`: one of the five above; `note`, `held`: the proof."""

    reason: str
    detail: str
    note: bytes
    held: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """What is verified here. `note`: the signed head that it stands under, b"" before the first."""

    size: int
    root: bytes
    note: bytes


def vkey_of(directory: Path) -> str | None:
    """Of which key there is a copy in `directory`; None for none. Raises OSError."""
    try:
        return (directory / "vkey").read_bytes().decode("ascii", "replace").removesuffix("\n")
    except FileNotFoundError:
        return None


class Copy:
    """The copy of one log. Not for several threads, but for `compare`."""

    def __init__(self, directory: Path, key: NoteKey, disk: Disk | None = None, chunk: int = CHUNK) -> None:
        """Raises `Corrupt` when what is here does not verify, OSError."""
        self._disk = disk or Disk()
        self.directory = directory
        self.key = key
        self._chunk = chunk
        self._disk.sync_directories(self._disk.make_directories([directory]))
        if not (directory / "vkey").exists():
            self._disk.replace(directory / "vkey", key.vkey.encode() + b"\n")
        self.published = self._held("checkpoint") or Held(0, EMPTY_ROOT, b"")
        self._at = max(self.published, self._held("progress") or self.published, key=lambda one: one.size)
        self._reader = LogReader(directory, key)
        self._tree, self._edge = at_head(self._reader, Checkpoint(key.name, self._at.size, self._at.root))
        self._end(self._reader.entry(self._at.size - 1, self._at.size) if self._at.size else b"")

    @property
    def size(self) -> int:
        """How many entries are verified and durable here."""
        return self._at.size

    @property
    def beginning(self) -> Beginning | None:
        """What the first entry says that the log goes on from."""
        return beginning_of(self._reader.entry(0, self._at.size)) if self._at.size else None

    @property
    def entire(self) -> bool:
        """Whether everything below the highest head known is here, durable: what may be cosigned."""
        return bool(self.published.note) and self.highest() == self.published

    def highest(self) -> Held:
        """The highest head that was ever verified here, as far as its signature: `progress` may stand under it."""
        heads = [(open_note(one.note, self.key)[0].size, one) for one in (self.published, self._at) if one.note]
        return max(heads, key=lambda pair: pair[0])[1] if heads else self.published

    def judge(self, note: bytes) -> Refusal | None:
        """Whether a signed head can be followed, as far as its size tells (rule 5); raises `Fault` of `open_note`."""
        head, _ = open_note(note, self.key)
        held = self.highest()
        if not held.note:
            return None
        known = open_note(held.note, self.key)[0]
        if head.size < known.size:
            return Refusal(ROLLED_BACK, f"{head.size} entries after {known.size}", note, held.note)
        if head.size == known.size and head.root != known.root:
            return Refusal(FORKED, f"two trees of {head.size} entries", note, held.note)
        return self._grown(self._at.size - 1 if self.ending else None, head, note)

    def _grown(self, closed: int | None, head: Checkpoint, note: bytes) -> Refusal | None:
        """Rule 5. `closed`: the entry that closes the log, where one is known."""
        if closed is None or head.size == closed + 1:
            return None
        detail = f"entry {closed} closes the log, and there is a signed head of {head.size} entries"
        return Refusal(GREW, detail, note, self.highest().note)

    def compare(self, note: bytes, source: LogSource | None = None) -> Refusal | None:
        """Rule 7; for any thread. `source`: who has the tiles of a longer one; without them nothing is said of it.

        Raises `Fault` of `open_note`, `Strange`, `NotAdmitted`, `Unavailable` of the source, `Corrupt`.
        """
        head, _ = open_note(note, self.key)
        published, ending = self.published, self.ending
        held = Checkpoint(self.key.name, published.size, published.root)
        longer = head.size > held.size
        if not published.note or (longer and source is None):
            return None
        nodes = source.nodes(head.size) if longer and source is not None else self._reader.nodes(held.size)
        if _leads_to(*((held, head) if longer else (head, held)), nodes):
            return self._grown(ending.head.size - 1, head, note) if ending and longer else None
        detail = f"signed heads of {held.size} and {head.size} entries are not of one history"
        return Refusal(FORKED if head.size == held.size else INCONSISTENT, detail, note, published.note)

    def follow(
        self, note: bytes, source: LogSource, advanced: Callable[[int], None] = lambda _: None
    ) -> Refusal | None:
        """Copy up to the signed head `note`, or say why not. `advanced(n)`: n more entries are done.

        Raises `Strange`, `NotAdmitted`, `Unavailable` of the source; OSError.
        """
        refusal = self.judge(note)
        if refusal is not None:
            return refusal
        head, _ = open_note(note, self.key)
        nodes = source.nodes(head.size)
        while self._at.size < head.size:
            before = self._at.size
            tree, batches = self._read(source, head.size)
            if not _leads_to(Checkpoint(self.key.name, tree.size, tree.root()), head, nodes):
                return self._unfit(note, head, nodes)
            closed = _closing(batches)
            if (grown := self._grown(closed, head, note)) is not None:
                return grown
            edge, full = advance(self._edge, batches)
            self._disk.replace_all({self.directory / path: data for path, data in (full | partials(edge)).items()})
            self._clear(full)
            self._keep(Held(tree.size, tree.root(), note), tree, edge, last=tree.size == head.size)
            self._end(batches[-1].entries[-1][LENGTH:])
            advanced(self._at.size - before)
        if self._at.root != head.root:
            return Refusal(FORKED, f"two trees of {head.size} entries", note, self.highest().note)
        self._publish(note, head)
        return None

    def erase(self, positions: Ranges) -> None:
        """Empty the opening rows at `positions`, all of them here; durable on return. Raises `Corrupt`, OSError."""
        self._edge = erase(self._disk, LogReader(self.directory, self.key), self._edge, positions)

    def _read(self, source: LogSource, size: int) -> tuple[Tree, list[Batch]]:
        """The next chunk, and the tree after it: from where we are to a bundle's end, or to the head."""
        tree, batches = self._tree, list[Batch]()
        end = min(size, (tree.size // WIDTH + self._chunk) * WIDTH)
        while tree.size < end:
            number, known = divmod(tree.size, WIDTH)
            width = min(WIDTH, end - number * WIDTH)
            entries, rows = source.entries(number, width)[known:], source.rows(number, width)[known:]
            for row in rows:
                self._need_key(row, source)
            tree, batch = grow(tree, entries, rows, b"")
            batches.append(batch)
        return tree, batches

    def _need_key(self, row: bytes, source: LogSource) -> None:
        """Rule 4."""
        key_id = key_id_of(row)
        if key_id is None or (self.directory / key_path(key_id)).exists():
            return
        data = source.key(key_id)
        try:
            stored = parse_key(data)
        except Fault as fault:
            raise Strange(f"{key_path(key_id)}: {fault.detail}") from None
        if (stored.key_id, stored.origin) != (key_id, self.key.name):
            raise Strange(f"{key_path(key_id)}: of another log or key")
        self._disk.replace(self.directory / key_path(key_id), data)

    def _unfit(self, note: bytes, head: Checkpoint, nodes: merkle.Nodes) -> Refusal:
        """Entries do not lead to the signed head: is it the head, or what the source gives as its entries?"""
        detail = f"entries from {self._at.size} on do not lead to the signed head of {head.size}"
        if _leads_to(Checkpoint(self.key.name, self._at.size, self._at.root), head, nodes):
            return Refusal(ALTERED, detail, note, self.highest().note)
        detail = f"the signed head of {head.size} entries does not extend the {self._at.size} that are verified here"
        return Refusal(INCONSISTENT, detail, note, self.highest().note)

    def _keep(self, held: Held, tree: Tree, edge: Edge, last: bool) -> None:
        if not last:  # else the checkpoint follows at once: one durable write less on the way of an answer
            self._disk.replace(self.directory / "progress", _encoded(held))
        self._at, self._tree, self._edge = held, tree, edge

    def _end(self, last: bytes) -> None:
        """How the log ended, if this last entry closes it."""
        self.ending = ending_of(last, Checkpoint(self.key.name, self._at.size, self._at.root))

    def _publish(self, note: bytes, head: Checkpoint) -> None:
        """The signed head becomes the copy's own; also when only cosignatures came to it."""
        if note != self.published.note:
            self._disk.replace(self.directory / "checkpoint", note)
            self.published = self._at = Held(head.size, head.root, note)
            self._clear_openings(head.size)

    def _clear(self, full: Files) -> None:
        """Partial files whose full one exists."""
        for path in full:
            self._remove_partials(path, keep="")

    def _clear_openings(self, size: int) -> None:
        """Of the open bundle only the newest rows stay: fewer copies are easier to erase."""
        self._remove_partials(opening_path(size // WIDTH), keep=str(size % WIDTH))

    def _remove_partials(self, path: str, keep: str) -> None:
        directory = self.directory / f"{path}.p"
        if not directory.is_dir():
            return
        for file in directory.iterdir():
            if file.name != keep:
                self._disk.remove(file)
        if not keep:
            directory.rmdir()

    def _held(self, name: str) -> Held | None:
        try:
            data = (self.directory / name).read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _decoded(data, self.key) if name == "progress" else _of_note(data, self.key)
        except (Fault, ValueError):
            raise Corrupt(f"{self.directory / name} does not verify under the log's key") from None


def _closing(batches: Sequence[Batch]) -> int | None:
    """The first entry that closes its log."""
    numbered = ((batch.first + at, entry) for batch in batches for at, entry in enumerate(batch.entries))
    return next((index for index, entry in numbered if closes(entry[LENGTH:])), None)


def _leads_to(lower: Checkpoint, head: Checkpoint, nodes: merkle.Nodes) -> bool:
    """Whether `head` extends the tree of `lower`, or is it. `nodes`: of the tree of `head`."""
    if lower.size == head.size:
        return lower.root == head.root
    if lower.size == 0:
        return lower.root == EMPTY_ROOT  # which every tree extends
    proof = merkle.consistency_proof(lower.size, head.size, nodes)
    return merkle.verify_consistency(lower.size, head.size, proof, lower.root, head.root)


def _of_note(note: bytes, key: NoteKey) -> Held:
    head, _ = open_note(note, key)
    return Held(head.size, head.root, note)


def _encoded(held: Held) -> bytes:
    return b"%d %s\n" % (held.size, held.root.hex().encode()) + held.note


def _decoded(data: bytes, key: NoteKey) -> Held:
    line, _, note = data.partition(b"\n")
    size, root = line.split(b" ")
    open_note(note, key)
    return Held(int(size), bytes.fromhex(root.decode("ascii")), note)
