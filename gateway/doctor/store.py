"""The current store of a node: opens, is of this format, our key opens it; and how its streams are.

1. Opened for reading only (`contracts.edge.doctor.sqlite`).
2. A stream that is `stopped` is an incident. The other states that are not `complete` are for somebody to know;
   answers say them, too.
3. A write-ahead file that grows without end means that some reader never lets go.
4. A store that is neither current nor being written learns of no erasure: what was erased since is still in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from contracts.edge.doctor.disk import GIB, size_text
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.edge.doctor.locks import is_held
from contracts.edge.doctor.sqlite import reading
from contracts.errors import Corrupt
from contracts.streams import Stream
from contracts.text import Text
from gateway.doctor.situation import Situation
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, StreamState, feed_state
from gateway.store import database
from gateway.store.sealing import unwrap_key
from gateway.store.stores import Stores

WAL_BYTES: Final = GIB

_IDLE = Text("没有 ingest 在运行", "No ingest is running")
_START = Text(
    "请启动 oncegate ingest(或 up),除非是有意停止。", "Start oncegate ingest (or up), unless it is meant to be down."
)
_NEWER = Text("存储格式 {version} 比本程序新", "The store has format {version}, newer than this program")
_OLDER = Text("存储格式 {version} 已过时", "The store has the old format {version}")
_UPGRADE = Text("请升级程序。", "Upgrade the program.")
_REBUILD = Text(
    "请运行 oncegate store build --switch,从日志重建。",
    "Run `oncegate store build --switch`: it builds a new one from the log.",
)
_WAL = Text("预写文件已有 {size}", "The write-ahead file has {size}")
_RELEASE = Text(
    "请查看是否有长期打开存储的进程,并重启它。", "Look for a process that keeps the store open, and start it again."
)
_REJECTS = Text("{count} 条退回消息尚未写入日志", "{count} rejects are not in the log yet")
_LOG_FIRST = Text("请检查消息日志与节点的写权限。", "Look at the message log and the node's right to write there.")
_PENDING = 1000
_BESIDE = Text(
    "存储 {number} 不是当前存储:此后删除的内容仍在其中",
    "Store {number} is not the current one: erased content stays in it",
)
_REMOVE = Text(
    "不再需要时请运行 oncegate store remove {number}。",
    "When it is no longer needed: `oncegate store remove {number}`.",
)

_STATES: Final = {
    STOPPED: (
        failed,
        Text("数据流已停止:{why}", "The stream has stopped: {why}"),
        Text("这是安全事件:请查看 ingest 日志;见运维指南“数据流状态”。",
             "An incident: see the log of ingest, and the operator's guide, States of a stream."),
    ),
    GAPPED: (
        warning,
        Text("数据流有缺号", "Numbers of the stream are missing"),
        Text("请部门运行 oncegate-adapter run --full。", "Ask the department for oncegate-adapter run --full."),
    ),
    STALE: (
        warning,
        Text("约定的对账单逾期", "The promised feed statement is overdue"),
        Text("请询问部门:其适配器可能已停止。", "Ask the department: its adapter may have stopped."),
    ),
    CATCHING_UP: (
        warning,
        Text("数据流尚未与完整对账单核对过", "No full feed statement of the stream has matched yet"),
        Text("请稍候;若持续,请部门发送完整对账单。", "Wait; if it lasts, ask the department for a full statement."),
    ),
}  # fmt: skip


def judge_streams(listed: Sequence[Stream], states: Mapping[Stream, StreamState], now: int) -> Iterator[Finding]:
    """Rule 2; `now` in Unix s. One `ok` for all that are complete."""
    complete = 0
    for stream in listed:
        state = states.get(stream, StreamState())
        name = feed_state(state, now).state
        if name == COMPLETE:
            complete += 1
        else:
            level, what, remedy = _STATES[name]
            yield level(what.fill(why=state.stopped), remedy, stream)
    if complete:
        yield ok(f"{complete} 个数据流完整", f"{complete} streams are complete")


def judge_format(version: int, where: str) -> Iterator[Finding]:
    """The store's format against this program's."""
    if version > database.FORMAT:
        yield failed(_NEWER.fill(version=version), _UPGRADE, where)
    elif version < database.FORMAT:
        yield failed(_OLDER.fill(version=version), _REBUILD, where)


def judge_burden(wal: int, rejects: int, where: str) -> Iterator[Finding]:
    """Rule 3, and rejects that the log does not take."""
    if wal > WAL_BYTES:
        yield warning(_WAL.fill(size=size_text(wal)), _RELEASE, where)
    if rejects > _PENDING:
        yield warning(_REJECTS.fill(count=rejects), _LOG_FIRST, where)


def judge_beside(idle: Iterable[int], current: int, where: str) -> Iterator[Finding]:
    """Rule 4; `idle`: the stores that nobody writes."""
    for number in idle:
        if number != current:
            yield warning(_BESIDE.fill(number=number), _REMOVE.fill(number=number), where)


# --- gathering ---------------------------------------------------------------------------------------------------


def check(situation: Situation) -> Iterator[Finding]:
    """The file, and whether somebody writes it."""
    config = situation.config.need()
    stores = Stores(config.stores_dir, config.store_key)
    try:
        path = stores.current_path()
    except database.StoreAbsent as absent:
        yield warning(absent.what, _START, absent.where)  # as it is on the first day
        return
    if not path.exists():
        raise database.StoreAbsent(path)
    idle = [one for one in stores.numbers() if not is_held(stores.path(one).with_name(stores.path(one).name + ".lock"))]
    yield from judge_beside(idle, stores.current() or 0, str(stores.directory))
    with reading(path) as db:
        if db.pragma("application_id") != database.APPLICATION_ID:
            raise Corrupt(f"{path} is not a store")
        troubles = list(judge_format(db.pragma("user_version"), str(path)))
        yield from troubles
        if troubles:
            return
        unwrap_key(db.execute("SELECT wrapped FROM keys").get, stores.keys(), str(path))
        yield ok("可打开,格式与密钥相符", "It opens, with this format and our key", path)
        rejects = db.execute("SELECT count(*) FROM rejects").get
    yield from judge_burden(_size(path.with_name(path.name + "-wal")), rejects, str(path))
    if is_held(path.with_name(path.name + ".lock")):
        yield ok("ingest 正在写入", "An ingest is writing it")
    else:
        yield warning(_IDLE, _START)


def check_streams(situation: Situation) -> Iterator[Finding]:
    """The streams that the registry lists and this node reads, as the store has them."""
    wanted, listed = situation.config.need().evidence_types, situation.registry.need().streams
    read = [stream for stream in listed if not wanted or stream.evidence_type in wanted]
    yield from judge_streams(read, situation.states.need(), situation.now() // 1000)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
