"""`oncegate-audit ask | explain | extend | withdraw`: explanations of findings, and of records of a sample."""

from pathlib import Path
from typing import Annotated

import typer

from audit.review import DEFAULT_DAYS, commands
from audit.review.commands import By, Days, IndexOption, OwnLog, say_given

Subject = Annotated[
    str, typer.Argument(metavar="FINDING", help="An id that `analyse` or `reconcile` printed. 提示编号。")
]
SampleOption = Annotated[
    Path | None, typer.Option("--sample", help="FINDING is LOG:POSITION of this sample. 抽样文件。")
]
Unit = Annotated[str, typer.Option(metavar="ORGANISATION/UNIT", help="Whose explanation. 说明单位。")]


def add(app: typer.Typer) -> None:
    """Put the commands of this room into the program."""
    app.add_typer(commands.app)
    app.command("ask")(ask_command)
    app.command("explain")(explain_command)
    app.command("extend")(extend_command)
    app.command("withdraw")(withdraw_command)


def ask_command(
    subject: Subject,
    of: Unit,
    by: By,
    days: Days = DEFAULT_DAYS,
    sample: SampleOption = None,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Ask a unit to explain a finding, with a deadline. 要求说明。"""
    from audit.review import desk, inputs

    about, samples = inputs.subject_of(subject, sample)
    settings = inputs.own_log_of(own_log, index)
    say_given(desk.ask(settings, about, inputs.whom_of(of), by, days, samples))


def explain_command(
    subject: Subject,
    from_unit: Unit,
    text_file: Annotated[str, typer.Option(metavar="FILE", help="The explanation; - reads it from stdin. 说明内容。")],
    by: By,
    explained_by: Annotated[str, typer.Option(metavar="NAME", help="Who in the unit says so (sealed). 说明人。")] = "",
    sample: SampleOption = None,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Record what a unit says about a finding. It stays listed, with its explanation. 登记说明。"""
    from audit.review import desk, inputs

    about, samples = inputs.subject_of(subject, sample)
    text = inputs.text_in(text_file)
    settings = inputs.own_log_of(own_log, index)
    said = desk.Explanation(about, inputs.whom_of(from_unit), text, by, explained_by)
    say_given(desk.explain(settings, said, samples))


def extend_command(
    subject: Subject,
    until: Annotated[str, typer.Option(metavar="DATE", help="The new deadline, this day included. 新期限。")],
    reason_file: Annotated[str, typer.Option(metavar="FILE", help="Why; - reads it from stdin. 延期理由。")],
    by: By,
    sample: SampleOption = None,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Give a unit more time. 延长期限。"""
    from audit.review import desk, inputs

    about, _ = inputs.subject_of(subject, sample)
    reason = inputs.text_in(reason_file)
    say_given(desk.extend(inputs.own_log_of(own_log, index), about, until, by, reason))


def withdraw_command(
    subject: Subject,
    reason_file: Annotated[str, typer.Option(metavar="FILE", help="Why; - reads it from stdin. 撤回理由。")],
    by: By,
    sample: SampleOption = None,
    own_log: OwnLog = None,
    index: IndexOption = None,
) -> None:
    """Take back a request that nobody has answered. 撤回说明要求。"""
    from audit.review import desk, inputs

    about, _ = inputs.subject_of(subject, sample)
    reason = inputs.text_in(reason_file)
    say_given(desk.withdraw(inputs.own_log_of(own_log, index), about, by, reason))
