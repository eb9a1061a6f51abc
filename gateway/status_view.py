"""`oncegate status` at the edge: the streams of a node as a table or as JSON."""

from datetime import UTC, datetime
from pathlib import Path
from shutil import get_terminal_size

from contracts.edge.clock import now_ms
from contracts.edge.i18n import language
from contracts.edge.output import emit_json, say
from contracts.errors import ERRORS
from contracts.plain import to_plain
from contracts.text import Text
from gateway.node import opened
from gateway.status import Status, StreamStatus, status

_WIDTH = 120
_COLUMNS: tuple[Text, ...] = (
    Text("数据流", "stream"),
    Text("状态", "state"),
    Text("完整截至", "as of"),
    Text("在用", "live"),
    Text("被拒", "refused"),
    Text("缺号", "missing"),
    Text("下次对账", "next statement"),
)
_HELD_UP = ERRORS["erasure_held_up"]
_ALARM = Text("警报 {stream}(自 {since}):{title}。{step}", "ALARM {stream} (since {since}): {title}. {step}")
_STATES = {
    "catching_up": Text("追赶中", "catching_up"),
    "complete": Text("完整", "complete"),
    "gapped": Text("缺号", "gapped"),
    "stale": Text("过期", "stale"),
    "stopped": Text("停止", "stopped"),
}


def show(config: Path, as_json: bool) -> None:
    """Print the status of the node; raises `UserError`."""
    with opened(config) as node, node.stores().open_current() as reader:
        found = status(reader, node.registry.current(), now_ms() // 1000)
    if as_json:
        emit_json(to_plain(found))
        return
    print_table(found)


def print_table(found: Status) -> None:
    """The streams, a line each."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    lang = language()
    table = Table(box=box.SIMPLE)
    for column in _COLUMNS:
        table.add_column(column.pick(lang), no_wrap=True)
    for row in found.streams:
        table.add_row(*_cells(row, lang))
    # Whoever pipes it or has a narrow window gets whole lines, not columns of single letters.
    Console(width=max(get_terminal_size().columns, _WIDTH)).print(table)
    _tell_alarms(found)


def _tell_alarms(found: Status) -> None:
    for row in found.streams:
        if row.erasure_due is not None:
            say(
                _ALARM.fill(
                    stream=row.stream, since=_time(row.erasure_due), title=_HELD_UP.title, step=_HELD_UP.next_step
                )
            )


def _cells(row: StreamStatus, lang: str) -> tuple[str, ...]:
    state = _STATES[row.state].pick(lang) + (f" ({row.stopped})" if row.stopped else "")
    as_of, due = _time(row.as_of), _time(row.next_due)
    counts = (row.live, sum(row.refused.values()), row.missing)
    return (f"{row.stream.adapter} {row.stream.evidence_type}", state, as_of, *map(str, counts), due)


def _time(seconds: int | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%m-%d %H:%M:%S")
