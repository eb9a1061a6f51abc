"""A log as a gateway serves it (https://c2sp.org/tlog-tiles, and the openings beside it). Nothing here is believed.

1. What comes back has the length that it must have; more is `Strange`, an answer that no honest gateway gives.
2. A partial tile may be gone once the full one exists: then the full one is read and cut.
3. No answer, or one that says "not now", is `Unavailable`; 403 is `NotAdmitted`.
4. Two calls are oncegate's own: to wait for the next head, and to say which one the mirror holds. A server that does
   not know them is asked as any other.
"""

from collections.abc import Callable
from urllib.parse import quote

from audit import merkle
from audit.derive import opening_path
from audit.fetch import Client
from audit.notes import MAX_NOTE
from audit.openings import key_path
from audit.tiles import MAX_ENTRY, WIDTH, Tile, split_entries, split_hashes
from contracts.errors import Corrupt, Unavailable

_MAX_BUNDLE = WIDTH * (MAX_ENTRY + 2)
_MAX_KEY = 16 * 1024
_MAX_TOLD = 1024
CONFIRMED = b"confirmed\n"  # the answer to a head that is cosigned by the key that the gateway has pinned


class Strange(Exception):
    """An answer that cannot be part of an honest log; says which file."""


class NotAdmitted(Exception):
    """The gateway does not know us as the auditor of this log."""


class LogSource:
    """One log at one gateway. Not for several threads."""

    def __init__(self, client: Client, slot: str) -> None:
        self._client = client
        self._prefix = f"/audit/logs/{quote(slot, safe='')}/"

    @property
    def url(self) -> str:
        """Of the gateway."""
        return self._client.url

    def note(self) -> bytes:
        """The checkpoint as it is served."""
        found = self._get("checkpoint", MAX_NOTE)
        if found is None:
            raise Unavailable(f"{self._client.url}: it serves no such log")
        return found

    def note_after(self, size: int) -> bytes | None:
        """A checkpoint above `size`, waited for a few seconds; else the one of now. None: not to be waited for here."""
        return self._get(f"next/{size}", MAX_NOTE)

    def tell(self, note: bytes) -> bool:
        """Say that the head in `note` is held here; whether the gateway takes it as a confirmation.

        Raises `Unavailable` for every other answer than yes and no: what is wrong shows when its head is read.
        """
        answer = self._client.post(f"{self._prefix}mirrored", note, _MAX_TOLD)
        if answer.status != 200:
            raise Unavailable(f"{self._client.url}: status {answer.status}")
        return answer.body == CONFIRMED

    def entries(self, number: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle."""
        return self._split(Tile(None, number, width).path, Tile(None, number).path, width)

    def rows(self, number: int, width: int) -> list[bytes]:
        """The sealed openings that belong to them; an erased one is empty."""
        return self._split(opening_path(number, width), opening_path(number), width)

    def key(self, key_id: bytes) -> bytes:
        """A wrapped day key, as it is stored."""
        return self._need(key_path(key_id), _MAX_KEY)

    def order(self, digest: str) -> bytes | None:
        """An order about openings, by its digest (hex); None when it has none."""
        return self._get(f"orders/{digest}", MAX_NOTE)

    def nodes(self, size: int) -> merkle.Nodes:
        """The perfect subtrees of the tree of `size` leaves, from its hash tiles."""
        kept: dict[str, list[bytes]] = {}

        def node(height: int, index: int) -> bytes:
            level, above = divmod(height, merkle.TILE_HEIGHT)
            number, offset = divmod(index << above, WIDTH)
            tile = Tile(level, number, min(WIDTH, size // WIDTH**level - number * WIDTH))
            if tile.path not in kept:
                kept[tile.path] = self._hashes(tile)
            row = kept[tile.path][offset : offset + (1 << above)]
            while len(row) > 1:
                row = merkle.parents(row)
            return row[0]

        return node

    def _hashes(self, tile: Tile) -> list[bytes]:
        data, there = self._either(tile.path, tile.full.path, tile.width, WIDTH * merkle.HASH_SIZE)
        return _checked(tile.path, lambda: split_hashes(data, there))[: tile.width]

    def _split(self, path: str, full: str, width: int) -> list[bytes]:
        data, there = self._either(path, full, width, _MAX_BUNDLE)
        return _checked(path, lambda: split_entries(data, there))[:width]

    def _either(self, path: str, full: str, width: int, most: int) -> tuple[bytes, int]:
        """Rule 2: the bytes, and how wide they are."""
        found = self._get(path, most)
        if found is not None:
            return found, width
        return self._need(full, most), WIDTH

    def _need(self, path: str, most: int) -> bytes:
        found = self._get(path, most)
        if found is None:
            raise Strange(f"{path} is missing")
        return found

    def _get(self, path: str, most: int) -> bytes | None:
        answer = self._client.get(self._prefix + path, most)
        if answer.status == 404:
            return None
        if answer.status == 403:
            raise NotAdmitted(path)
        if answer.status != 200:
            raise Unavailable(f"{self._client.url}: status {answer.status}")
        return answer.body


def _checked(path: str, split: Callable[[], list[bytes]]) -> list[bytes]:
    try:
        return split()
    except Corrupt as error:
        raise Strange(f"{path}: {error}") from None
