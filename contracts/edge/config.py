"""Configuration files: TOML, read with types, every mistake told as what, where and remedy.

1. A `Section` is one table that knows where it stands: file, dotted path, line.
2. A getter without `default` demands the key. A wrong type or a value out of bounds is refused, never bent.
3. A key that nobody asked for is a mistake (`done`): a misspelt option must not fall back to its default in silence.
4. Relative paths are relative to the file that names them, not to where the program was started.
5. An instant has an offset: RFC 3339, quoted or bare.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from contracts.edge import system_errors
from contracts.edge.toml_lines import Place, line_numbers, line_of
from contracts.errors import UserError
from contracts.text import Text

D = TypeVar("D")
T = TypeVar("T")

_REQUIRED: Any = object()
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_KINDS: Mapping[str, Text] = {
    "text": Text("应为文本(带引号)", "must be a text in quotes"),
    "integer": Text("应为整数", "must be a whole number"),
    "number": Text("应为数字", "must be a number"),
    "flag": Text("应为 true 或 false", "must be true or false"),
    "texts": Text('应为文本列表,如 ["a", "b"]', 'must be a list of texts, like ["a", "b"]'),
    "table": Text("应为表,如 [{name}]", "must be a table, like [{name}]"),
    "tables": Text("应为表数组,如 [[{name}]]", "must be an array of tables, like [[{name}]]"),
    "instant": Text(
        "应为带时区的时间,如 2026-01-31T08:00:00+08:00",
        "must be a time with its offset, like 2026-01-31T08:00:00+08:00",
    ),
}
_MISSING = Text("缺少配置项 {name}", "{name} is missing")
_ADD = Text("请在该处加上此项。", "Add it there.")
_CORRECT = Text("请改正该值。", "Correct the value.")
_UNKNOWN = Text("未知配置项 {name}", "{name} is not an option here")
_DID_YOU_MEAN = Text("是否想写 {close}?", "Did you mean {close}?")
_REMOVE = Text("请删除,或核对拼写;可用:{known}", "Remove it or check the spelling; known here: {known}.")
_NOT_OFFERED = Text("{name} 不能是 {value}", "{name} cannot be {value}")
_OFFERED = Text("可选:{options}", "One of: {options}.")
_BOUNDS = Text("{name} 超出范围", "{name} is out of bounds")
_ALLOWED = Text("允许 {low} 到 {high}", "Allowed: {low} to {high}.")
_EMPTY = Text("{name} 不能为空", "{name} must not be empty")
_NO_FILE = Text("找不到配置文件", "There is no such configuration file")
_UNREADABLE = Text("无法读取配置文件:{why}", "The configuration file cannot be read: {why}")
_SYNTAX = Text("TOML 语法错误:{why}", "Not valid TOML: {why}")


@dataclass(frozen=True, slots=True)
class Section:
    """One TOML table. Getters raise `UserError`; call `done` on the outermost one when everything is read."""

    file: Path
    place: Place
    table: Mapping[str, Any]
    _lines: Mapping[Place, int] = field(repr=False)
    _asked: set[str] = field(default_factory=set, repr=False)
    _children: "list[Section]" = field(default_factory=list, repr=False)
    _paths: list[Path] = field(default_factory=list, repr=False)

    def text(self, name: str, default: D = _REQUIRED) -> str | D:
        """A text, not empty."""
        return self._get(name, "text", _is_text, default, self._not_empty)

    def integer(self, name: str, default: D = _REQUIRED, low: int | None = None, high: int | None = None) -> int | D:
        """A whole number from `low` to `high`, both included."""
        return self._get(name, "integer", _is_integer, default, lambda n, v: self._within(n, v, low, high))

    def number(
        self, name: str, default: D = _REQUIRED, low: float | None = None, high: float | None = None
    ) -> float | D:
        """A number, whole or not, from `low` to `high`, both included."""
        return self._get(name, "number", _is_number, default, lambda n, v: self._within(n, float(v), low, high))

    def flag(self, name: str, default: D = _REQUIRED) -> bool | D:
        """`true` or `false`."""
        return self._get(name, "flag", _is_flag, default, _as_is)

    def texts(self, name: str, default: D = _REQUIRED) -> tuple[str, ...] | D:
        """A list of texts, perhaps empty."""
        return self._get(name, "texts", _is_texts, default, lambda _, value: tuple(value))

    def choice(self, name: str, options: Iterable[str], default: D = _REQUIRED) -> str | D:
        """One of `options`."""
        return self._get(name, "text", _is_text, default, lambda n, value: self._offered(n, value, tuple(options)))

    def path(self, name: str, default: D = _REQUIRED) -> Path | D:
        """A path, absolute; a relative one starts at the directory of the configuration file, `~` is home."""
        return self._get(name, "text", _is_text, default, lambda n, value: self._name(self._not_empty(n, value)))

    def paths(self, name: str, default: D = _REQUIRED) -> tuple[Path, ...] | D:
        """A list of paths, perhaps empty, each as `path`."""
        return self._get(name, "texts", _is_texts, default, lambda _, values: tuple(map(self._resolve, values)))

    def instant(self, name: str, default: D = _REQUIRED) -> int | D:
        """A time, as Unix milliseconds (RFC 3339; a bare TOML offset date-time is the same)."""
        return self._get(name, "instant", _is_instant, default, lambda _, value: _milliseconds(value))

    def section(self, name: str, default: D = _REQUIRED) -> "Section | D":
        """The table `name`."""
        return self._get(name, "table", _is_table, default, lambda n, value: self._child((n,), value))

    def sections(self, name: str, default: D = _REQUIRED) -> "tuple[Section, ...] | D":
        """The array of tables `name`, in order."""
        return self._get(
            name, "tables", _is_tables, default, lambda n, tables: tuple(map(self._child, _numbered(n, tables), tables))
        )

    def plain(self) -> Mapping[str, Any]:
        """The whole table as it is, all keys taken as known: for tables whose keys are data."""
        self._asked.update(self.table)
        return self.table

    def has(self, name: str) -> bool:
        """Whether the key is there."""
        self._asked.add(name)
        return name in self.table

    def done(self) -> None:
        """Refuse keys that no getter asked for, here and in every table read from here."""
        for name in self.table:
            if name not in self._asked:
                raise self.mistake(_UNKNOWN.fill(name=name), name, self._suggest(name))
        for child in self._children:
            child.done()

    def mistake(self, what: Text, name: str = "", remedy: Text | None = None) -> UserError:
        """The error for a caller's own rule about key `name` (or this table), placed like all others."""
        return UserError(what, self.where(name), remedy or _CORRECT)

    def where(self, name: str = "") -> str:
        """`file:line: dotted.path`, as far as known."""
        place = (*self.place, name) if name else self.place
        line = line_of(self._lines, place)
        file = f"{self.file}:{line}" if line else str(self.file)
        return f"{file}: {_dotted(place)}" if place else file

    def _get(
        self, name: str, kind: str, fits: Callable[[Any], bool], default: D, convert: Callable[[str, Any], T]
    ) -> T | D:
        self._asked.add(name)
        if name not in self.table:
            if default is _REQUIRED:
                raise self.mistake(_MISSING.fill(name=name), name, _ADD)
            return default
        value = self.table[name]
        if not fits(value):
            raise self.mistake(_joined(name, _KINDS[kind]), name)
        return convert(name, value)

    def _not_empty(self, name: str, value: str) -> str:
        if not value.strip():
            raise self.mistake(_EMPTY.fill(name=name), name)
        return value

    def _within(self, name: str, value: Any, low: float | None, high: float | None) -> Any:
        if (low is None or low <= value) and (high is None or value <= high):
            return value
        allowed = _ALLOWED.fill(low="-∞" if low is None else low, high="∞" if high is None else high)
        raise self.mistake(_BOUNDS.fill(name=name), name, allowed)

    def _offered(self, name: str, value: str, options: tuple[str, ...]) -> str:
        if value in options:
            return value
        offered = _OFFERED.fill(options=", ".join(options))
        raise self.mistake(_NOT_OFFERED.fill(name=name, value=repr(value)), name, _closest(value, options) or offered)

    def named(self) -> list[Path]:
        """Every path that `path` gave, here and in every table read from here: what belongs to a configuration."""
        return [*self._paths, *(path for child in self._children for path in child.named())]

    def _name(self, value: str) -> Path:
        path = self._resolve(value)
        self._paths.append(path)
        return path

    def _resolve(self, value: str) -> Path:
        return (self.file.parent / Path(value).expanduser()).absolute()

    def _child(self, steps: Place, table: Mapping[str, Any]) -> "Section":
        child = Section(self.file, self.place + steps, table, self._lines)
        self._children.append(child)
        return child

    def _suggest(self, name: str) -> Text:
        known = sorted(self._asked)
        return _closest(name, known) or _REMOVE.fill(known=", ".join(known) or "-")


