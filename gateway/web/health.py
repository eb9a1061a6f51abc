"""`/livez` and `/readyz`: honest ones.

1. Alive: the event loop answers. Nothing else is looked at.
2. Ready: a question could be answered now. The registry is in force, the audit log takes records, the store can be
   read. A feed that is stale does not make a node unready, because answers say so; but it is listed.
3. `warnings` name what is not as it should be though questions are answered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from audit.mirror.heads import MirrorHeads
from audit.mirror.heads import Standing as MirrorStanding
from audit.witness.cosigning import Standing
from contracts.encoding import Json
from contracts.errors import ERRORS, Fault
from contracts.registry import Snapshot
from contracts.registry.snapshot import FRESH
from contracts.streams import Stream
from contracts.text import Text
from gateway.ingest.state import COMPLETE, FeedState
from gateway.lookup.feeds import timestamp
from gateway.supervision.delivery import Standing as Sink
from gateway.web.evidence import Evidence
from gateway.web.metrics import Gauge
from gateway.web.mirrored import UNMIRRORED, Answers
from gateway.web.parts import ServeParts
from gateway.web.problems import HEADERS

OK: Final = "ok"

WARNINGS: Mapping[str, Text] = {
    "registry_degraded": Text(
        "注册库已过更新期限，请尽快发布新版本。", "The registry is past fresh_until: publish a new version soon."
    ),
    "rollback_undetectable": Text(
        "未配置 head_dir、见证者或镜像，审计日志回退将无法察觉。",
        "Neither head_dir nor a witness nor a mirror: a rollback of the audit log would go unnoticed.",
    ),
    "mirror_late": Text(
        "审计镜像超过 1 分钟没有消息，见 mirror。", "The auditor's mirror was not heard for a minute, see mirror."
    ),
    "witness_late": Text(
        "审计日志超过 15 分钟未获见证，请检查到见证服务的连接。",
        "No witness has cosigned the audit log for 15 minutes: look at the connection to it.",
    ),
    "supervision_late": Text(
        "监察事件超过 2 分钟未能送达，请检查到监察端的连接。",
        "The feed to supervision has not got through for 2 minutes: look at the connection to it.",
    ),
    "corrections_stuck": Text(
        "部分纠错申请超过 2 分钟未能送交部门，请查看 serve 日志中的 corrections_trouble。",
        "Correction requests have not all been carried for 2 minutes: see corrections_trouble in the log of serve.",
    ),
    "erasure_held_up": ERRORS["erasure_held_up"].title,
    "feeds_incomplete": Text("部分数据流不完整，见 streams。", "Some feeds are not complete, see streams."),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What was found out. `checks`: name → "ok" or an error code. `held_up`: whose erased content stays in the log."""

    checks: Mapping[str, str]
    warnings: tuple[str, ...]
    registry: Snapshot | None
    streams: tuple[tuple[Stream, FeedState], ...]
    held_up: frozenset[Stream] = frozenset()
    mirror: MirrorStanding | None = None

    @property
    def ready(self) -> bool:
        return all(found == OK for found in self.checks.values())


