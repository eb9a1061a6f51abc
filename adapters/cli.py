"""`oncegate-adapter`: what a department runs.

Exit codes: 0 done (refused rows are reported, not an error); 1 `doctor` found what must be mended; 2 a mistake of
configuration or source; 3 braked, a person must approve; 4 the message log is away, entries wait in the outbox, or a
source is, or the disk is full; 5 the outbox is damaged.
With several streams the worst one counts: 2, then 4, then 3.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from adapters.corrections_cli import add_to as add_corrections_commands
from adapters.officer_cli import add_to as add_officers_commands
from contracts.edge.output import command_line, complain, emit_json, is_full_disk, progress, run, say
from contracts.errors import Corrupt, UserError
from contracts.text import Text

if TYPE_CHECKING:
    from adapters.config import AdapterConfig, StreamConfig
    from adapters.outbox import Outbox
    from adapters.report import StreamReport
    from contracts.encoding import Json

EXIT_OK, EXIT_UNWELL, EXIT_MISTAKE, EXIT_BRAKED, EXIT_AWAY, EXIT_DAMAGED = 0, 1, 2, 3, 4, 5
DEFAULT_CONFIG = Path("adapter.toml")
MAX_RUN = 2**63 - 1  # SQLite's largest
_ONE_MODE = Text("--dry-run、--full、--watch 不能同时使用", "--dry-run, --full and --watch cannot be used together")
_CHOOSE = Text("请只用其中一个。", "Choose one of them.")

ABOUT = """What a department runs: reads its sources, signs, publishes. 部门侧适配器:读取、签名、发布。

Exit codes: 0 done (refused rows are reported), 1 doctor: something must be mended, 2 a mistake of configuration or
source, 3 braked, a person must approve, 4 the message log is away, entries wait in the outbox, or a source is, or the
disk is full, 5 the outbox is damaged.
"""
app = command_line("oncegate-adapter", ABOUT)

Config = Annotated[Path, typer.Argument(help="The configuration file. 配置文件。")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")]


def main() -> NoReturn:
    """The console script."""
    run(app)


@app.command("run")
def run_command(
    config: Config = DEFAULT_CONFIG,
    json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only, publish nothing. 试运行。")] = False,
    full: Annotated[bool, typer.Option("--full", help="With a full feed statement. 附完整对账单。")] = False,
    watch: Annotated[
        float | None, typer.Option(metavar="N", min=0.1, max=86400, help="Run on, look every N s. 每 N 秒检查一次。")
    ] = None,
) -> int:
    """Read the sources and publish what changed. 读取源数据并发布变化。"""
    if dry_run + full + (watch is not None) > 1:
        raise UserError(_ONE_MODE, "oncegate-adapter run", _CHOOSE)
    if dry_run:
        return _guarded(lambda: _trial(config, json))
    if watch is not None:
        return _guarded(lambda: _watch(config, json, watch))
    return _guarded(lambda: _run_once(config, json, full))


@app.command("approve-run")
def approve_command(
    run_id: Annotated[int, typer.Argument(metavar="ID", min=1, max=MAX_RUN, help="The braked run. 被刹停的运行。")],
    config: Config = DEFAULT_CONFIG,
    named: Annotated[Path | None, typer.Option("--config", help="The same as the argument. 同参数。")] = None,
    json: AsJson = False,
) -> int:
    """Approve exactly the plan of a braked run, and publish it. 批准被刹停的运行并发布。"""
    return _guarded(lambda: _approve(run_id, named or config, json))


@app.command("status")
def status_command(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> int:
    """Where each stream stands. 各数据流的状态。"""
    return _guarded(lambda: _status(config, json))


@app.command("check")
def check_command(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> int:
    """Check configuration, columns and every row; publish nothing. 检查配置与源数据,不发布。"""
    return _guarded(lambda: _check(config, json))


@app.command("doctor")
def doctor_command(config: Config = DEFAULT_CONFIG, json: AsJson = False) -> int:
    """Is everything all right? Looks at everything, changes nothing. 全面检查,不作改动。"""
    from adapters.doctor import run as examine

    return EXIT_OK if examine(config, json) else EXIT_UNWELL


@app.command("backup")
def backup_command(
    target: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Where the backup goes. 备份文件或目录。")],
    config: Config = DEFAULT_CONFIG,
    recipient: Annotated[
        Path | None, typer.Option(metavar="KEY", help="The recovery key's public half: encrypts it. 恢复公钥。")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="In the clear, private keys included. 明文。")] = False,
    also: Annotated[list[Path] | None, typer.Option(metavar="PATH", help="A file or directory more. 另加。")] = None,
    json: AsJson = False,
) -> int:
    """Back up outbox, keys and configuration. 备份发件箱、密钥与配置。"""
    from adapters.backup_cli import backup

    return _guarded(lambda: backup(config, target, recipient, plain, also or [], json))


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup. 备份文件。")],
    into: Annotated[Path, typer.Option(metavar="DIR", help="Where everything goes. 恢复到此目录。")],
    recovery_key: Annotated[
        Path | None, typer.Option(metavar="KEY", help="The recovery key's private half. 恢复私钥。")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="What is there is moved aside and kept. 原有文件移到旁边保留。")
    ] = False,
    json: AsJson = False,
) -> int:
    """Bring a backup back; every stream begins a new epoch. 恢复备份,各数据流开始新纪元。"""
    from adapters.backup_cli import restore

    return _guarded(lambda: restore(file, into, recovery_key, replace, json))


@app.command("keygen")
def keygen_command(
    path: Annotated[Path, typer.Argument(help="Where the private key goes, e.g. adapter.pem. 私钥文件。")],
    alg: Annotated[str, typer.Option(help="ES256, ES384 or EdDSA. 算法。")] = "ES256",
    json: AsJson = False,
) -> int:
    """Create the adapter's key pair; prints what the security officer registers. 生成密钥对。"""
    return _guarded(lambda: _keygen(path, alg, json))


