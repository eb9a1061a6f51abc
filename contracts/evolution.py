"""May an evidence type change like this under the same version, or does it need a new one? Pure.

Modes are those of Confluent's schema registry, about documents and their readers:

1. BACKWARD: what was published under the former form is valid under the new one. Without it a node that is built from
   the log later would refuse what an older node holds.
2. FORWARD: what is published under the new form can be read by those who know the former one: apps and their answers.
   A reader is shown the fields that its service item lists; so a new top-level field disturbs nobody, and one that
   vanishes disturbs nobody only if it was optional.
3. FULL is both; NONE neither. TRANSITIVE compares with every former form of this version, otherwise with the last one.
4. Beside the schema the wire form counts: a field that moves between the open and the hidden part of a message makes
   older messages invalid (both directions); a key field that vanishes breaks those who look up by it (forward). And the
   offset from UTC: with another one the validity of what was published begins and ends elsewhere (both directions).
5. A new version number is a new type to everyone; nothing is compared across numbers. Texts, masks, dates and promises
   may change freely.
6. What was promised holds until it is taken back: a change is judged by the mode of the last form that was signed, not
   by the one that it sets. The new mode counts from the next change on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.schema_inclusion import Narrowing, expanded, narrower
from contracts.text import Text

BACKWARD, FORWARD = "backward", "forward"
DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "BACKWARD": (BACKWARD,),
    "FORWARD": (FORWARD,),
    "FULL": (BACKWARD, FORWARD),
    "NONE": (),
}
_TRANSITIVE = "_TRANSITIVE"
_MOVED = Text("{fact} 在报文中由隐藏变为可见, 或相反", "{fact} moves between the hidden and the open part of messages")
_OFFSET = Text("时区由 {fact} 更改", "the offset from UTC is no longer {fact}")
_KEY_GONE = Text("{fact} 不再是查询键", "{fact} is no longer a key field")


@dataclass(frozen=True, slots=True)
class Break:
    """What breaks, in which direction, at which place of a document (RFC 6901), by which keyword."""

    direction: str
    pointer: str
    keyword: str
    words: Text


def breaks(former: EvidenceType, new: EvidenceType) -> tuple[Break, ...]:
    """Everything that differs incompatibly between two forms of one version, in both directions."""
    return (
        *(_break(BACKWARD, one) for one in narrower(new.schema, former.schema)),
        *(_break(FORWARD, one) for one in narrower(_projected(former, new), new.schema)),
        *_wire(former, new),
    )


def incompatible(history: Sequence[EvidenceType], new: EvidenceType) -> tuple[Break, ...]:
    """What the mode that counts forbids; `history` holds the type's former forms, oldest first."""
    mode = mode_of(history, new)
    directions = DIRECTIONS[mode.removesuffix(_TRANSITIVE)]
    compared = history if mode.endswith(_TRANSITIVE) else history[-1:]
    found = (one for former in compared for one in breaks(former, new) if one.direction in directions)
    return tuple(dict.fromkeys(found))


def mode_of(history: Sequence[EvidenceType], new: EvidenceType) -> str:
    """The compatibility mode that a change is judged by: rule 6."""
    return (history[-1] if history else new).compatibility


def _break(direction: str, one: Narrowing) -> Break:
    return Break(direction, one.pointer, one.keyword, one.words)


def _projected(former: EvidenceType, new: EvidenceType) -> dict[str, Json]:
    """The former schema as its readers apply it: they are not shown what they do not know (rule 2)."""
    known, added = expanded(former.schema), expanded(new.schema)["properties"]
    hidden = {name: added[name] for name in new.fields if name not in former.fields and name not in new.always}
    return {**known, "properties": {**known["properties"], **hidden}}


def _wire(former: EvidenceType, new: EvidenceType) -> Iterator[Break]:
    """Rule 4."""
    for name in former.fields.keys() & new.fields.keys():
        if (name in former.always) != (name in new.always):
            yield from (Break(each, f"/{name}", "always", _MOVED.fill(fact=name)) for each in (BACKWARD, FORWARD))
    for name in former.key_fields:
        if name not in new.key_fields:
            yield Break(FORWARD, f"/{name}", "key_fields", _KEY_GONE.fill(fact=name))
    if former.utc_offset != new.utc_offset:
        yield from (Break(each, "", "utc_offset", _OFFSET.fill(fact=former.utc_offset)) for each in (BACKWARD, FORWARD))
