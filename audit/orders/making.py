"""What an auditor's order needs from a copy of the log."""

import time
from pathlib import Path

from audit.notes import NoteKey, parse_vkey
from audit.orders.chain import at_hand
from audit.orders.decide import Refused, retention
from audit.orders.order import ERASE, Order
from audit.orders.situation import situation
from audit.orders.state import State, standing
from audit.reader import LogReader
from contracts.errors import Fault, UserError
from contracts.registry import MIN_RETENTION_DAYS
from contracts.text import Text

_NO_LOG = Text("该目录不是审计日志", "Not the directory of an audit log")
_NO_LOG_REMEDY = Text("请给出含有 checkpoint 文件的目录。", "Give the directory that holds the file `checkpoint`.")
_NO_VKEY = Text("缺少日志验证公钥", "The verifier key of the log is missing")
_GIVE_VKEY = Text("请用 --vkey 给出(见注册库)。", "Give it with --vkey; the registry lists it.")


def reader_of(directory: Path, key: NoteKey | None) -> LogReader:
    """A log's directory under its key, or the one beside it; raises `UserError`."""
    if not (directory / "checkpoint").is_file():
        raise UserError(_NO_LOG, str(directory), _NO_LOG_REMEDY)
    if key is not None:
        return LogReader(directory, key)
    try:
        return LogReader(directory, parse_vkey((directory / "vkey").read_text("ascii").strip()))
    except (FileNotFoundError, UnicodeDecodeError, Fault):
        raise UserError(_NO_VKEY, str(directory), _GIVE_VKEY) from None


def next_number(reader: LogReader) -> int:
    """One above the highest order that lies beside this copy."""
    return max((one.number for one in standing(reader, None, at_hand(reader))), default=0) + 1


def now_s() -> int:
    """Unix seconds."""
    return int(time.time())


def refuse_too_early(order: Order, reader: LogReader, size: int) -> None:
    """An order to erase what no registry may erase yet, or what a hold on this copy keeps, is not signed at all.

    Raises `UserError`, `Corrupt`.
    """
    if order.action == ERASE:
        here = situation(order, reader, size, State(), MIN_RETENTION_DAYS)
        raise_refused(retention(here, order.time * 1000))


def raise_refused(refused: Refused | None) -> None:
    """As a mistake of the caller's; raises `UserError`."""
    if refused is not None:
        raise UserError(refused.what, "", refused.remedy)
