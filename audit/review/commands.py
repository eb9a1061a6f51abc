"""`oncegate-audit review`: from a sample to a complete report. 抽查评查。"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.review import DEFAULT_DAYS
from audit.search.commands import EXIT_FAILED, ONE_FORM, AsCsv, AsJson, Keys
from contracts.edge.output import command_line, emit_json, progress, say, warn
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.review.answers import Bad
    from audit.review.desk import Late
    from audit.review.events import Recorded, Whom
    from audit.review.letters import Question
    from audit.review.samples import Sample
    from contracts.encoding import Json

app = command_line(
    "review",
    "Review a sample: verdicts, requests for explanation, report; all in the auditors' own log. "
    "抽查评查:结论、要求说明与完成情况。",
)

SampleFile = Annotated[Path, typer.Argument(metavar="SAMPLE", help="What `sample draw` printed. 抽样文件。")]
OwnLog = Annotated[
    Path | None,
    typer.Option("--own-log", help="The auditors' own log (TOML); else that of --index. 自有日志配置。"),
]
IndexOption = Annotated[
    Path | None, typer.Option("--index", help="An index that knows the logs of the sample. 索引文件。")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Which auditor does this. 经办审计员。")]
Days = Annotated[int, typer.Option("--days", help="Deadline, in working days (weekends only). 期限(工作日)。")]

_STARTED = Text("已开始评查:{digest},共 {count} 条", "The review of {digest} has begun: {count} records")
_BEFORE = Text("此前已开始评查:{digest}", "The review of {digest} was begun before")
_DIFFERS = Text("未开始:重新抽样后以下内容不同:{names}", "Not begun: drawn again from the index, these differ: {names}")
_NOTHING_LEFT = Text("{name} 没有待评查的记录", "Nothing is left for {name}")
_GIVEN = Text("已登记:日志第 {number} 条", "Recorded as entry {number}")
_GIVEN_UNTIL = Text(
    "已登记:日志第 {number} 条;{whom} 须于 {deadline} 前说明(未计法定节假日)",
    "Recorded as entry {number}; {whom} is to explain until {deadline} (public holidays are not known)",
)
_LETTERS = Text("{path}:{count} 条", "{path}: {count} records")
_NO_LETTERS = Text("没有待说明的记录", "No explanation is awaited")
_READING = Text("读取记录", "Reading records")
_TAKING = Text("登记说明", "Recording explanations")
_TAKEN = Text(
    "登记 {taken} 条;此前已登记 {known} 条,未填写 {empty} 条,有误 {bad} 条",
    "{taken} recorded; {known} were recorded before, {empty} not filled in, {bad} wrong",
)
_BAD = Text("第 {line} 行未登记:{what}", "line {line} was not taken: {what}")
_LATE = Text("{deadline}  {whom}  {subject}", "{deadline}  {whom}  {subject}")
_NO_LATE = Text("没有逾期的说明要求", "No explanation is overdue")
_NEED_INDEX = Text("查看密封内容需要索引", "Openings need the index")
_GIVE_INDEX = Text("请用 --index 给出。", "Give it with --index.")


@app.command("start")
def start_command(sample: SampleFile, own_log: OwnLog = None, index: IndexOption = None) -> None:
    """Begin the review; with --index the sample is drawn again first, and refused if it differs. 开始评查。"""
    from audit.review import desk, inputs

    found = inputs.sample_in(sample)
    settings = inputs.own_log_of(own_log, index)
    if index is not None:
        _draw_again(found, index)
    began = desk.start(settings, found, drawn_again=index is not None)
    say((_STARTED if began else _BEFORE).fill(digest=found.digest, count=len(found.picks)))


@app.command("next")
def next_command(
    sample: SampleFile,
    reviewer: Annotated[str, typer.Option(help="As the sample names them. 评查人。")],
    own_log: OwnLog = None,
    index: IndexOption = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """The next record of a reviewer; with --index what it says, with --key also who, recorded first. 下一条。"""
    from contextlib import nullcontext

    from audit.review import desk, inputs
    from audit.review.next_text import next_json, next_lines

    if keys and index is None:
        raise UserError(_NEED_INDEX, "--key", _GIVE_INDEX)
    found, private = inputs.sample_in(sample), inputs.private_keys(keys)
    settings = inputs.own_log_of(own_log, index)
    with nullcontext() if index is None else inputs.records_of(index, private) as records:
        one = desk.next_record(settings, found, reviewer, records, private)
    if as_json:
        emit_json(None if one is None else next_json(one))
    elif one is None:
        say(_NOTHING_LEFT.fill(name=reviewer))
    else:
        for line in next_lines(one):
            say(line)


@app.command("verdict")
def verdict_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    sample: SampleFile,
    record: Annotated[str, typer.Argument(metavar="LOG:POSITION", help="As `next` shows it. 日志:位置。")],
    verdict: Annotated[
        str, typer.Argument(metavar="VERDICT", help="normal, suspicious, explanation_required. 正常、可疑、要求说明。")
    ],
    reviewer: Annotated[str, typer.Option(help="Who decides. 评查人。")],
    note_file: Annotated[str, typer.Option(metavar="FILE", help="The note; - reads it from stdin. 意见文件。")] = "",
    instead_of: Annotated[
        str | None, typer.Option(metavar="NAME", help="The reviewer to whom it was dealt. 代替的评查人。")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why instead of them. 代替的理由。")] = "",
    of: Annotated[
        str,
        typer.Option(metavar="ORGANISATION/UNIT", help="Who is to explain, if not the record's own unit. 说明单位。"),
    ] = "",
    days: Days = DEFAULT_DAYS,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Record a verdict; the newest counts, the others stay. 登记评查结论。"""
    from audit.review import desk, inputs
    from audit.review.events import EXPLANATION_REQUIRED

    found = inputs.sample_in(sample)
    place = found.place(record)
    note = inputs.text_in(note_file) if note_file else ""
    settings = inputs.own_log_of(own_log, index)
    whom = inputs.whom_of(of) if of else None
    if whom is None and index is not None and desk.verdict_of(verdict) == EXPLANATION_REQUIRED:
        with inputs.records_of(index, []) as records:
            whom = records.whom(place)
    decision = desk.Decision(place, verdict, reviewer, note, instead_of, reason, whom, days)
    say_given(desk.give_verdict(settings, found, decision))


