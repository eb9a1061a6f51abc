"""`oncegate-audit export`: records that were searched for, into one file.

1. What would refuse the export is found out first; then it is recorded in the auditors' own log; then it is written.
2. `--extractor NAME=KEY` signs: name and key stand together, so that nobody signs for the other.
"""

import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.search.commands import IndexFile, Keys, Words
from contracts.edge.output import progress, say
from contracts.errors import Fault, UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from audit.notes import NoteKey, NoteSigner
    from audit.package.make import Extractor
    from audit.package.selection import Selection
    from audit.package.table import Item
    from audit.search.session import Session

PACKAGE, CITIZEN = "package", "citizen"
FORMATS = (PACKAGE, "csv", "xlsx", "ndjson", CITIZEN)
_ENDINGS = {".zip": PACKAGE, ".csv": "csv", ".xlsx": "xlsx", ".ndjson": "ndjson"}
MAX_NAME = 64
EXTRACTORS = 2

_BAR = Text("导出", "Exporting")
_FORMAT = Text("无法从文件名判断格式", "The file's ending does not say which format")
_FORMATS = Text(f"请用 --format 给出:{'、'.join(FORMATS)}。", f"Give --format: one of {', '.join(FORMATS)}.")
_NEED_KEY = Text("密封内容需要审计员私钥", "Openings need the auditor's private key")
_GIVE_KEY = Text("请用 --key 给出。", "Give it with --key.")
_TWO = Text("证据文件包须有两名提取人", "An evidence package names two extractors")
_GIVE_TWO = Text("请用 --extractor 给出两次,两人不同。", "Give --extractor twice, with different names.")
_NAME = Text("提取人姓名不合要求", "Not a name for an extractor")
_NAME_FORM = Text(
    f"1 至 {MAX_NAME} 个字符;签名时不含空格和加号。", f"1 to {MAX_NAME} characters; with --sign no space and no plus."
)
_SIGN = Text("签名须两人都签,且密钥不同", "Both extractors sign, with different keys, or neither")
_SIGN_TWICE = Text("请写作 --extractor 姓名=私钥文件,两次。", "Write --extractor NAME=KEY, twice.")
_ONLY_PACKAGE = Text("这些选项只用于证据文件包", "These options are for evidence packages only")
_ONLY = Text("--extractor、--vkey 配合 .zip 使用。", "--extractor and --vkey go with .zip.")
_NO_HOLDER = Text("告知书须按持证主体查询,且不含密封内容", "A citizen's report is about one holder, without openings")
_GIVE_HOLDER = Text(
    "请给出 holder=类型:号码 与两位审计员的 --key。", "Give holder=SCHEME:ID and --key twice, of two auditors."
)
_CITIZEN_FORMS = Text("告知书可为 .txt 或 .xlsx。", "A citizen's report is .txt or .xlsx.")
_VKEY_FORM = Text("验证公钥见注册库,形如 名称+编号+公钥。", "The registry lists it: name+id+key.")
_DONE = Text("已导出 {count} 条到 {path}", "{count} records exported to {path}")
_DIGESTS = Text(
    "请写入提取笔录:\n  SHA-256 {sha256}\n  SM3     {sm3}",
    "Write into the record of extraction:\n  SHA-256 {sha256}\n  SM3     {sm3}",
)


def export_command(
    index: IndexFile,
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="The file to create. 要生成的文件。")],
    words: Words = None,
    form: Annotated[
        str,
        typer.Option("--format", metavar="|".join(FORMATS), help="Default: by FILE's ending. 格式,默认按文件扩展名。"),
    ] = "",
    openings: Annotated[
        bool, typer.Option("--openings", help="Also who asked about whom; takes --key. 附密封内容。")
    ] = False,
    extractors: Annotated[
        list[str] | None,
        typer.Option(
            "--extractor",
            metavar="NAME[=KEY]",
            help="Who extracts; a package takes two. KEY: to sign with (Ed25519, PEM); both or none. 提取人及私钥。",
        ),
    ] = None,
    vkeys: Annotated[
        list[str] | None,
        typer.Option(
            "--vkey",
            metavar="KEY",
            help="Keys of logs, as the registry lists them, and of witnesses. 日志与见证方公钥。",
        ),
    ] = None,
    keys: Keys = None,
) -> None:
    """Records into one file: an evidence package (.zip), .csv, .xlsx or .ndjson. 导出证据文件包或表格。"""
    from audit.search.session import session

    wanted = form or _ENDINGS.get(into.suffix.lower(), "")
    if wanted not in FORMATS:
        raise UserError(_FORMAT, str(into), _FORMATS)
    if openings and not keys:
        raise UserError(_NEED_KEY, "--openings", _GIVE_KEY)
    if wanted != PACKAGE and (extractors or vkeys):
        raise UserError(_ONLY_PACKAGE, wanted, _ONLY)
    people = _extractors(extractors or []) if wanted == PACKAGE else ()
    with session(index, words or [], keys or []) as asked:
        selection = _selection(asked, keys or [], openings)
        if wanted == PACKAGE:
            count = _package(asked, selection, into, people, [vkey_of(text) for text in vkeys or []])
        elif wanted == CITIZEN:
            count = _citizen(asked, selection, into)
        else:
            count = _flat(asked, selection, into, wanted)
    _tell(into, count, digests=wanted == PACKAGE)


