"""What a run did, as values, as JSON and in words. Pure.

1. Every row that was read is in exactly one count: published, unchanged or refused.
2. What is doubtful is told, too: the row was taken as it is, the department should look at it.
3. A refusal names file, line, column and reason, never a value. All are in the report file, the first ones are shown.
4. `state`: published, braked (nothing was), planned (a trial run), failed (`error`: the operator's mistake), away
   (`error`: the source does not answer; nothing was published, the next run tries again).
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adapters.plan import Plan
from adapters.rows import RowFault
from contracts.encoding import Json
from contracts.errors import Unavailable, UserError
from contracts.text import Text

PUBLISHED, BRAKED, PLANNED, FAILED, AWAY = "published", "braked", "planned", "failed", "away"
SHOWN = 10
_STATES = {
    PUBLISHED: Text("已发布", "published"),
    BRAKED: Text("已刹停，未发布任何数据", "BRAKED, nothing was published"),
    PLANNED: Text("试运行，未发布", "trial run, nothing was published"),
    FAILED: Text("失败", "FAILED"),
    AWAY: Text("源暂不可用，未发布任何数据", "source not available, nothing was published"),
}
_COUNTS = Text(
    "  读取 {rows_read} 行:发布 {published}(新增 {added},修改 {modified}),未变 {unchanged},"
    "拒绝 {refused};撤回 {withdrawn}",
    "  {rows_read} rows read: {published} published ({added} added, {modified} modified), {unchanged} unchanged, "
    "{refused} refused; {withdrawn} withdrawn",
)
_WOULD = Text(
    "  读取 {rows_read} 行:将发布 {published}(新增 {added},修改 {modified}),未变 {unchanged},"
    "拒绝 {refused};将撤回 {withdrawn}",
    "  {rows_read} rows read: {published} would be published ({added} added, {modified} modified), "
    "{unchanged} unchanged, {refused} refused; {withdrawn} would be withdrawn",
)
_FAULT = Text("  {file} 第 {line} 行 {column}:{reason}", "  {file}, row at line {line}, {column}: {reason}")
_MORE = Text("  其余 {count} 行见 {path}", "  {count} more in {path}")
_DOUBTFUL = Text("  存疑 {count} 处(已照常处理),见 {path}", "  {count} doubtful values (taken as they are), see {path}")
_RESTATED = Text("  新纪元:其中 {count} 条与此前相同", "  New epoch: {count} of them say the same as before")
_WITHHELD = Text(
    "  注意:{rows} 行的主键无法读取,本次不撤回任何记录(源中已没有的 {count} 条予以保留)。请先改正这些行。",
    "  NOTE: the key of {rows} rows cannot be read, so this run withdraws nothing: {count} records that are gone from "
    "the source stay. Correct those rows first.",
)
_UNSENT = Text(
    "  消息日志暂不可用:{count} 条已存入发件箱,下次运行时发送。",
    "  The message log is not available: {count} entries are safe in the outbox and go out with the next run.",
)
_WHY = Text("  原因:{reason}", "  Why: {reason}")
_WOULD_BRAKE = Text("  正式运行将被刹停:{reason}", "  A real run would be BRAKED: {reason}")
_SOURCE_AWAY = Text("源数据暂不可用:{why}", "The source is not available now: {why}")
_LATER = Text("请检查后重试;未发布也未撤回任何数据。", "Check it and try again; nothing was published or withdrawn.")
_APPROVE = Text(
    "  核对源数据;确认无误后批准:oncegate-adapter approve-run {run} {config}",
    "  Check the source; if it is right, approve it: oncegate-adapter approve-run {run} {config}",
)


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One run of one stream. `unsent`: entries that wait in the outbox. `plan` None: it failed before there was one."""

    stream: str
    state: str
    rows_read: int = 0
    plan: Plan | None = None
    run: int | None = None
    epoch: int = 0
    seq: int = 0
    statement: str = "none"
    unsent: int = 0
    why: tuple[Text, ...] = ()
    report_file: str = ""
    doubts: Sequence[RowFault] = ()
    doubts_file: str = ""
    error: UserError | None = None

    @property
    def faults(self) -> Sequence[RowFault]:
        return self.plan.faults if self.plan else ()

    def counts(self) -> dict[str, int]:
        """Rule 1. What a braked or a trial run would publish is under `planned` in JSON."""
        done = self.state == PUBLISHED
        plan = self.plan
        return {
            "rows_read": self.rows_read,
            "refused": len(self.faults),
            "published": len(plan.puts) if plan and done else 0,
            "unchanged": plan.unchanged if plan else 0,
            "withdrawn": len(plan.withdrawals) if plan and done else 0,
        }

    def to_json(self) -> dict[str, Json]:
        return {
            "stream": self.stream,
            "state": self.state,
            "run": self.run,
            **self.counts(),
            "planned": _planned(self.plan),
            "epoch": self.epoch,
            "seq": self.seq,
            "statement": self.statement,
            "unsent": self.unsent,
            "brake": [reason.as_json() for reason in self.why],
            "report": self.report_file,
            "refusals": [fault.to_json() for fault in self.faults[:SHOWN]],
            "doubtful": len(self.doubts),
            "doubts": [doubt.to_json() for doubt in self.doubts[:SHOWN]],
            "doubts_report": self.doubts_file,
            "error": self.error.what.as_json() if self.error else None,
        }

    def lines(self, config: str) -> Iterator[Text]:
        """The report in words; `config` is what the operator calls the configuration file."""
        state = _STATES[self.state]
        yield Text(f"{self.stream}:{state.zh}", f"{self.stream}: {state.en}")
        if self.plan is None:
            return
        yield self._count_line(self.plan)
        if self.plan.restated:
            yield _RESTATED.fill(count=self.plan.restated)
        yield from self._fault_lines()
        if self.doubts:
            yield _DOUBTFUL.fill(count=len(self.doubts), path=self.doubts_file or "--json")
        if self.plan.withheld:
            yield _WITHHELD.fill(rows=self.plan.unreadable, count=self.plan.withheld)
        if self.unsent:
            yield _UNSENT.fill(count=self.unsent)
        yield from self._brake_lines(config)

    def _count_line(self, plan: Plan) -> Text:
        return (_COUNTS if self.state == PUBLISHED else _WOULD).fill(
            rows_read=self.rows_read,
            published=len(plan.puts),
            added=plan.added,
            modified=plan.modified,
            unchanged=plan.unchanged,
            refused=len(plan.faults),
            withdrawn=len(plan.withdrawals),
        )

    def _fault_lines(self) -> Iterator[Text]:
        for fault in self.faults[:SHOWN]:
            yield _FAULT.fill(file=fault.file, line=fault.line, column=fault.column or "-", reason=fault.reason)
        if len(self.faults) > SHOWN:
            yield _MORE.fill(count=len(self.faults) - SHOWN, path=self.report_file)

    def _brake_lines(self, config: str) -> Iterator[Text]:
        for reason in self.why:
            yield (_WHY if self.state == BRAKED else _WOULD_BRAKE).fill(reason=reason)
        if self.state == BRAKED:
            yield _APPROVE.fill(run=self.run, config=shlex.quote(config))


def stopped(stream: str, error: UserError | Unavailable) -> StreamReport:
    """The report of a stream whose source could not be read to its end."""
    if isinstance(error, UserError):
        return StreamReport(stream, FAILED, error=error)
    return StreamReport(stream, AWAY, error=UserError(_SOURCE_AWAY.fill(why=error), "", _LATER))


def _planned(plan: Plan | None) -> dict[str, Json]:
    if plan is None:
        return {}
    return {
        "added": plan.added,
        "modified": plan.modified,
        "withdrawn": len(plan.withdrawals),
        "kept": plan.kept,
        "withheld": plan.withheld,
        "unreadable": plan.unreadable,
        "restated": plan.restated,
    }


def totals(reports: Sequence[StreamReport]) -> dict[str, int]:
    """The counts of all streams together."""
    names = StreamReport("", FAILED).counts()
    return {name: sum(report.counts()[name] for report in reports) for name in names}
