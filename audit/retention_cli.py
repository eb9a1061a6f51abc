"""`oncegate-audit retention` and `oncegate-audit hold`."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.edge.output import say
from contracts.errors import UserError
from contracts.text import Text

_PLACED = Text("{log} 已加留存令:不会因到期删除", "{log} is under a legal hold: retention does not remove it")
_RELEASED = Text("{log} 的留存令已解除", "The legal hold on {log} is released")
_NO_LOG = Text("该目录不是审计日志", "Not the directory of an audit log")
_GIVE_LOG = Text("请给出含有 checkpoint 文件的目录。", "Give the directory that holds the file `checkpoint`.")
_WHY = Text(
    "请用 --reason 说明原因(不超过 500 字),或用 --release 解除", "Give --reason (at most 500 characters), or --release"
)
_EITHER = Text("二者取一。", "One of the two.")
_NO_HOLD = Text("该日志没有留存令", "There is no legal hold on this log")
_OLD = Text(
    "注册库已过有效期,或本机时钟不准", "The registry is past its validity, or the clock of this machine is wrong"
)
_NEWEST = Text("请先取得最新注册库并核对时钟。", "Get the newest registry and look at the clock first.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object. 输出 JSON。")]
Apply = Annotated[bool, typer.Option("--apply", help="Remove the logs whose time is over. 删除到期日志。")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask. 不再询问。")]
By = Annotated[str, typer.Option(metavar="NAME", help="Who removes; else this account. 执行人。")]


def retention_command(
    config: Annotated[Path, typer.Option(help="The mirror's configuration (TOML). 镜像配置文件。")],
    apply: Apply = False,
    yes: Yes = False,
    by: By = "",
    as_json: Json = False,
) -> int:
    """Which logs the mirror has, until when each is kept, and which go now. 各日志的保存期限与到期删除。

    Exit code 1: a log does not verify, or the registry lists too short a time for it.
    """
    from audit.mirror.config import load
    from audit.mirror.listed import Listed
    from audit.retention_command import Wanted, mirror_place, run
    from contracts.edge import clock, keys

    found, now = load(config), clock.now_ms()
    root = keys.load_public_key(found.root_key, found.root_alg)
    listed = Listed(found.registry, root, found.directory / "registry-seen.json")
    listed.look(now)
    listed.need()
    if apply and not listed.is_valid(now):
        raise UserError(_OLD, f"{found.registry} {listed.refused}".strip(), _NEWEST)
    return run(mirror_place(found.directory), listed.slots(), now, Wanted(apply, yes, by, as_json))


def hold_command(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The directory of one log. 日志目录。")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it must stay. 留存原因。")] = "",
    release: Annotated[bool, typer.Option("--release", help="End the hold. 解除。")] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who ordered it; else this account. 下令人。")] = "",
) -> None:
    """Keep retention from removing a log, or let it again. 对日志下达或解除留存令。"""
    import getpass

    from audit import holds
    from audit.backup import is_log
    from audit.disk import Disk
    from contracts.edge import clock

    if not is_log(log):
        raise UserError(_NO_LOG, str(log), _GIVE_LOG)
    if bool(reason.strip()) == release or len(reason) > holds.MAX_REASON:
        raise UserError(_WHY, "--reason --release", _EITHER)
    if release:
        if holds.read(log) is None:
            raise UserError(_NO_HOLD, str(log))
        holds.release(Disk(), log)
    else:
        holds.place(Disk(), log, holds.Hold(reason.strip(), by or getpass.getuser(), clock.now_ms()))
    say((_RELEASED if release else _PLACED).fill(log=log))


def add(app: typer.Typer) -> None:
    """Put the commands into the auditor's command line."""
    app.command("retention")(retention_command)
    app.command("hold")(hold_command)
