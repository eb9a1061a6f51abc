"""The site as a whole: all words in both languages, every link with an end, all escaped, nothing from elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser

import pytest

from contracts import catalogue
from contracts.evidence_fields import SENSITIVITIES
from contracts.evidence_types import COMPATIBILITIES
from contracts.life_cycle import REQUIRED
from contracts.pages import words
from contracts.pages.frame import POLICY, SCRIPT, STYLE
from contracts.pages.json_block import pretty
from contracts.pages.markup import tag
from contracts.pages.shelf import Entry, Shelf, item_path, type_path
from contracts.pages.site import build
from contracts.schema_lint import ASSERTED_FORMATS
from contracts.service_items import HOLDERS, Fact
from contracts.text import LANGUAGES, Text

EMPTY = {"input", "link", "meta"}
HOSTILE = Text("<script>alert(1)</script>&\"'甲", "<img src=x onerror=alert(2)>&\"'x")


@dataclass
class Reader(HTMLParser):
    """What a page holds; complains about elements that are not closed in order."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        held = dict(attributes)
        assert len(held) == len(attributes)
        self.elements.append(name)
        self.attributes += held
        self.ids += [held["id"] or ""] if "id" in held else []
        self.links += [value or "" for key in ("href", "src") if (value := held.get(key)) is not None]
        if name not in EMPTY:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    reader.close()
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids)
    return reader


@cache
def shipped() -> Shelf:
    entries = (Entry(one, catalogue.examples(one.id)) for one in catalogue.evidence_types())
    return Shelf(tuple(entries), catalogue.service_items())


@cache
def pages() -> Mapping[str, Reader]:
    return {path: read(page) for path, page in build(shipped()).items()}


def test_every_type_and_item_has_a_page_in_each_language() -> None:
    shelf = shipped()
    paths = [type_path(language, one) for language in LANGUAGES for one in shelf.types]
    paths += [item_path(language, item) for language in LANGUAGES for item in shelf.items]
    assert set(pages()) == {*paths, "index.html", *(f"{language}/index.html" for language in LANGUAGES)}


def ends(path: str, reader: Reader) -> Iterator[tuple[str, str]]:
    """Each link as (path of the page, fragment)."""
    for link in reader.links:
        if link == "data:,":
            continue
        there, _, fragment = link.partition("#")
        steps = path.split("/")[:-1]
        for step in there.split("/") if there else path.split("/")[-1:]:
            steps = steps[:-1] if step == ".." else [*steps, step]
        yield "/".join(steps), fragment


def test_every_link_has_an_end_in_the_site() -> None:
    for path, reader in pages().items():
        for there, fragment in ends(path, reader):
            if there not in (STYLE, SCRIPT):
                assert there in pages(), (path, there)
                assert not fragment or fragment in pages()[there].ids, (path, there, fragment)


def test_types_and_items_lead_to_each_other() -> None:
    shelf = shipped()
    for item in shelf.items:
        for proof in item.proofs:
            one = shelf.type_of(proof)
            assert one is not None
            for language in LANGUAGES:
                to_type, to_item = type_path(language, one), item_path(language, item)
                assert to_type in {there for there, _ in ends(to_item, pages()[to_item])}
                assert (to_item, f"proof-{proof.id}") in set(ends(to_type, pages()[to_type]))


def test_what_the_contract_says_is_on_its_page() -> None:
    for one in shipped().types:
        for language in LANGUAGES:
            text = pages()[type_path(language, one)].text
            said = [one.names, one.department, *(one.label(name) for name in (*one.fields, *REQUIRED))]
            said += [label for own in one.fields.values() for label in own.codes.values()]
            said += [one.sharing_basis] if one.sharing_basis else []
            assert [each.pick(language) for each in said if each.pick(language) not in text] == []
            exact = [one.vct, one.in_force, one.compatibility, *one.fields, *one.holder_schemes]
            assert [each for each in exact if each not in text] == []


def test_what_the_item_says_is_on_its_page() -> None:
    for item in shipped().items:
        for language in LANGUAGES:
            text = pages()[item_path(language, item)].text
            said = [item.names, item.legal_basis, *(fact.names for fact in item.facts)]
            said += [each for proof in item.proofs for each in (proof.legal_basis, proof.replaces_paper)]
            assert [each.pick(language) for each in said if each.pick(language) not in text] == []


