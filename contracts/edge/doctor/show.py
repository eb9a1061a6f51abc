"""How findings are printed: a line each, or one JSON object.

{"schema": "oncegate-doctor/1", "verdict": "ok" | "warning" | "failed", "counts": {"ok": n, "warning": n, "failed": n},
 "findings": [{"check", "level", "title": {"zh-CN", "en"}, "what": {…}, "where", "remedy": {…} | null}]}

Exit code of both programs: 0 when nothing failed, warnings or not; 1 (`EXIT_UNWELL`) when something did.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from contracts.edge.doctor.finding import FAILED, OK, SIGNS, WARNING, Told, counts, verdict
from contracts.edge.i18n import language
from contracts.edge.output import emit_json, error_line, say
from contracts.text import Text

SCHEMA: Final = "oncegate-doctor/1"
EXIT_UNWELL: Final = 1

_SUMMARY: Mapping[str, Text] = {
    OK: Text("一切正常", "Everything is all right"),
    WARNING: Text("可以运行,但请留意 ⚠ 各行", "It works; mind the lines with ⚠"),
    FAILED: Text("有问题需要解决,见 ✘ 各行", "Something must be mended: see the lines with ✘"),
}


def report(found: Iterable[Told], as_json: bool) -> bool:
    """Print the findings as they come (JSON: when all are there); whether none failed."""
    told: list[Told] = []
    for one in found:
        told.append(one)
        if not as_json:
            print(line(one, language()), flush=True)
    if as_json:
        emit_json(form(told))
    else:
        say(_summary(told))
    return verdict(told) != FAILED


def line(told: Told, lang: str) -> str:
    """One finding in one line."""
    one = told.finding
    colon = Text(":", ": ").pick(lang)
    return f"{SIGNS[one.level]} {told.title.pick(lang)}{colon}{error_line(one.what, one.where, one.remedy, lang)}"


def form(told: list[Told]) -> dict[str, object]:
    """The JSON object."""
    return {
        "schema": SCHEMA,
        "verdict": verdict(told),
        "counts": counts(told),
        "findings": [
            {
                "check": one.check,
                "level": one.finding.level,
                "title": one.title.as_json(),
                "what": one.finding.what.as_json(),
                "where": one.finding.where,
                "remedy": None if one.finding.remedy is None else one.finding.remedy.as_json(),
            }
            for one in told
        ],
    }


def _summary(told: list[Told]) -> Text:
    tally = ", ".join(f"{number} {SIGNS[level]}" for level, number in counts(told).items())
    words = _SUMMARY[verdict(told)]
    return Text(f"{words.zh}({tally})", f"{words.en} ({tally})")
