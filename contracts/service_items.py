"""A service item: an approval service, the proofs that it needs, and the paper that each proof replaces. Pure.

1. A proof names one evidence type, the fields that the item may see, the law that says so, and the paper it replaces.
   Fields not listed are refused by the access decision. `holders` as a field discloses all holders; without it only
   the holder that was asked for.
2. `mode` `all_of`: the item needs this proof. `mode` `one_of`: it belongs to a group of alternatives, one of which is
   enough (`requirements`).
3. `version` None means the version in force; a number pins it.
4. Every sentence exists in every language. `from_author` raises `UserError`, `from_json` `Fault`
   `service_item_invalid`; both check the same.
5. Whether types and fields exist is known only beside the types: `unknown_references`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.authoring import (
    Place,
    choice_at,
    known_keys,
    mistake,
    positive_at,
    refused,
    string_at,
    strings_at,
    text_at,
)
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.evidence_types import EvidenceType, type_id
from contracts.life_cycle import COMMON_LABELS
from contracts.text import Text

HOLDERS = ("applicant",)
MODES = ("all_of", "one_of")
MAX_PROOFS = 32

_ITEM_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")
_REGION = re.compile(r"[1-9][0-9]{5}([0-9]{6})?")
_ITEM_NAMES = ("id", "names", "legal_basis", "region", "proofs")
_PROOF_NAMES = (
    "id", "evidence_type", "version", "fields", "legal_basis", "replaces_paper", "holder", "mode", "group",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof that an item needs. `group` is "" for `all_of`, else the name of its group of alternatives."""

    id: str
    evidence_type: str
    version: int | None
    fields: tuple[str, ...]
    legal_basis: Text
    replaces_paper: Text
    holder: str
    mode: str
    group: str

    def to_json(self) -> dict[str, Json]:
        form: dict[str, Json] = {
            "id": self.id,
            "evidence_type": self.evidence_type,
            "fields": list(self.fields),
            "legal_basis": self.legal_basis.as_json(),
            "replaces_paper": self.replaces_paper.as_json(),
            "holder": self.holder,
            "mode": self.mode,
        }
        if self.version is not None:
            form["version"] = self.version
        if self.group:
            form["group"] = self.group
        return form


@dataclass(frozen=True, slots=True)
class ServiceItem:
    """An approval service. `region` is the administrative division code (GB/T 2260; 6 or 12 digits)."""

    id: str
    names: Text
    legal_basis: Text
    region: str
    proofs: tuple[Proof, ...]

    def proofs_of(self, evidence_type: str) -> tuple[Proof, ...]:
        """The proofs that name this type."""
        return tuple(proof for proof in self.proofs if proof.evidence_type == evidence_type)

    def requirements(self) -> tuple[tuple[Proof, ...], ...]:
        """What must be there, in order: of each inner tuple one proof is enough."""
        groups: dict[str, list[Proof]] = {}
        for proof in self.proofs:
            groups.setdefault(f"group {proof.group}" if proof.group else proof.id, []).append(proof)
        return tuple(tuple(group) for group in groups.values())

    def to_json(self) -> dict[str, Json]:
        """The canonical form; equal items, equal JSON."""
        return {
            "id": self.id,
            "names": self.names.as_json(),
            "legal_basis": self.legal_basis.as_json(),
            "region": self.region,
            "proofs": [proof.to_json() for proof in self.proofs],
        }

    @classmethod
    def from_author(cls, table: Mapping[str, Json], where: str = "") -> "ServiceItem":
        """The item of an author's TOML table; raises `UserError`. `where` is the file's name."""
        place = Place(where)
        known_keys(table, _ITEM_NAMES, place)
        return cls(
            id=string_at(table, "id", place, _item_id, "cn.open-restaurant"),
            names=text_at(table, "names", place),
            legal_basis=text_at(table, "legal_basis", place),
            region=string_at(table, "region", place, _REGION.fullmatch, "110000"),
            proofs=_proofs(table, place),
        )

    @classmethod
    def from_json(cls, form: Json) -> "ServiceItem":
        """The inverse of `to_json`; raises `Fault` `service_item_invalid`."""
        try:
            if not isinstance(form, Mapping):
                mistake(Place("service item"), ("应为对象", "an object is expected"), ("", ""))
            return cls.from_author(form, "service item")
        except UserError as error:
            raise refused("service_item_invalid", error) from None


