"""Where a member of a JSON text stands. The parser does not say; a mistake is found faster with its line.

Only a hint for error messages: member names are looked for one after the other, each behind the one around it.
"""

import json
from collections.abc import Sequence


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