def read_toml(path: Path) -> Section:
    """The outermost table of a TOML file (UTF-8); raises `UserError`."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UserError(_NO_FILE, str(path), Text("请核对路径。", "Check the path.")) from None
    except (OSError, UnicodeDecodeError) as error:
        why, remedy = _reading_error(error)
        raise UserError(_UNREADABLE.fill(why=why), str(path), remedy) from None
    return parse_toml(text, path)


def _reading_error(error: OSError | UnicodeDecodeError) -> tuple[Text, Text]:
    if isinstance(error, OSError):
        return system_errors.why(error), system_errors.remedy(error)
    return Text("不是 UTF-8 文本", "not UTF-8"), Text("请将该文件存为 UTF-8。", "Save the file as UTF-8.")


def parse_toml(text: str, path: Path) -> Section:
    """As `read_toml`, for a text already read; `path` is only where it came from."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), path) from None
    return Section(path, (), table, line_numbers(text))


def _syntax_error(message: str, path: Path) -> UserError:
    why, _, at = message.partition(" (at ")
    line = re.search(r"line (\d+)", at)
    where = f"{path}:{line[1]}" if line else str(path)
    return UserError(_SYNTAX.fill(why=why), where, Text("请改正该行。", "Correct that line."))


def _closest(word: str, words: Iterable[str]) -> Text | None:
    close = difflib.get_close_matches(word, list(words), 1)
    return _DID_YOU_MEAN.fill(close=close[0]) if close else None


def _joined(name: str, kind: Text) -> Text:
    filled = kind.fill(name=name)
    return Text(f"{name} {filled.zh}", f"{name} {filled.en}")


def _dotted(place: Place) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def _numbered(name: str, tables: list[Any]) -> list[Place]:
    return [(name, index) for index in range(len(tables))]


def _as_is(_: str, value: Any) -> Any:
    return value


def _milliseconds(value: str | datetime) -> int:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.upper())
    return round(moment.timestamp() * 1000)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_table, value))


def _is_instant(value: Any) -> bool:
    if isinstance(value, str):
        return _RFC3339.fullmatch(value) is not None and _parses(value)
    return isinstance(value, datetime) and value.tzinfo is not None


def _parses(value: str) -> bool:
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True
