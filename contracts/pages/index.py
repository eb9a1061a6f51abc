"""The list of everything in one language, with its search; and the first page, where a language is chosen. Pure.

1. Each entry carries what it can be found by: `data-shown` (what the entry shows anyway) and `data-words`, a phrase a
   line, of which the script shows those that matched. Both languages are in it: people paste what they have.
2. A type is found by its id, names, department, field labels, and the papers that it replaces; an item by its id,
   codes, names, papers, the types that it needs and the labels of their fields.
"""

from collections.abc import Iterable, Iterator

from contracts.evidence_types import SHARING, EvidenceType
from contracts.pages import words
from contracts.pages.frame import both, document, page, phase, phase_words
from contracts.pages.markup import Html, code, join, link, tag
from contracts.pages.shelf import Shelf, index_path, item_path, label, type_path
from contracts.service_items import ServiceItem
from contracts.text import LANGUAGES, Text

_ABOUT = Text(
    "每种证照的数据约定, 以及每个事项需要哪些证照、替代哪些纸质材料。",
    "The contract of each kind of certificate or licence, and which of them each service needs instead of which paper.",
)
_SEARCH = Text("搜索", "Search")
_HINT = Text(
    "标识、名称、部门、字段、纸质材料;按 / 开始, ↓ 进入结果, Esc 清除",
    "Ids, names, departments, fields, papers. Press / to begin, ↓ for the results, Esc to clear",
)
_FOUND = Text("找到 {n} 项", "{n} found")
_NONE = Text("没有找到。", "Nothing found.")
_VERSION = Text("版本", "version")
_PROOFS = Text("{n} 项证明", "{n} proofs")
_PROOF = Text("1 项证明", "1 proof")
_START = "index.html"


def index_page(shelf: Shelf, language: str) -> tuple[str, bytes]:
    """The page's path and bytes."""
    here = index_path(language)
    title = words.SITE.pick(language)
    types = [_type(shelf, one, here, language) for one in shelf.types]
    items = [_item(shelf, item, here, language) for item in shelf.items]
    body = (
        tag("h1", title),
        tag("p", _ABOUT.pick(language), class_="lead"),
        phase_words(language),
        _search(language),
        _list("types", words.TYPES, types, language),
        _list("items", words.ITEMS, items, language),
        tag("p", _NONE.pick(language), id="nothing", hidden=True),
    )
    return here, page(here, language, title, *body)


def start_page(shelf: Shelf) -> tuple[str, bytes]:
    """The first page: a choice, so that nobody's language is guessed."""
    counted = Text(
        f"{len(shelf.types)} 种证照, {len(shelf.items)} 个事项",
        f"{len(shelf.types)} evidence types, {len(shelf.items)} service items",
    )
    choices = (
        tag(
            "li",
            tag("h2", link(_START, index_path(language), words.LANGUAGE_NAMES[language], hreflang=language)),
            tag("p", words.SITE.pick(language)),
            tag("p", counted.pick(language)),
            lang=language,
        )
        for language in LANGUAGES
    )
    title = " · ".join((words.SITE.zh, words.SITE.en))
    heading = tag("h1", words.SITE.zh, tag("span", words.SITE.en, lang="en", class_="other"))
    body = tag("main", heading, tag("ul", join(choices), class_="cards"), id="content")
    return _START, document(_START, LANGUAGES[0], title, body)


def _search(language: str) -> Html:
    """Hidden until the script, which alone can search, shows it."""
    box = tag("input", type="search", id="search", autocomplete="off", spellcheck="false", aria_describedby="hint")
    return tag(
        "div",
        tag("label", _SEARCH.pick(language), for_="search"),
        box,
        tag("p", _HINT.pick(language), id="hint"),
        tag("p", role="status", id="found", data_found=_FOUND.pick(language)),
        role="search",
        id="searching",
        hidden=True,
    )


def _list(name: str, title: Text, cards: list[Html], language: str) -> Html:
    if not cards:
        return Html()
    head = tag("h2", title.pick(language), " ", tag("span", str(len(cards)), class_="count"), id=name)
    return tag("section", head, tag("ul", join(cards, "\n"), class_="cards"))


def _card(name: Html, phase_place: Html, lines: Iterable[str], shown: Iterable[str], phrases: Iterable[str]) -> Html:
    return tag(
        "li",
        tag("h3", name, " ", phase_place),
        join(tag("p", line) for line in lines),
        tag("p", class_="why", hidden=True),
        data_shown="\n".join(shown),
        data_words="\n".join(dict.fromkeys(phrases)),
    )


def _type(shelf: Shelf, one: EvidenceType, here: str, language: str) -> Html:
    version = f"{_VERSION.pick(language)} {one.version}"
    lines = (
        join((code(one.id), version), " · "),
        join((one.department.pick(language), SHARING[one.sharing].pick(language)), " · "),
    )
    shown = (one.id, one.names.zh, one.names.en, one.department.pick(language))
    name = link(here, type_path(language, one), both(one.names, language))
    return _card(name, phase(one), lines, shown, _type_words(shelf, one))


def _type_words(shelf: Shelf, one: EvidenceType) -> Iterator[str]:
    yield one.vct
    yield _line(one.department)
    for name in one.fields:
        yield _line(one.label(name), name)
    for _, proof in shelf.uses(one):
        yield _line(proof.replaces_paper)


def _item(shelf: Shelf, item: ServiceItem, here: str, language: str) -> Html:
    count = len(item.proofs)
    lines = (join((code(item.id), (_PROOF if count == 1 else _PROOFS).fill(n=count).pick(language)), " · "),)
    name = link(here, item_path(language, item), both(item.names, language))
    return _card(name, Html(), lines, (item.id, item.names.zh, item.names.en), _item_words(shelf, item))


def _item_words(shelf: Shelf, item: ServiceItem) -> Iterator[str]:
    yield from (code for code in (item.basic_code, item.implementation_code) if code)
    for proof in item.proofs:
        known = shelf.type_of(proof)
        yield _line(proof.replaces_paper)
        yield proof.evidence_type if known is None else _line(known.names, known.id)
        yield from (_line(label(known, name), name) for name in proof.fields)


def _line(text: Text, name: str = "") -> str:
    return " · ".join(dict.fromkeys(part for part in (text.zh, text.en, name) if part))
