"""A directory of types and items as their authors keep it, in the form of the shipped catalogue:

    evidence-types/ID.toml, ID.schema.json, ID.examples.json        (or evidence_types/)
    service-items/ID.toml                                           (or service_items/)

1. A mistake names the file and, as far as it can be found, the line.
2. Each file is judged by itself (`judged`), so that an author sees all mistakes at once; `read_types` and `read_items`
   are for programs and raise the first one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from contracts.edge.authoring.json_lines import line_of, line_of_mistake
from contracts.edge.config import read_toml
from contracts.edge.toml_lines import line_numbers
from contracts.edge.toml_lines import line_of as toml_line_of
from contracts.encoding import Json, parse_object
from contracts.errors import Fault, UserError
from contracts.evidence_types import EvidenceType
from contracts.service_items import ServiceItem
from contracts.text import Text

T = TypeVar("T")
TYPE_FOLDERS = ("evidence-types", "evidence_types")
ITEM_FOLDERS = ("service-items", "service_items")

_NO_SCHEMA = Text("缺少 JSON Schema 文件", "The JSON Schema file is missing")
_BESIDE = Text("请放在该 TOML 文件旁。", "Put it beside the TOML file.")
_CORRECT = Text("请改正该文件。", "Correct the file.")


@dataclass(frozen=True, slots=True)
class Authored:
    """What a directory holds: types and items by their file, and the mistakes of the files that hold none."""

    types: Mapping[Path, EvidenceType]
    items: Mapping[Path, ServiceItem]
    mistakes: Sequence[UserError] = field(default=())


def type_files(directory: Path) -> list[Path]:
    """The TOML files of types, by name."""
    return _toml_files(directory, TYPE_FOLDERS)


def item_files(directory: Path) -> list[Path]:
    """The TOML files of service items, by name."""
    return _toml_files(directory, ITEM_FOLDERS)


def _toml_files(directory: Path, folders: Sequence[str]) -> list[Path]:
    return [path for folder in folders for path in sorted((directory / folder).glob("*.toml"))]


def schema_file(path: Path) -> Path:
    """The schema beside a type's TOML file."""
    return path.with_name(path.stem + ".schema.json")


def examples_file(path: Path) -> Path:
    """The examples beside a type's TOML file."""
    return path.with_name(path.stem + ".examples.json")


def read_types(directory: Path) -> Iterator[EvidenceType]:
    """All types; raises `UserError` at the first mistake."""
    return map(read_type, type_files(directory))


def read_items(directory: Path) -> Iterator[ServiceItem]:
    """All items; raises `UserError` at the first mistake."""
    return map(read_item, item_files(directory))


def judged(directory: Path) -> Authored:
    """All files, each judged by itself."""
    mistakes: list[UserError] = []
    types = _each(type_files(directory), read_type, mistakes)
    items = _each(item_files(directory), read_item, mistakes)
    return Authored(types, items, mistakes)


def _each(paths: Sequence[Path], read: Callable[[Path], T], mistakes: list[UserError]) -> dict[Path, T]:
    found: dict[Path, T] = {}
    for path in paths:
        try:
            found[path] = read(path)
        except UserError as error:
            mistakes.append(error)
    return found


def read_type(path: Path) -> EvidenceType:
    """The type of a TOML file and the schema beside it; raises `UserError` with file and line."""
    table = read_toml(path).plain()
    schema = read_json(schema_file(path), _NO_SCHEMA)
    try:
        return EvidenceType.from_author(table, schema, str(path))
    except UserError as error:
        raise _at_its_line(error, path) from None


def read_item(path: Path) -> ServiceItem:
    """The item of a TOML file; raises `UserError` with file and line."""
    try:
        return ServiceItem.from_author(read_toml(path).plain(), str(path))
    except UserError as error:
        raise _at_its_line(error, path) from None


def read_json(path: Path, missing: Text) -> dict[str, Json]:
    """A strict JSON object; raises `UserError`, with the line where the text itself is wrong."""
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(missing, str(path), _BESIDE) from None
    try:
        return parse_object(data)
    except Fault as fault:
        line = line_of_mistake(data.decode("utf-8", "replace"))
        file = str(path) if line is None else f"{path}:{line}"
        where = " ".join(part for part in (file, fault.pointer, fault.detail) if part)
        raise UserError(fault.row.title, where, _CORRECT) from None


def _at_its_line(error: UserError, path: Path) -> UserError:
    """`file: a.b.c` becomes `file:12: a.b.c`; a place in the schema, that file and its line."""
    file, _, dotted = error.where.partition(": ")
    if file != str(path) or not dotted:
        return error
    steps = dotted.split(".")
    if steps[0] == "schema":
        schema = schema_file(path)
        line, where = line_of(schema.read_text("utf-8"), steps[1:]), str(schema)
    else:
        place = tuple(int(step) if step.isdigit() else step for step in steps)
        line, where = toml_line_of(line_numbers(path.read_text("utf-8")), place), str(path)
    return UserError(error.what, f"{where}:{line or 1}: {dotted}", error.remedy)
