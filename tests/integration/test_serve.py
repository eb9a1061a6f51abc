"""Lookups over real TLS: what is answered, what is refused, and that each has exactly one access record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.serve_world import IDENTITY, PERSON, City, build_city, running


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with running(build_city(tmp_path_factory.mktemp("city"))) as one:
        yield one


def question(**changes: Any) -> dict[str, Any]:
    body = {
        "service_item": "cn.open-restaurant",
        "case": "2026-0001",
        "clerk": "zhang.wei",
        "evidence_type": IDENTITY,
        "by": {"holder": {"scheme": "cn.ric", "id": PERSON}},
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def test_first(city: City) -> None:
    status, headers, answer = city.client().post("/v1/lookups", question())
    print(status, headers, answer)
    assert status == 200
