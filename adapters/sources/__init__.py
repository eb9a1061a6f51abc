"""Where rows come from. A new kind of source is one file here and one row in `SOURCES`."""

from collections.abc import Callable, Mapping
from importlib import import_module

from adapters.sources.interface import Source, Stamp
from contracts.edge.config import Section

__all__ = ["SOURCES", "Source", "Stamp", "open_source"]

# kind → its file and the function there; a file is imported when its kind is used, so that nobody waits for a library.
SOURCES: Mapping[str, tuple[str, str]] = {
    "csv": ("csv", "open_csv"),
    "excel": ("excel", "open_excel"),
    "database": ("database", "open_database"),
}


def open_source(section: Section) -> Source:
    """The source that a `[streams.source]` table describes; raises `UserError`."""
    module, function = SOURCES[section.choice("kind", SOURCES, "csv")]
    opener: Callable[[Section], Source] = getattr(import_module(f"{__name__}.{module}"), function)
    return opener(section)
