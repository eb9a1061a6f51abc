"""The three departments of the demo: their configurations, and what their adapters reported."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from contracts.registry import Snapshot
from contracts.streams import Position, Stream
from gateway.demo.layout import ADAPTERS, Layout
from gateway.demo.outcome import Published


def write_configurations(layout: Layout) -> None:
    """Put each adapter's configuration beside its source files, its table `[log]` for the demo's log."""
    templates = files("gateway.demo") / "adapters"
    for adapter in ADAPTERS:
        text = layout.message_log.configured((templates / f"{adapter}.toml").read_text("utf-8"))
        layout.adapter_config(adapter).write_text(text, "utf-8")


def published(reports: Iterable[Mapping[str, Any]]) -> Published:
    """The sums of all reports."""
    listed = list(reports)
    rows, refused, sent = (sum(one[name] for one in listed) for name in ("rows_read", "refused", "published"))
    return Published(rows, refused, sent)


def heads(reports: Iterable[Mapping[str, Any]], registry: Snapshot) -> dict[Stream, Position]:
    """The last number of each stream, from the reports."""
    streams = {(stream.adapter, stream.evidence_type): stream for stream in registry.streams}
    rows = ((report["adapter"], row) for report in reports for row in report["streams"])
    return {streams[adapter, row["stream"]]: Position(row["epoch"], row["seq"]) for adapter, row in rows}
