"""Everything that is wrong with a directory of types and items, for their authors. Reads; changes nothing.

1. Each file by itself: form, schema, labels. The schema is also held against the official metaschema with `jsonschema`,
   which explains a mistake of JSON Schema better than our rules do; a schema that our rules refuse is not told twice.
2. The examples of each type: valid ones are valid, and each invalid one has exactly the fault that it names.
3. Each service item against the types: those of the directory and the shipped ones.
4. Each type against its former forms (`history`): what its compatibility mode promises.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from contracts import catalogue
from contracts.documents import check as check_document
from contracts.edge.authoring import history
from contracts.edge.authoring.files import Authored, examples_file, judged, read_json, schema_file, type_files
from contracts.edge.authoring.json_lines import line_of
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.evidence_types import EvidenceType
from contracts.service_items import unknown_references
from contracts.text import Text

MIN_VALID, MIN_INVALID = 1, 2

_NO_EXAMPLES = Text("缺少示例文件", "The examples are missing")
_FEW = Text(
    f"示例太少: 至少 {MIN_VALID} 个有效、{MIN_INVALID} 个无效",
    f"Too few examples: at least {MIN_VALID} valid and {MIN_INVALID} invalid ones",
)
_NO_FORM = Text("示例文件的形式不对: {which}", "The examples are not of the right form: {which}")
_FORM = Text(
    "valid 是文档(对象)的列表; invalid 是对象的列表, 含 why、set(对象)、remove(字段名列表)、pointer、keyword。",
    "valid is a list of documents (objects); invalid a list of objects with why, set (an object), remove (a list of "
    "names), pointer and keyword.",
)
_ADD = Text("请补充示例。", "Add some.")
_NOT_VALID = Text("第 {n} 个有效示例不合规定: {why}", "Valid example {n} is not valid: {why}")
_CORRECT = Text("请改正示例或 Schema。", "Correct the example or the schema.")
_OTHER_FAULTS = Text(
    "无效示例“{why}”应恰有 {wanted} 一处不合规定, 实际: {found}",
    "Invalid example “{why}” should have exactly the fault {wanted}; it has: {found}",
)
_NO_FAULT = Text("没有", "none")
_METASCHEMA = Text("不是有效的 JSON Schema 2020-12: {why}", "Not a valid JSON Schema 2020-12: {why}")
_SEE_PLACE = Text("请改正该处。", "Correct it there.")
_NEW_VERSION = Text("请改用新的版本号 version, 或撤回改动。", "Give it a new version number, or take the change back.")


@dataclass(frozen=True, slots=True)
class Report:
    """What was read, and every mistake found."""

    authored: Authored
    mistakes: tuple[UserError, ...]


def check(directory: Path) -> Report:
    """Judge all files of `directory`; raises `UserError` only for a damaged history."""
    authored = judged(directory)
    mistakes = [
        *authored.mistakes,
        *_metaschema(directory, [one.where for one in authored.mistakes]),
        *(mistake for path, one in authored.types.items() for mistake in _examples(path, one)),
        *_references(authored),
        *_history(directory, authored.types),
    ]
    return Report(authored, tuple(mistakes))


def _metaschema(directory: Path, told: Sequence[str]) -> Iterator[UserError]:
    """Rule 1, with `jsonschema`."""
    validator = import_module("jsonschema").Draft202012Validator
    best_match = import_module("jsonschema.exceptions").best_match
    for path in map(schema_file, type_files(directory)):
        if any(where.startswith(str(path)) for where in told):
            continue
        try:
            schema = read_json(path, Text("", ""))
        except UserError:
            continue  # said already
        error = best_match(validator(validator.META_SCHEMA).iter_errors(schema))
        if error is not None:
            steps = [str(step) for step in error.absolute_path]
            where = f"{path}:{line_of(path.read_text('utf-8'), steps) or 1}: {'.'.join(steps)}"
            yield UserError(_METASCHEMA.fill(why=error.message), where, _SEE_PLACE)


def _examples(path: Path, one: EvidenceType) -> Iterator[UserError]:
    """Rule 2."""
    file = examples_file(path)
    try:
        told = read_json(file, _NO_EXAMPLES)
    except UserError as error:
        yield error
        return
    odd = _odd(told)
    if odd:
        yield UserError(_NO_FORM.fill(which=odd), str(file), _FORM)
        return
    valid, invalid = told.get("valid", []), told.get("invalid", [])
    if len(valid) < MIN_VALID or len(invalid) < MIN_INVALID:
        yield UserError(_FEW, str(file), _ADD)
    for number, document in enumerate(valid, 1):
        for fault in check_document(one, document)[:1]:
            yield UserError(_NOT_VALID.fill(n=number, why=fault.words), str(file), _CORRECT)
    if valid:
        yield from (mistake for case in invalid for mistake in _invalid(file, one, valid[0], case))


def _odd(told: Mapping[str, Json]) -> str:
    """The first part of the examples that is not of their form, "" if all is."""
    for key in ("valid", "invalid"):
        listed = told.get(key, [])
        if not isinstance(listed, list):
            return key
        for number, one in enumerate(listed, 1):
            if not isinstance(one, Mapping):
                return f"{key} {number}"
            if key == "invalid":
                wrong = [name for name, good in _CASE.items() if name in one and not good(one[name])]
                if wrong:
                    return f"{key} {number} {wrong[0]}"
    return ""


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


_CASE: Mapping[str, Callable[[Json], bool]] = {
    "why": _is_text,
    "pointer": _is_text,
    "keyword": _is_text,
    "set": lambda value: isinstance(value, Mapping),
    "remove": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}


def _invalid(file: Path, one: EvidenceType, first: Mapping[str, Json], case: Mapping[str, Json]) -> Iterator[UserError]:
    changed = {**first, **case.get("set", {})}
    document = {name: value for name, value in changed.items() if name not in case.get("remove", ())}
    found = [f"{fault.pointer} {fault.keyword}" for fault in check_document(one, document)]
    wanted = f"{case.get('pointer', '')} {case.get('keyword', '')}"
    if found != [wanted]:
        why = _OTHER_FAULTS.fill(why=case.get("why", "?"), wanted=wanted, found="; ".join(found) or _NO_FAULT)
        yield UserError(why, str(file), _CORRECT)


def _references(authored: Authored) -> Iterator[UserError]:
    """Rule 3."""
    known = (*catalogue.evidence_types(), *authored.types.values())
    types = {(one.id, one.version): one for one in known}
    for path, item in authored.items.items():
        yield from (UserError(words, str(path), _SEE_PLACE) for words in unknown_references(item, types))


def _history(directory: Path, types: Mapping[Path, EvidenceType]) -> Iterator[UserError]:
    """Rule 4."""
    past = history.read(directory)
    for path, one in types.items():
        yield from (UserError(words, str(path), _NEW_VERSION) for words in history.breaks(past, (one,)))
