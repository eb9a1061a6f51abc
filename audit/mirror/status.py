"""What a mirror tells the world: `status.json` for people and programs, a text file for Prometheus.

Written beside and renamed, without waiting for the disk: both are made anew every few seconds, and their own time says
how old they are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from audit.mirror.judge import Alarm, Facts
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

STALE_S: Final = 60.0

_NO_STATUS = Text("没有镜像状态", "There is no status of a mirror")
_START = Text("请先运行 oncegate-audit mirror。", "Run oncegate-audit mirror first.")


def form(facts: Sequence[Facts], alarms: Sequence[Alarm], version: int | None, now: float) -> dict[str, Json]:
    """The document. Times in Unix seconds."""
    return {
        "time": round(now, 3),
        "registry_version": version,
        "logs": [
            {
                "slot": one.log.slot,
                "origin": one.log.origin,
                "gateway": one.url,
                "size": one.size,
                "published": one.source_size,
                "confirmed": one.confirmed,
                "behind_s": round(max(0.0, now - one.even_at), 1),
                "answered_s": round(max(0.0, now - one.answered_at), 1),
            }
            for one in facts
        ],
        "alarms": [{"code": one.code, "about": one.about, "detail": one.detail} for one in alarms],
    }


def write(directory: Path, document: dict[str, Json], metrics: Path | None) -> None:
    """Both files; raises OSError."""
    _replace(directory / "status.json", orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    if metrics is not None:
        _replace(metrics, exposition(document))


def read(directory: Path) -> dict[str, Json]:
    """The document that a mirror wrote last; raises `UserError`."""
    try:
        document: dict[str, Json] = orjson.loads((directory / "status.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise UserError(_NO_STATUS, str(directory), _START) from None
    return document


def exposition(document: dict[str, Json]) -> bytes:
    """Prometheus text format 0.0.4. Labels are slots, origins and codes; never a person."""
    lines = ["# TYPE oncegate_mirror_time_seconds gauge", f"oncegate_mirror_time_seconds {document['time']}"]
    for name, member in _GAUGES:
        lines.append(f"# TYPE {name} gauge")
        lines += [f'{name}{{slot="{_label(log["slot"])}"}} {log[member]}' for log in _items(document, "logs")]
    lines.append("# TYPE oncegate_mirror_alarm gauge")
    for code, about in sorted({(str(one["code"]), str(one["about"])) for one in _items(document, "alarms")}):
        lines.append(f'oncegate_mirror_alarm{{code="{_label(code)}",about="{_label(about)}"}} 1')
    return "\n".join(lines).encode() + b"\n"


_GAUGES: Final = (
    ("oncegate_mirror_size", "size"),
    ("oncegate_mirror_published", "published"),
    ("oncegate_mirror_confirmed", "confirmed"),
    ("oncegate_mirror_behind_seconds", "behind_s"),
    ("oncegate_mirror_answered_seconds", "answered_s"),
)


def _items(document: dict[str, Json], name: str) -> list[dict[str, Json]]:
    found = document[name]
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _label(value: Json) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
