"""The audit logs of a node beside the one question of `audit`: when to begin a new one, and when an old one goes.

1. A log that is older than a year, or has more than `MANY` entries, should be followed by another one; if the registry
   lists its successor, only this node's configuration is missing.
2. The log before this one is closed, and in its place; so are those before that one, until their time is over.
3. A log whose time is over is to be removed; what the registry says about times must be lawful.
4. An order about openings of any of them that waits for long is said (`orders`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit import retired
from audit.retention import DAMAGED, DUE, HELD, OPEN, STATES, TOO_SHORT, UNDATED, UNLISTED, Shard, state
from audit.retiring import ASIDE, Place, look
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.registry import AuditSlot
from contracts.text import Text
from gateway.config import NodeConfig, ServeConfig
from gateway.doctor import orders
from gateway.doctor.situation import Situation

YEAR_MS: Final = 365 * 86_400_000
MANY: Final = 100_000_000

_OLD: Final = Text("审计日志 {slot} 已写满一年", "The audit log {slot} is older than a year")
_LARGE: Final = Text("审计日志 {slot} 已有 {entries} 条", "The audit log {slot} has {entries} entries")
_NEW_SHARD: Final = Text(
    "请登记后继日志并换用(运维手册“新日志与新密钥”)。",
    "Register a successor and change over to it (operator's guide, A new shard).",
)
_LISTED: Final = Text("注册库已登记 {slot} 的后继 {next}", "The registry lists {next} as the successor of {slot}")
_CHANGE: Final = Text("请在 [serve] 中改用其 slot 与 log_key。", "Give its slot and log_key in [serve].")
_NOT_CLOSED: Final = Text("前一日志 {slot} 尚未关闭", "The log before this one, {slot}, is not closed")
_START: Final = Text("下次启动 serve 时会将其关闭。", "The next start of serve closes it.")
_NEEDS_KEY: Final = Text(
    "请在 [serve] 中给出 predecessor_key,否则 serve 不会启动。",
    "Give predecessor_key in [serve], or serve does not start.",
)
_PUT_BACK: Final = Text(
    "后继日志已开始,前一日志却未关闭:可能被回滚,请通知审计员。",
    "The log after it has begun: this one was put back. Call the auditor.",
)
_GONE: Final = Text("前一日志 {slot} 不在此处", "The log before this one, {slot}, is not here")
_BRING: Final = Text("请移回其目录或从备份恢复。", "Bring its directory back, or restore it.")
_RETENTION: Final = Text("请运行 oncegate audit retention --apply。", "Run oncegate audit retention --apply.")
_LEFT: Final = Text("日志 {slots} 未删完", "The removal of {slots} was begun and not ended")
_STATE: Final = Text("审计日志 {slot}:{state}", "Audit log {slot}: {state}")
_LOOK: Final = Text("请核对注册库与该目录。", "Look at the registry and at that directory.")
_RESTORE: Final = Text("请从备份恢复该日志,并通知审计员。", "Restore it from a backup, and call the auditor.")


@dataclass(frozen=True, slots=True)
class Before:
    """The predecessor of a node's log. `begun`: whether the node's own log has entries; `key`: whether the key that
    closes the predecessor is configured; `retired`: removed after its time."""

    slot: str
    here: bool
    closed: bool
    begun: bool
    key: bool
    retired: bool


def judge_own(own: Shard, successor: str | None, now: int) -> Iterator[Finding]:
    """Rule 1. `successor`: the slot that the registry lists after this one."""
    if successor is not None:
        yield warning(_LISTED.fill(slot=own.slot, next=successor), _CHANGE)
        return
    if own.first is not None and now - own.first > YEAR_MS:
        yield warning(_OLD.fill(slot=own.slot), _NEW_SHARD)
    if own.entries > MANY:
        yield warning(_LARGE.fill(slot=own.slot, entries=own.entries), _NEW_SHARD)


def judge_before(before: Before) -> Iterator[Finding]:
    """Rule 2."""
    if before.retired or (before.here and before.closed):
        return
    if not before.here:
        yield failed(_GONE.fill(slot=before.slot), _BRING)
    elif before.begun:
        yield failed(_NOT_CLOSED.fill(slot=before.slot), _PUT_BACK)
    elif before.key:
        yield warning(_NOT_CLOSED.fill(slot=before.slot), _START)
    else:
        yield failed(_NOT_CLOSED.fill(slot=before.slot), _NEEDS_KEY)


def judge_kept(shard: Shard, now: int) -> Iterator[Finding]:
    """Rule 3, of any log that is here."""
    found = state(shard, now)
    what = _STATE.fill(slot=shard.slot, state=STATES[found])
    if found == DUE:
        yield warning(what, _RETENTION)
    elif found == DAMAGED:
        yield failed(what, _RESTORE, shard.damaged)
    elif found in (TOO_SHORT, UNLISTED, UNDATED):
        yield warning(what, _LOOK)
    elif found == HELD:
        yield ok(what.zh, what.en, shard.hold)


def check(situation: Situation) -> Iterator[Finding]:
    """All logs of the node; nothing while there is none."""
    serve, config = situation.serve, situation.config.need()
    if serve is None:
        return
    slots, now = situation.registry.need().audit_slots, situation.now()
    place = Place(config.data_dir / "audit", config.retired_dir)
    shards = look(place, slots)
    left = sorted(path.name for path in (place.logs / ASIDE).glob("*"))
    found = [
        *_of_own(serve, config, shards, slots, now),
        *(finding for one in shards if one.slot != serve.slot for finding in judge_kept(one, now)),
        *orders.waiting(place.logs, now),
        *([warning(_LEFT.fill(slots=", ".join(left)), _RETENTION)] if left else []),
    ]
    yield from found
    closed = sum(state(one, now) != OPEN for one in shards if one.slot != serve.slot)
    if not found:
        yield ok(f"{closed} 个已关闭的日志在保存期内", f"{closed} closed logs are kept", str(place.logs))


def _of_own(
    serve: ServeConfig, config: NodeConfig, shards: Sequence[Shard], slots: Mapping[str, AuditSlot], now: int
) -> Iterator[Finding]:
    by_slot = {one.slot: one for one in shards}
    own, listed = by_slot.get(serve.slot), slots.get(serve.slot)
    if own is not None:
        yield from judge_own(own, next((one.slot for one in slots.values() if one.predecessor == own.slot), None), now)
    if listed is None or listed.predecessor is None or listed.predecessor not in slots:
        return
    before = by_slot.get(listed.predecessor)
    yield from judge_before(
        Before(
            slot=listed.predecessor,
            here=before is not None,
            closed=before is not None and before.successor == listed.origin,
            begun=own is not None and own.entries > 0,
            key=serve.predecessor_key is not None and serve.predecessor_key.exists(),
            retired=retired.path_of(config.retired_dir, listed.predecessor).exists(),
        )
    )