def _guarded(action: Callable[[], int]) -> int:
    # Damaged data has a code of its own here: 3 says "braked".
    try:
        return action()
    except Corrupt as error:
        complain(error)
        return EXIT_DAMAGED


add_officers_commands(app, _guarded)
add_corrections_commands(app, _guarded)


# --- run and approve -----------------------------------------------------------------------------------------------


def _run_once(path: Path, json: bool, full: bool, only: "StreamConfig | None" = None) -> int:
    from adapters.config import load
    from adapters.opening import effects as opened
    from adapters.run import run_stream

    config = load(path)
    with ExitStack() as stack:
        advance = stack.enter_context(progress(Text("处理中", "Working"), None))
        effects = replace(opened(config, stack), advance=advance)
        chosen = config.streams if only is None else (only,)
        reports = [run_stream(config, stream, effects, full) for stream in chosen]
    _tell(path, config, reports, json)
    return _exit_code(reports)


def _watch(path: Path, json: bool, every_s: float) -> int:
    from adapters.config import load
    from adapters.opening import effects as opened
    from adapters.watch import stopping, watch

    config = load(path)
    with ExitStack() as stack:
        effects = opened(config, stack)
        stack.enter_context(stopping(effects.stop))
        watch(config, effects, every_s, lambda report: _tell(path, config, [report], json))
    return EXIT_OK


def _approve(run_id: int, path: Path, json: bool) -> int:
    from adapters.config import load
    from adapters.opening import look
    from adapters.outbox import LockHeld

    config = load(path)
    with look(config) as outbox:
        approved = outbox.approve(run_id)
        states = [(stream, outbox.known_stream(stream.stream.evidence_type)) for stream in config.streams]
    only = next((stream for stream, state in states if state is not None and state.id == approved.stream), None)
    try:
        return _run_once(path, json, False, only)
    except LockHeld:
        say(_APPROVED)
        return EXIT_OK


def _trial(path: Path, json: bool) -> int:
    from adapters.config import load
    from adapters.opening import look
    from adapters.run import trial

    config = load(path)
    with look(config) as outbox, progress(Text("读取中", "Reading"), None) as advance:
        reports = [trial(stream, outbox, advance) for stream in config.streams]
    _tell(path, config, reports, json)
    return _exit_code(reports)


def _check(path: Path, json: bool) -> int:
    """As a trial run, against nothing published yet."""
    from adapters.config import load
    from adapters.outbox import Outbox
    from adapters.run import trial

    config = load(path)
    with (
        Outbox(None, config.organisation, config.adapter) as outbox,
        progress(Text("读取中", "Reading"), None) as advance,
    ):
        reports = [trial(stream, outbox, advance) for stream in config.streams]
    _tell(path, config, reports, json)
    return _exit_code(reports)


def _tell(path: Path, config: "AdapterConfig", reports: "Sequence[StreamReport]", json: bool) -> None:
    from adapters.report import totals

    for report in reports:
        if report.error is not None:
            complain(report.error)
        if not json:
            for line in report.lines(str(path)):
                say(line)
    if json:
        streams: list[Json] = [report.to_json() for report in reports]
        emit_json({"adapter": config.adapter, **totals(reports), "streams": streams})


def _exit_code(reports: "Sequence[StreamReport]") -> int:
    from adapters.report import AWAY, BRAKED, FAILED

    full = [report.error is not None and is_full_disk(report.error) for report in reports]
    states = {report.state for report, later in zip(reports, full, strict=True) if not later}
    if FAILED in states:
        return EXIT_MISTAKE
    if AWAY in states or any(full) or any(report.unsent for report in reports):
        return EXIT_AWAY
    return EXIT_BRAKED if BRAKED in states else EXIT_OK


