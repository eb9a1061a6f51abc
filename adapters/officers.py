"""What an officer of a department decides: erasures, readmissions, new epochs; and what nodes refused.

1. Nothing is erased by one command: `erase` names what would go and gives a number, `approve` does exactly that.
2. Every decision has a reason. It is kept in the outbox's journal and shown by `journal`, nowhere else.
3. A running adapter is not disturbed: it carries out what was approved at its next look.
"""

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from adapters import outbox_journal
from adapters.config import AdapterConfig, StreamConfig, load
from adapters.erasing import find, names_of, read_wanted
from adapters.opening import effects, look
from adapters.outbox import Lock, LockHeld, Outbox
from adapters.outbox_journal import JournalEntry, Published
from adapters.outbox_tables import StreamState
from adapters.reject_list import Refusal, read_refusals
from adapters.run import erase_approved, publish
from contracts.edge.clock import now_ms
from contracts.edge.output import EXIT_AWAY, emit_json, progress, say
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.plain import to_plain
from contracts.text import Text

EXIT_OK, EXIT_WAITS = 0, 3
SHOWN = 10

_NO_REASON = Text("请写明理由", "A reason is needed")
_SAY_WHY = Text("例如 --reason '法院决定 2026-17 号'。", "For example --reason 'court order 2026-17'.")
_NOBODY = Text("没有指明记录", "No record is named")
_NAME = Text("使用 --record 或 --from。", "Use --record or --from.")
_WHICH = Text("请指明证照类型", "Which evidence type?")
_ONE_OF = Text("--type,可选:{known}", "--type, one of: {known}")
_GONE = Text("该申请的数据流已不在配置中", "The stream of that request is no longer in the configuration")
_ADD_AGAIN = Text("请先恢复其 [[streams]]。", "Put its [[streams]] back first.")
_UNREADABLE = Text("无法读取 {name}", "{name} cannot be read")
_WOULD = Text("{stream}:将清除 {count} 条记录", "{stream}: {count} record(s) would be erased")
_RECORD = Text("  {record}:{what}{place}", "  {record}: {what}{place}")
_PLACE = Text(",{file} 第 {line} 行", ", {file}, row at line {line}")
_MORE = Text("  其余 {count} 条见 --json", "  {count} more with --json")
_ROWS = Text(
    "  注意:{count} 行的主键或持证主体无法读取,可能也属于该主体。",
    "  NOTE: key or holder of {count} row(s) cannot be read; they may be that holder's, too.",
)
_APPROVE = Text(
    "  清除后无法恢复。批准:oncegate-adapter approve-erase {number} {config}",
    "  What is erased cannot be brought back. Approve: oncegate-adapter approve-erase {number} {config}",
)
_ERASED = Text(
    "{stream}:已清除 {count} 条记录,待发送 {unsent} 条。源系统中仍有的行不会再发布,请在源系统中一并删除。",
    "{stream}: {count} record(s) erased, {unsent} entries to send. Rows that are still in the source are not published "
    "again; delete them there, too.",
)
_LATER = Text(
    "已批准;运行中的适配器将在下次检查时清除。", "Approved; the running adapter carries it out at its next look."
)
_READMITTED = Text(
    "{record}:其源行将以新记录号重新发布;已清除的记录仍保持清除。",
    "{record}: its row is published under a new record id with the next run; what was erased stays erased.",
)
_EPOCH = Text(
    "{stream}:新纪元 {epoch};下次运行将重新发布全部记录。",
    "{stream}: new epoch {epoch}; the next run publishes every record again.",
)
_ENTRY = Text(
    "{id}  {at}  {act}  {state}  {count} 条:{reason}", "{id}  {at}  {act}  {state}  {count} record(s): {reason}"
)
_NO_NODES = Text("未配置节点公钥", "No keys of nodes are configured")
_PIN = Text(
    "向安全管理员索取节点公钥,写入 [[nodes]] id、public_key。",
    "Ask the security officer for the nodes' public keys, and list them in [[nodes]] with id and public_key.",
)
_COUNTS = Text(
    "{current} 条最新消息被节点拒绝,{former} 条已被后来的消息取代,{unverified} 条签名未通过",
    "{current} newest messages refused by nodes, {former} that newer ones have superseded, {unverified} not verified",
)
_REFUSAL = Text("  {place}:{title} {pointer}({code})。{step}", "  {place}: {title} {pointer} ({code}). {step}")
_ROW = Text("{file} 第 {line} 行", "{file}, row at line {line}")
_UNKNOWN_ROW = Text("{topic}@{offset}", "{topic}@{offset}")

