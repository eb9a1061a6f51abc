"""JSON for people: what fits stands on one line, the rest is indented; long texts are folded away. Pure."""

import json

from contracts.encoding import Json
from contracts.pages.markup import Html, tag

_WIDTH = 96


def block(value: Json) -> Html:
    """JSON in a box; the keyboard reaches it, to move where its lines are too wide."""
    return tag("pre", tag("code", pretty(value)), tabindex="0", translate="no")


def folded(summary: str, value: Json) -> Html:
    """The same behind a line that opens it."""
    return tag("details", tag("summary", summary), block(value))


def pretty(value: Json, indent: str = "", before: int = 0) -> str:
    """The JSON text; `before`: how much of the first line is taken already."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + before + len(flat) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        lines = [inner + pretty(one, inner) for one in value]
    else:
        heads = {f"{json.dumps(name, ensure_ascii=False)}: ": held for name, held in value.items()}
        lines = [inner + head + pretty(held, inner, len(head)) for head, held in heads.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return "\n".join((opening, ",\n".join(lines), indent + closing))
