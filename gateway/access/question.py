"""What an approval system asks, as frozen values. Pure.

1. A question always names service item, case and clerk; the terminal where the clerk sits is optional. The channel
   may be left out by an app that holds the item on one channel only. Facts that the applicant declares are there where
   proofs of the item depend on them.
2. It asks about a holder, or by the value of one of the type's key fields.
3. A bundle asks for every proof that the item needs, about one holder.

Named tuples, because each question makes a few of them.
"""

from collections.abc import Mapping
from typing import NamedTuple

from contracts.encoding import Json


class ByHolder(NamedTuple):
    """About a holder: `scheme` (design: "holder") and `id`."""

    scheme: str
    id: str

    def to_json(self) -> dict[str, str]:
        return {"scheme": self.scheme, "id": self.id}


class ByKey(NamedTuple):
    """About whatever has this `value` in the key field `field`."""

    field: str
    value: str

    def to_json(self) -> dict[str, str]:
        return {"field": self.field, "value": self.value}


class Purpose(NamedTuple):
    """Why somebody asks: for which item, in which case, by which clerk (at which terminal, on which channel), under
    which declared `facts`, sorted."""

    item: str
    case: str
    clerk: str
    terminal: str | None = None
    channel: str | None = None
    facts: tuple[tuple[str, bool], ...] = ()


class Question(NamedTuple):
    """A lookup. `fields` None: all that the item may see. `history`: superseded records too."""

    purpose: Purpose
    evidence_type: str
    by: ByHolder | ByKey
    fields: tuple[str, ...] | None = None
    history: bool = False


class BundleQuestion(NamedTuple):
    """A bundle."""

    purpose: Purpose
    holder: ByHolder


class CorrectionQuestion(NamedTuple):
    """A correction request: what is said to be wrong. `fields` None: the record as a whole."""

    purpose: Purpose
    evidence_type: str
    record: str
    fields: tuple[str, ...] | None
    reason: str


def read_question(body: Mapping[str, Json]) -> Question:
    """The question in a body that the request schema passed."""
    by = body["by"]
    fields = body.get("fields")
    return Question(
        read_purpose(body),
        body["evidence_type"],
        _holder(by["holder"]) if "holder" in by else ByKey(*next(iter(by.items()))),
        None if fields is None else tuple(fields),
        body.get("history", False),
    )


def read_bundle(body: Mapping[str, Json]) -> BundleQuestion:
    """The bundle question in a body that the request schema passed."""
    return BundleQuestion(read_purpose(body), _holder(body["holder"]))


def read_correction(body: Mapping[str, Json]) -> CorrectionQuestion:
    """The correction request in a body that the request schema passed."""
    fields = body.get("fields")
    return CorrectionQuestion(
        read_purpose(body),
        body["evidence_type"],
        body["record"],
        None if fields is None else tuple(fields),
        body["reason"],
    )


def read_purpose(body: Mapping[str, Json]) -> Purpose:
    facts = tuple(sorted(body["facts"].items())) if "facts" in body else ()
    return Purpose(body["service_item"], body["case"], body["clerk"], body.get("terminal"), body.get("channel"), facts)


def _holder(holder: Mapping[str, Json]) -> ByHolder:
    return ByHolder(holder["scheme"], holder["id"])
