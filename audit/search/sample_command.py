"""`oncegate-audit sample draw|verify`: the double-random sample, from the command line."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audit.search.commands import EXIT_FAILED, AsCsv, IndexFile, Words
from contracts.edge.output import command_line, emit_json, say, warn
from contracts.text import Text

app = command_line("sample", "A double-random sample (双随机): drawn, or drawn again to check it. 双随机抽查。")

_RIGHT = Text(
    "一致:种子 {seed},总体 {population} 条,抽取 {picked} 条",
    "Right: seed {seed}, {population} records, {picked} picked",
)
_WRONG = Text("不一致:重新抽样后以下内容不同:{names}", "FAILED: drawn again, these differ: {names}")
_COMMAS = dict.fromkeys(map(ord, "\uff0c\u3001"), ",")  # the wide one, and the one between Chinese names
_COLUMNS = ("log", "position", "stratum", "reviewer")


@app.command("draw")
def draw_command(
    index: IndexFile,
    checkpoints: Annotated[
        list[Path], typer.Option("--checkpoint", help="A signed checkpoint of each log; repeatable. 已签名的检查点。")
    ],
    nonce: Annotated[str, typer.Option(help="The auditor's random text, published as a hash before. 审计员随机数。")],
    size: Annotated[int, typer.Option(help="How many records. 抽查数量。")],
    reviewers: Annotated[str, typer.Option(help="Names, with commas. 评查人,逗号分隔。")],
    words: Words = None,
    by: Annotated[str, typer.Option(help="Strata: log, organisation, unit, app, … 分层依据。")] = "",
    as_csv: AsCsv = False,
) -> None:
    """Draw records and deal them to reviewers; prints the document that anybody can check. 抽样并随机分派。"""
    from audit.search.drawing import Order, document
    from audit.search.output import csv_text
    from audit.search.session import session

    names = [name.strip() for name in reviewers.translate(_COMMAS).split(",")]
    notes = [path.read_bytes() for path in checkpoints]
    with session(index, words or [], []) as asked:
        found = document(asked.index, Order(notes, nonce, size, by, names, words or []), asked.filters)
        asked.record("sample", len(found["picks"]))
    if as_csv:
        sys.stdout.write(csv_text(_COLUMNS, ([pick[name] for name in _COLUMNS] for pick in found["picks"])))
    else:
        emit_json(found)


@app.command("verify")
def verify_command(
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE", help="What `sample draw` printed. 抽样文件。")],
    index: IndexFile,
) -> None:
    """Draw again from an index of one's own, and compare. 重新抽样并核对。"""
    from audit.search.drawing import differences, document, load
    from audit.search.session import session

    order, given = load(sample)
    with session(index, order.words, []) as asked:
        ours = document(asked.index, order, asked.filters)
        asked.record("sample verify", len(ours["picks"]))
    wrong = differences(given, ours)
    if wrong:
        warn(_WRONG.fill(names=", ".join(wrong)))
        raise typer.Exit(EXIT_FAILED)
    say(_RIGHT.fill(seed=ours["seed"], population=ours["population"], picked=len(ours["picks"])))
