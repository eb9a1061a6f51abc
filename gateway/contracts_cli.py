"""`oncegate contracts`: what authors of evidence types and service items see."""

from collections.abc import Iterable
from pathlib import Path

from typer import Exit

from contracts import catalogue
from contracts.edge.authoring import files, site
from contracts.edge.authoring.check import check as check_directory
from contracts.edge.authoring.new import create
from contracts.edge.clock import now_ms
from contracts.edge.i18n import language
from contracts.edge.output import EXIT_MISTAKE, complain, emit_json, explained, say
from contracts.errors import UserError
from contracts.evidence_types import HOME_OFFSET, EvidenceType
from contracts.evolution import Break, breaks, incompatible, mode_of
from contracts.life_cycle import local_day
from contracts.service_items import ServiceItem
from contracts.text import Text

EXIT_INCOMPATIBLE = 1


def _today() -> str:
    return local_day(now_ms(), HOME_OFFSET)


def new(directory: Path, identifier: str, scheme: str) -> None:
    """Write the files of a new type."""
    for path in create(directory, identifier, scheme, _today()):
        say(Text(f"已写入 {path}", f"Wrote {path}"))
    say(Text("请逐项修改, 再运行 oncegate contracts check。", "Change them, then run oncegate contracts check."))


def check(directory: Path, as_json: bool) -> None:
    """Judge a directory; ends with `EXIT_MISTAKE` if anything is wrong."""
    report = check_directory(directory)
    types, items = len(report.authored.types), len(report.authored.items)
    if not types and not items and not report.mistakes:
        raise _nothing_in(directory)
    if as_json:
        emit_json({"types": types, "items": items, "mistakes": [_mistake(one) for one in report.mistakes]})
    else:
        for mistake in report.mistakes:
            complain(mistake)
        say(
            Text(
                f"证照类型 {types}, 事项 {items}, 错误 {len(report.mistakes)}",
                f"{types} evidence types, {items} service items, {len(report.mistakes)} mistakes",
            )
        )
    if report.mistakes:
        raise Exit(EXIT_MISTAKE)


def _nothing_in(directory: Path) -> UserError:
    return UserError(
        Text("目录中没有证照类型或事项", "There are no evidence types and no service items in the directory"),
        str(directory),
        Text("它们在 evidence-types/ 与 service-items/ 中。", "They stand in evidence-types/ and service-items/."),
    )


def _mistake(error: UserError) -> dict[str, object]:
    what, where, remedy = explained(error)
    return {"what": what.as_json(), "where": where, "remedy": None if remedy is None else remedy.as_json()}


def diff(former: Path, new_form: Path, as_json: bool) -> None:
    """Compare two forms of a type; ends with `EXIT_INCOMPATIBLE` if the new one needs another version."""
    one, other = files.read_type(former), files.read_type(new_form)
    if one.id != other.id:
        raise _two_types(one, other, new_form)
    same = one.vct == other.vct
    found = breaks(one, other)
    refused = incompatible((one,), other) if same else ()
    if as_json:
        emit_json(
            {
                "former": one.vct,
                "new": other.vct,
                "mode": mode_of((one,), other) if same else other.compatibility,
                "compatible": not refused,
                "breaks": [_break(each) for each in found],
            }
        )
    else:
        _say_breaks(found)
        say(_verdict(one, other, same, refused))
    if refused:
        raise Exit(EXIT_INCOMPATIBLE)


def _two_types(one: EvidenceType, other: EvidenceType, where: Path) -> UserError:
    return UserError(
        Text(
            f"{other.id} 与 {one.id} 不是同一个证照类型", f"{other.id} and {one.id} are two types, not two forms of one"
        ),
        str(where),
        Text("请比较 id 相同的两个文件。", "Compare two files with the same id."),
    )


def _break(one: Break) -> dict[str, object]:
    return {"direction": one.direction, "pointer": one.pointer, "keyword": one.keyword, "words": one.words.as_json()}


def _say_breaks(found: Iterable[Break]) -> None:
    for one in found:
        words = one.words.pick(language())
        print(f"{one.direction:<9} {one.pointer or '/'} {one.keyword}: {words}")


def _verdict(one: EvidenceType, other: EvidenceType, same: bool, refused: tuple[Break, ...]) -> Text:
    if not same:
        return Text(
            f"{other.vct} 是另一个版本, 不要求与 {one.vct} 兼容",
            f"{other.vct} is another version: it need not fit {one.vct}",
        )
    mode = mode_of((one,), other)
    if refused:
        return Text(
            f"不兼容({mode}), 须用新的版本号",
            f"Incompatible ({mode}): it needs a new version",
        )
    return Text(f"兼容({mode})", f"Compatible ({mode})")


def list_all(directory: Path | None, as_json: bool) -> None:
    """The types and items of a directory, or those shipped."""
    types = catalogue.evidence_types() if directory is None else tuple(files.read_types(directory))
    items = catalogue.service_items() if directory is None else tuple(files.read_items(directory))
    if directory is not None and not types and not items:
        raise _nothing_in(directory)
    day = _today()
    if as_json:
        emit_json(
            {"evidence_types": [_type(one, day) for one in types], "service_items": [_item(one) for one in items]}
        )
        return
    for one in types:
        print(f"{one.id:<36} {one.version}  {one.phase(day):<10} {one.names.pick(language())}")
    for item in items:
        print(f"{item.id:<36} {item.region:<12}  {item.names.pick(language())}")


def _type(one: EvidenceType, day: str) -> dict[str, object]:
    return {"id": one.id, "version": one.version, "vct": one.vct, "phase": one.phase(day), "names": one.names.as_json()}


def _item(item: ServiceItem) -> dict[str, object]:
    return {"id": item.id, "region": item.region, "names": item.names.as_json(), "proofs": len(item.proofs)}


def docs(out: Path, directory: Path | None) -> None:
    """Write the site of a directory, or of what is shipped."""
    shelf = site.shipped() if directory is None else site.shelf_of(directory)
    if directory is not None and not shelf.entries and not shelf.items:
        raise _nothing_in(directory)
    count = site.write(shelf, out)
    say(Text(f"已写入 {count} 个文件: {out / 'index.html'}", f"Wrote {count} files: {out / 'index.html'}"))
