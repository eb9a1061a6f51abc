"""The shipped catalogue: evidence types and service items as data files, loaded from the package.

The one place in `contracts` outside `edge` that reads files, and only the package's own data. A type is
`evidence_types/ID.toml` beside `ID.schema.json` and `ID.examples.json`; an item is `service_items/ID.toml`. Adding one
touches data files only. A city's own directory has the same form (`gateway` reads it; `from_author` judges it).
"""

import json
import tomllib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.service_items import ServiceItem

_HERE = files(__name__)


@cache
def evidence_types() -> tuple[EvidenceType, ...]:
    """The shipped types, by id; raises `UserError` for a mistake in a data file."""
    return tuple(_type(source) for source in _tables("evidence_types"))


@cache
def service_items() -> tuple[ServiceItem, ...]:
    """The shipped items, by id; raises `UserError` for a mistake in a data file."""
    return tuple(ServiceItem.from_author(_toml(source), source.name) for source in _tables("service_items"))


def examples(type_id: str) -> dict[str, Json]:
    """The examples of a type: `valid` documents, and `invalid` changes to the first of them.

    A change is `{why, pointer, keyword, set, remove}`: set and remove top-level members, and the named fault results.
    """
    found: dict[str, Json] = json.loads(_HERE.joinpath("evidence_types", f"{type_id}.examples.json").read_bytes())
    return found


def _tables(folder: str) -> list[Traversable]:
    named = (source for source in _HERE.joinpath(folder).iterdir() if source.name.endswith(".toml"))
    return sorted(named, key=lambda source: source.name)


def _type(source: Traversable) -> EvidenceType:
    schema = source.name.removesuffix(".toml") + ".schema.json"
    written = json.loads(_HERE.joinpath("evidence_types", schema).read_bytes())
    return EvidenceType.from_author(_toml(source), written, source.name)


def _toml(source: Traversable) -> dict[str, Json]:
    return tomllib.loads(source.read_text(encoding="utf-8"))
