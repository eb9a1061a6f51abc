"""The page of one service item: what it needs, from where, under which law, and the paper that nobody brings. Pure."""

from collections.abc import Iterable, Iterator

from contracts.pages import words
from contracts.pages.frame import both, page
from contracts.pages.markup import Html, code, html, join, link, tag, terms
from contracts.pages.shelf import Shelf, index_path, item_path, label, type_path
from contracts.pages.words import COMMA
from contracts.service_items import HANDLING, Proof, ServiceItem
from contracts.text import Text

_REGION = Text("行政区划", "Region")
_NATIONWIDE = Text("{code}(全国)", "{code} (nationwide)")
_BASIC = Text("基本编码", "Basic code")
_IMPLEMENTATION = Text("实施编码", "Implementation code")
_HANDLING = Text("办理方式", "Handling")
_STATUTORY = Text("法定时限", "Statutory limit")
_PROMISED = Text("承诺时限", "Promised limit")
_DAYS = Text("{days} 个工作日", "{days} working days")
_DAY = Text("1 个工作日", "1 working day")
_AT_ONCE = Text("当场办结", "At once")
_BASIS = Text("法律依据", "Legal basis")
_FACTS = Text("申请人申报的情况", "What the applicant declares")
_FACTS_ABOUT = Text(
    "每项申报“是”或“否”, 由此决定需要哪些材料。", "Each is declared, yes or no; it decides which proofs are needed."
)
_PROOFS = Text("需要的证明", "Proofs that it needs")
_PAPERS = Text("不再收取的纸质材料", "Paper that it no longer asks for")
_ONE_OF = Text("以下任选其一", "One of these is enough")
_GROUP = Text("任选其一的一组", "A group of alternatives")
_WHEN = Text("仅当申报“{fact}”为“{answer}”", "Only where “{fact}” is declared: {answer}")
_TYPE = Text("证照类型", "Evidence type")
_NO_PAGE = Text("(不在本目录)", "(not in this catalogue)")
_IN_FORCE = Text("现行版本", "the version in force")
_PINNED = Text("版本 {version}", "version {version}")
_WHOSE = Text("持证主体", "Holder")
_SEEN = Text("调取的字段", "Fields it sees")
_PAPER = Text("替代的纸质材料", "Paper it replaces")


def item_page(shelf: Shelf, item: ServiceItem, language: str) -> tuple[str, bytes]:
    """The page's path and bytes."""
    here = item_path(language, item)
    papers = dict.fromkeys(proof.replaces_paper.pick(language) for proof in item.proofs)
    body = (
        tag("p", link(here, index_path(language) + "#items", words.ITEMS.pick(language)), class_="trail"),
        tag("h1", both(item.names, language)),
        tag("p", code(item.id), class_="lead"),
        terms(_about(item, language)),
        tag("section", tag("h2", _PAPERS.pick(language), id="papers"), _plain_list(papers)),
        _facts(item, language),
        tag("section", tag("h2", _PROOFS.pick(language), id="proofs"), join(_proofs(shelf, item, here, language))),
    )
    return here, page(here, language, f"{item.names.pick(language)} · {words.SITE.pick(language)}", *body)


def _plain_list(lines: Iterable[str]) -> Html:
    return tag("ul", join(tag("li", line) for line in lines))


def _about(item: ServiceItem, language: str) -> Iterator[tuple[str, str]]:
    nationwide = item.region.rstrip("0") == "1"
    ways = COMMA.pick(language).join(HANDLING[way].pick(language) for way in item.handling)
    region = _NATIONWIDE.fill(code=item.region).pick(language) if nationwide else item.region
    yield _BASIS.pick(language), item.legal_basis.pick(language)
    yield _REGION.pick(language), region
    yield _BASIC.pick(language), item.basic_code and code(item.basic_code)
    yield _IMPLEMENTATION.pick(language), item.implementation_code and code(item.implementation_code)
    yield _HANDLING.pick(language), ways
    yield _STATUTORY.pick(language), _limit(item.statutory_days, language)
    yield _PROMISED.pick(language), _limit(item.promised_days, language)


def _limit(days: int | None, language: str) -> str:
    if days is None:
        return ""
    text = {0: _AT_ONCE, 1: _DAY}.get(days, _DAYS)
    return text.fill(days=days).pick(language)


def _facts(item: ServiceItem, language: str) -> Html:
    if not item.facts:
        return Html()
    rows = (tag("li", fact.names.pick(language), " ", code(fact.id)) for fact in item.facts)
    about = tag("p", _FACTS_ABOUT.pick(language))
    return tag("section", tag("h2", _FACTS.pick(language), id="facts"), about, tag("ul", join(rows)))


def _proofs(shelf: Shelf, item: ServiceItem, here: str, language: str) -> Iterator[Html]:
    """The proofs in order; alternatives stand together in a box."""
    told: set[str] = set()
    for proof in item.proofs:
        if not proof.group:
            yield _proof(shelf, item, proof, here, language)
        elif proof.group not in told:
            told.add(proof.group)
            members = (one for one in item.proofs if one.group == proof.group)
            shown = (_proof(shelf, item, one, here, language) for one in members)
            head = tag("p", tag("strong", _ONE_OF.pick(language)), " ", code(proof.group))
            yield tag("div", head, join(shown), class_="group", role="group", aria_label=_GROUP.pick(language))


def _proof(shelf: Shelf, item: ServiceItem, proof: Proof, here: str, language: str) -> Html:
    known = shelf.type_of(proof)
    title = proof.evidence_type if known is None else known.names.pick(language)
    return tag(
        "article",
        tag("h3", title, " ", code(proof.id), id=f"proof-{proof.id}"),
        _condition(item, proof, language),
        terms(
            (
                (_PAPER.pick(language), proof.replaces_paper.pick(language)),
                (_SEEN.pick(language), _fields(shelf, proof, here, language)),
                (_BASIS.pick(language), proof.legal_basis.pick(language)),
                (_TYPE.pick(language), _type(shelf, proof, here, language)),
                (_WHOSE.pick(language), words.HOLDER_ROLES[proof.holder].pick(language)),
            )
        ),
    )


def _condition(item: ServiceItem, proof: Proof, language: str) -> Html:
    if proof.when is None:
        return Html()
    fact_id, answer = proof.when
    name = next(fact.names for fact in item.facts if fact.id == fact_id)
    said = _WHEN.fill(fact=name, answer=words.YES if answer else words.NO)
    return tag("p", said.pick(language), class_="when")


def _type(shelf: Shelf, proof: Proof, here: str, language: str) -> Html:
    known = shelf.type_of(proof)
    version = _IN_FORCE if proof.version is None else _PINNED.fill(version=proof.version)
    if known is None or not shelf.has_page(known):
        return join((code(proof.evidence_type), version.pick(language), _NO_PAGE.pick(language)), " ")
    linked = link(here, type_path(language, known), known.names.pick(language))
    return join((linked, code(proof.evidence_type), version.pick(language)), " ")


def _fields(shelf: Shelf, proof: Proof, here: str, language: str) -> Html:
    """Their labels, each linked to the field on the type's page."""
    known = shelf.type_of(proof)
    labels = {name: label(known, name).pick(language) for name in proof.fields}
    if known is None or not shelf.has_page(known):
        shown = [html(text) for text in labels.values()]
    else:
        there = type_path(language, known)
        shown = [link(here, f"{there}#field-{name}", text) for name, text in labels.items()]
    return tag("ul", join(tag("li", one) for one in shown), class_="badges")
