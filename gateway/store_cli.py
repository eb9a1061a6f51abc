"""`oncegate store`: the stores of a node at the command line."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from contracts.edge.clock import now_ms
from contracts.edge.output import emit_json, progress, say
from contracts.encoding import Json
from contracts.errors import Corrupt, UserError
from contracts.text import Text
from gateway.config import load
from gateway.ingest.state import feed_state
from gateway.node import Node, following, opened
from gateway.rebuild import Built, Work, behind, build
from gateway.roles import configure_logging, ingest_parts, stop_signals
from gateway.store.compare import SAME, Difference
from gateway.store.database import format_of
from gateway.store.stores import Stores

EXIT_NOT_READY = 1

_CURRENT = Text("当前存储 {number}", "Store {number} is the current one")
_REMOVED = Text("已删除存储 {number}", "Store {number} is removed")
_LINE = Text(
    "{mark} {number}  格式 {format}  {size}  在用 {live} 条  {states}{writing}",
    "{mark} {number}  format {format}  {size}  {live} live records  {states}{writing}",
)
_WRITING = Text("  正在写入", "  being written")
_NO_STORES = Text("还没有存储", "There are no stores yet")
_BUILDING = Text("从日志重建", "Building from the log")
_BUILT = Text("存储 {number} 已建成,用时 {seconds:.1f} 秒", "Store {number} is built, in {seconds:.1f} s")
_NOTHING_BESIDE = Text("没有可供比较的当前存储:{why}", "There is no current store to compare with: {why}")
_EQUAL = Text("{stream}:{same} 条相同", "{stream}: {same} records are the same")
_DIFFERS = Text("{stream}:{counts}{reason}{examples}", "{stream}: {counts}{reason}{examples}")
_BEHIND = Text(
    "{stream} 未跟上:{state[1]}(当前存储 {state[0]}),读到 {next[1]}/{next[0]}",
    "{stream} is behind: {state[1]} (the current store: {state[0]}), read up to {next[1]} of {next[0]}",
)
_NOT_READY = Text(
    "未切换。确认无误后可执行:oncegate store switch {number} --force",
    "Not switched. If it is right as it is: oncegate store switch {number} --force",
)
_READY = Text("可以切换:oncegate store switch {number}", "It can take over: oncegate store switch {number}")
_LAGS = Text("存储 {number} 落后于当前存储", "Store {number} is behind the current one")
_CATCH_UP = Text(
    "请先执行 oncegate store build --into {number},或加 --force。",
    "Run `oncegate store build --into {number}` first, or say --force.",
)
_ITS_OWN_KEY = Text("存储 {number} 已有自己的密钥", "Store {number} has its key already")
_NEW_STORE = Text("换密钥需要新存储:请去掉 --into。", "Another key needs another store: leave --into out.")


@dataclass(frozen=True, slots=True)
class Listed:
    """A store as `list` shows it. `states`: how many streams are in which state; None if it cannot be read."""

    number: int
    current: bool
    format: int | None
    bytes: int
    being_written: bool
    live: int | None
    states: Mapping[str, int] | None


def show(config: Path, as_json: bool) -> None:
    """Print the stores."""
    stores = _stores(config)
    found = [_listed(stores, number) for number in stores.numbers()]
    if as_json:
        emit_json({"stores": [asdict(one) for one in found]})
        return
    if not found:
        say(_NO_STORES)
    for one in found:
        say(_line(one))


def switch(config: Path, number: int, force: bool, as_json: bool) -> None:
    """Make a store the current one; raises `UserError` if it is behind and not forced."""
    stores = _stores(config)
    if not force and stores.marked() not in (None, number):
        with stores.open_current() as first, stores.open(number) as second:
            if behind(first, second, {}):
                remedy = _CATCH_UP.fill(number=number)
                raise UserError(_LAGS.fill(number=number), str(stores.path(number)), remedy)
    stores.switch(number)
    _tell(as_json, {"current": number}, _CURRENT.fill(number=number))


def remove(config: Path, number: int, as_json: bool) -> None:
    """Remove a store that is not the current one."""
    _stores(config).remove(number)
    _tell(as_json, {"removed": number}, _REMOVED.fill(number=number))


def build_second(config: Path, into: int | None, take_over: bool, new_key: bool, patience_s: float, json: bool) -> int:
    """Build a store beside the current one; the exit code. Raises `UserError`."""
    if new_key and into is not None:
        raise UserError(_ITS_OWN_KEY.fill(number=into), "--new-key", _NEW_STORE)
    configure_logging(logging.WARNING)
    with opened(config) as node, stop_signals() as stop, following(node):
        stores = node.stores()
        number = _number(stores, into, new_key)
        with progress(_BUILDING, _records(node)) as advance:
            parts = ingest_parts(node, stores.path(number))
            built = build(Work(stores, parts, number, stop, advance, patience_s), take_over)
    switched = stores.marked() == number
    if json:
        emit_json({**_form(built), "current": switched})
    else:
        _tell_built(built, switched)
    return 0 if built.ready else EXIT_NOT_READY


def _number(stores: Stores, into: int | None, new_key: bool) -> int:
    """The store to build: one that is there, or a new one."""
    if into is not None:
        stores.open(into).close()
        return into
    if new_key:
        stores.add_key()
    return stores.new()


def _records(node: Node) -> int:
    """About how many records the log holds of this node's streams."""
    topics = [stream.topic for stream in node.registry.current().streams]
    with node.transport.reader() as reader:
        return sum(reader.end(topic) - reader.earliest(topic) for topic in reader.identities(topics))


