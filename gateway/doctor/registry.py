"""The registry of a node, judged: in force, for how long, and what in it will soon trouble somebody.

1. A registry that a node would refuse is the end of everything else: closed.
2. Past `fresh_until` a node is degraded and says so; three days before that it is time to publish.
3. What it lists: every zone has an active key, every adapter too; of a compromised key the streams have a lowest epoch;
   certificates and grants of apps end some day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from contracts.edge.doctor import certificates
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.errors import Fault
from contracts.registry import Adapter, App
from contracts.registry.model import ACTIVE, COMPROMISED
from contracts.registry.snapshot import Snapshot
from contracts.text import Text
from gateway.doctor.registry_read import Found

DAY_MS: Final = 86_400_000
SOON_MS: Final = 3 * DAY_MS

_PUBLISH = Text("请运行 oncegate control build 与 publish。", "Run oncegate control build and publish.")
_DEGRADED = Text(
    "版本 {version} 自 {day} 起已过更新期限,{end} 起将关闭",
    "Version {version} is past fresh_until since {day}; closed from {end} on",
)
_SOON = Text("版本 {version} 应在 {day} 前更新", "Version {version} wants a successor before {day}")
_GOOD = Text(
    "版本 {version},{day} 前更新,有效至 {end}", "Version {version}, to be renewed before {day}, valid until {end}"
)
_BEHIND = Text(
    "日志中是版本 {offered},本节点已接受过版本 {seen}",
    "The log offers version {offered}, this node has accepted {seen}",
)
_RESTORE_LOG = Text(
    "日志可能被回退:请重新发布最新版本,并查明原因。",
    "The log may have been set back: publish the newest version again, and find out why.",
)
_NO_ZONE_KEY = Text("区域没有在用的密钥,部门无法加密", "The zone has no active key: departments cannot encrypt")
_NO_ADAPTER_KEY = Text("适配器没有在用的密钥", "The adapter has no active key")
_COMPROMISED = Text("密钥已泄露,但 {types} 没有 lowest_epoch", "A key is compromised, but {types} have no lowest_epoch")
_ALL_ENDED = Text("应用的全部授权已过期", "All grants of the app have ended")
_WRITE_IT = Text("请安全管理员改正后重新发布。", "The security officer corrects it and publishes again.")


@dataclass(frozen=True, slots=True)
class Times:
    """Until when a version is fresh and valid, in Unix ms."""

    version: int
    fresh_until: int
    valid_until: int


def judge(found: Found, now: int) -> Finding:
    """Rules 1 and 2."""
    if found.snapshot is None:
        return _refused(found)
    snapshot = found.snapshot
    return judge_times(Times(snapshot.version, snapshot.fresh_until, snapshot.valid_until), now)


def _refused(found: Found) -> Finding:
    row = Fault(found.refused).row
    if found.refused == "registry_rollback":
        return failed(_BEHIND.fill(offered=found.offered, seen=found.seen), _RESTORE_LOG, found.refused)
    return failed(row.title, row.next_step, found.refused)


def judge_times(times: Times, now: int) -> Finding:
    """Rule 2."""
    facts = {"version": times.version, "day": _day(times.fresh_until), "end": _day(times.valid_until)}
    if now >= times.valid_until:
        return failed(Fault("registry_expired").row.title, _PUBLISH, facts["end"])
    if now >= times.fresh_until:
        return warning(_DEGRADED.fill(**facts), _PUBLISH)
    if now >= times.fresh_until - SOON_MS:
        return warning(_SOON.fill(**facts), _PUBLISH)
    good = _GOOD.fill(**facts)
    return ok(good.zh, good.en)


def judge_contents(registry: Snapshot, now: int) -> Iterator[Finding]:
    """Rule 3; one `ok` if there is nothing to say."""
    contents = registry.contents
    found = [failed(_NO_ZONE_KEY, _WRITE_IT, zone.id) for zone in contents.zones if zone.active_key is None]
    found += [finding for adapter in contents.adapters for finding in _adapter(adapter)]
    found += [finding for app in contents.apps for finding in _app(app, now)]
    yield from found
    if not found:
        adapters, apps = len(contents.adapters), len(contents.apps)
        yield ok(
            f"{adapters} 个适配器、{apps} 个应用的登记完好", f"{adapters} adapters and {apps} apps, as they should be"
        )


def _adapter(adapter: Adapter) -> Iterator[Finding]:
    states = {key.status for key in adapter.keys}
    if ACTIVE not in states:
        yield warning(_NO_ADAPTER_KEY, _WRITE_IT, adapter.id)
    open_types = [name for name in adapter.evidence_types if name not in adapter.lowest_epoch]
    if COMPROMISED in states and open_types:
        yield warning(_COMPROMISED.fill(types=", ".join(open_types)), _WRITE_IT, adapter.id)


def _app(app: App, now: int) -> Iterator[Finding]:
    if app.grants and all(grant.until <= now for grant in app.grants):
        yield warning(_ALL_ENDED, _WRITE_IT, app.id)
    for text in app.certificates:
        certificate = certificates.of(x509.load_pem_x509_certificate(text.encode()), app.id, None)
        for finding in certificates.judge(certificate, now, None):
            if finding.remedy is not None:
                yield warning(finding.what, finding.remedy, app.id)  # the app's trouble, not the node's


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
