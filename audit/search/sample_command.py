"""`oncegate-audit sample draw|verify`: the double-random sample, from the command line."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.search.commands import EXIT_FAILED, AsCsv, IndexFile, Words
from contracts.edge.output import command_line, emit_json, say, warn
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.encoding import Json

Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="VKEY",
        help="A witness's key; one of them must have cosigned each checkpoint; repeatable. 见证者公钥。",
    ),
]

app = command_line("sample", "A double-random sample (双随机): drawn, or drawn again to check it. 双随机抽查。")

_RIGHT = Text(
    "一致:种子 {seed},总体 {population} 条,抽取 {picked} 条",
    "Right: seed {seed}, {population} records, {picked} picked",
)
_WRONG = Text("不一致:重新抽样后以下内容不同:{names}", "FAILED: drawn again, these differ: {names}")
_COSIGNED = Text("{log}:{witness} 见证于 {time}", "{log}: cosigned by {witness} at {time}")
_NOT_WITNESSED = Text(
    "注意:未经见证。谁持有日志私钥,谁就能为得到合意的样本而另签检查点;请用 --witness 给出见证者公钥。",
    "NOT WITNESSED: whoever has the log's key may have signed this checkpoint to get a sample that suits. Give keys "
    "of witnesses with --witness.",
)
_OWN_WITNESSES = Text(
    "注意:见证者公钥取自抽样文件本身;请用 --witness 给出您从见证者处取得的公钥。",
    "Note: the witnesses' keys are those that the sample itself names; give yours with --witness.",
)
_NOT_BY_YOURS = Text(
    "不一致:所列见证者均未见证 {log} 的检查点", "FAILED: none of your witnesses cosigned the checkpoint of {log}"
)
_LEFT_OUT = Text(
    "注意:以下日志没有检查点,未纳入总体:{logs}",
    "Note: not in the population, because there is no checkpoint of them: {logs}",
)
_COMMAS = dict.fromkeys(map(ord, "\uff0c\u3001"), ",")  # the wide one, and the one between Chinese names
_COLUMNS = ("log", "position", "stratum", "reviewer")


@app.command("draw")
def draw_command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    index: IndexFile,
    checkpoints: Annotated[
        list[Path], typer.Option("--checkpoint", help="A signed checkpoint of each log; repeatable. 已签名的检查点。")
    ],
    nonce: Annotated[str, typer.Option(help="The auditor's random text, published as a hash before. 审计员随机数。")],
    size: Annotated[int, typer.Option(help="How many records. 抽查数量。")],
    reviewers: Annotated[str, typer.Option(help="Names, with commas. 评查人,逗号分隔。")],
    words: Words = None,
    by: Annotated[str, typer.Option(help="Strata: log, organisation, unit, app, … 分层依据。")] = "",
    witnesses: Witnesses = None,
    as_csv: AsCsv = False,
) -> None:
    """Draw records and deal them to reviewers; prints the document that anybody can check. 抽样并随机分派。"""
    from audit.search.drawing import Order, document, facts_of
    from audit.search.output import csv_text
    from audit.search.session import session
    from audit.search.witnessed import witness_of

    names = [name.strip() for name in reviewers.translate(_COMMAS).split(",")]
    notes = [path.read_bytes() for path in checkpoints]
    order = Order(notes, nonce, size, by, names, words or [], [witness_of(text) for text in witnesses or ()])
    with session(index, order.words, []) as asked:
        found = document(asked.index, order, asked.filters)
        asked.record("sample", len(found["picks"]), facts_of(found))
    tell(found)
    if as_csv:
        sys.stdout.write(csv_text(_COLUMNS, ([pick[name] for name in _COLUMNS] for pick in found["picks"])))
    else:
        emit_json(found)


@app.command("verify")
def verify_command(
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE", help="What `sample draw` printed. 抽样文件。")],
    index: IndexFile,
    witnesses: Witnesses = None,
) -> None:
    """Draw again from an index of one's own, and compare. 重新抽样并核对。"""
    from audit.search.drawing import differences, document, facts_of, load
    from audit.search.session import session
    from audit.search.witnessed import not_cosigned, witness_of

    order, given = load(sample)
    ours_too = [witness_of(text) for text in witnesses or ()]
    with session(index, order.words, []) as asked:
        ours = document(asked.index, order, asked.filters)
        asked.record("sample verify", len(ours["picks"]), facts_of(ours))
    tell(ours)
    wrong = differences(given, ours)
    lacking = not_cosigned(order.notes, ours_too) if ours_too else []
    for log in lacking:
        warn(_NOT_BY_YOURS.fill(log=log))
    if wrong:
        warn(_WRONG.fill(names=", ".join(wrong)))
    if wrong or lacking:
        raise typer.Exit(EXIT_FAILED)
    if ours["witnessed"] and not ours_too:
        warn(_OWN_WITNESSES)
    say(_RIGHT.fill(seed=ours["seed"], population=ours["population"], picked=len(ours["picks"])))


def tell(sample: "Mapping[str, Json]") -> None:
    """On stderr: who cosigned the checkpoints, if anybody, and which logs are not in the population."""
    for one in sample["cosigned"]:
        warn(_COSIGNED.fill(**{**one, "witness": one["witness"].partition("+")[0]}))
    if not sample["witnessed"]:
        warn(_NOT_WITNESSED)
    if sample["left_out"]:
        warn(_LEFT_OUT.fill(logs=", ".join(sample["left_out"])))
