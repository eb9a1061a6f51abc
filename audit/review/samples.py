"""A sample as it is reviewed: its digest and its picks. Pure.

1. A sample is named by SHA-256 of the canonical JSON of its document, so white space and order do not matter.
2. Each pick is there once, and its reviewer is one of the sample's. Whom it says to have cosigned its checkpoints did.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.review.events import Place
from audit.search.drawing import Order, digest_of, order_of
from audit.search.sample import Pick
from audit.search.witnessed import cosignatures, not_cosigned
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

_PLACE = re.compile(r"(.+)[:#]([0-9]{1,18})")
_NOT_A_SAMPLE = Text("不是抽样文件", "Not a sample")
_NO_RECORD = Text("该记录不在抽样中", "This record is not in the sample")
_AS_LISTED = Text("请写作 日志:位置,见抽样文件。", "Write LOG:POSITION as the sample lists it.")


@dataclass(frozen=True, slots=True)
class Sample:
    """`picks` by place, in the document's order; `strata`: name → (population, picked)."""

    digest: str
    seed: str
    population: int
    reviewers: Sequence[str]
    strata: Mapping[str, tuple[int, int]]
    picks: Mapping[Place, Pick]
    document: Mapping[str, Json]

    def place(self, text: str) -> Place:
        """The pick written as LOG:POSITION or LOG#POSITION; raises `UserError`."""
        written = _PLACE.fullmatch(text)
        found = None if written is None else Place(self.digest, written[1], int(written[2]))
        if found is not None and found in self.picks:
            return found
        raise UserError(_NO_RECORD, text, _AS_LISTED)


def sample_of(data: bytes, name: str) -> Sample:
    """The sample in a document (rules 1 and 2); `name`: of the file. Raises `UserError`."""
    order, document = order_of(data, name)
    digest = digest_of(document)
    try:
        strata = {stratum: (one["population"], one["picked"]) for stratum, one in document["strata"].items()}
        listed = [Pick(one["log"], one["position"], one["stratum"], one["reviewer"]) for one in document["picks"]]
        picks = {Place(digest, pick.origin, pick.position): pick for pick in listed}
        sound = len(picks) == len(listed) and all(_sound(pick, order.reviewers) for pick in listed)
        numbers = [document["population"], *(number for both in strata.values() for number in both)]
        sound = sound and type(document["seed"]) is str and all(type(number) is int for number in numbers)
        sound = sound and document["witnessed"] is bool(order.witnesses) and _cosigned(order, document)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UserError(_NOT_A_SAMPLE, name)
    return Sample(digest, document["seed"], document["population"], order.reviewers, strata, picks, document)


def _cosigned(order: Order, document: Mapping[str, Json]) -> bool:
    if order.witnesses and not_cosigned(order.notes, order.witnesses):
        return False
    return bool(document["cosigned"] == cosignatures(order.notes, order.witnesses))


def _sound(pick: Pick, reviewers: Sequence[str]) -> bool:
    texts = type(pick.origin) is str and type(pick.stratum) is str
    return texts and type(pick.position) is int and pick.position >= 0 and pick.reviewer in reviewers
