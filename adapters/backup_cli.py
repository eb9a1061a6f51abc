"""`oncegate-adapter backup` and `restore` at the command line."""

from collections.abc import Sequence
from pathlib import Path

from adapters.backup import make
from adapters.backup import restore as bring_back
from contracts.edge import backups
from contracts.edge.output import emit_json, progress, say
from contracts.text import Text

_MADE = Text(
    "备份 {path}:{files} 个文件,{size:.1f} MB,{secrecy}", "Backup {path}: {files} files, {size:.1f} MB, {secrecy}"
)
_ENCRYPTED = Text("由恢复密钥 {kid} 解密", "readable with the recovery key {kid}")
_PLAIN = Text("明文,内含私钥,请妥善保管", "in the clear, with private keys: keep it as safe as them")
_RESTORED = Text(
    "已恢复适配器 {adapter}:{files} 个文件,配置为 {config}",
    "Adapter {adapter} is restored: {files} files; its configuration is {config}",
)
_EPOCHS = Text(
    "{count} 个数据流开始新纪元;下次运行将重新发布全部数据。",
    "{count} streams begin a new epoch: the next run publishes everything again.",
)
_ERASED = Text("备份后已清除的 {count} 条记录不会恢复", "{count} records were erased since the backup, and stay so")
_ASIDE = Text("原有文件已移至 {aside}", "What was there is in {aside}")
_READING = Text("读取消息日志", "Reading the message log")


def backup(config: Path, target: Path, recipient: Path | None, plain: bool, also: Sequence[Path], as_json: bool) -> int:
    """Make a backup and say what is in it; the exit code."""
    made = make(config, target, backups.recipient(recipient, plain), also)
    kid, files = None if made.recipient is None else made.recipient.kid, len(made.manifest.files)
    if as_json:
        emit_json({"file": str(made.path), "bytes": made.bytes, "files": files, "recipient": kid})
    else:
        secrecy = _PLAIN if kid is None else _ENCRYPTED.fill(kid=kid)
        say(_MADE.fill(path=made.path, files=files, size=made.bytes / 1e6, secrecy=secrecy))
    return 0


def restore(file: Path, into: Path, key: Path | None, replace: bool, as_json: bool) -> int:
    """Bring a backup back and say what it means; the exit code."""
    with progress(_READING, None) as advance:
        done = bring_back(file, backups.recovery_key(key), into, replace, advance)
    facts = {"adapter": done.manifest.facts["adapter"], "files": len(done.manifest.files), "config": str(done.config)}
    aside = None if done.aside is None else str(done.aside)
    if as_json:
        emit_json({**facts, "epochs": done.epochs, "erased": done.erased, "aside": aside})
        return 0
    say(_RESTORED.fill(**facts))
    say(_EPOCHS.fill(count=len(done.epochs)))
    if done.erased:
        say(_ERASED.fill(count=done.erased))
    if aside is not None:
        say(_ASIDE.fill(aside=aside))
    return 0
