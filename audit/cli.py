"""`oncegate-audit`: check a log, read a log, mirror and witness logs. Exit code 0 whole, 1 verification failed or an
alarm, 2 a mistake of the user, 3 own data damaged; programs that run on (`mirror`, `witness`) end with 0 when they were
told to, `witness` with 70 when its store failed.

Every command imports its room when it runs, so that `--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit import retention_cli
from audit.api import command as api_command
from audit.orders import order_commands, rows_command
from audit.package import commands as package_commands
from audit.review import finding_commands
from audit.search import analyse_command, commands, reconcile_command, sample_command
from contracts.edge.output import command_line, emit_json, progress, run, say
from contracts.encoding import Json
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

if TYPE_CHECKING:
    from audit.checkpoints import Checkpoint
    from audit.notes import NoteKey
    from audit.verify import Report

EXIT_FAILED = 1

app = command_line("oncegate-audit", "Check and read the audit logs of oncegate. 审计日志的验证与查阅。")

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The directory of one log (it holds `checkpoint`). 日志目录。")
]
Vkey = Annotated[
    str, typer.Option(metavar="KEY", help="The log's verifier key; else the file `vkey` in DIR. 验证公钥。")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")]

_NO_LOG = Text("该目录不是审计日志", "Not the directory of an audit log")
_NO_LOG_REMEDY = Text("请给出含有 checkpoint 文件的目录。", "Give the directory that holds the file `checkpoint`.")
_NO_VKEY = Text("缺少日志验证公钥", "The verifier key of the log is missing")
_NO_VKEY_REMEDY = Text("请用 --vkey 给出(见注册库)。", "Give it with --vkey; the registry lists it.")
_ONE_KEY = Text("一个日志只有一个验证公钥", "A log has one verifier key")
_OF_LOG = Text("该选项只用于日志目录", "This is for a log's directory only")
_OF_LOG_REMEDY = Text("证据文件包总是核验其全部内容。", "Of an evidence package everything is checked anyway.")
_BAD_HEAD = Text("该文件不是此日志的有效检查点", "Not a valid checkpoint of this log")
_BAD_HEAD_REMEDY = Text("请给出该日志的检查点文件。", "Give a checkpoint file of this log.")
_NEED_KEY = Text("查看密封内容需要审计员私钥", "Openings need the auditor's private key")
_NEED_KEY_REMEDY = Text("请用 --auditor-key 给出。", "Give it with --auditor-key.")
_OF_OPENINGS = Text("该选项只用于查看密封内容(--openings)", "This is for looks at openings (--openings) only")
_BAR = Text("验证", "Verifying")
_COPYING = Text("复制", "Copying")
_WHOLE = Text("完整:{origin},{size} 条,根 {root}", "Whole: {origin}, {size} entries, root {root}")
_OWN_KEY = Text(
    "注意:公钥取自该目录本身,请用 --vkey 给出注册库中的公钥。",
    "Note: the key was taken from the directory itself; give the registry's with --vkey.",
)
_NO_KIND = Text("没有这种密钥", "No such kind of key")
_CREATED = Text("已生成 {path},验证公钥在 {vkey}", "Created {path}; its verifier key is in {vkey}")
_NO_LIBRARY = Text("缺少程序库 {name}", "The library {name} is missing")
_INSTALL = Text("请安装 oncegate[audit]。", "Install oncegate[audit].")
_FAILED = Text("验证失败:{file},条目 {first}–{last}:{what}", "FAILED: {file}, entries {first} to {last}: {what}")


@app.command("verify")
def verify_command(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR|FILE", help="A log's directory, or an evidence package. 日志目录或证据文件包。"),
    ],
    vkeys: Annotated[
        list[str] | None,
        typer.Option(
            "--vkey", metavar="KEY", help="The log's verifier key; of a package all keys that you have. 验证公钥。"
        ),
    ] = None,
    head: Annotated[
        Path | None, typer.Option(help="A checkpoint known from elsewhere: witness, head_dir. 另存的检查点。")
    ] = None,
    openings: Annotated[
        bool, typer.Option("--openings", help="Also require an opening row for each entry. 同时核对密封内容。")
    ] = False,
    orders_vkey: Annotated[
        str, typer.Option(metavar="KEY", help="With --openings: the auditor's key for orders. 审计员指令公钥。")
    ] = "",
    successors: Annotated[
        list[Path] | None,
        typer.Option(
            "--successor",
            metavar="DIR",
            help="With --openings, of a closed log: the log that goes on from it, if not beside it. 后继日志目录。",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A log: derive all tiles and the root again from its entries, and compare. An evidence package: check all that
    is in it, without a network. 由条目重新推导并核对整个日志,或核验证据文件包(无需网络)。"""
    if directory.is_file():
        from audit.package.verify_command import verify_package

        if head is not None or openings or orders_vkey:
            raise UserError(_OF_LOG, "--head, --openings, --orders-vkey", _OF_LOG_REMEDY)
        raise typer.Exit(verify_package(directory, vkeys or [], as_json))
    from audit.verify import verify

    if len(vkeys or []) > 1:
        raise UserError(_ONE_KEY, "--vkey")
    vkey = "".join(vkeys or [])
    key = _log_key(directory, vkey)
    known = None if head is None else _known(head, key)
    with progress(_BAR, _size(directory, key)) as advance:
        orders_key = _orders_key(orders_vkey)
        report = verify(directory, key, known, openings, advance, orders_key, successors or ())
    if as_json:
        emit_json(_as_json(report))
    else:
        _say(report, own_key=not vkey)
    raise typer.Exit(EXIT_FAILED if report.difference else 0)