# --- erase ---------------------------------------------------------------------------------------------------------


def erase(
    path: Path,
    evidence_type: str | None,
    named: tuple[Sequence[str], Path | None],
    reason: str,
    dry_run: bool,
    json: bool,
) -> int:
    """Ask for records to be erased. `named`: record ids, and a file (`-`: standard input) with more (`erasing`)."""
    _need(reason)
    config = load(path)
    stream = _stream(config, evidence_type)
    with look(config) if dry_run else Outbox(config.outbox, config.organisation, config.adapter) as outbox:
        state = _state(outbox, stream, dry_run)
        records, unreadable = _meant(stream, outbox, state, named)
        entry = None
        if records and not dry_run:
            entry = outbox_journal.request(outbox, state, records, reason, now_ms() // 1000)
        rows = _described(outbox, state, records)
    _tell_request(path, stream, rows, unreadable, entry, json)
    return EXIT_WAITS if entry else EXIT_OK


def _state(outbox: Outbox, stream: StreamConfig, dry_run: bool) -> StreamState:
    name = stream.stream.evidence_type
    if dry_run:
        return outbox.known_stream(name) or StreamState(0, 0, 1, None, None)
    return outbox.stream(name, now_ms())


def _need(reason: str) -> None:
    if not reason.strip():
        raise UserError(_NO_REASON, "--reason", _SAY_WHY)


def _stream(config: AdapterConfig, evidence_type: str | None) -> StreamConfig:
    found = [one for one in config.streams if evidence_type in (None, one.stream.evidence_type)]
    if len(found) != 1:
        known = ", ".join(one.stream.evidence_type for one in config.streams)
        raise UserError(_WHICH, str(config.path), _ONE_OF.fill(known=known))
    return found[0]


def _meant(
    stream: StreamConfig, outbox: Outbox, state: StreamState, named: tuple[Sequence[str], Path | None]
) -> tuple[list[str], int]:
    """The record ids that are meant, in order, and how many rows could not be read."""
    records, source = named
    if not records and source is None:
        raise UserError(_NOBODY, "", _NAME)
    name = names_of(stream, outbox, outbox_journal.closed(outbox, state))
    lines = [f"record {record}" for record in records]
    wanted = read_wanted([*lines, *_lines(source)], str(source or "--record"), name, len(stream.mapping.key))
    with progress(Text("读取中", "Reading"), None) as advance:
        found, unreadable = find(stream, wanted, name, advance)
    return sorted(found), unreadable


def _lines(source: Path | None) -> list[str]:
    if source is None:
        return []
    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(_UNREADABLE.fill(name=source), str(source)) from None
    return text.splitlines()


def _described(outbox: Outbox, state: StreamState, records: Sequence[str]) -> list[dict[str, Json]]:
    known = outbox_journal.published(outbox, state, records)
    erased = outbox_journal.closed(outbox, state).erased
    return [_description(record, known.get(record), record in erased) for record in records]


def _description(record: str, known: Published | None, erased: bool) -> dict[str, Json]:
    what = "erased" if erased else "unknown" if known is None else "live" if known.live else "withdrawn"
    place = (None, None) if known is None else (known.file, known.line)
    return {"record": record, "is": what, "file": place[0], "line": place[1]}


_WHAT = {
    "live": Text("在用", "live"),
    "withdrawn": Text("已撤回", "withdrawn"),
    "erased": Text("已清除,将再次发送清除消息", "erased already; the erasure is sent again"),
    "unknown": Text("本发件箱未发布过", "never published by this outbox"),
}


def _tell_request(
    path: Path, stream: StreamConfig, rows: list[dict[str, Json]], unreadable: int,
    entry: JournalEntry | None, json: bool,
) -> None:  # fmt: skip
    name, number = stream.stream.evidence_type, entry.id if entry else None
    if json:
        emit_json({"stream": name, "request": number, "unreadable": unreadable, "records": rows})
        return
    say(_WOULD.fill(stream=name, count=len(rows)))
    for row in rows[:SHOWN]:
        place = _PLACE.fill(file=row["file"], line=row["line"]) if row["file"] else Text("", "")
        say(_RECORD.fill(record=row["record"], what=_WHAT[row["is"]], place=place))
    if len(rows) > SHOWN:
        say(_MORE.fill(count=len(rows) - SHOWN))
    if unreadable:
        say(_ROWS.fill(count=unreadable))
    if number is not None:
        say(_APPROVE.fill(number=number, config=quote(str(path))))


def approve(path: Path, number: int, json: bool) -> int:
    """Approve exactly the records of a request, and carry it out."""
    config = load(path)
    with look(config) as outbox:
        entry = outbox_journal.approve(outbox, number)
        states = [(one, outbox.known_stream(one.stream.evidence_type)) for one in config.streams]
    stream = next((one for one, state in states if state is not None and state.id == entry.stream), None)
    if stream is None:
        raise UserError(_GONE, str(path), _ADD_AGAIN)
    try:
        unsent = _carry_out(config, stream)
    except LockHeld:
        say(_LATER)
        return EXIT_OK
    if json:
        records: list[Json] = list(entry.records)
        emit_json({"stream": stream.stream.evidence_type, "request": number, "erased": records, "unsent": unsent})
    else:
        say(_ERASED.fill(stream=stream.stream.evidence_type, count=len(entry.records), unsent=unsent))
    return EXIT_AWAY if unsent else EXIT_OK


def _carry_out(config: AdapterConfig, stream: StreamConfig) -> int:
    """How many entries the log has not taken yet."""
    with ExitStack() as stack:
        working = effects(config, stack)
        return publish(stream, erase_approved(config, stream, working), working)


def readmit(path: Path, evidence_type: str | None, record: str, reason: str) -> int:
    """Let the row of an erased record be published as another record."""
    _need(reason)
    config = load(path)
    with look(config) as outbox:
        state = outbox.stream(_stream(config, evidence_type).stream.evidence_type, now_ms())
        outbox_journal.readmit(outbox, state, record, reason, now_ms() // 1000)
    say(_READMITTED.fill(record=record))
    return EXIT_OK


# --- new epochs and the journal ------------------------------------------------------------------------------------


def new_epoch(path: Path, evidence_type: str | None, reason: str, json: bool) -> int:
    """Begin a new epoch of one stream or of all."""
    _need(reason)
    config = load(path)
    chosen = config.streams if evidence_type is None else (_stream(config, evidence_type),)
    epochs: dict[str, Json] = {}
    with Lock(config.outbox), Outbox(config.outbox, config.organisation, config.adapter) as outbox:
        for one in chosen:
            name = one.stream.evidence_type
            epochs[name] = outbox_journal.begin_epoch(outbox, outbox.stream(name, now_ms()), now_ms(), reason)
    if json:
        emit_json({"adapter": config.adapter, "epochs": epochs})
        return EXIT_OK
    for name, epoch in epochs.items():
        say(_EPOCH.fill(stream=name, epoch=epoch))
    return EXIT_OK


def journal(path: Path, json: bool) -> int:
    """Every decision, with its reason."""
    config = load(path)
    with look(config) as outbox:
        entries = outbox_journal.entries(outbox)
    if json:
        emit_json([to_plain(entry) for entry in entries])
        return EXIT_OK
    for entry in entries:
        say(_ENTRY.fill(**to_plain(entry) | {"at": _time(entry.at), "count": len(entry.records)}))
    return EXIT_OK


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(" ", "minutes")


# --- rejects -------------------------------------------------------------------------------------------------------


def rejects(path: Path, former: bool, json: bool) -> int:
    """What nodes refused and is still to be mended; with `former` also what newer messages have superseded."""
    config = load(path)
    if not config.nodes:
        raise UserError(_NO_NODES, str(path), _PIN)
    with look(config) as outbox:
        refusals = read_refusals(config, outbox)
    shown = refusals.found if former else refusals.current
    counts = {"current": len(refusals.current), "former": len(refusals.found) - len(refusals.current)}
    if json:
        listed: list[Json] = [one.to_json() for one in shown]
        emit_json({"adapter": config.adapter, **counts, "unverified": refusals.unverified, "rejects": listed})
        return EXIT_OK
    say(_COUNTS.fill(**counts, unverified=refusals.unverified))
    _tell_refusals(shown)
    return EXIT_OK


def _tell_refusals(refusals: Iterable[Refusal]) -> None:
    for one in refusals:
        known = _ROW.fill(file=one.file, line=one.line) if one.file else None
        place = known or _UNKNOWN_ROW.fill(topic=one.topic, offset=one.offset)
        say(_REFUSAL.fill(place=place, title=one.title, pointer=one.pointer, code=one.code, step=one.next_step))
