"""docs/benchmarks.md names each benchmark, and says which of them are long runs."""

from pathlib import Path

import pytest

from tests.bench.__main__ import LONG, SHORT

PAGE = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*SHORT, *LONG])
def test_each_benchmark_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE
    assert (f"`{name}` (long)" in PAGE) == (name in LONG)


def test_the_promised_million_is_in_the_short_runs() -> None:
    """`make bench` prints each promise: the index is promised for a million records."""
    assert "audit_index" in SHORT
    assert "`audit_index` | auditor's index, a million records" in PAGE
