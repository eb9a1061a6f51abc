"""Taking sealed openings out of a log's directory: an empty row in place of each, everything else as it was.

1. Day keys first: a wrapped key that seals no other row goes before its rows do. Rows of one key follow each other, so
   looking at the next row on either side that is not empty tells. At the published end the key stays: more may come.
2. Full bundles of rows are replaced; partial files of theirs that a crash left go. The open bundle's newest file is
   replaced, its older ones go, and temporary ones among them.
3. Doing it again does nothing: a crash between two steps is followed by the whole.
Leaves, tiles, checkpoint are not touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from audit.derive import Edge, opening_path
from audit.disk import Disk
from audit.openings import key_id_of, key_path
from audit.ranges import Ranges
from audit.reader import LogReader
from audit.tiles import WIDTH, prefixed

SLICE = 64  # bundles at once: what waits behind it waits some milliseconds


def emptied(rows: Sequence[bytes], first: int, positions: Ranges) -> list[bytes]:
    """`rows` (not prefixed) from entry `first` on, without those at `positions`."""
    gone = positions.between(first, first + len(rows) - 1)
    return [b"" if first + offset in gone else row for offset, row in enumerate(rows)] if gone else list(rows)


def slices(positions: Ranges, bundles: int = SLICE) -> Iterator[Ranges]:
    """`positions` in parts that touch at most so many bundles each."""
    part: list[tuple[int, int]] = []
    touched: set[int] = set()
    for first, last in positions.spans:
        at = first
        while at <= last:
            end = min(last, at // WIDTH * WIDTH + WIDTH - 1)
            if len(touched | {at // WIDTH}) > bundles:
                yield Ranges.of(part)
                part, touched = [], set()
            part.append((at, end))
            touched.add(at // WIDTH)
            at = end + 1
    if part:
        yield Ranges.of(part)


def erase(disk: Disk, reader: LogReader, edge: Edge, positions: Ranges) -> Edge:
    """Erase rows below `edge.size`, all of whose files are there; the edge afterwards. Raises `Corrupt`, OSError."""
    directory, size = reader.directory, edge.size
    numbers = sorted({number for first, last in positions.spans for number in range(first // WIDTH, last // WIDTH + 1)})
    before = {number: reader.rows(number, size) for number in numbers}
    for key_id in _unused_keys(reader, size, before, positions):
        _remove(disk, directory / key_path(key_id))
    after = {number: emptied(rows, number * WIDTH, positions) for number, rows in before.items()}
    changed = {number: rows for number, rows in after.items() if rows != before[number]}
    disk.replace_all({directory / _path(number, size): _joined(rows) for number, rows in changed.items()})
    for number in numbers:
        _clear(disk, directory / f"{opening_path(number)}.p", keep=str(size % WIDTH) if number == size // WIDTH else "")
    open_rows = changed.get(size // WIDTH)
    return edge if open_rows is None else Edge(size, edge.entries, [prefixed(row) for row in open_rows], edge.levels)


def frames_hold(directory: Path, positions: Ranges) -> bool:
    """Whether a segment of frames may still have one of these rows: one that begins at or before the last of them."""
    return any(path.name.isdigit() and int(path.name) <= positions.last for path in (directory / "frames").glob("*"))


def _path(number: int, size: int) -> str:
    return opening_path(number, min(WIDTH, size - number * WIDTH))


def _joined(rows: Sequence[bytes]) -> bytes:
    return b"".join(map(prefixed, rows))


# --- rule 1 --------------------------------------------------------------------------------------------------------


def _unused_keys(reader: LogReader, size: int, before: Mapping[int, list[bytes]], positions: Ranges) -> Iterator[bytes]:
    """The day keys that only rows at `positions` are sealed under."""
    found: dict[bytes, tuple[int, int]] = {}
    for number, rows in before.items():
        for index, row in enumerate(rows, number * WIDTH):
            key_id = key_id_of(row) if index in positions else None
            if key_id is not None:
                first, last = found.get(key_id, (index, index))
                found[key_id] = min(first, index), max(last, index)
    looking = _Rows(reader, size, positions)
    for key_id, (first, last) in found.items():
        after = looking.next(range(last + 1, size))
        inside = (looking.key_at(index) for index in range(first, last + 1))
        if after not in (key_id, None) and looking.next(range(first - 1, -1, -1)) != key_id and key_id not in inside:
            yield key_id


class _Rows:
    """Rows as they will be once `positions` are erased."""

    def __init__(self, reader: LogReader, size: int, positions: Ranges) -> None:
        self._reader = reader
        self._size = size
        self._positions = positions
        self._number = -1
        self._rows: list[bytes] = []

    def key_at(self, index: int) -> bytes | None:
        if index in self._positions:
            return None
        if index // WIDTH != self._number:
            self._number = index // WIDTH
            self._rows = self._reader.rows(self._number, self._size)
        return key_id_of(self._rows[index % WIDTH])

    def next(self, indices: range) -> bytes | None:
        """The key of the first row that is not empty; None when there is none."""
        return next((key_id for key_id in map(self.key_at, self._worth_reading(indices)) if key_id is not None), None)

    def _worth_reading(self, indices: range) -> Iterator[int]:
        """Without those of bundles that are erased entirely: their size says so, and there may be years of them."""
        empty, looked = False, -1
        at = 0
        while at < len(indices):
            number, offset = divmod(indices[at], WIDTH)
            if number != looked:
                empty, looked = self._is_empty(number), number
            if not empty:
                yield indices[at]
            at += 1 if not empty else WIDTH - offset if indices.step > 0 else offset + 1

    def _is_empty(self, number: int) -> bool:
        try:
            return (self._reader.directory / opening_path(number)).stat().st_size == WIDTH * len(prefixed(b""))
        except FileNotFoundError:
            return False


# --- rule 2 --------------------------------------------------------------------------------------------------------


def _remove(disk: Disk, path: Path) -> None:
    disk.remove(path)
    disk.sync_directories({path.parent})


def _clear(disk: Disk, directory: Path, keep: str) -> None:
    """Of the partial files of a bundle only `keep` stays, durably."""
    stray = [path for path in directory.iterdir() if path.name != keep] if directory.is_dir() else []
    for path in stray:
        disk.remove(path)
    if stray:
        disk.sync_directories({directory})
