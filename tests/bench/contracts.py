"""What evidence types cost: documents by structure and with identifier formats; a whole city's catalogue loaded."""

import time
from collections.abc import Callable

import jsonschema_rs

from contracts import catalogue
from contracts.documents import check, compiled
from contracts.encoding import Json, canonical, parse_object
from contracts.evidence_types import EvidenceType
from tests.bench.result import Result

TYPE = "cn.business-licence"  # 12 fields, two holders, five identifier formats
STRUCTURAL, WITH_FORMATS = 300_000, 60_000  # documents a second, on a core of YARDSTICK_RATE
TYPES, SECONDS = 1_000, 2.0


def structure() -> Result:
    """Valid documents a second of processor time, by structure alone."""
    one, document = _subject()
    validator = jsonschema_rs.Draft202012Validator(dict(one.schema), validate_formats=False)
    assert validator.is_valid(document)
    return _result("structure", _rate(lambda: validator.is_valid(document)), STRUCTURAL, one)


def formats() -> Result:
    """Valid documents a second of processor time, with everything that ingest checks."""
    one, document = _subject()
    assert check(one, document) == ()
    return _result("formats", _rate(lambda: check(one, document)), WITH_FORMATS, one)


def _subject() -> tuple[EvidenceType, Json]:
    one = next(one for one in catalogue.evidence_types() if one.id == TYPE)
    return one, catalogue.examples(TYPE)["valid"][0]


def _result(name: str, rate: float, promised: float, one: EvidenceType) -> Result:
    return Result(name, rate, promised, 1.0, "documents/s", facts={"fields": len(one.fields)})


def _rate(work: Callable[[], object], seconds: float = 1.0) -> float:
    count, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds:
        for _ in range(500):
            work()
        count += 500
    return count / passed


def loading() -> Result:
    """Processor seconds to read a catalogue of 1,000 types from the registry's form and to compile each schema."""
    forms = [canonical(form) for form in _forms()]
    start = time.process_time()
    types = [EvidenceType.from_json(parse_object(form)) for form in forms]
    for one in types:
        compiled(one)
    passed = time.process_time() - start
    assert len({one.vct for one in types}) == TYPES
    return Result("catalogue of 1,000 types", passed, SECONDS, 1.0, "s", at_most=True, facts={"types": TYPES})


def _forms() -> list[dict[str, Json]]:
    shipped = [one.to_json() for one in catalogue.evidence_types()]
    return [{**shipped[n % len(shipped)], "id": f"cn.copy-{n}"} for n in range(TYPES)]
