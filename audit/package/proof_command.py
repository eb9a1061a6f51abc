"""`oncegate-audit proof`: a c2sp.org/tlog-proof@v1 of one entry, made from a copy of its log; or one that is checked.

1. What is printed is checked first, under the log's key: a proof that would not hold is never given out.
2. A check needs the proof, the exact bytes of the entry, and the log's key: there is nothing to take it from.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.edge.files import write_atomic
from contracts.edge.output import emit_json, say, warn
from contracts.errors import Corrupt, Fault, UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.notes import NoteKey

EXIT_FAILED = 1
MAX_DIGITS = 18

_NO_LOG = Text("该目录不是审计日志", "Not the directory of an audit log")
_NO_LOG_REMEDY = Text("请给出含有 checkpoint 文件的目录。", "Give the directory that holds the file `checkpoint`.")
_NOT_INDEX = Text("不是日志位置", "Not a position in a log")
_INDEX_FORM = Text("请给出从 0 起的整数。", "Give a whole number from 0.")
_NEED_VKEY = Text("核验证明需要日志的验证公钥", "Checking a proof takes the log's verifier key")
_GIVE_VKEY = Text("请用 --vkey 给出(见注册库)。", "Give it with --vkey; the registry lists it.")
_OWN_KEY = Text(
    "注意:公钥取自该目录本身,请用 --vkey 给出注册库中的公钥。",
    "Note: the key was taken from the directory itself; give the registry's with --vkey.",
)
_HOLDS = Text(
    "成立:{origin} 第 {index} 条,检查点 {size} 条,见证方共同签名 {cosigned} 个",
    "Holds: entry {index} of {origin}, under a head of {size} entries, cosigned by {cosigned} witnesses",
)
_FAILED = Text("验证失败:{what}({code})", "FAILED: {what} ({code})")


def proof_command(
    log: Annotated[
        Path, typer.Argument(metavar="LOG|PROOF", help="A log's directory; with --check a proof. 日志目录或证明文件。")
    ],
    entry: Annotated[
        str, typer.Argument(metavar="INDEX|RECORD", help="A position; with --check the entry's bytes. 位置或记录文件。")
    ],
    check: Annotated[bool, typer.Option("--check", help="Check a proof that somebody else made. 核验证明。")] = False,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the entry's exact bytes. 同时写出记录原文。")
    ] = None,
    vkeys: Annotated[
        list[str] | None,
        typer.Option("--vkey", metavar="KEY", help="The log's verifier key, and witnesses'. 日志与见证方公钥。"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print JSON. 核验时输出 JSON。")] = False,
) -> None:
    """Print the proof of one entry (c2sp.org/tlog-proof), or check one. 出具或核验一条记录的存证证明。"""
    from audit.notes import COSIGNATURE
    from audit.package.export_command import vkey_of

    keys = [vkey_of(text) for text in vkeys or []]
    logs = [key for key in keys if key.kind != COSIGNATURE]
    witnesses = [key for key in keys if key.kind == COSIGNATURE]
    if len(logs) > 1 or (check and not logs):
        raise UserError(_NEED_VKEY, "--vkey", _GIVE_VKEY)
    if check:
        raise typer.Exit(_check(log.read_bytes(), Path(entry).read_bytes(), logs[0], witnesses, as_json))
    _print(log, entry, logs[0] if logs else _own_key(log), record)
    if not logs:
        warn(_OWN_KEY)


def _print(directory: Path, index: str, key: "NoteKey", record: Path | None) -> None:
    from audit.checkpoints import open_note
    from audit.merkle import leaf_hash, verify_inclusion
    from audit.reader import LogReader

    if not (directory / "checkpoint").is_file():
        raise UserError(_NO_LOG, str(directory), _NO_LOG_REMEDY)
    if not index.isascii() or not index.isdigit() or len(index) > MAX_DIGITS:
        raise UserError(_NOT_INDEX, index, _INDEX_FORM)
    reader = LogReader(directory, key)
    proof = reader.proof(int(index))
    if proof is None:
        raise Fault("entry_unknown", detail=index)
    head = open_note(proof.note, key)[0]
    leaf = reader.entry(proof.index, head.size)
    if not verify_inclusion(proof.index, head.size, leaf_hash(leaf), proof.hashes, head.root):
        raise Corrupt(f"entry {index} is not the one in the signed tree")
    if record is not None:
        write_atomic(record, leaf)
    sys.stdout.write(proof.encode().decode())


def _check(text: bytes, leaf: bytes, key: "NoteKey", witnesses: "Sequence[NoteKey]", as_json: bool) -> int:
    from audit.checkpoints import open_note
    from audit.merkle import leaf_hash
    from audit.receipts import Receipt, parse_proof, verify_proof

    try:
        proof = parse_proof(text)
        head, cosigned = open_note(proof.note, key, witnesses)
        level = verify_proof(proof, Receipt(head.origin, proof.index, leaf_hash(leaf), b""), key, witnesses)
        fault = level if isinstance(level, Fault) else None
    except Fault as found:
        fault = found
    if fault is not None:
        if as_json:
            emit_json({"verified": False, "code": fault.code})
        else:
            say(_FAILED.fill(what=fault.row.title, code=fault.code))
        return EXIT_FAILED
    facts = {"origin": head.origin, "index": proof.index, "size": head.size, "cosigned": cosigned}
    if as_json:
        emit_json({"verified": True, "root": head.root.hex(), **facts})
    else:
        say(_HOLDS.fill(**facts))
    return 0


def _own_key(directory: Path) -> "NoteKey":
    from audit.package.export_command import vkey_of

    try:
        return vkey_of((directory / "vkey").read_text("ascii").strip())
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        raise UserError(_NEED_VKEY, str(directory), _GIVE_VKEY) from None
