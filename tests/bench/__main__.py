"""`python -m tests.bench [--json] [--long] [--check] [NAME …]`: each promise as ours / limit / ratio, from this run.

Without names, all of them; `--long` adds the long runs. `--check` makes a broken promise the exit code.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from contracts.edge.output import emit_json
from gateway.roles import configure_logging
from tests.bench import (
    audit,
    audit_index,
    contracts,
    demo,
    ingest,
    lookups,
    mirrored,
    rebuild,
    receipts,
    streams,
    two_servers,
)
from tests.bench.result import YARDSTICK_RATE, Result, verifications_per_second

Benchmark = Callable[[], Result | Iterable[Result]]

SHORT: Mapping[str, Benchmark] = {
    "ingest": ingest.ingest_ratio,
    "ingest_kafka": ingest.kafka_ratio,
    "rebuild": partial(rebuild.rebuilt, rebuild.SHORT),
    "streams_kafka": streams.kafka,
    "lookups_mtls": partial(lookups.lookup_ratio, "mtls"),
    "lookups_dpop": partial(lookups.lookup_ratio, "dpop"),
    "two_servers": two_servers.cost_of_two,
    "durable_appends": audit.durable_appends,
    "reverification": audit.reverification,
    "audit_index": audit_index.index_and_pages,
    "receipts": receipts.receipts,
    "mirrored_answers": mirrored.mirrored_answers,
    "lookup_latency_tenfold": lookups.latency_tenfold,
    "documents_structure": contracts.structure,
    "documents_formats": contracts.formats,
    "catalogue_of_1000": contracts.loading,
    "demo_ready": demo.ready,
    "demo_once": demo.whole,
}
LONG: Mapping[str, Benchmark] = {
    "rebuild_million": partial(rebuild.rebuilt, rebuild.MILLION),
    "streams_embedded": streams.embedded,
    "audit_index_ten_million": partial(audit_index.index_and_pages, audit_index.TEN_MILLION),
    "reverification_million": partial(audit.reverification, 1_000_000),
}
# Rates promised for the core of the yardstick: their limit is scaled to this one (design §9).
ABSOLUTE = frozenset(
    (
        "durable_appends", "reverification", "reverification_million", "audit_index", "audit_index_ten_million",
        "receipts", "mirrored_answers", "documents_structure", "documents_formats", "catalogue_of_1000",
    )
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join((*SHORT, *LONG))}")
    parser.add_argument("--json", action="store_true", help="one JSON object: {name: {ours, limit, ratio, …}}")
    parser.add_argument("--long", action="store_true", help="the long runs, too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a promise is not kept")
    options = parser.parse_args()
    configure_logging()
    yardstick = verifications_per_second()
    found: list[Result] = []
    if not options.json:
        print(f"yardstick: {yardstick:,.0f} ES256 verifications/s (figures are for {YARDSTICK_RATE:,})", flush=True)
    for result in _run(options.names, options.long, yardstick / YARDSTICK_RATE):
        found.append(result)
        if not options.json:
            print(_line(result), flush=True)
    if options.json:
        emit_json(
            {"yardstick": {"ours": yardstick, "limit": YARDSTICK_RATE, "ratio": yardstick / YARDSTICK_RATE}}
            | {one.name: _form(one) for one in found}
        )
    return int(options.check and not all(one.kept for one in found))


def _run(names: Sequence[str], long_runs: bool, speed: float) -> Iterator[Result]:
    table = {**SHORT, **(LONG if long_runs or names else {})}
    for name in names or table:
        if name not in table:
            sys.exit(f"there is no benchmark {name}; there are {', '.join(table)}")
        found = table[name]()
        for result in (replace(found, name=name),) if isinstance(found, Result) else found:
            yield replace(result, limit=_scaled(result, speed)) if name in ABSOLUTE else result


def _scaled(result: Result, speed: float) -> float:
    return result.limit / speed if result.at_most else result.limit * speed  # a time, or a rate


def _form(result: Result) -> dict[str, object]:
    return {
        "ours": result.ours,
        "limit": result.limit,
        "ratio": result.ratio,
        "promised": result.promised,
        "kept": result.kept,
        "unit": result.unit,
        **result.facts,
    }


def _line(result: Result) -> str:
    sign, mark = "≤" if result.at_most else "≥", "kept" if result.kept else "NOT KEPT"
    facts = "".join(
        f", {name} {value:,.3g}" if isinstance(value, float) else f", {name} {value}"
        for name, value in result.facts.items()
    )
    return (
        f"{result.name}: {result.ours:,.3f} / {result.limit:,.3f} {result.unit} = {result.ratio:.2f} "
        f"({sign} {result.promised:.2f}: {mark}{facts})"
    )


if __name__ == "__main__":
    sys.exit(main())