@dataclass(frozen=True, slots=True)
class Health:
    """The condition of one serving process."""

    parts: ServeParts
    evidence: Evidence
    heads: MirrorHeads
    answers: Answers | None

    async def livez(self, request: web.Request) -> web.Response:
        """Rule 1."""
        del request
        return _json({"status": "alive"}, 200)

    async def readyz(self, request: web.Request) -> web.Response:
        """Rules 2 and 3."""
        del request
        condition = self.condition()
        return _json(_form(condition), 200 if condition.ready else 503)

    def condition(self) -> Condition:
        """Look at everything now."""
        now = self.parts.clock()
        registry, registry_check = self._registry()
        streams, store_check = self._streams(registry, now)
        held_up = frozenset(self._held_up(now))
        checks = {
            "registry": registry_check,
            "audit_log": OK if self.parts.log.alive else "audit_unavailable",
            "store": store_check,
        }
        standing, mirror = self._standing(), self._mirror()
        if standing is not None:
            checks["witness"] = "witness_overdue" if standing.overdue else OK
        if self.answers is not None:
            checks["mirror"] = UNMIRRORED if self.answers.away or mirror is None or mirror.late else OK
        found = {
            "registry_degraded": registry is not None and registry.freshness(now) != FRESH,
            "rollback_undetectable": not self.parts.rollback_detectable and mirror is None,
            "mirror_late": mirror is not None and mirror.late,
            "witness_late": standing is not None and standing.late,
            "supervision_late": any(sink.late for sink in self._sinks()),
            "corrections_stuck": self.parts.corrections is not None and self.parts.corrections.carrying.stuck(),
            "erasure_held_up": bool(held_up),
            "feeds_incomplete": any(state.state != COMPLETE for _, state in streams),
        }
        warnings = tuple(name for name, there in found.items() if there)
        return Condition(checks, warnings, registry, streams, held_up, mirror)

    def gauges(self) -> list[Gauge]:
        """The same for Prometheus."""
        condition = self.condition()
        names = [(stream.organisation, stream.adapter, stream.evidence_type) for stream, _ in condition.streams]
        states = [(*name, state.state) for name, (_, state) in zip(names, condition.streams, strict=True)]
        times = [(name, float(state.as_of or 0)) for name, (_, state) in zip(names, condition.streams, strict=True)]
        stream = ("organisation", "adapter", "evidence_type")
        return [
            ("oncegate_ready", "Whether a question could be answered", (), [((), float(condition.ready))]),
            ("oncegate_check", "1: this check passed", ("check",), _passed(condition.checks)),
            ("oncegate_audit_size", "Durable access records", (), [((), float(self.parts.log.size))]),
            ("oncegate_audit_published", "Published ones", (), [((), float(self.parts.log.published.size))]),
            *self._witness_gauges(),
            *self._mirror_gauges(),
            *self._supervision_gauges(),
            ("oncegate_stream_state", "1: the stream is in this state", (*stream, "state"), [(s, 1.0) for s in states]),
            ("oncegate_stream_as_of", "Complete up to (Unix s; 0: not yet)", stream, times),
            (
                "oncegate_erasure_held_up",
                "1: erased content stays in the message log until the adapter speaks",
                stream,
                [((one.organisation, one.adapter, one.evidence_type), 1.0) for one in sorted(condition.held_up)],
            ),
        ]

    def _standing(self) -> Standing | None:
        return None if self.parts.cosigning is None else self.parts.cosigning.standing()

    def _witness_gauges(self) -> list[Gauge]:
        standing = self._standing()
        if standing is None:
            return []
        return [
            ("oncegate_audit_cosigned", "Access records under a cosigned head", (), [((), float(standing.size))]),
            ("oncegate_audit_cosigned_age_seconds", "Since the last cosignature", (), [((), standing.age_s)]),
            ("oncegate_audit_witness_troubles", "Witnesses that fail", (), [((), float(len(standing.troubles)))]),
        ]

    def _sinks(self) -> tuple[Sink, ...]:
        return () if self.parts.supervision is None else self.parts.supervision.standing()

    def _supervision_gauges(self) -> list[Gauge]:
        sinks, label = self._sinks(), ("sink",)
        if not sinks:
            return []
        behind = [((one.name,), float(one.behind)) for one in sinks]
        failing = [((one.name,), one.failing_s) for one in sinks]
        return [
            ("oncegate_supervision_behind", "Published entries that supervision has not got", label, behind),
            ("oncegate_supervision_failing_seconds", "Since when sending fails", label, failing),
        ]

    def _mirror(self) -> MirrorStanding | None:
        """None where no mirror is pinned, and none was ever heard."""
        standing = self.heads.standing()
        return standing if standing.heard or self.heads.key is not None else None

    def _mirror_gauges(self) -> list[Gauge]:
        standing = self._mirror()
        if standing is None:
            return []
        answers = self.answers
        waiting = () if answers is None else (("waiting", answers.waiting), ("withheld", answers.withheld))
        return [
            ("oncegate_audit_mirrored", "Access records that the mirror holds", (), [((), float(standing.size))]),
            ("oncegate_audit_mirror_age_seconds", "Since the mirror was last heard", (), [((), standing.age_s)]),
            ("oncegate_audit_mirror_answers", "Answers that wait for the mirror now, or did in vain", ("state",),
             [((name,), float(number)) for name, number in waiting]),
        ]  # fmt: skip

    def _registry(self) -> tuple[Snapshot | None, str]:
        try:
            return self.parts.registry(), OK
        except Fault as fault:
            return None, fault.code

    def _streams(self, registry: Snapshot | None, now: int) -> tuple[tuple[tuple[Stream, FeedState], ...], str]:
        listed = () if registry is None else registry.streams
        try:
            return tuple(self.evidence.states(listed, now)), OK
        except Fault as fault:
            return (), fault.code

    def _held_up(self, now: int) -> Iterable[Stream]:
        try:
            return self.evidence.erasures_held_up(now)
        except Fault:
            return ()  # the check of the store says so


def _passed(checks: Mapping[str, str]) -> list[tuple[tuple[str], float]]:
    return [((name,), float(found == OK)) for name, found in checks.items()]


def _form(condition: Condition) -> dict[str, Json]:
    registry = condition.registry
    return {
        "status": "ready" if condition.ready else "not_ready",
        "checks": dict(condition.checks),
        "warnings": {name: WARNINGS[name].as_json() for name in condition.warnings},
        "registry_version": None if registry is None else registry.version,
        "mirror": _mirror_form(condition.mirror),
        "streams": [
            {
                "organisation": stream.organisation,
                "adapter": stream.adapter,
                "evidence_type": stream.evidence_type,
                "state": state.state,
                "as_of": timestamp(state.as_of),
                "refused": state.rejected,
            }
            for stream, state in condition.streams
        ],
    }


def _mirror_form(mirror: MirrorStanding | None) -> Json:
    """Since when it was not heard; before the first time, since when it is waited for."""
    if mirror is None:
        return None
    return {"holds": mirror.size, "heard": mirror.heard, "since": timestamp(int(mirror.since))}


def _json(form: Json, status: int) -> web.Response:
    return web.Response(body=orjson.dumps(form), status=status, content_type="application/json", headers=HEADERS)