def _selection(asked: "Session", keys: "Sequence[Path]", openings: bool) -> "Selection":
    from audit.package.selection import select
    from audit.search.asked import recorded
    from contracts.edge.keys import load_hpke_private

    auditor = load_hpke_private(keys[0]) if openings else None
    return select(asked.index, asked.filters, recorded(asked.asked, asked.filters), auditor)


def _package(
    asked: "Session",
    selection: "Selection",
    into: Path,
    people: "Sequence[Extractor]",
    keys: "Sequence[NoteKey]",
) -> int:
    from audit.notes import COSIGNATURE
    from audit.package.files import new_file
    from audit.package.make import Order, check, make

    logs, witnesses = ([key for key in keys if (key.kind == COSIGNATURE) == kind] for kind in (False, True))
    tool, now = f"oncegate-audit {version('oncegate')}", time.time_ns() // 1_000_000
    order = Order(name=into.name, time=now, tool=tool, extractors=people, logs=logs, witnesses=witnesses)
    check(selection, order)
    with new_file(into) as path:
        order = replace(order, recorded=asked.record(_command(PACKAGE, selection), selection.count))
        with progress(_BAR, selection.count) as advance, path.open("w+b") as file:
            make(file, selection, order, advance)
    return selection.count


def _flat(asked: "Session", selection: "Selection", into: Path, form: str) -> int:
    from audit.package.files import new_file
    from audit.package.flat import FORMS

    with new_file(into) as path:
        asked.record(_command(form, selection), selection.count)
        with progress(_BAR, selection.count) as advance:
            FORMS[form](path, _items(selection, advance), selection.auditor is not None)
    return selection.count


def _citizen(asked: "Session", selection: "Selection", into: Path) -> int:
    from audit.package import citizen
    from audit.package.files import new_file
    from audit.search.holders import holder_of, require_holder

    if "holder" not in asked.asked.people or selection.auditor is not None:
        raise UserError(_NO_HOLDER, CITIZEN, _GIVE_HOLDER)
    if into.suffix.lower() not in citizen.ENDINGS:
        raise UserError(_FORMAT, str(into), _CITIZEN_FORMS)
    holder, filters = holder_of(asked.asked.people["holder"]), selection.recorded
    require_holder(*holder)
    head = citizen.Told(time.time_ns() // 1_000_000, filters.get("from"), filters.get("to"), holder)
    with new_file(into) as path:
        asked.record(_command(CITIZEN, selection), selection.count)
        return citizen.write(path, selection, head, citizen.told(selection))


def _command(form: str, selection: "Selection") -> str:
    """As it stands in the auditors' own log."""
    return f"export {form}" + ("" if selection.auditor is None else " openings")


def _items(selection: "Selection", advance: "Callable[[int], None]") -> "Iterator[Item]":
    for proved in selection.records():
        yield proved.item
        advance(1)


def _extractors(given: "Sequence[str]") -> "Sequence[Extractor]":
    """The two, with keys or without (rule 2); raises `UserError`."""
    from audit.package.make import Extractor

    split = [one.partition("=") for one in given]
    names, keys = [name for name, _, _ in split], [Path(key) for _, _, key in split if key]
    if len(names) != EXTRACTORS or len(set(names)) != EXTRACTORS:
        raise UserError(_TWO, "--extractor", _GIVE_TWO)
    for name in names:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
            raise UserError(_NAME, name, _NAME_FORM)
    if not keys:
        return [Extractor(name) for name in names]
    if len(keys) != EXTRACTORS:
        raise UserError(_SIGN, "--extractor", _SIGN_TWICE)
    signers = [_signer(name, path) for name, path in zip(names, keys, strict=True)]
    if signers[0].public.raw == signers[1].public.raw:
        raise UserError(_SIGN, "--extractor", _SIGN_TWICE)
    return [Extractor(name, signer) for name, signer in zip(names, signers, strict=True)]


def _signer(name: str, path: Path) -> "NoteSigner":
    from audit.notes import NoteSigner
    from contracts.edge.keys import load_signing_key

    try:
        return NoteSigner.of(name, load_signing_key(path, "EdDSA").key)
    except Fault:
        raise UserError(_NAME, name, _NAME_FORM) from None


def vkey_of(text: str) -> "NoteKey":
    """A key from the command line; raises `UserError`."""
    from audit.notes import parse_vkey

    try:
        return parse_vkey(text)
    except Fault as fault:
        raise UserError(fault.row.title, text, _VKEY_FORM) from None


def _tell(into: Path, count: int, digests: bool) -> None:
    from audit.package.files import digest_of_file

    say(_DONE.fill(count=count, path=into))
    if digests:
        digest = digest_of_file(into)
        say(_DIGESTS.fill(sha256=digest.sha256, sm3=digest.sm3))
