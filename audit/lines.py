"""What the auditor's programs say while they run: one JSON object a line, on stderr. Never personal data."""

import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

import orjson

from contracts.encoding import Json


def info(event: str, **facts: Json) -> None:
    """Something that happened as it should."""
    _line("info", event, facts)


def alarm(event: str, **facts: Json) -> None:
    """Something that somebody must look at; docs/auditor-guide.md has a row for each event."""
    _line("error", event, facts)


def _line(level: str, event: str, facts: dict[str, Json]) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = orjson.dumps({"timestamp": now, "level": level, "event": event, **facts})
    with suppress(OSError):  # a full disk behind stderr stops nobody
        os.write(sys.stderr.fileno(), data + b"\n")