@app.command("show")
def show_command(
    directory: Directory,
    last: Annotated[int, typer.Option(min=1, metavar="N", help="How many of the newest entries. 最新条数。")] = 20,
    index: Annotated[int | None, typer.Option(min=0, metavar="I", help="Only this entry. 仅此条目。")] = None,
    openings: Annotated[
        bool, typer.Option("--openings", help="Also what is sealed for the auditor. 同时显示密封内容。")
    ] = False,
    auditor_key: Annotated[
        Path | None, typer.Option(help="The auditor's private key (X25519, PEM). 审计员私钥。")
    ] = None,
    own_log: Annotated[
        Path | None,
        typer.Option("--own-log", help="With --openings: record the look there first (TOML). 自有日志配置。"),
    ] = None,
    vkey: Vkey = "",
    as_json: AsJson = False,
) -> None:
    """Print entries of the published log; at most 20 with their openings. 查阅日志条目。"""
    from audit.search import looks
    from audit.search.own_log import load
    from audit.show import Viewer
    from contracts.edge.keys import load_hpke_private

    if openings and auditor_key is None:
        raise UserError(_NEED_KEY, "--openings", _NEED_KEY_REMEDY)
    if openings:
        looks.require_few(last if index is None else 1)
    elif own_log is not None:
        raise UserError(_OF_OPENINGS, "--own-log")
    private = load_hpke_private(auditor_key) if openings and auditor_key else None
    own = None if own_log is None else load(own_log)
    viewer = Viewer(directory, _log_key(directory, vkey), private)
    lines = viewer.newest(last) if index is None else [viewer.line(index)]
    if private is not None:
        looks.keep(own, viewer.head, lines, private)
    if as_json:
        emit_json([line.as_json() for line in lines])
        return
    for line in lines:
        say(line.text())


@app.command("keygen")
def keygen_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="witness, mirror or orders. 密钥种类。")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The private key file to create. 新私钥文件。")],
    name: Annotated[str, typer.Option(help="The key's name, such as witness.example/oncegate. 名称。")],
) -> None:
    """Create a key that signs notes: PATH, and its verifier key in PATH's stem with .vkey. 生成签名密钥。"""
    from audit.witness.keygen import KINDS, create

    if kind not in KINDS:
        raise UserError(_NO_KIND, kind, Text("可选:witness、mirror、orders", "One of: witness, mirror, orders."))
    say(_CREATED.fill(path=path, vkey=create(path, name, kind)))


