"""The site of the catalogue in a real browser: the search, the keys, the links; nothing is asked of anyone else.

What the search must find is worked out from the catalogue, not from the pages.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from contracts.edge.authoring import site
from contracts.edge.clock import now_ms
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import local_day
from contracts.pages.shelf import index_path, type_path
from contracts.pages.words import PHASES
from contracts.service_items import ServiceItem
from contracts.text import LANGUAGES, Text
from tests.e2e.browser import Page, browser

SHELF = site.shipped()
SHOWN = "[...document.querySelectorAll('.cards > li:not([hidden]) code')].map(code => code.textContent)"
FOCUS = "document.activeElement"
LICENCE = next(one for one in SHELF.types if one.id == "cn.driving-licence")


def ids(types: Iterable[EvidenceType], items: Iterable[ServiceItem]) -> list[str]:
    return [*(one.id for one in types), *(item.id for item in items)]


def labelled(matches: Callable[[Text], bool]) -> list[str]:
    """Whatever has, or needs, a field with such a label."""
    found = {(one.id, name) for one in SHELF.types for name in one.fields if matches(one.label(name))}
    types = [one for one in SHELF.types if any((one.id, name) in found for name in one.fields)]
    return ids(types, (item for item in SHELF.items if needs(item, found)))


def needs(item: ServiceItem, found: set[tuple[str, str]]) -> bool:
    return any((proof.evidence_type, name) in found for proof in item.proofs for name in proof.fields)


QUESTIONS: dict[str, list[str]] = {
    "准驾车型": labelled(lambda label: "准驾车型" in label.zh),
    "permitted VEHICLES": labelled(lambda label: label.en == "Permitted vehicles"),
    "ｃｎ．ｄｒｉｖｉｎｇ－ｌｉｃｅｎｃｅ": ids(
        [LICENCE], (item for item in SHELF.items if item.proofs_of(LICENCE.id))
    ),
    "驾驶证复印件": ids(
        (one for one in SHELF.types if any("驾驶证复印件" in use.replaces_paper.zh for _, use in SHELF.uses(one))),
        (item for item in SHELF.items if any("驾驶证复印件" in proof.replaces_paper.zh for proof in item.proofs)),
    ),
    "Traffic police": ids((one for one in SHELF.types if "Traffic police" in one.department.en), ()),
    "no such thing": [],
    " ": ids(SHELF.types, SHELF.items),
}


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The folder on loopback; its address with a slash."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def visit(folder: Path) -> None:
    async with served(folder) as root, browser() as page:
        for language in LANGUAGES:
            await start(page, root, language)
            await search(page)
            await keys(page, root, language)
            await links(page, root, language)
        await phone(page, root)
        assert page.complaints == []
        assert page.requests != []
        assert [address for address in page.requests if not address.startswith((root, "data:,"))] == []
        await without_server(page, folder)
        await complaint(page, root)


async def start(page: Page, root: str, language: str) -> None:
    """The choice of a language leads to its list."""
    await page.open(root + "index.html")
    await page.run(f"document.querySelector('main [hreflang=\"{language}\"]').click()")
    await page.loaded(root + index_path(language))
    assert await page.run("document.documentElement.lang") == language
    assert await page.run(SHOWN) == ids(SHELF.types, SHELF.items)
    phase = PHASES[LICENCE.phase(local_day(now_ms(), LICENCE.utc_offset))]
    at = SHELF.types.index(LICENCE)
    assert await page.run(f"document.querySelectorAll('.phase')[{at}].textContent") == phase.pick(language)


async def search(page: Page) -> None:
    """The list shrinks to what has the words somewhere; it says how many, and why an entry is among them."""
    for question, wanted in QUESTIONS.items():
        await page.run("document.querySelector('#search').select()")
        await page.type(question)
        assert await page.run(SHOWN) == wanted, question
        said = await page.run("document.querySelector('#found').textContent")
        assert str(len(wanted)) in said or not question.strip()
        assert await page.run("document.querySelector('#nothing').hidden") == bool(wanted)
    await page.run("document.querySelector('#search').select()")
    await page.type("准驾车型")
    why = await page.run("document.querySelector('.why:not([hidden])').textContent")
    assert why == "准驾车型 · Permitted vehicles · permitted_vehicles"


async def keys(page: Page, root: str, language: str) -> None:
    """All of it without a mouse: clear, begin, type, go through the results, follow one, go back to the same list."""
    await page.press("Escape")
    assert await page.run(SHOWN) == ids(SHELF.types, SHELF.items)
    await page.run(f"{FOCUS}.blur()")
    await page.press("/")
    assert await page.run(f"{FOCUS}.id + {FOCUS}.value") == "search"
    await page.type(LICENCE.id)
    await page.press("ArrowDown")
    assert type_path(language, LICENCE).endswith(await page.run(f"{FOCUS}.getAttribute('href').split('/').pop()"))
    await page.press("ArrowUp")
    assert await page.run(f"{FOCUS}.id") == "search"
    await page.press("Enter")
    await page.loaded(root + type_path(language, LICENCE))
    await page.run("history.back()")
    await page.loaded(root + index_path(language))
    await page.until(f"document.querySelector('#search').value === {LICENCE.id!r}")
    await page.until(f"{SHOWN}.length === {len(QUESTIONS['ｃｎ．ｄｒｉｖｉｎｇ－ｌｉｃｅｎｃｅ'])}")


async def links(page: Page, root: str, language: str) -> None:
    """From the type to an item, from its proof back to the field of the type, and to the other language."""
    here = root + type_path(language, LICENCE)
    await page.open(here)
    assert await page.run("document.querySelector('h1').textContent.includes('机动车驾驶证')")
    there = await page.run("document.querySelector('.uses a').href")
    await page.run("document.querySelector('.uses a').click()")
    await page.loaded(there)
    assert await page.run("document.querySelector(':target').tagName") == "H3"
    back = await page.run("document.querySelector(':target').parentNode.querySelector('.badges a').href")
    assert back.startswith(f"{here}#field-")
    await page.run("document.querySelector(':target').parentNode.querySelector('.badges a').click()")
    await page.loaded(back)
    assert await page.run("document.querySelector(':target').tagName") == "TH"
    other = next(one for one in LANGUAGES if one != language)
    await page.run("document.querySelector('.switch').click()")
    await page.loaded(root + type_path(other, LICENCE))


async def phone(page: Page, root: str) -> None:
    """On a narrow screen nothing is wider than the screen."""
    await page.resize(360, 740)
    for path in (index_path("zh-CN"), *(type_path("en", one) for one in SHELF.types[:4])):
        await page.open(root + path)
        assert await page.run("document.documentElement.scrollWidth") == 360, path


async def without_server(page: Page, folder: Path) -> None:
    """The folder alone is enough: style and script work from files."""
    await page.open((folder / index_path("en")).as_uri())
    assert await page.run("getComputedStyle(document.querySelector('.cards')).display") == "grid"
    assert await page.run("!document.querySelector('#searching').hidden")
    assert page.complaints == []


async def complaint(page: Page, root: str) -> None:
    """What the pages never do is refused and seen: an image from elsewhere, a script within the page."""
    await page.open(root + index_path("en"))
    await page.run("document.body.append(Object.assign(new Image(), {src: 'http://elsewhere.invalid/x.png'}))")
    await page.run("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    told = [str(one) for one in page.complaints]
    assert sum("elsewhere.invalid" in one and "Content Security Policy" in one for one in told) == 1
    assert await page.run("window.ran") is None


def test_the_site_in_a_browser(tmp_path: Path) -> None:
    site.write(SHELF, tmp_path)
    asyncio.run(visit(tmp_path))
