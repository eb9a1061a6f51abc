"""How far a mirror went with the orders about one copied log: the file `orders/followed` beside the copy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit import ranges
from audit.ranges import NONE, Ranges
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Corrupt, Fault


@dataclass(frozen=True, slots=True)
class Part:
    """What is done with the first `size` entries of one log. `places`: of all its notices about the copied log;
    `waiting`: of those without an order that counts."""

    size: int = 0
    places: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()

    def plain(self) -> dict[str, Json]:
        return {"places": list(self.places), "size": self.size, "waiting": list(self.waiting)}


@dataclass(frozen=True, slots=True)
class Progress:
    """`parts`: by origin, the copied log's own ("") and those of the logs that go on from it; `empty`: rows that
    nothing explains."""

    parts: Mapping[str, Part] = field(default_factory=dict)
    empty: Ranges = NONE

    def part(self, origin: str) -> Part:
        """Of one log; nothing yet, for one that was never looked at."""
        return self.parts.get(origin, Part())

    @property
    def size(self) -> int:
        """How many entries of all logs were looked at."""
        return sum(one.size for one in self.parts.values())

    @property
    def waits(self) -> bool:
        """Whether something is to be looked at again."""
        return bool(self.empty) or any(one.waiting for one in self.parts.values())

    def differs(self, other: "Progress") -> bool:
        """In more than how far it went."""
        ours, theirs = (
            {name: (one.places, one.waiting) for name, one in of.parts.items() if one.places} for of in (self, other)
        )
        return (ours, self.empty) != (theirs, other.empty)

    def encode(self) -> bytes:
        later: dict[str, Json] = {name: one.plain() for name, one in self.parts.items() if name}
        return canonical({**self.part("").plain(), "empty": self.empty.text(), "later": later})


def read(path: Path) -> Progress:
    """What is kept; raises `Corrupt`."""
    try:
        members = parse_object(path.read_bytes())
        later, empty = members.get("later", {}), members["empty"]
        if not isinstance(later, dict) or type(empty) is not str:
            raise Corrupt(f"{path} cannot be read")
        parts = {name: _part(one) for name, one in {**later, "": members}.items()}
        return Progress(parts, ranges.parse(empty) if empty else NONE)
    except FileNotFoundError:
        return Progress()
    except (Fault, KeyError, TypeError):
        raise Corrupt(f"{path} cannot be read") from None


def _part(members: Json) -> Part:
    if not isinstance(members, dict):
        raise TypeError
    size, places, waiting = members["size"], members["places"], members["waiting"]
    if type(size) is not int or type(places) is not list or type(waiting) is not list:
        raise TypeError
    return Part(size, _integers(places), _integers(waiting))


def _integers(members: list[Json]) -> tuple[int, ...]:
    return tuple(one for one in members if type(one) is int)
