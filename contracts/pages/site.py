"""All pages of a site, by path. Pure."""

from collections.abc import Iterator, Mapping

from contracts.pages.evidence_type import type_page
from contracts.pages.index import index_page, start_page
from contracts.pages.service_item import item_page
from contracts.pages.shelf import Shelf
from contracts.text import LANGUAGES


def build(shelf: Shelf) -> Mapping[str, bytes]:
    """The HTML files (UTF-8) by path from the site's root. ValueError where two would have the same path."""
    files: dict[str, bytes] = {}
    for path, page in _pages(shelf):
        if path in files:
            raise ValueError(path)
        files[path] = page
    return files


def _pages(shelf: Shelf) -> Iterator[tuple[str, bytes]]:
    yield start_page(shelf)
    for language in LANGUAGES:
        yield index_page(shelf, language)
        yield from (type_page(shelf, entry, language) for entry in shelf.entries)
        yield from (item_page(shelf, item, language) for item in shelf.items)
