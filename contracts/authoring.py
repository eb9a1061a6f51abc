"""Reading what an author wrote: every mistake becomes one `UserError` with the place and the remedy.

1. A table has known keys only; a typing error is never silently ignored.
2. Every sentence exists in all languages of `contracts.text`.
3. `where` is the file, then the path inside it, as `file: a.b.c`.
"""

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from contracts.encoding import Json
from contracts.errors import Fault, UserError
from contracts.text import LANGUAGES, Text

MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an author's file: the file (or ""), and the path inside it."""

    file: str
    path: tuple[str, ...] = ()

    def at(self, *names: str) -> "Place":
        return Place(self.file, self.path + names)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, ".".join(self.path)) if part)


def mistake(place: Place, what: tuple[str, str], remedy: tuple[str, str]) -> NoReturn:
    """Raise the `UserError`; `what` and `remedy` are (zh-CN, en)."""
    raise UserError(Text(*what), str(place), Text(*remedy))


def known_keys(table: Mapping[str, Json], allowed: Collection[str], place: Place) -> None:
    """Refuse keys that nobody reads; the mistake stands at the key, and names the nearest known one."""
    for key in table:
        if key not in allowed:
            choices = ", ".join(sorted(allowed))
            near = get_close_matches(key, allowed, 1)
            meant = (f"是否想写 {near[0]}? ", f"did you mean {near[0]}? ") if near else ("", "")
            mistake(
                place.at(key),
                (f"未知的键 {key}", f"unknown key {key}"),
                (f"{meant[0]}可用的键: {choices}", f"{meant[1]}known keys: {choices}"),
            )


def table_at(table: Mapping[str, Json], key: str, place: Place) -> Mapping[str, Json]:
    """The sub-table at `key`."""
    value = table.get(key)
    if isinstance(value, Mapping):
        return value
    mistake(place.at(key), ("缺少该表", "this table is missing"), (f"请写 [{key}]", f"write [{key}]"))


def text_at(table: Mapping[str, Json], key: str, place: Place) -> Text:
    """A sentence in every language: `{ zh-CN = "…", en = "…" }`."""
    value = table.get(key)
    inner = place.at(key)
    example = f'{key} = {{ zh-CN = "…", en = "…" }}'
    if not isinstance(value, Mapping):
        mistake(inner, ("缺少中英文文字", "the text is missing"), (f"请写 {example}", f"write {example}"))
    known_keys(value, LANGUAGES, inner)
    for language in LANGUAGES:
        sentence = value.get(language)
        if not isinstance(sentence, str) or not sentence.strip() or len(sentence) > MAX_TEXT:
            mistake(
                inner.at(language),
                (
                    f"缺少 {language} 文字, 或超过 {MAX_TEXT} 字",
                    f"no {language} text, or more than {MAX_TEXT} characters",
                ),
                (f"请写 {example}", f"write {example}"),
            )
    return Text(value["zh-CN"], value["en"])


def string_at(table: Mapping[str, Json], key: str, place: Place, accept: Callable[[str], object], example: str) -> str:
    """A string that `accept` finds good; `example` shows one."""
    value = table.get(key)
    if isinstance(value, str) and accept(value):
        return value
    mistake(
        place.at(key),
        ("缺少或不合规定", "missing, or not of the right form"),
        (f'例如 {key} = "{example}"', f'for example {key} = "{example}"'),
    )


def choice_at(table: Mapping[str, Json], key: str, place: Place, choices: Collection[str]) -> str:
    """One of `choices`."""
    value = table.get(key)
    if isinstance(value, str) and value in choices:
        return value
    listed = ", ".join(choices)
    mistake(
        place.at(key),
        ("缺少或不在可选值之内", "missing, or not one of the choices"),
        (f"可选值: {listed}", f"choices: {listed}"),
    )


def strings_at(table: Mapping[str, Json], key: str, place: Place) -> tuple[str, ...]:
    """A list of different strings; absent means none."""
    value = table.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value) and len(set(value)) == len(value):
        return tuple(value)
    mistake(
        place.at(key),
        ("应为不重复的字符串列表", "a list of different strings is expected"),
        (f'例如 {key} = ["a", "b"]', f'for example {key} = ["a", "b"]'),
    )


def positive_at(table: Mapping[str, Json], key: str, place: Place) -> int:
    """A whole number from 1."""
    value = table.get(key)
    if type(value) is int and value >= 1:
        return value
    mistake(
        place.at(key),
        ("应为正整数", "a whole number from 1 is expected"),
        (f"例如 {key} = 1", f"for example {key} = 1"),
    )


def flag_at(table: Mapping[str, Json], key: str, place: Place) -> bool:
    """True or false; absent means false."""
    value = table.get(key, False)
    if isinstance(value, bool):
        return value
    mistake(
        place.at(key),
        ("应为 true 或 false", "true or false is expected"),
        (f"例如 {key} = true", f"for example {key} = true"),
    )


def date_at(table: Mapping[str, Json], key: str, place: Place) -> str:
    """A date, as TOML date or ISO 8601 text; returned as `YYYY-MM-DD`."""
    value = table.get(key)
    if type(value) is datetime.date:
        return value.isoformat()
    try:
        if isinstance(value, str) and len(value) == 10:
            return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    mistake(
        place.at(key),
        ("应为日期", "a date is expected"),
        (f"例如 {key} = 2024-01-01", f"for example {key} = 2024-01-01"),
    )


def refused(code: str, error: UserError) -> Fault:
    """The same mistake inside something received: a `Fault` with `code`."""
    return Fault(code, detail=f"{error.where}: {error.what.en}")
