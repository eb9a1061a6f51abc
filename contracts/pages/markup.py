"""Markup from plain values: whatever is not markup already is escaped. Pure.

1. `Html` is text that is markup; only `tag`, `join` and `html` make it. Any other `str` is text and becomes escaped.
2. Links inside the site are relative, so that it works from any folder, also without a server.
"""

from collections.abc import Iterable
from html import escape

_EMPTY = frozenset(("input", "link", "meta"))


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def html(content: str) -> Html:
    """Markup that shows `content`; markup stays as it is."""
    return content if isinstance(content, Html) else Html(escape(content, quote=False))


def join(parts: Iterable[str], between: str = "") -> Html:
    """The parts one after the other."""
    return Html(html(between).join(map(html, parts)))


def tag(name: str, /, *content: str, **attributes: str | bool) -> Html:
    """An element. `class_` and `data_words` give `class` and `data-words`; False leaves an attribute out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not False
    )
    return Html(f"<{name}{written}>" + ("" if name in _EMPTY else f"{join(content)}</{name}>"))


def code(text: str) -> Html:
    """An identifier or a pattern, as it is written in files."""
    return tag("code", text, translate="no")


def terms(rows: Iterable[tuple[str, str]]) -> Html:
    """A list of terms and what they are; rows about nothing ("") are left out."""
    return tag("dl", join(tag("div", tag("dt", term), tag("dd", what)) for term, what in rows if what))


def table(heads: Iterable[str], rows: Iterable[Html], caption: str) -> Html:
    """A table; a row is a `tr` whose cells carry `data-head`, which narrow screens show instead of the head."""
    head = tag("thead", tag("tr", join(tag("th", name, scope="col") for name in heads)))
    return tag("table", tag("caption", caption), head, tag("tbody", join(rows)))


def link(here: str, there: str, text: str, **attributes: str | bool) -> Html:
    """A link from the page at path `here` to the one at path `there`; both count from the site's root."""
    return tag("a", text, href="../" * here.count("/") + there, **attributes)