@app.command("report")
def report_command(
    sample: SampleFile,
    own_log: OwnLog = None,
    index: IndexOption = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FILE", help="Also write the zh-CN document. 归档报告文件。")
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Is everything decided and explained? Ends with 1 if not. 评查完成情况。"""
    from audit.review import desk, inputs, report, report_text
    from audit.search.asked import ZONE
    from contracts.edge.files import write_atomic

    if as_json and as_csv:
        raise UserError(ONE_FORM)
    found, head = desk.make_report(inputs.own_log_of(own_log, index), inputs.sample_in(sample))
    if into is not None:
        from datetime import datetime

        written = datetime.now(ZONE).strftime("%Y-%m-%d %H:%M")
        write_atomic(into, report_text.document(found, head, written).encode(), 0o640)
    if as_json:
        emit_json(report.as_json(found, head))
    elif as_csv:
        sys.stdout.write(report.as_csv(found))
    else:
        for line in report_text.summary(found):
            say(line)
    raise typer.Exit(0 if found.complete else EXIT_FAILED)


@app.command("letters")
def letters_command(
    sample: SampleFile,
    index: Annotated[Path, typer.Option("--index", help="An index that knows the logs. 索引文件。")],
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="Two files for each unit. 输出目录。")],
    own_log: OwnLog = None,
) -> None:
    """For each unit that has to explain: a letter (zh-CN) and a table to fill in. 生成要求说明通知。"""
    from audit.review import desk, inputs, letters

    found = inputs.sample_in(sample)
    settings = inputs.own_log_of(own_log, index)
    with inputs.records_of(index, []) as records, progress(_READING, None) as advance:
        asked = desk.questions(settings, found, records, advance)
    for whom, questions in letters.grouped(asked).items():
        say(_LETTERS.fill(path=_write_letter(into, whom, questions), count=len(questions)))
    if not asked:
        say(_NO_LETTERS)


@app.command("answers")
def answers_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A table that a unit filled in. 单位答复表。")],
    by: By,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Record a table's explanations; bad rows are named, good ones kept; twice the same counts once. 登记答复。"""
    from audit.review import answers, desk, inputs

    table = answers.read(inputs.text_in(str(file)), file.name)
    settings = inputs.own_log_of(own_log, index)
    with progress(_TAKING, len(table.answers)) as advance:
        found = desk.take_answers(settings, table, by, advance)
    _say_bad(found.bad)
    say(_TAKEN.fill(taken=found.taken, known=found.known, empty=found.empty, bad=len(found.bad)))
    raise typer.Exit(EXIT_FAILED if found.bad else 0)


@app.command("overdue")
def overdue_command(own_log: OwnLog = None, index: IndexOption = None, as_json: AsJson = False) -> None:
    """Requests whose deadline has passed, of all samples and findings. Ends with 1 if there are any. 逾期未说明。"""
    from audit.review import desk, inputs

    late = desk.overdue(inputs.own_log_of(own_log, index))
    if as_json:
        emit_json([_late_json(one) for one in late])
    else:
        for subject, due in late:
            say(_LATE.fill(deadline=due.deadline, whom=due.whom.text(), subject=inputs.where(subject)))
        if not late:
            say(_NO_LATE)
    raise typer.Exit(EXIT_FAILED if late else 0)


def _draw_again(sample: "Sample", index: Path) -> None:
    """Refuse a sample that is not what drawing again gives."""
    from audit.search.drawing import differences, document, facts_of, order_of
    from audit.search.sample_command import tell
    from audit.search.session import session
    from contracts.encoding import canonical

    order, given = order_of(canonical(sample.document), sample.digest)  # the one that is begun: no second reading
    with session(index, order.words, []) as asked:
        ours = document(asked.index, order, asked.filters)
        asked.record("review start", len(ours["picks"]), facts_of(ours))
    tell(ours)
    wrong = differences(given, ours)
    if wrong:
        warn(_DIFFERS.fill(names=", ".join(wrong)))
        raise typer.Exit(EXIT_FAILED)


def _write_letter(into: Path, whom: "Whom", questions: "Sequence[Question]") -> Path:
    from audit.review import deadlines, letters
    from audit.review.book import now_ms
    from contracts.edge.files import write_atomic

    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{letters.file_name(whom)}.txt"
    table = path.with_name(f"{letters.file_name(whom)}.csv")
    write_atomic(table, letters.table(questions).encode(), 0o640)
    text = letters.letter(whom, questions, deadlines.today(now_ms()), table.name)
    write_atomic(path, text.encode(), 0o640)
    return path


def _say_bad(rows: "Sequence[Bad]") -> None:
    for row in rows:
        warn(_BAD.fill(line=row.line, what=row.what))


def say_given(recorded: "Recorded") -> None:
    """Where an event was recorded, and until when an explanation is awaited."""
    whom, deadline = (getattr(recorded.event, name, None) for name in ("whom", "deadline"))
    if whom is not None and deadline is not None:
        say(_GIVEN_UNTIL.fill(number=recorded.number, whom=whom.text(), deadline=deadline))
    else:
        say(_GIVEN.fill(number=recorded.number))


def _late_json(one: "Late") -> "Json":
    from audit.review.events import subject_json

    due = one.due
    return {**subject_json(one.subject), **due.whom._asdict(), "deadline": due.deadline, "extensions": due.extensions}
