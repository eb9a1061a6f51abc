"""Where each key of a TOML text stands. `tomllib` does not say; a mistake is found faster with its line.

Only a hint for error messages: a key inside an inline table has the line of its table, what is not found has none.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

Place = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_numbers(text: str) -> Mapping[Place, int]:
    """Line (from 1) of each key, table header and array element: `("apps", 0, "id")` → 12."""
    found: dict[Place, int] = {}
    tables: dict[Place, int] = {}  # array of tables → index of its last element
    current: Place = ()
    for number, line in _code_lines(text):
        if header := _HEADER.match(line):
            current = _enter(_split(header[2]), header[1] == "[[", tables)
            found.setdefault(current, number)
        elif key := _KEY.match(line):
            path = current + _split(key[1])
            for length in range(len(current) + 1, len(path) + 1):
                found.setdefault(path[:length], number)
    return found


def line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """The line of `place`, or of the nearest thing around it."""
    return next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            yield number, line
        if (line.count('"""') + line.count("'''")) % 2:
            inside = not inside


def _split(key: str) -> tuple[str, ...]:
    try:
        node: object = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return (key,)
    parts: list[str] = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        parts.append(name)
    return tuple(parts)


def _enter(parts: tuple[str, ...], is_element: bool, tables: dict[Place, int]) -> Place:
    place: Place = ()
    for part in parts[:-1]:
        place = (*place, part)
        place = (*place, tables[place]) if place in tables else place
    place = (*place, parts[-1])
    if is_element:
        tables[place] = tables.get(place, -1) + 1
        place = (*place, tables[place])
    return place
