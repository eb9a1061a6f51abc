"""The mapping as a department writes it: a TOML table becomes prepared rules. Pure.

1. `key`: the columns that name a record for life. `source_time` (optional): when the source last changed the row.
2. `status`, `[validity]` (`from`, `until`), `[[holders]]`, and `[fields]`: one entry for each own field of the type.
   Optional: `source_status` and `restrictions` (lists of objects, with `members`), and, for types with succession,
   `supersedes`: the columns that hold the key of the record that a row replaces.
3. An entry is a column name, or a table: `column` (or `columns` and `joined`), or `constant`, or `members` for a field
   that is an object or a list of objects.
4. How a cell is read follows from the type's schema (date, integer, list, identifier); `kind` may say it otherwise.
5. Every option is known, every field exists, every required field has an entry: mistakes end in one line.

Options: `kind` (text, half_width, identifier, date, integer, decimal), `codes` (words of the source → values),
`otherwise` (for other words), `empty` (words that mean nothing, such as "无"), `separator` (characters that separate
a list), `times` (10000 for 万元), `forever` (words for an end that never comes).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from adapters.mapping import ABSENT, Cells, ColumnFault, HolderRule, Prepared, Rule
from adapters.values import (
    CellFault,
    clean,
    half_width,
    read_date,
    read_decimal,
    read_instant,
    read_integer,
    read_scaled,
    split,
    strip,
)
from contracts.authoring import Place, choice_at, known_keys, mistake, strings_at, table_at
from contracts.encoding import Json
from contracts.evidence_types import EvidenceType
from contracts.identifiers import FORMATS, normalise
from contracts.life_cycle import STATUSES

Convert = Callable[[str], Json]

_MORE = ("source_status", "restrictions")
_TABLE = ("key", "source_time", "status", "validity", "holders", "fields", "supersedes", *_MORE)
_ENTRY = ("column", "columns", "joined", "constant", "members", "kind", "codes", "otherwise", "empty", "separator")
_OPTIONS = (*_ENTRY, "times", "forever")
_FOREVER = ("长期", "永久", "长期有效", "永久有效", "9999-12-31", "99991231", "9999/12/31", "9999年12月31日")
_SEPARATORS = "、;；,，|"
_NOT_IDENTIFIERS = ("cn.name", "date")
_CHINA = 8
_KINDS: Mapping[str, Convert] = {
    "text": strip,
    "half_width": clean,
    "date": read_date,
    "integer": read_integer,
    "decimal": read_decimal,
}


def prepare(table: Mapping[str, Any], evidence_type: EvidenceType, where: str) -> Prepared:
    """The rules of a mapping table; raises `UserError`. `where` names the file and the table."""
    place = Place(where)
    known_keys(table, _TABLE, place)
    properties = evidence_type.schema["properties"]
    members = {
        "status": _entry(table.get("status"), {"enum": list(STATUSES)}, True, place.at("status")),
        "validity": _validity(table_at(table, "validity", place), place.at("validity")),
    }
    members |= {name: _entry(table[name], properties[name], False, place.at(name)) for name in _MORE if name in table}
    fields = table_at(table, "fields", place)
    known_keys(fields, evidence_type.fields, place.at("fields"))
    for name in evidence_type.fields:
        required = name in evidence_type.schema.get("required", ())
        if name in fields:
            members[name] = _entry(fields[name], properties[name], required, place.at("fields", name))
        elif required:
            mistake(place.at("fields", name), ("缺少必填字段", "a required field is missing"), _write(name))
    return Prepared(
        evidence_type,
        _key(table, place),
        members,
        _holders(table, evidence_type, place),
        _source_time(table["source_time"], place.at("source_time")) if "source_time" in table else None,
        _supersedes(table, evidence_type, place),
    )


def _write(name: str) -> tuple[str, str]:
    return f'请写 {name} = "列名"', f'write {name} = "its column"'


def _key(table: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    columns = strings_at(table, "key", place)
    if not columns:
        mistake(place.at("key"), ("缺少记录主键", "the key of a record is missing"), ('key = ["列名"]', 'key = ["…"]'))
    return columns


def _supersedes(table: Mapping[str, Any], evidence_type: EvidenceType, place: Place) -> tuple[str, ...]:
    columns = strings_at(table, "supersedes", place)
    if columns and (not evidence_type.supersession or len(columns) != len(table["key"])):
        mistake(
            place.at("supersedes"),
            (
                "该类型没有替代关系, 或列数与 key 不同",
                "the type has no succession, or key has another number of columns",
            ),
            ("请删除, 或与 key 逐列对应", "remove it, or name one column for each of key"),
        )
    return columns


def _source_time(spec: Any, place: Place) -> Rule:
    column = _options(spec, place, ("column", "offset_hours"))
    hours = column.get("offset_hours", _CHINA)
    if type(hours) is not int or not -12 <= hours <= 14:
        mistake(place.at("offset_hours"), ("应为 -12 到 14", "-12 to 14"), ("例如 8", "for example 8"))
    return _single(_text(column, "column", place), partial(read_instant, offset=timedelta(hours=hours)), (), True)


# --- validity and holders ----------------------------------------------------------------------------------------


def _validity(table: Mapping[str, Any], place: Place) -> Rule:
    known_keys(table, ("from", "until"), place)
    first = _entry(table.get("from"), {"type": "string", "format": "date"}, True, place.at("from"))
    last = _until(table.get("until"), place.at("until"))

    def read(cells: Cells) -> Json:
        return {"from": first.read(cells), "until": last.read(cells)}

    return Rule((*first.columns, *last.columns), read)


def _until(spec: Any, place: Place) -> Rule:
    options = _options(spec, place, ("column", "constant", "forever"))
    forever = frozenset(map(half_width, options.get("forever", _FOREVER)))
    if options.get("constant") in forever:
        return Rule((), lambda _: None)

    def read(cell: str) -> Json:
        return None if clean(cell) in forever else read_date(cell)

    column = _text(options, "column", place)
    if "" not in forever:
        return _single(column, read, (), True)
    return Rule((column,), lambda cells: _convert(column, read, cells[column]))


def _holders(table: Mapping[str, Any], evidence_type: EvidenceType, place: Place) -> tuple[HolderRule, ...]:
    rows = table.get("holders")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        mistake(place.at("holders"), ("缺少持证主体", "no holders"), ("请写 [[holders]]", "write [[holders]]"))
    return tuple(_holder(row, evidence_type, place.at("holders", str(i))) for i, row in enumerate(rows))


def _holder(row: Mapping[str, Any], evidence_type: EvidenceType, place: Place) -> HolderRule:
    known_keys(row, ("column", "scheme", "separator", "optional", "empty"), place)
    column = _text(row, "column", place)
    separators = row.get("separator", _SEPARATORS)
    optional, empty = row.get("optional", False), _empty(row, place)
    scheme = _scheme(row, evidence_type, place)

    def read(cells: Cells) -> Sequence[tuple[str, str]]:
        parts = [part for part in split(cells[column], separators) if part not in empty]
        if not parts and not optional:
            raise ColumnFault(column, CellFault("row_value_missing"))
        return [(scheme(cells), part) for part in parts]

    return HolderRule(column, read)


def _scheme(row: Mapping[str, Any], evidence_type: EvidenceType, place: Place) -> Callable[[Cells], str]:
    """The scheme of a holder column: a name, or a column with the kind of document, by `codes`."""
    schemes = evidence_type.holder_schemes
    if not isinstance(row.get("scheme"), Mapping):
        name = choice_at(row, "scheme", place, schemes)
        return lambda _: name
    rule = _entry(row["scheme"], {"enum": list(schemes)}, True, place.at("scheme"))
    return lambda cells: str(rule.read(cells))


# --- entries -----------------------------------------------------------------------------------------------------


def _entry(spec: Any, schema: Mapping[str, Json], required: bool, place: Place) -> Rule:
    options = _options(spec, place, _OPTIONS)
    if "constant" in options:
        value = options["constant"]
        return Rule((), lambda _: value)
    if "members" in options:
        return _members(options, schema, required, place)
    empty = _empty(options, place)
    convert = _converter(options, schema, place)
    if "columns" in options:
        return _joined(strings_at(options, "columns", place), options.get("joined", ""), convert, required)
    return _single(_text(options, "column", place), convert, empty, required)


def _single(column: str, convert: Convert, empty: Sequence[str], required: bool) -> Rule:
    def read(cells: Cells) -> Json:
        cell = strip(cells[column])
        if cell and cell not in empty:
            return _convert(column, convert, cell)
        if required:
            raise ColumnFault(column, CellFault("row_value_missing"))
        return ABSENT

    return Rule((column,), read)


def _convert(column: str, convert: Convert, cell: str) -> Json:
    try:
        return convert(cell)
    except CellFault as fault:
        raise ColumnFault(column, fault) from None


def _joined(columns: tuple[str, ...], joiner: str, convert: Convert, required: bool) -> Rule:
    def read(cells: Cells) -> Json:
        parts = [part for part in (strip(cells[column]) for column in columns) if part]
        if parts:
            return _convert(columns[0], convert, joiner.join(parts))
        if required:
            raise ColumnFault(columns[0], CellFault("row_value_missing"))
        return ABSENT

    return Rule(columns, read)


def _members(options: Mapping[str, Any], schema: Mapping[str, Json], required: bool, place: Place) -> Rule:
    """An object from several columns, or a list of objects from columns that hold lists of equal length."""
    inner = schema["items"] if schema.get("type") == "array" else schema
    specs = table_at(options, "members", place)
    known_keys(specs, inner.get("properties", {}), place.at("members"))
    needed = inner.get("required", ())
    rules = {
        name: _entry(spec, inner["properties"][name], name in needed, place.at("members", name))
        for name, spec in specs.items()
    }
    columns = tuple(dict.fromkeys(column for rule in rules.values() for column in rule.columns))
    if not columns:
        mistake(place.at("members"), ("缺少列", "no column is named"), _write("…"))
    read = _object if schema.get("type") != "array" else partial(_objects, options.get("separator", _SEPARATORS))
    return Rule(columns, _optional(columns, partial(read, rules, columns), required))


def _optional(columns: tuple[str, ...], read: Callable[[Cells], Json], required: bool) -> Callable[[Cells], Json]:
    def read_or_absent(cells: Cells) -> Json:
        if any(strip(cells[column]) for column in columns):
            return read(cells)
        if required:
            raise ColumnFault(columns[0], CellFault("row_value_missing"))
        return ABSENT

    return read_or_absent


def _object(rules: Mapping[str, Rule], _: tuple[str, ...], cells: Cells) -> Json:
    values = ((name, rule.read(cells)) for name, rule in rules.items())
    return {name: value for name, value in values if value is not ABSENT}


def _objects(separators: str, rules: Mapping[str, Rule], columns: tuple[str, ...], cells: Cells) -> Json:
    parts = {column: _positions(cells[column], separators) for column in columns}
    count = len(parts[columns[0]])
    for column in columns:
        if len(parts[column]) != count:
            raise ColumnFault(column, CellFault("row_list_invalid"))
    return [_object(rules, columns, {name: parts[name][index] for name in columns}) for index in range(count)]


def _positions(cell: str, separators: str) -> list[str]:
    """As `split`, but empty parts keep their place."""
    for other in separators[1:]:
        cell = cell.replace(other, separators[0])
    return [strip(part) for part in strip(cell).split(separators[0])]


def _converter(options: Mapping[str, Any], schema: Mapping[str, Json], place: Place) -> Convert:
    """How a cell is read (rule 4)."""
    if schema.get("type") == "array":
        item = _converter({key: value for key, value in options.items() if key != "kind"}, schema["items"], place)
        separators = options.get("separator", _SEPARATORS)
        return lambda cell: [item(part) for part in split(cell, separators)]
    if "codes" in options:
        return _coded(table_at(options, "codes", place), options, schema, place)
    if "times" in options:
        return _scaled(options["times"], place)
    if options.get("kind") == "identifier":
        return partial(normalise, schema.get("format", ""))
    if "kind" not in options:
        return _by_schema(schema, place)
    return _KINDS[choice_at(options, "kind", place, (*_KINDS, "identifier"))]


def _by_schema(schema: Mapping[str, Json], place: Place) -> Convert:
    kind, format_name = schema.get("type"), schema.get("format", "")
    if kind == "boolean":
        mistake(
            place, ("布尔字段需要 codes", "a yes-or-no field needs codes"), ("codes = { 是 = true, 否 = false }",) * 2
        )
    if kind == "object":
        mistake(place, ("对象字段需要 members", "an object field needs members"), ('members = { … = "列名" }',) * 2)
    if kind == "integer":
        return read_integer
    if format_name in FORMATS and format_name not in _NOT_IDENTIFIERS:
        return partial(normalise, format_name)
    return read_date if format_name == "date" else strip


def _scaled(times: Any, place: Place) -> Convert:
    if type(times) is not int or times < 1:
        mistake(place.at("times"), ("应为正整数", "a whole number from 1"), ("例如 times = 10000",) * 2)
    return partial(read_scaled, times=times)


def _coded(codes: Mapping[str, Any], options: Mapping[str, Any], schema: Mapping[str, Json], place: Place) -> Convert:
    allowed = schema.get("enum")
    known = {clean(word): value for word, value in codes.items()}
    values = [*known.values(), *([options["otherwise"]] if "otherwise" in options else [])]
    for value in values:
        if allowed is not None and value not in allowed:
            listed = ", ".join(map(str, allowed))
            mistake(place.at("codes"), ("值不在可选范围内", "not a value of this field"), (f"可选值: {listed}", listed))
    otherwise = options.get("otherwise", ABSENT)

    def read(cell: str) -> Json:
        value = known.get(clean(cell), otherwise)
        if value is ABSENT:
            raise CellFault("row_code_unknown")
        return value

    return read


# --- reading options -----------------------------------------------------------------------------------------------


def _options(spec: Any, place: Place, allowed: Sequence[str]) -> Mapping[str, Any]:
    if isinstance(spec, str):
        return {"column": spec}
    if not isinstance(spec, Mapping):
        mistake(
            place, ("缺少, 或应为列名或表", "missing, or neither a column name nor a table"), _write(place.path[-1])
        )
    known_keys(spec, allowed, place)
    return spec


def _text(options: Mapping[str, Any], name: str, place: Place) -> str:
    value = options.get(name)
    if not isinstance(value, str) or not value:
        mistake(place.at(name), ("缺少列名", "the column name is missing"), (f'{name} = "列名"',) * 2)
    return value


def _empty(options: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    return strings_at(options, "empty", place)
