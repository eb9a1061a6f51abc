"""A service item: an approval service, the proofs that it needs, and the paper that each proof replaces. Pure.

1. An item has its codes in the national catalogue (GB/T 39554.1), the ways in which it is handled, and two limits in
   working days: the statutory one, and the one that the authority promises.
2. A proof names one evidence type, the fields that the item may see, the law that says so, and the paper it replaces.
   Fields not listed are refused by the access decision. `holders` as a field discloses all holders; without it only
   the holder that was asked for.
3. `mode` `all_of`: the item needs this proof. `mode` `one_of`: it belongs to a group of alternatives, one of which is
   enough (`requirements`).
4. A proof may depend on a fact that the applicant declares ("the premises are rented"): it applies, and its fields are
   open, only where the declared value is the one that `when` names.
5. `version` None means the version in force; a number pins it.
6. Every sentence exists in every language. `from_author` raises `UserError`, `from_json` `Fault`
   `service_item_invalid`; both check the same.
7. Whether types and fields exist is known only beside the types: `unknown_references`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

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
from contracts.identifiers import credit_code
from contracts.life_cycle import COMMON_LABELS
from contracts.text import Text

HOLDERS = ("applicant",)
MODES = ("all_of", "one_of")
HANDLING: Mapping[str, Text] = {
    "immediate": Text("马上办", "Done at once"),
    "online": Text("网上办", "Done online"),
    "nearby": Text("就近办", "Done nearby"),
    "one_visit": Text("一次办", "Done in one visit"),
}
MAX_PROOFS = 32
MAX_FACTS = 16
MAX_WORKING_DAYS = 500

_ITEM_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*")
_REGION = re.compile(r"[1-9][0-9]{5}([0-9]{6})?")
_FACT_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BASIC_CODE = re.compile(r"[0-9A-Z]{12}")
_ITEM_NAMES = (
    "id", "names", "legal_basis", "region", "basic_code", "implementation_code", "handling", "statutory_days",
    "promised_days", "facts", "proofs",
)  # fmt: skip
_PROOF_NAMES = (
    "id", "evidence_type", "version", "fields", "legal_basis", "replaces_paper", "holder", "mode", "group", "when",
)  # fmt: skip


Facts = Mapping[str, bool]  # what the applicant declares, by the fact's id


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that the applicant declares, yes or no, on which proofs depend."""

    id: str
    names: Text

    def to_json(self) -> dict[str, Json]:
        return {"id": self.id, "names": self.names.as_json()}


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof that an item needs. `group` is "" for `all_of`, else the name of its group of alternatives.

    `when` is the fact that it depends on, with the value that calls for it; None: it always applies.
    """

    id: str
    evidence_type: str
    version: int | None
    fields: tuple[str, ...]
    legal_basis: Text
    replaces_paper: Text
    holder: str
    mode: str
    group: str
    when: tuple[str, bool] | None = None

    def applies(self, facts: Facts) -> bool:
        """Whether the declared facts call for it (rule 4); a fact that nobody declared calls for nothing."""
        return self.when is None or facts.get(self.when[0]) is self.when[1]

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
        if self.when is not None:
            form["when"] = {"fact": self.when[0], "is": self.when[1]}
        return form


@dataclass(frozen=True)
class ServiceItem:
    """An approval service. `region` is the administrative division code (GB/T 2260; 6 or 12 digits).

    `basic_code` (基本编码) and `implementation_code` (实施编码: the authority's credit code and 13 digits) are "" where
    not known; `handling` are names of `HANDLING`; limits are in working days, None where there is none.
    """

    id: str
    names: Text
    legal_basis: Text
    region: str
    proofs: tuple[Proof, ...]
    basic_code: str = ""
    implementation_code: str = ""
    handling: tuple[str, ...] = ()
    statutory_days: int | None = None
    promised_days: int | None = None
    facts: tuple[Fact, ...] = ()

    @cached_property
    def fact_ids(self) -> frozenset[str]:
        return frozenset(fact.id for fact in self.facts)

    def proofs_of(self, evidence_type: str) -> tuple[Proof, ...]:
        """The proofs that name this type."""
        return tuple(proof for proof in self.proofs if proof.evidence_type == evidence_type)

    def requirements(self, facts: Facts) -> tuple[tuple[Proof, ...], ...]:
        """What must be there under the declared facts, in order: of each inner tuple one proof is enough."""
        groups: dict[str, list[Proof]] = {}
        for proof in (one for one in self.proofs if one.applies(facts)):
            groups.setdefault(f"group {proof.group}" if proof.group else proof.id, []).append(proof)
        return tuple(tuple(group) for group in groups.values())

    def to_json(self) -> dict[str, Json]:
        """The canonical form; equal items, equal JSON. What is not said is left out."""
        said: dict[str, Json] = {
            "basic_code": self.basic_code or None,
            "implementation_code": self.implementation_code or None,
            "handling": list(self.handling) or None,
            "statutory_days": self.statutory_days,
            "promised_days": self.promised_days,
            "facts": [fact.to_json() for fact in self.facts] or None,
        }
        return {
            "id": self.id,
            "names": self.names.as_json(),
            "legal_basis": self.legal_basis.as_json(),
            "region": self.region,
            "proofs": [proof.to_json() for proof in self.proofs],
            **{name: value for name, value in said.items() if value is not None},
        }

    @classmethod
    def from_author(cls, table: Mapping[str, Json], where: str = "") -> "ServiceItem":
        """The item of an author's TOML table; raises `UserError`. `where` is the file's name."""
        place = Place(where)
        known_keys(table, _ITEM_NAMES, place)
        facts = _facts(table, place)
        statutory, promised = _days(table, place)
        return cls(
            id=string_at(table, "id", place, _item_id, "cn.open-restaurant"),
            names=text_at(table, "names", place),
            legal_basis=text_at(table, "legal_basis", place),
            region=string_at(table, "region", place, _REGION.fullmatch, "110000"),
            proofs=_proofs(table, facts, place),
            basic_code=_optional(table, "basic_code", place, _BASIC_CODE.fullmatch, "000101001000"),
            implementation_code=_optional(
                table, "implementation_code", place, _implementation_code, "91110000600007010T4000101001000"
            ),
            handling=_handling(table, place),
            statutory_days=statutory,
            promised_days=promised,
            facts=facts,
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


def _implementation_code(text: str) -> bool:
    return len(text) == 31 and credit_code(text[:18]) and text[18:].isascii() and text[18:].isdigit()


def _optional(table: Mapping[str, Json], key: str, place: Place, accept: Callable[[str], object], example: str) -> str:
    return string_at(table, key, place, accept, example) if key in table else ""


def _handling(table: Mapping[str, Json], place: Place) -> tuple[str, ...]:
    ways = strings_at(table, "handling", place)
    if any(way not in HANDLING for way in ways):
        listed = ", ".join(HANDLING)
        mistake(
            place.at("handling"),
            ("含未知的办理方式", "an unknown way of handling"),
            (f"可选值: {listed}", f"choices: {listed}"),
        )
    return ways


def _days(table: Mapping[str, Json], place: Place) -> tuple[int | None, int | None]:
    """The statutory and the promised limit; a promise is not later than the law."""
    limits = [_working_days(table, key, place) for key in ("statutory_days", "promised_days")]
    statutory, promised = limits
    if statutory is not None and promised is not None and promised > statutory:
        mistake(
            place.at("promised_days"),
            ("承诺时限长于法定时限", "the promised limit is later than the statutory one"),
            ("承诺时限应不长于法定时限", "promise at most the statutory limit"),
        )
    return statutory, promised


def _working_days(table: Mapping[str, Json], key: str, place: Place) -> int | None:
    days = table.get(key)
    if days is not None and not (type(days) is int and 0 <= days <= MAX_WORKING_DAYS):
        mistake(
            place.at(key),
            ("应为工作日数", "a number of working days is expected"),
            (f"例如 {key} = 20; 即时办结写 0", f"for example {key} = 20; 0 for at once"),
        )
    return days


def _facts(table: Mapping[str, Json], place: Place) -> tuple[Fact, ...]:
    written = table.get("facts", [])
    inner = place.at("facts")
    if not isinstance(written, list) or len(written) > MAX_FACTS:
        mistake(inner, (f"至多 {MAX_FACTS} 项", f"at most {MAX_FACTS} are expected"), ("[[facts]]", "[[facts]]"))
    facts = tuple(_fact(one, inner.at(str(index))) for index, one in enumerate(written))
    _distinct([fact.id for fact in facts], inner)
    return facts


def _fact(table: Json, place: Place) -> Fact:
    if not isinstance(table, Mapping):
        mistake(place, ("应为表", "a table is expected"), ("请写 [[facts]]", "write [[facts]]"))
    known_keys(table, ("id", "names"), place)
    return Fact(string_at(table, "id", place, _FACT_ID.fullmatch, "premises_rented"), text_at(table, "names", place))


def _proofs(table: Mapping[str, Json], facts: tuple[Fact, ...], place: Place) -> tuple[Proof, ...]:
    written = table.get("proofs")
    inner = place.at("proofs")
    if not isinstance(written, list) or not 1 <= len(written) <= MAX_PROOFS:
        mistake(
            inner,
            (f"应有 1 至 {MAX_PROOFS} 项材料", f"1 to {MAX_PROOFS} proofs are expected"),
            ("请写 [[proofs]]", "write [[proofs]]"),
        )
    known = frozenset(fact.id for fact in facts)
    proofs = tuple(_proof(one, known, inner.at(str(index))) for index, one in enumerate(written))
    _distinct([proof.id for proof in proofs], inner)
    return proofs


def _distinct(ids: list[str], place: Place) -> None:
    for name in ids:
        if ids.count(name) > 1:
            mistake(place, (f"{name} 重复", f"{name} is there twice"), ("请改名", "choose another id"))


def _proof(table: Json, facts: frozenset[str], place: Place) -> Proof:
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
        when=_when(table, facts, place.at("when")) if "when" in table else None,
    )


def _when(table: Mapping[str, Json], facts: frozenset[str], place: Place) -> tuple[str, bool]:
    when = table["when"]
    fact = when.get("fact") if isinstance(when, Mapping) and when.keys() == {"fact", "is"} else None
    if fact not in facts or not isinstance(when["is"], bool):
        mistake(
            place,
            ("应指明 [[facts]] 中的一项及其取值", "one of the [[facts]] and its value are expected"),
            ('例如 when = { fact = "premises_rented", is = true }', 'when = { fact = "premises_rented", is = true }'),
        )
    return fact, when["is"]


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
