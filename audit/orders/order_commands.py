"""`oncegate-audit order`: orders about openings, made and signed by the auditor; shown; put to the mirror."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.edge.output import command_line, say, warn
from contracts.errors import Fault, UserError
from contracts.text import Text

if TYPE_CHECKING:
    from audit.notes import NoteKey
    from audit.orders.order import Order
    from audit.ranges import Ranges

app = command_line(
    "order", "Restrict, lift and erase openings, by order of two parties. 限制与销毁密封内容的双签指令。"
)

Log = Annotated[Path, typer.Argument(metavar="LOG", help="The directory of one log. 日志目录。")]
NoteFile = Annotated[Path, typer.Argument(metavar="FILE", help="The order. 指令文件。")]
Positions = Annotated[
    list[str], typer.Option("--position", metavar="N|N-M", help="Entries; repeatable, or 5,7-9. 条目序号。")
]
ReasonCode = Annotated[str, typer.Option("--reason", metavar="CODE", help="One of the fixed reasons. 事由代码。")]
Basis = Annotated[str, typer.Option(metavar="TEXT", help="The clause of the law; nobody's data. 法律依据。")]
Key = Annotated[Path, typer.Option(help="The private key for orders; its .vkey beside it. 指令私钥。")]
Number = Annotated[int | None, typer.Option(min=1, help="Else one above the highest that is known. 指令编号。")]
Vkey = Annotated[str, typer.Option(metavar="KEY", help="The log's verifier key; else the file in LOG. 日志公钥。")]

_BAD_POSITIONS = Text("--position 应为序号或范围,如 5 或 7-9", "--position is a number or a range, such as 5 or 7-9")
_BEYOND = Text("日志只有 {size} 条", "The log has {size} entries")
_NO_REASON = Text("该事由代码不适用于 {action}", "Not a reason to {action}")
_REASONS = Text("可选:{codes}", "One of: {codes}.")
_BAD_BASIS = Text(
    "依据须为 1–{most} 字,只写法条,不得含长号码(身份证、办件、电话)",
    "The basis is 1 to {most} characters, names a law, and holds no long number (an id, a case, a telephone)",
)
_LIKE = Text("如 --basis 个人信息保护法第四十七条", "Such as --basis 个人信息保护法第四十七条")
_SIGNED = Text(
    "已签署:{action} {count} 条({positions}),编号 {number},摘要 {digest}。交网关运维会签执行。",
    "Signed: {action} {count} openings ({positions}), number {number}, digest {digest}. The gateway's operator "
    "countersigns it and carries it out.",
)
_GIVEN = Text(
    "已核对双方签名,镜像将在下次查看时执行(或运行 oncegate-audit mirror --once)",
    "Both signatures are checked; the mirror carries it out at its next look (or run oncegate-audit mirror --once)",
)


@app.command("erase")
def erase_command(
    log: Log, positions: Positions, reason: ReasonCode, basis: Basis, key: Key, number: Number = None, vkey: Vkey = ""
) -> None:
    """Order that openings are erased for good; the signed order goes to stdout. 签发销毁指令。"""
    _make("erase", log, positions, (reason, basis), key, number, vkey)


@app.command("restrict")
def restrict_command(
    log: Log, positions: Positions, reason: ReasonCode, basis: Basis, key: Key, number: Number = None, vkey: Vkey = ""
) -> None:
    """Order that openings are kept, and shown to nobody; the signed order goes to stdout. 签发限制指令。"""
    _make("restrict", log, positions, (reason, basis), key, number, vkey)


@app.command("lift")
def lift_command(
    log: Log, positions: Positions, reason: ReasonCode, basis: Basis, key: Key, number: Number = None, vkey: Vkey = ""
) -> None:
    """Order that a restriction ends; the signed order goes to stdout. 签发解除限制指令。"""
    _make("lift", log, positions, (reason, basis), key, number, vkey)


@app.command("reasons")
def reasons_command() -> None:
    """The codes for --reason. 列出事由代码。"""
    from audit.orders.order import REASONS

    for code, one in REASONS.items():
        actions = ", ".join(sorted(one.actions))
        say(Text(f"{code}  {one.name.zh}({actions})", f"{code}  {one.name.en} ({actions})"))


@app.command("show")
def show_command(
    note: NoteFile,
    orders_vkey: Annotated[
        str, typer.Option(metavar="KEY", help="The auditor's key for orders. 审计员指令公钥。")
    ] = "",
    vkey: Annotated[str, typer.Option(metavar="KEY", help="The log's verifier key. 日志公钥。")] = "",
) -> None:
    """Print an order, and whose signatures on it hold. 查看指令及签名。"""
    from audit.orders.showing import show

    show(note, [_key(text) for text in (orders_vkey, vkey) if text])


@app.command("apply")
def apply_command(
    note: NoteFile, config: Annotated[Path, typer.Option(help="The mirror's configuration (TOML). 镜像配置文件。")]
) -> None:
    """Give an order that both have signed to the mirror, where a gateway does not. 将双签指令交给镜像执行。"""
    from audit.mirror.config import load
    from audit.orders.giving import give

    give(note.read_bytes(), load(config))
    say(_GIVEN)


def _make(
    action: str,
    log: Path,
    positions: list[str],
    ground: tuple[str, str],
    key: Path,
    number: int | None,
    vkey: str,
) -> None:
    from audit.orders import making
    from audit.orders.order import ACTIONS, MAX_BASIS, REASONS, Order, is_basis, sign
    from audit.witness.keygen import orders_signer

    reader = making.reader_of(log, _key(vkey) if vkey else None)
    size, wanted, (reason, basis) = reader.checkpoint().size, _positions(positions), ground
    if wanted.last >= size:
        raise UserError(_BEYOND.fill(size=size), wanted.text())
    codes = [code for code, one in REASONS.items() if action in one.actions]
    if reason not in codes:
        raise UserError(_NO_REASON.fill(action=ACTIONS[action]), reason, _REASONS.fill(codes=", ".join(codes)))
    if not is_basis(basis):
        raise UserError(_BAD_BASIS.fill(most=MAX_BASIS), "--basis", _LIKE)
    signer = orders_signer(key)
    order = Order(reader.key.name, action, number or making.next_number(reader), making.now_s(), wanted, reason, basis)
    making.refuse_too_early(order, reader, size)
    sys.stdout.buffer.write(sign(order, signer))
    _say_signed(order)


def _say_signed(order: "Order") -> None:
    from audit.orders.order import ACTIONS

    facts = {"action": ACTIONS[order.action], "count": order.positions.count, "positions": order.positions.text()}
    warn(_SIGNED.fill(**facts, number=order.number, digest=order.digest))


def _positions(texts: list[str]) -> "Ranges":
    from audit.ranges import Ranges, parse

    found = Ranges()
    for text in (one.strip() for given in texts for one in given.split(",")):
        try:
            found |= parse(text)
        except Fault:
            raise UserError(_BAD_POSITIONS, text) from None
    return found


def _key(text: str) -> "NoteKey":
    from audit.notes import parse_vkey

    try:
        return parse_vkey(text)
    except Fault as fault:
        raise UserError(fault.row.title, text) from None
