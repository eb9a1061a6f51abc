"""Reading a log directory: entries, and proofs made from its tiles. Trusts nothing that it cannot check cheaply.

1. A partial tile may be gone once the full one exists; then the full one is read and cut. Partial opening rows go with
   each new head; then wider ones are read and cut.
2. Full tiles never change, so they are cached; partial ones are read each time.
3. What a size needs and is not there, or has the wrong length, is `Corrupt`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from audit import checkpoints, merkle, notes
from audit.derive import opening_path
from audit.receipts import Proof
from audit.tiles import WIDTH, Tile, split_entries, split_hashes
from contracts.errors import Corrupt, Fault

CACHED_TILES = 2048  # 8 KiB each
CACHED_BUNDLES = 32  # up to 1 MiB each
LOOKS = 16  # at a directory in which files come and go
COSIGNED = "checkpoint.cosigned"  # beside `checkpoint`, which only the publisher writes
MIRRORED = "checkpoint.mirrored"  # the highest head that the auditor's mirror said it holds


class _Cache:
    """The most recently used full tiles. Not a promise to threads: a lost update costs one more read."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: OrderedDict[str, bytes] = OrderedDict()

    def get(self, path: str) -> bytes | None:
        return self._items.get(path)

    def put(self, path: str, data: bytes) -> None:
        self._items[path] = data
        while len(self._items) > self._room:
            self._items.popitem(last=False)


class LogReader:
    """A log directory under its verifier key. Safe from any thread."""

    def __init__(self, directory: Path, key: notes.NoteKey) -> None:
        self.directory = directory
        self.key = key
        self._tiles = _Cache(CACHED_TILES)
        self._bundles = _Cache(CACHED_BUNDLES)

    def note(self) -> bytes:
        """The published checkpoint, as it is signed; raises `Corrupt` when there is none."""
        try:
            return (self.directory / "checkpoint").read_bytes()
        except FileNotFoundError:
            raise Corrupt("the log has no checkpoint") from None

    def cosigned_note(self) -> bytes | None:
        """The newest checkpoint that witnesses cosigned, with their lines; None before the first."""
        return self._bytes(COSIGNED)

    def mirrored_note(self) -> bytes | None:
        """The highest checkpoint that the mirror holds, with its line if it has a key; None before the first."""
        return self._bytes(MIRRORED)

    def note_for_others(self) -> bytes:
        """The published checkpoint, with cosignatures as soon as it has some; raises `Corrupt`."""
        note, cosigned = self.note(), self.cosigned_note()
        return cosigned if cosigned is not None and cosigned.startswith(note) else note

    def note_covering(self, index: int) -> bytes:
        """A signed head for a proof of entry `index`: the cosigned one where it reaches so far, else the published."""
        cosigned = self.cosigned_note()
        if cosigned is not None and index < checkpoints.open_note(cosigned, self.key)[0].size:
            return cosigned
        return self.note()

    def checkpoint(self) -> checkpoints.Checkpoint:
        """The published head, verified; raises `Fault` of `checkpoints.open_note`."""
        return checkpoints.open_note(self.note(), self.key)[0]

    def entry(self, index: int, size: int) -> bytes:
        """Entry `index` of the published log of `size` entries; raises `Fault` `entry_unknown`."""
        if not 0 <= index < size:
            raise Fault("entry_unknown")
        return self.entries(index // WIDTH, size)[index % WIDTH]

    def entries(self, number: int, size: int) -> list[bytes]:
        """The entries of bundle `number` at `size`."""
        width = min(WIDTH, size - number * WIDTH)
        data, there = self._read(self._bundles, Tile(None, number, width))
        return split_entries(data, there)[:width]

    def rows(self, number: int, size: int) -> list[bytes]:
        """The sealed opening rows that belong to bundle `number` at `size`."""
        width = min(WIDTH, size - number * WIDTH)
        for _ in range(LOOKS):
            for candidate in self._row_widths(number, width):
                data = self._bytes(opening_path(number, candidate))
                if data is not None:
                    return split_entries(data, candidate)[:width]
        raise Corrupt(f"{opening_path(number, width)} is missing")

    def _row_widths(self, number: int, width: int) -> Iterator[int]:
        """Of the files that have the first `width` rows of a bundle: the likeliest first, each as it was just now."""
        yield from (width, WIDTH)
        partial = (self.directory / opening_path(number, width)).parent
        if width < WIDTH and partial.is_dir():
            there = (int(path.name) for path in partial.glob("*") if path.name.isascii() and path.name.isdecimal())
            yield from sorted(found for found in there if found > width)

    def hashes(self, level: int, number: int, size: int) -> list[bytes]:
        """The hashes of a tile at `size`."""
        width = min(WIDTH, size // WIDTH**level - number * WIDTH)
        data, there = self._read(self._tiles, Tile(level, number, width))
        return split_hashes(data, there)[:width]

    def nodes(self, size: int) -> merkle.Nodes:
        """The perfect subtrees of the tree of `size` leaves. For one proof: each tile is read once, and kept."""
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def node(height: int, index: int) -> bytes:
            level, above = divmod(height, merkle.TILE_HEIGHT)
            number, offset = divmod(index << above, WIDTH)
            if (level, number) not in tiles:
                tiles[level, number] = self.hashes(level, number, size)
            row = tiles[level, number][offset : offset + (1 << above)]
            while len(row) > 1:
                row = merkle.parents(row)
            return row[0]

        return node

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Proof that entry `index` is in the tree of `size` leaves; raises `Fault` `entry_unknown`."""
        if not 0 <= index < size:
            raise Fault("entry_unknown")
        return merkle.inclusion_proof(index, size, self.nodes(size))

    def proof(self, index: int) -> Proof | None:
        """The receipt's proof of an entry under the published head; None while that head does not cover it."""
        note = self.note_covering(index)
        size = checkpoints.open_note(note, self.key)[0].size
        return Proof(index, tuple(self.inclusion_proof(index, size)), note) if index < size else None

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree of `new` leaves extends that of `old`; raises `Fault` `entry_unknown`."""
        if not 0 <= old <= new:
            raise Fault("entry_unknown")
        return merkle.consistency_proof(old, new, self.nodes(new)) if old else []

    def _bytes(self, path: str) -> bytes | None:
        """A file below the log; None where there is none."""
        try:
            return (self.directory / path).read_bytes()
        except FileNotFoundError:
            return None

    def _read(self, cache: _Cache, tile: Tile) -> tuple[bytes, int]:
        """The bytes of a tile or of the full one in its place, and how wide that is."""
        cached = cache.get(tile.full.path)
        if cached is not None:
            return cached, WIDTH
        for candidate in (tile, tile.full):
            data = self._bytes(candidate.path)
            if data is None:
                continue
            if candidate.width == WIDTH:
                cache.put(candidate.path, data)
            return data, candidate.width
        raise Corrupt(f"{tile.path} is missing")
