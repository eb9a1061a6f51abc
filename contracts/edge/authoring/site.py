"""A static site about a directory of types and items, or about those shipped: reading, building, writing.

1. A directory is read as programs read it: the first mistake ends it (`check` explains them all).
2. Pages that an earlier run wrote, and this one did not, are removed; nothing else in the folder is touched. They are
   known by the `generator` in their head.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files as resources
from pathlib import Path

from contracts import catalogue, pages
from contracts.edge.authoring.files import examples_file, item_files, read_item, read_json, read_type, type_files
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.pages.frame import GENERATOR, SCRIPT, STYLE
from contracts.pages.shelf import Entry, Shelf
from contracts.pages.site import build
from contracts.text import LANGUAGES, Text

_TWICE = Text("有两个证照类型或事项的标识与版本相同", "Two types or items have the same id and version")
_OTHER = Text("请改其中一个的标识或版本。", "Change the id or the version of one of them.")
_NO_EXAMPLES = Text("缺少示例文件", "The examples are missing")
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()
_MARK_WITHIN = 1024  # bytes from the start of a page


def shipped() -> Shelf:
    """The shipped catalogue."""
    entries = (Entry(one, catalogue.examples(one.id)) for one in catalogue.evidence_types())
    return Shelf(tuple(entries), catalogue.service_items())


def shelf_of(directory: Path) -> Shelf:
    """The types and items of a directory; shipped types are known by name. Raises `UserError`."""
    entries = tuple(Entry(read_type(path), _examples(path)) for path in type_files(directory))
    items = tuple(map(read_item, item_files(directory)))
    return Shelf(entries, items, catalogue.evidence_types())


def _examples(path: Path) -> Mapping[str, Json]:
    file = examples_file(path)
    return read_json(file, _NO_EXAMPLES) if file.exists() else {}


def site_files(shelf: Shelf) -> dict[str, bytes]:
    """Every file of the site by path from its root; raises `UserError`."""
    try:
        built = build(shelf)
    except ValueError as error:
        raise UserError(_TWICE, str(error), _OTHER) from None
    here = resources(pages)
    return {**built, **{name: here.joinpath(name).read_bytes() for name in (STYLE, SCRIPT)}}


def write(shelf: Shelf, out: Path) -> int:
    """Write the site into folder `out`; the number of its files. Raises `UserError` and OSError."""
    made = site_files(shelf)
    for path, data in made.items():
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    _remove_others(out, {out / path for path in made})
    return len(made)


def _remove_others(out: Path, made: Iterable[Path]) -> None:
    """Rule 2."""
    kept = frozenset(made)
    for language in LANGUAGES:
        for path in (out / language).rglob("*.html"):
            if path not in kept and _MARK in path.read_bytes()[:_MARK_WITHIN]:
                path.unlink()
