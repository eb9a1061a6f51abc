"""Where a member of a JSON text stands. The parser does not say; a mistake is found faster with its line.

Only a hint for error messages: member names are looked for one after the other, each behind the one around it.
"""

import json
import re
from collections.abc import Sequence

_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}]')


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line (from 1) of the member at `path`, or of the nearest around it; None if not even the first is there."""
    at, found = 0, None
    for name in path:
        if name.isdigit():  # an array element: the lines around it are near enough
            continue
        next_at = text.find(json.dumps(name, ensure_ascii=False), at)
        if next_at < 0:
            break
        at, found = next_at + 1, next_at
    return None if found is None else text.count("\n", 0, found) + 1


def line_of_mistake(text: str) -> int | None:
    """The line (from 1) where a text stops being strict JSON: its syntax error, or the second member of one name."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno
    except (ValueError, RecursionError):
        return None
    at = _second_of_a_name(text)
    return None if at is None else text.count("\n", 0, at) + 1


def _second_of_a_name(text: str) -> int | None:
    """The offset of the first member, in a syntactically good text, whose name its object has already."""
    objects: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[2]:
            name = json.loads(token[1])
            if name in objects[-1]:
                return token.start()
            objects[-1].add(name)
    return None