# --- status and keys -----------------------------------------------------------------------------------------------

_APPROVED = Text(
    "已批准;运行中的适配器将在下次检查时发布。", "Approved; the running adapter publishes it at its next look."
)
_STATUS = Text(
    "{stream}:序号 {seq}(纪元 {epoch}),在用 {live} 条,待发送 {unsent} 条,最近运行 {run}({state})",
    "{stream}: number {seq} (epoch {epoch}), {live} live records, {unsent} entries to send, last run {run} ({state})",
)
_ERASURES = Text(
    "  {count} 个清除申请未完成,见 oncegate-adapter journal", "  {count} erasure(s) not done: oncegate-adapter journal"
)
_REFUSED = Text(
    "{count} 条最新消息被节点拒绝,见 oncegate-adapter rejects",
    "{count} of the newest messages refused by nodes: oncegate-adapter rejects",
)
_ASKED = Text(
    "{open} 件纠错申请待处理,其中逾期 {overdue} 件,见 oncegate-adapter corrections",
    "{open} correction requests open, {overdue} of them overdue: oncegate-adapter corrections",
)
_REGISTER = Text(
    "请将公钥文件 {public} 交给安全管理员登记,并核对密钥标识:",
    "Give the public key file {public} to the security officer to register; compare the key id:",
)


def _status(path: Path, json: bool) -> int:
    from adapters.config import load
    from adapters.opening import look

    config = load(path)
    with look(config) as outbox:
        rows = [_stream_status(stream, outbox) for stream in config.streams]
        refused, asked = _refused(config, outbox), _asked(config, outbox)
    if json:
        found = {"adapter": config.adapter, "organisation": config.organisation, "rejects": refused}
        emit_json({**found, "corrections": asked, "streams": rows})
        return EXIT_OK
    for row in rows:
        say(_STATUS.fill(**row))
        if row["erasures"]:
            say(_ERASURES.fill(count=row["erasures"]))
    if refused:
        say(_REFUSED.fill(count=refused))
    if asked and asked["open"]:
        say(_ASKED.fill(**asked))
    return EXIT_OK


def _refused(config: "AdapterConfig", outbox: "Outbox") -> int | None:
    """How many of our newest messages nodes refused; None where nobody can say (no keys of nodes, log away)."""
    from adapters.reject_list import read_refusals
    from contracts.edge.transport import LogUnavailable, TopicUnknown

    if not config.nodes:
        return None
    try:
        return len(read_refusals(config, outbox).current)
    except (LogUnavailable, TopicUnknown):
        return None


def _asked(config: "AdapterConfig", outbox: "Outbox") -> dict[str, int] | None:
    """How many correction requests are open and overdue; None as for `_refused`."""
    from adapters.correction_list import overdue, read_requests
    from contracts.edge.clock import now_ms
    from contracts.edge.transport import LogUnavailable, TopicUnknown

    if not config.nodes:
        return None
    try:
        waiting = [one.request for one in read_requests(config, outbox).open]
    except (LogUnavailable, TopicUnknown):
        return None
    return {"open": len(waiting), "overdue": overdue(waiting, now_ms())}


def _stream_status(config: "StreamConfig", outbox: "Outbox") -> dict[str, object]:
    from adapters.outbox_journal import open_erasures

    name = config.stream.evidence_type
    state = outbox.known_stream(name)
    if state is None:
        return {
            "stream": name,
            "epoch": 0,
            "seq": 0,
            "live": 0,
            "unsent": 0,
            "erasures": 0,
            "run": None,
            "state": "new",
        }
    last = outbox.last_run(state)
    return {
        "stream": name,
        "epoch": state.epoch,
        "seq": state.position.seq,
        "live": len(outbox.live_digests(state)),
        "unsent": outbox.backlog(state),
        "erasures": len(open_erasures(outbox, state)),
        "next_statement": state.next_at,
        "last_full_statement": state.full_at,
        "run": last.id if last else None,
        "state": last.state if last else "new",
        "run_at": last.at if last else None,
    }


def _keygen(path: Path, alg: str, json: bool) -> int:
    from contracts.edge.keys import create_signing_key, write_public_key

    key = create_signing_key(path, alg)
    public = path.with_name(f"{path.stem}.pub{path.suffix or '.pem'}")
    write_public_key(public, key.public)
    if json:
        emit_json(
            {"alg": alg, "kid": key.kid, "jwk": dict(key.public.jwk), "key": str(path), "public_key": str(public)}
        )
        return EXIT_OK
    say(_REGISTER.fill(public=public))
    say(Text(f"  {key.kid}", f"  {key.kid}"))
    toml = f'\n[[adapters.keys]]\nalg = "{alg}"\npublic_key = "{public.name}"'
    say(Text(toml, toml))
    return EXIT_OK
