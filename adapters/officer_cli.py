"""The commands of `oncegate-adapter` for a department's officer, as they stand on the command line; what they do is in
`officers`, imported when one of them is called."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("adapter.toml")
MAX_NUMBER = 2**63 - 1

Config = Annotated[Path, typer.Argument(help="The configuration file. 配置文件。")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")]
Type = Annotated[str | None, typer.Option("--type", help="The evidence type, if there are several. 证照类型。")]
Reason = Annotated[str, typer.Option(help="Why; kept in the outbox's journal alone. Name no person. 理由。")]


def add_to(app: typer.Typer, guarded: Callable[[Callable[[], int]], int]) -> None:
    """Add the commands. `guarded` runs one and gives damaged data its exit code."""

    @app.command("erase")
    def erase_command(
        reason: Reason,
        config: Config = DEFAULT_CONFIG,
        record: Annotated[list[str] | None, typer.Option(help="A record id; may be repeated. 记录号。")] = None,
        source: Annotated[
            Path | None, typer.Option("--from", help="A file (- for standard input) that names records. 名单文件。")
        ] = None,
        evidence_type: Type = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go. 试运行。")] = False,
        json: AsJson = False,
    ) -> int:
        """Ask for the content of records to be destroyed, for ever. 申请清除记录内容。"""
        from adapters import officers

        named = (tuple(record or ()), source)
        return guarded(lambda: officers.erase(config, evidence_type, named, reason, dry_run, json))

    @app.command("approve-erase")
    def approve_command(
        number: Annotated[int, typer.Argument(metavar="ID", min=1, max=MAX_NUMBER, help="The request. 申请号。")],
        config: Config = DEFAULT_CONFIG,
        json: AsJson = False,
    ) -> int:
        """Approve exactly what an erasure named, and carry it out. 批准并执行清除。"""
        from adapters import officers

        return guarded(lambda: officers.approve(config, number, json))

    @app.command("readmit")
    def readmit_command(
        record: Annotated[str, typer.Argument(help="The erased record's id. 已清除的记录号。")],
        reason: Reason,
        config: Config = DEFAULT_CONFIG,
        evidence_type: Type = None,
    ) -> int:
        """Let an erased record's row be published again, as a new record. 允许以新记录号重新发布。"""
        from adapters import officers

        return guarded(lambda: officers.readmit(config, evidence_type, record, reason))

    @app.command("new-epoch")
    def epoch_command(
        reason: Reason, config: Config = DEFAULT_CONFIG, evidence_type: Type = None, json: AsJson = False
    ) -> int:
        """Begin a new epoch: the next run publishes everything again. 开始新纪元,重新发布全部数据。"""
        from adapters import officers

        return guarded(lambda: officers.new_epoch(config, evidence_type, reason, json))

    @app.command("journal")
    def journal_command(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> int:
        """What officers decided, and why. 查看清除等决定及理由。"""
        from adapters import officers

        return guarded(lambda: officers.journal(config, json))

    @app.command("rejects")
    def rejects_command(
        config: Config = DEFAULT_CONFIG,
        former: Annotated[
            bool, typer.Option("--all", help="Also what newer messages superseded. 含已取代的。")
        ] = False,
        json: AsJson = False,
    ) -> int:
        """What the nodes refused of our messages, and how to mend it. 查看节点拒绝的消息。"""
        from adapters import officers

        return guarded(lambda: officers.rejects(config, former, json))
