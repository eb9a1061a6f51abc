"""Samples under review: their digest, their picks."""

from collections.abc import Callable

import orjson
import pytest

from audit.review.events import Place
from audit.review.samples import sample_of
from contracts.encoding import Json, canonical
from contracts.errors import UserError
from tests.unit.audit.review.world import A, document, sample

Doc = dict[str, Json]


def test_a_sample_is_its_content_not_its_spelling() -> None:
    pretty = orjson.dumps(dict(reversed(document().items())), option=orjson.OPT_INDENT_2)
    assert sample_of(pretty, "x").digest == sample().digest
    assert sample_of(canonical(document(("Li", "Wang"))), "x").digest != sample().digest


@pytest.mark.parametrize("text", [f"{A}:2", f"{A}#2"])
def test_places(text: str) -> None:
    found = sample()
    assert found.place(text) == Place(found.digest, A, 2)


@pytest.mark.parametrize("text", [f"{A}:1", f"{A}:x", "2", ":2", f"{A}:-2", f"{A}:{'9' * 30}", f"{A}:٢"])
def test_other_places(text: str) -> None:
    with pytest.raises(UserError):
        sample().place(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda doc: doc.update(kind="other"),
        lambda doc: doc.pop("picks"),
        lambda doc: doc.update(seed=1),
        lambda doc: doc.update(population="many"),
        lambda doc: doc.update(strata=[]),
        lambda doc: doc["picks"].append(doc["picks"][0]),
        lambda doc: doc["picks"][0].update(reviewer="Deng"),
        lambda doc: doc["picks"][0].update(position="0"),
        lambda doc: doc["picks"][0].pop("log"),
    ],
)
def test_no_sample(change: Callable[[Doc], object]) -> None:
    doc = document()
    change(doc)
    with pytest.raises(UserError):
        sample_of(canonical(doc), "x")
