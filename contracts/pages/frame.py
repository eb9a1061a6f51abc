"""What is around each page: head, way back, other language, footer. Pure.

1. Nothing is requested from anywhere else, and a policy says so: one style sheet, one script, both of the site.
2. A page works without its script; the script adds the search and today's phase.
"""

from contracts.evidence_types import EvidenceType
from contracts.pages import words
from contracts.pages.markup import Html, join, link, tag
from contracts.pages.shelf import index_path
from contracts.text import LANGUAGES, Text

STYLE, SCRIPT = "site.css", "site.js"
GENERATOR = "oncegate contracts docs"
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"

_SKIP = Text("跳到正文", "Skip to the content")
_MADE = Text("由 {by} 生成, 请勿手工修改。", "Made by {by}; not to be changed by hand.")


def page(path: str, language: str, title: str, *body: str) -> bytes:
    """The file of the page at `path`."""
    parts = (
        tag("header", tag("nav", _home(path, language), _other(path, language))),
        tag("main", *body, id="content"),
        tag("footer", tag("p", _MADE.fill(by=GENERATOR).pick(language))),
    )
    skip = tag("a", _SKIP.pick(language), href="#content", class_="skip")
    return document(path, language, title, skip, *parts)


def document(path: str, language: str, title: str, *body: str) -> bytes:
    """A whole HTML document around `body`."""
    up = "../" * path.count("/")
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href=up + STYLE),
        tag("script", src=up + SCRIPT, defer=True),
    )
    whole = tag("html", tag("head", join(head, "\n")), tag("body", join(body, "\n")), lang=language)
    return f"<!doctype html>\n{whole}\n".encode()


def phase(one: EvidenceType) -> Html:
    """A place for the type's phase, which the script says for the day of reading: a page is read long after it is made.

    Without the script the page's days tell.
    """
    return tag(
        "span",
        class_="phase",
        hidden=True,
        data_days=" ".join(day or "-" for day in (one.in_force, one.deprecated_on, one.sunset_on)),
        data_offset=one.utc_offset,
    )


def phase_words(language: str) -> Html:
    """What the script writes into the places of `phase`."""
    return tag("template", id="phases", **{f"data_{name}": text.pick(language) for name, text in words.PHASES.items()})


def both(name: Text, language: str) -> Html:
    """A name, and beside it the same in the other language."""
    other = other_language(language)
    return join((name.pick(language), tag("span", name.pick(other), lang=other, class_="other")), " ")


def other_language(language: str) -> str:
    return next(one for one in LANGUAGES if one != language)


def _home(path: str, language: str) -> Html:
    return link(path, index_path(language), words.SITE.pick(language))


def _other(path: str, language: str) -> Html:
    other = other_language(language)
    there = other + path.removeprefix(language)
    return link(path, there, words.LANGUAGE_NAMES[other], lang=other, hreflang=other, rel="alternate", class_="switch")
