"""Hits and counts for people and programs: text, JSON, CSV. Pure.

1. CSV begins with a byte order mark (office programs in China need it) and has CRLF lines (RFC 4180). Cells are
   those of `cells`.
2. Times are RFC 3339 in UTC, as everywhere in this program; the histogram's days are Beijing days.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from audit.labels import heading, value_of
from audit.moments import moment
from audit.search.asked import ZONE
from audit.search.cells import cell
from audit.search.query import HOUR_MS, Hit, Stats
from audit.search.rows import FACETS
from contracts.encoding import Json
from contracts.text import LANGUAGES, Text, one_line

BOM = "\ufeff"
COLUMNS = ("log", "position", "time", *FACETS, "evidence_types")

_COUNT = Text("  {count}  {what}", "  {count}  {what}")
_SHOWN = ("organisation", "unit", "app", "service_item", "action", "decision", "reason")


def time_text(milliseconds: int) -> str:
    """RFC 3339 in UTC, to the millisecond (`moments`)."""
    return moment(milliseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hit_line(hit: Hit) -> Text:
    """One hit for a terminal: time, place, facts."""
    facts = [value_of(name, hit.facets[name]) for name in _SHOWN]
    zh, en = (_hit_line(hit, [fact.pick(language) for fact in facts]) for language in LANGUAGES)
    return Text(zh, en)


def _hit_line(hit: Hit, facts: Sequence[str]) -> str:
    return one_line("  ".join((time_text(hit.time), f"{hit.log}#{hit.position}", *facts, ",".join(hit.types) or "-")))


def hit_json(hit: Hit, proof: str | None = None) -> dict[str, Json]:
    """One hit for a program; `proof`: a c2sp.org/tlog-proof@v1 text."""
    found: dict[str, Json] = {"log": hit.log, "position": hit.position, "time": time_text(hit.time), **hit.facets}
    found["evidence_types"] = list(hit.types)
    return found if proof is None else {**found, "proof": proof}


def hit_rows(hits: Iterable[Hit]) -> list[Sequence[Json]]:
    """Hits as rows of COLUMNS."""
    return [
        (hit.log, hit.position, time_text(hit.time), *(hit.facets[name] for name in FACETS), " ".join(hit.types))
        for hit in hits
    ]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Json | date]]) -> str:
    """A whole CSV file (rule 1)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return BOM + file.getvalue()


def buckets(stats: Stats, by: str) -> Mapping[str, int]:
    """The histogram by `hour` or `day`, in Beijing time: start → count; without the empty ones."""
    form = {"hour": "%Y-%m-%dT%H:00+08:00", "day": "%Y-%m-%d"}[by]
    found: Counter[str] = Counter()
    for hour, count in stats.hours.items():
        found[moment(hour * HOUR_MS).astimezone(ZONE).strftime(form)] += count
    return found


def stats_json(stats: Stats, by: str) -> Json:
    """Facets as lists, most frequent first, so that "not there" can stand as null."""
    facets = {
        name: [{"value": value, "count": count} for value, count in counts.items()]
        for name, counts in stats.facets.items()
    }
    return {"total": stats.total, "facets": facets, "by": by, "histogram": dict(buckets(stats, by))}


def stats_lines(stats: Stats, by: str, most: int = 10) -> list[Text]:
    """Facets (the `most` frequent values of each) and histogram for a terminal."""
    lines = []
    for name, counts in stats.facets.items():
        lines.append(heading(name))
        told = list(counts.items())[:most]
        lines += [_COUNT.fill(count=f"{count:>9}", what=_plain(value_of(name, value))) for value, count in told]
        if len(counts) > most:
            rest = sum(list(counts.values())[most:])
            lines.append(_COUNT.fill(count=f"{rest:>9}", what=f"… +{len(counts) - most}"))
    histogram = buckets(stats, by)
    widest = max(histogram.values(), default=1)
    bars = ((count, f"{start}  {'█' * (-(-40 * count // widest))}") for start, count in histogram.items())
    return [*lines, heading(by), *(_COUNT.fill(count=f"{count:>9}", what=bar) for count, bar in bars)]


def _plain(text: Text) -> Text:
    return Text(one_line(text.zh), one_line(text.en))