def _item_id(text: str) -> bool:
    return len(text) <= 64 and _ITEM_ID.fullmatch(text) is not None


def _proofs(table: Mapping[str, Json], place: Place) -> tuple[Proof, ...]:
    written = table.get("proofs")
    inner = place.at("proofs")
    if not isinstance(written, list) or not 1 <= len(written) <= MAX_PROOFS:
        mistake(
            inner,
            (f"应有 1 至 {MAX_PROOFS} 项材料", f"1 to {MAX_PROOFS} proofs are expected"),
            ("请写 [[proofs]]", "write [[proofs]]"),
        )
    proofs = tuple(_proof(one, inner.at(str(index))) for index, one in enumerate(written))
    _distinct(proofs, inner)
    return proofs


def _distinct(proofs: tuple[Proof, ...], place: Place) -> None:
    ids = [proof.id for proof in proofs]
    for name in ids:
        if ids.count(name) > 1:
            mistake(place, (f"材料 {name} 重复", f"proof {name} is there twice"), ("请改名", "choose another id"))


def _proof(table: Json, place: Place) -> Proof:
    if not isinstance(table, Mapping):
        mistake(place, ("应为表", "a table is expected"), ("请写 [[proofs]]", "write [[proofs]]"))
    known_keys(table, _PROOF_NAMES, place)
    mode = choice_at({"mode": "all_of", **table}, "mode", place, MODES)
    return Proof(
        id=string_at(table, "id", place, _item_id, "identity"),
        evidence_type=string_at(table, "evidence_type", place, type_id, "cn.identity-card"),
        version=positive_at(table, "version", place) if "version" in table else None,
        fields=_fields(table, place),
        legal_basis=text_at(table, "legal_basis", place),
        replaces_paper=text_at(table, "replaces_paper", place),
        holder=choice_at({"holder": "applicant", **table}, "holder", place, HOLDERS),
        mode=mode,
        group=_group(table, mode, place),
    )


def _fields(table: Mapping[str, Json], place: Place) -> tuple[str, ...]:
    fields = strings_at(table, "fields", place)
    if not fields:
        mistake(
            place.at("fields"),
            ("未列出任何字段", "no field is listed"),
            ("请列出办事所需的最少字段", "list the fewest fields that the service needs"),
        )
    return fields


def _group(table: Mapping[str, Json], mode: str, place: Place) -> str:
    if mode == "one_of":
        return string_at(table, "group", place, _item_id, "premises")
    if table.get("group"):
        mistake(
            place.at("group"),
            ("mode 为 all_of 时不能有 group", "an all_of proof has no group"),
            ('请写 mode = "one_of", 或删除 group', 'write mode = "one_of", or remove group'),
        )
    return ""


def unknown_references(item: ServiceItem, types: Mapping[tuple[str, int], EvidenceType]) -> tuple[Text, ...]:
    """What the item names that no type has, in words; `types` is keyed by (id, version). Empty if all is known."""
    return tuple(words for proof in item.proofs for words in _unknown_in(proof, types))


def _unknown_in(proof: Proof, types: Mapping[tuple[str, int], EvidenceType]) -> tuple[Text, ...]:
    candidates = [
        found for (name, number), found in types.items()
        if name == proof.evidence_type and proof.version in (None, number)
    ]  # fmt: skip
    if not candidates:
        return (
            Text(
                f"材料 {proof.id}: 没有证照类型 {proof.evidence_type}",
                f"proof {proof.id}: there is no evidence type {proof.evidence_type}",
            ),
        )
    return tuple(
        Text(f"材料 {proof.id}: {found.vct} 没有字段 {name}", f"proof {proof.id}: {found.vct} has no field {name}")
        for found in candidates
        for name in proof.fields
        if name not in found.fields and name not in COMMON_LABELS
    )