def _tell_built(built: Built, switched: bool) -> None:
    say(_BUILT.fill(number=built.number, seconds=built.seconds))
    if built.first is None:
        say(_NOTHING_BESIDE.fill(why=built.why))
    for one in built.differences:
        say(_difference(one))
    for late in built.behind:
        say(_BEHIND.fill(stream=late.stream, state=late.state, next=late.next))
    if switched:
        say(_CURRENT.fill(number=built.number))
    else:
        say((_READY if built.ready else _NOT_READY).fill(number=built.number))


def _difference(one: Difference) -> Text:
    if set(one.counts) <= {SAME}:
        return _EQUAL.fill(stream=one.stream, same=one.counts[SAME])
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(one.counts.items()))
    examples = f" [{', '.join(one.examples)}]" if one.examples else ""
    return _DIFFERS.fill(stream=one.stream, counts=counts, reason=one.reason and f" ({one.reason})", examples=examples)


def _form(built: Built) -> dict[str, Json]:
    return {
        "store": built.number,
        "compared_with": built.first,
        "why_not_compared": built.why,
        "ready": built.ready,
        "seconds": round(built.seconds, 3),
        "behind": [{"stream": str(one.stream), "next": one.next, "state": one.state} for one in built.behind],
        "streams": [
            {
                "stream": str(one.stream),
                "counts": dict(one.counts),
                "objection": one.objection,
                "reason": one.reason,
                "examples": one.examples,
            }
            for one in built.differences
        ],
    }


def _stores(config: Path) -> Stores:
    node = load(config)
    return Stores(node.stores_dir, node.store_key)


def _listed(stores: Stores, number: int) -> Listed:
    path, current = stores.path(number), stores.marked() == number
    size = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))
    live, states = _contents(stores, number)
    return Listed(number, current, format_of(path), size, stores.is_written(number), live, states)


def _contents(stores: Stores, number: int) -> tuple[int | None, dict[str, int] | None]:
    try:
        with stores.open(number) as reader:
            found = [state for _, state in reader.all_streams()]
    except (UserError, Corrupt, apsw.Error):
        return None, None
    states: dict[str, int] = {}
    for state in found:
        name = feed_state(state, now_ms() // 1000).state
        states[name] = states.get(name, 0) + 1
    return sum(state.live for state in found), states


def _line(one: Listed) -> Text:
    states = ", ".join(f"{count} {name}" for name, count in (one.states or {}).items()) or "-"
    facts = {
        "mark": "*" if one.current else " ",
        "number": one.number,
        "format": "?" if one.format is None else one.format,
        "size": f"{one.bytes / 1e6:.1f} MB",
        "live": "?" if one.live is None else one.live,
        "states": states,
    }
    return _LINE.fill(**facts, writing=_WRITING if one.being_written else "")


def _tell(as_json: bool, form: dict[str, Json], text: Text) -> None:
    if as_json:
        emit_json(form)
    else:
        say(text)