def test_nothing_of_an_author_becomes_markup() -> None:
    one, item = shipped().entries[0].type, shipped().items[0]
    fields = {name: replace(own, label=HOSTILE) for name, own in one.fields.items()}
    proof = replace(item.proofs[0], evidence_type=one.id, version=None, fields=tuple(fields), when=("asked", True))
    hostile = replace(one, names=HOSTILE, department=HOSTILE, sharing_basis=HOSTILE, fields=fields)
    proofs = tuple(
        replace(proof, id=f"p{number}", legal_basis=HOSTILE, replaces_paper=HOSTILE, group=group)
        for number, group in enumerate(("", "g", "g"))
    )
    service = replace(item, names=HOSTILE, legal_basis=HOSTILE, proofs=proofs, facts=(Fact("asked", HOSTILE),))
    examples = {"valid": [{"note": HOSTILE.zh}], "invalid": [{"why": HOSTILE.en, "set": {"note": HOSTILE.en}}]}
    for path, page in build(Shelf((Entry(hostile, examples),), (service,))).items():
        reader = read(page)
        assert "onerror" not in reader.attributes
        assert "img" not in reader.elements
        assert reader.elements.count("script") == 1
        assert path == "index.html" or HOSTILE.pick(path.split("/", maxsplit=1)[0]) in reader.text


def test_nothing_comes_from_elsewhere() -> None:
    for page in build(shipped()).values():
        assert f'content="{POLICY.replace(chr(39), "&#x27;")}"'.encode() in page
    for reader in pages().values():
        assert not [link for link in reader.links if ":" in link and link != "data:,"]
        assert not {"style", *(name for name in reader.attributes if name.startswith("on"))} & set(reader.attributes)


def test_versions_know_each_other_and_a_proof_shows_the_newest() -> None:
    old = shipped().entries[0]
    new = Entry(replace(old.type, version=2))
    item = shipped().items[0]
    proof = replace(item.proofs[0], evidence_type=old.type.id, version=None)
    pinned = replace(proof, id="pinned", version=1)
    shelf = Shelf((old, new), (replace(item, proofs=(proof, pinned)),))
    assert (shelf.type_of(proof), shelf.type_of(pinned)) == (new.type, old.type)
    assert [used.id for _, used in shelf.uses(new.type)] == [proof.id]
    built = build(shelf)
    for here, there in ((old.type, new.type), (new.type, old.type)):
        path = type_path("en", here)
        assert type_path("en", there) in {end for end, _ in ends(path, read(built[path]))}


def test_a_type_from_elsewhere_is_named_without_a_link() -> None:
    one = shipped().types[0]
    item = replace(shipped().items[0], proofs=(replace(shipped().items[0].proofs[0], evidence_type=one.id),))
    for others, name in (((one,), one.names.en), ((), one.id)):
        built = build(Shelf((), (item,), others))
        page = read(built[item_path("en", item)])
        assert name in page.text
        assert not [link for link in page.links if "evidence-types/" in link]


def test_two_of_the_same_are_refused() -> None:
    entry = shipped().entries[0]
    with pytest.raises(ValueError, match=entry.type.id):
        build(Shelf((entry, entry), ()))


def test_every_word_of_the_contracts_has_words() -> None:
    assert set(words.FORMATS) == ASSERTED_FORMATS
    assert set(words.COMPATIBILITIES) == set(COMPATIBILITIES)
    assert set(words.SENSITIVITIES) == set(SENSITIVITIES)
    assert set(words.HOLDER_ROLES) == set(HOLDERS)
    assert set(words.LANGUAGE_NAMES) == set(LANGUAGES)


def test_attributes_cannot_be_left() -> None:
    assert tag("p", "<", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;">&lt;</p>'


def test_json_is_short_where_it_fits() -> None:
    wide = {"a": {"b": [1, 2], "c": "x" * 60}, "d": {}, "e": ["y" * 60, "z" * 60]}
    assert pretty(wide).split("\n") == [
        "{",
        '  "a": {"b": [1, 2], "c": "' + "x" * 60 + '"},',
        '  "d": {},',
        '  "e": [',
        '    "' + "y" * 60 + '",',
        '    "' + "z" * 60 + '"',
        "  ]",
        "}",
    ]
