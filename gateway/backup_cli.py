"""`oncegate backup` and `oncegate restore` at the command line."""

from collections.abc import Sequence
from pathlib import Path

from contracts.edge import backups
from contracts.edge.output import emit_json, progress, say
from contracts.text import Text
from gateway.backup import make
from gateway.backup import restore as bring_back

_MADE = Text(
    "备份 {path}:{files} 个文件,{size:.1f} MB,{secrecy}", "Backup {path}: {files} files, {size:.1f} MB, {secrecy}"
)
_ENCRYPTED = Text("由恢复密钥 {kid} 解密", "readable with the recovery key {kid}")
_PLAIN = Text("明文,内含私钥,请妥善保管", "in the clear, with private keys: keep it as safe as them")
_LOG = Text("审计日志 {slot}:{size} 条", "Audit log {slot}: {size} entries")
_RESTORED = Text(
    "已恢复节点 {node}:{files} 个文件,配置为 {config}",
    "Node {node} is restored: {files} files; its configuration is {config}",
)
_ASIDE = Text("原有文件已移至 {aside}", "What was there is in {aside}")
_NEXT = Text(
    "下一步:启动 ingest(从日志重建存储)与 serve。",
    "Next: start ingest, which builds the store from the log, and serve.",
)
_CHECKING = Text("核对审计日志", "Verifying audit logs")


def backup(
    config: Path, target: Path, recipient: Path | None, plain: bool, also: Sequence[Path], as_json: bool
) -> None:
    """Make a backup and say what is in it."""
    made, logs = make(config, target, backups.recipient(recipient, plain), also)
    kid = None if made.recipient is None else made.recipient.kid
    if as_json:
        files = len(made.manifest.files)
        emit_json({"file": str(made.path), "bytes": made.bytes, "files": files, "recipient": kid, "audit": logs})
        return
    secrecy = _PLAIN if kid is None else _ENCRYPTED.fill(kid=kid)
    say(_MADE.fill(path=made.path, files=len(made.manifest.files), size=made.bytes / 1e6, secrecy=secrecy))
    _say_logs(logs)


def restore(file: Path, into: Path, key: Path | None, replace: bool, as_json: bool) -> None:
    """Bring a backup back and say what to do next."""
    with progress(_CHECKING, None) as advance:
        done = bring_back(file, backups.recovery_key(key), into, replace, advance)
    node, count = done.manifest.facts["node"], len(done.manifest.files)
    aside = None if done.aside is None else str(done.aside)
    if as_json:
        emit_json({"node": node, "files": count, "config": str(done.config), "audit": done.audit, "aside": aside})
        return
    say(_RESTORED.fill(node=node, files=count, config=done.config))
    _say_logs(done.audit)
    if aside is not None:
        say(_ASIDE.fill(aside=aside))
    say(_NEXT)


def _say_logs(logs: dict[str, int]) -> None:
    for slot, size in logs.items():
        say(_LOG.fill(slot=slot, size=size))
