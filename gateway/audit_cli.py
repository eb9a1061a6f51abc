"""`oncegate audit`: the audit logs of a node, as far as its operator has to do with them."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.edge.output import command_line, say
from contracts.text import Text

app = command_line("audit", "The audit logs of a node. 节点的审计日志。")
order = command_line("order", "Orders of the auditor about openings. 审计员关于密封内容的指令。")
app.add_typer(order)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. 输出 JSON。")]
Config = Annotated[Path, typer.Option("--config", "-c", help="The node's configuration file. 节点配置文件。")]
DEFAULT_CONFIG = Path("oncegate.toml")
NoteFile = Annotated[Path, typer.Argument(metavar="FILE", help="The order that the auditor signed. 审计员签发的指令。")]

_WAITS = Text(
    "已会签。运行中的服务进程将在几秒内执行;完成后指令在 {done}",
    "Countersigned. The running serving process carries it out within seconds; when done, the order is at {done}",
)


@app.command("retention")
def retention(
    config: Config = DEFAULT_CONFIG,
    apply: Annotated[bool, typer.Option("--apply", help="Remove the logs whose time is over. 删除到期日志。")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. 不再询问。")] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who removes; else this account. 执行人。")] = "",
    as_json: Json = False,
) -> int:
    """Which audit logs are here, until when each is kept, and which go now. 各日志的保存期限与到期删除。

    Exit code 1: a log does not verify, or the registry lists too short a time for it.
    """
    from audit.retention_command import Wanted, run
    from audit.retiring import Place
    from contracts.edge import clock
    from gateway.node import opened

    with opened(config) as node:
        slots = node.registry.current().audit_slots  # a registry past its validity says nothing about any time
        place = Place(node.config.data_dir / "audit", node.config.retired_dir)
        return run(place, slots, clock.now_ms(), Wanted(apply, yes, by, as_json))


@order.command("show")
def order_show(note: NoteFile) -> None:
    """Print what an order says, before it is countersigned. 查看指令内容。"""
    from audit.orders.showing import show

    show(note, ())


@order.command("apply")
def order_apply(note: NoteFile, config: Config = DEFAULT_CONFIG) -> None:
    """Countersign an order with the log's key, and have it carried out. 会签并执行指令。

    Refused: without the auditor's signature as the registry lists it, and erasing while retention runs.
    """
    from audit.orders.showing import describe
    from gateway.node import opened
    from gateway.orders import apply

    with opened(config) as node:
        found, path = apply(node, note.read_bytes())
    say(describe(found))
    say(_WAITS.fill(done=path.parent.parent / path.name))
