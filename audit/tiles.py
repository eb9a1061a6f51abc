"""C2SP tlog-tiles (https://c2sp.org/tlog-tiles): which files a tree has, what they are called, what is in them.

1. A tile is 256 wide. `Tile(level, index, width)`; level None is an entry bundle. Width 256 is full.
2. Path: `tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last led by `x`. Exactly one spelling; up to
   seven groups, which is more than a tree of 2^64 leaves has.
3. A hash tile is its 32-byte hashes, one after the other. A bundle is its entries, each after its uint16 length.
4. A tree of size n has floor(n / 256^level) hashes at each level; the last tile of a level may be partial.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from audit.merkle import HASH_SIZE
from contracts.errors import Corrupt, Fault

WIDTH = 256
MAX_ENTRY = 0xFFFF
MAX_LEVEL = 63

_TILE = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """One file of the log. `level` None: an entry bundle. `width` 1–256 hashes or entries."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's prefix (rule 2)."""
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{numbered(self.index, self.width)}"

    @property
    def full(self) -> "Tile":
        """The same tile when it is full."""
        return Tile(self.level, self.index)


def numbered(index: int, width: int = WIDTH) -> str:
    """`x001/x234/067` for 1234067, and `….p/<width>` when partial."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return path if width == WIDTH else f"{path}.p/{width}"


def parse_path(path: str) -> Tile:
    """Strict inverse of `Tile.path`; raises `Fault` `tile_path_invalid`."""
    match = _TILE.fullmatch(path)
    if match is None:
        raise Fault("tile_path_invalid")
    level, number, width = match.groups()
    tile = Tile(
        None if level == "entries" else int(level),
        int(number.replace("x", "").replace("/", "")),
        WIDTH if width is None else int(width),
    )
    if tile.path != path or (tile.level or 0) > MAX_LEVEL or (width is not None and tile.width >= WIDTH):
        raise Fault("tile_path_invalid")
    return tile


def hash_tiles(size: int, start: int = 0) -> Iterator[Tile]:
    """The hash tiles of a tree of `size` leaves, lowest level first; with `start`, only those that the tree of
    `start` leaves did not have in this width."""
    level = 0
    while size:
        for index in range(start // WIDTH, -(-size // WIDTH)):
            width = min(WIDTH, size - index * WIDTH)
            if index * WIDTH + width > start:
                yield Tile(level, index, width)
        level, size, start = level + 1, size // WIDTH, start // WIDTH


def bundles(size: int, start: int = 0) -> Iterator[Tile]:
    """The entry bundles of a tree of `size` leaves; `start` as in `hash_tiles`."""
    for index in range(start // WIDTH, -(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        if index * WIDTH + width > start:
            yield Tile(None, index, width)


def prefixed(entry: bytes) -> bytes:
    """An entry as it stands in a bundle; raises ValueError above 65,535 bytes."""
    if len(entry) > MAX_ENTRY:
        raise ValueError("a log entry has at most 65,535 bytes")
    return len(entry).to_bytes(2, "big") + entry


def split_entries(data: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle, which must fill `data` exactly; raises `Corrupt`."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    for _ in range(count):
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1]) if start <= end else end + 1
        if at > end:
            raise Corrupt(f"an entry bundle ends within entry {len(entries)}")
        entries.append(data[start:at])
    if at != end:
        raise Corrupt(f"an entry bundle has {end - at} bytes too many")
    return entries


def split_hashes(data: bytes, count: int) -> list[bytes]:
    """The `count` hashes of a hash tile; raises `Corrupt`."""
    if len(data) != count * HASH_SIZE:
        raise Corrupt(f"a hash tile has {len(data)} bytes, not {count * HASH_SIZE}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