@app.command("witness")
def witness_command(
    config: Annotated[Path, typer.Option(help="The witness's configuration (TOML). 见证者配置文件。")],
) -> None:
    """Cosign the checkpoints of logs that only grow (C2SP tlog-witness), until stopped. 运行见证服务。"""
    try:
        from audit.witness.server import run_witness
    except ModuleNotFoundError as error:
        raise UserError(_NO_LIBRARY.fill(name=error.name), "oncegate[audit]", _INSTALL) from None
    raise typer.Exit(run_witness(config))


commands.add(app)
api_command.add(app)
retention_cli.add(app)
app.command("reconcile")(reconcile_command.reconcile_command)
app.add_typer(sample_command.app)
app.command("analyse")(analyse_command.analyse_command)
finding_commands.add(app)
package_commands.add(app)
app.add_typer(order_commands.app)


@app.command("mirror")
def mirror_command(
    config: Annotated[Path, typer.Option(help="The mirror's configuration (TOML). 镜像配置文件。")],
    once: Annotated[
        bool, typer.Option("--once", help="Copy what is there now, then end (1: alarms). 只复制一次。")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="What a running mirror last found (1: alarms, or too old). 显示状态。")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy and verify every log that the registry lists, and watch them, until stopped. 镜像全部审计日志并核验。"""
    from audit.mirror import report
    from audit.mirror.config import load

    found = load(config)
    if status:
        raise typer.Exit(report.show(found.directory, as_json))
    if once:
        with progress(_COPYING, None) as advance:
            report.once(found, advance)
        raise typer.Exit(report.show(found.directory, as_json))
    report.run(found)


def main() -> None:
    """The console script."""
    run(app)


def _log_key(directory: Path, vkey: str) -> "NoteKey":
    from audit.notes import parse_vkey

    directory.stat()  # nothing there: OSError says so
    if not (directory / "checkpoint").is_file():
        raise UserError(_NO_LOG, str(directory), _NO_LOG_REMEDY)
    try:
        return parse_vkey(vkey or (directory / "vkey").read_text().strip())
    except FileNotFoundError:
        raise UserError(_NO_VKEY, str(directory), _NO_VKEY_REMEDY) from None
    except (Fault, ValueError):
        raise UserError(Fault("vkey_invalid").row.title, vkey or "vkey", _NO_VKEY_REMEDY) from None


def _orders_key(vkey: str) -> "NoteKey | None":
    from audit.notes import parse_vkey

    try:
        return parse_vkey(vkey) if vkey else None
    except Fault as fault:
        raise UserError(fault.row.title, vkey, _NO_VKEY_REMEDY) from None


def _known(path: Path, key: "NoteKey") -> "Checkpoint":
    from audit.checkpoints import open_note

    try:
        return open_note(path.read_bytes(), key)[0]
    except Fault as fault:
        raise UserError(_BAD_HEAD, f"{path} {fault.code}", _BAD_HEAD_REMEDY) from None


def _size(directory: Path, key: "NoteKey") -> int | None:
    """For the bar only: verification reads the head by itself."""
    from audit.reader import LogReader

    try:
        return LogReader(directory, key).checkpoint().size
    except (Fault, Corrupt):
        return None


def _say(report: "Report", own_key: bool) -> None:
    if report.difference is None:
        say(_WHOLE.fill(origin=report.origin, size=report.size, root=report.root.hex()))
        rows_command.tell(report.rows)
    else:
        found = report.difference
        say(_FAILED.fill(file=found.file, first=found.first, last=found.last, what=found.what))
    if own_key:
        say(_OWN_KEY)


def _as_json(report: "Report") -> Json:
    found = report.difference
    return {
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex(),
        "entries": report.entries,
        "verified": found is None,
        "difference": found
        and {"file": found.file, "first": found.first, "last": found.last, "what": found.what.as_json()},
        "openings": rows_command.as_json(report.rows),
    }
