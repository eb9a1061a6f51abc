"""The live feed to supervision: whether its keys can be used, and how far each sink is.

1. A webhook's keys and certificate are read as the serving process reads them. Nothing is sent.
2. A sink that has published entries to get and took nothing for `LATE_MS` is a warning: answers go on without it.
3. One that was switched off and has not heard of it yet is listed, too.
"""

from collections.abc import Callable, Iterator
from typing import Final

from audit.checkpoints import open_note
from audit.notes import parse_vkey
from audit.reader import LogReader
from audit.recovery import is_new
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.errors import UserError
from contracts.text import Text
from gateway.doctor.situation import Situation
from gateway.supervision.places import Place, Places
from gateway.supervision.settings import SupervisionConfig, Webhook
from gateway.supervision.sinks import WebhookSink

LATE_MS: Final = 5 * 60_000
_OFF: Final = Text("未配置 [supervision],不向监察端上报", "No [supervision]: nothing is told to supervision")
_BEHIND: Final = Text(
    "有 {count} 条未送达,最近一次送达在 {minutes} 分钟前", "{count} entries behind, the last delivery {minutes} min ago"
)
_NEVER: Final = Text("有 {count} 条未送达,尚未送达过", "{count} entries behind, nothing was delivered yet")
_LOOK: Final = Text("请查看 serve 日志中的 supervision_trouble。", "See supervision_trouble in the log of serve.")
_FINE: Final = Text("已送达至第 {next} 条(共 {size} 条)", "Delivered up to {next} of {size} entries")
_NEW: Final = Text("尚未开始", "Not begun yet")
_START: Final = Text("serve 启动后开始。", "A running serve begins.")


def check(situation: Situation) -> Iterator[Finding]:
    """A line for each sink."""
    serve, wanted = situation.serve, situation.config.need().supervision
    if serve is None:
        return
    yield from judge_files(wanted)
    slot = situation.registry.need().audit_slots.get(serve.slot)
    if slot is None or not serve.audit_dir.is_dir() or is_new(serve.audit_dir):
        return
    reader = LogReader(serve.audit_dir, parse_vkey(slot.vkey))
    size = open_note(reader.note(), reader.key)[0].size
    places = Places(situation.config.need().data_dir / "supervision" / serve.slot, slot.origin).load()
    yield from judge(wanted.sinks, places, size, situation.now())


def judge_files(wanted: SupervisionConfig) -> Iterator[Finding]:
    """Rule 1."""
    if not wanted.sinks:
        yield ok(_OFF.zh, _OFF.en)
    for webhook in wanted.webhooks:
        try:
            _opened(webhook)
        except UserError as error:
            yield failed(error.what, error.remedy or _LOOK, error.where)


def judge(wanted: tuple[str, ...], places: dict[str, Place], size: int, now: int) -> Iterator[Finding]:
    """Rules 2 and 3. `size`: published entries; `now` in Unix ms."""
    leaving = tuple(name for name, place in places.items() if name not in wanted and place.webhook is not None)
    for name in (*wanted, *leaving):
        place = places.get(name)
        yield warning(_NEW, _START, name) if place is None else _judged(place, size, now)


def _judged(place: Place, size: int, now: int) -> Finding:
    behind = size - place.next
    if behind <= 0 or now - place.at <= LATE_MS:
        found = _FINE.fill(next=place.next, size=size)
        return ok(found.zh, found.en, place.name)
    if not place.at:
        return warning(_NEVER.fill(count=behind), _LOOK, place.name)
    return warning(_BEHIND.fill(count=behind, minutes=(now - place.at) // 60_000), _LOOK, place.name)


def _opened(webhook: Webhook, clock: Callable[[], int] = int) -> None:
    WebhookSink(webhook, clock).close()
