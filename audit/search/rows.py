"""From a leaf to what the index holds of it. Pure.

1. An access record is a JSON object of version 1 with every member of `FACETS`, a time and evidence types of the right
   kind. Anything else in a log (it holds bytes) is counted, never guessed at.
2. A `Shape` is what many records share: everything that can be filtered and counted but time and people. An index has
   few of them, so a filter is decided on shapes, and a record costs one number.
3. A record's id is its log's number and its position in one integer: `log << 40 | position`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit.record import VERSION
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault

# In this order in an index, in CSV and in `Shape.values`.
FACETS = (
    "organisation", "unit", "app", "service_item", "decision", "reason", "action", "channel", "clerk_assurance",
    "case_check",
)  # fmt: skip
DAY_MS = 86_400_000
MAX_POSITION = (1 << 40) - 1


class Shape(NamedTuple):
    """What records share (rule 2). `values` follow FACETS; `types` is canonical JSON of the evidence types, sorted."""

    values: tuple[str | None, ...]
    types: str


@dataclass(frozen=True, slots=True)
class Access:
    """One access record. `time` in Unix ms; `commit` as in the leaf."""

    time: int
    shape: Shape
    commit: str


class Entry(NamedTuple):
    """One entry as the index holds it: tokens, no people."""

    number: int
    time: int
    shape: int
    clerk: bytes | None
    case: bytes | None
    holder: bytes | None


def access_of(leaf: bytes) -> Access | None:
    """The access record in a leaf; None when it is none (rule 1)."""
    try:
        members = parse_object(leaf)
        time, types, commit = members["time"], members["evidence_types"], members["commit"]
        values = tuple([members[name] for name in FACETS])
    except (Fault, KeyError):
        return None
    texts = [value for value in values if value is not None] + [commit]
    if members.get("v") != VERSION or type(time) is not int or not 0 <= time < 1 << 53 or not _texts(texts):
        return None
    if type(types) is not list or not _texts(types):
        return None
    return Access(time, Shape(values, canonical(sorted(set(types))).decode()), commit)


def entry_id(log: int, position: int) -> int:
    """Rule 3."""
    return log << 40 | position


def place_of(entry: int) -> tuple[int, int]:
    """The log's number and the position (rule 3)."""
    return entry >> 40, entry & MAX_POSITION


def _texts(values: Sequence[Json]) -> bool:
    return all(type(value) is str for value in values)
