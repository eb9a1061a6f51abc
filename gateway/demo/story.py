"""What the demo tells at the end: the figures, and what to try next with commands that work as pasted."""

import shlex
from collections.abc import Iterator

from contracts.text import Text
from gateway.demo.layout import Layout
from gateway.demo.morning import GRANTED, NOT_FOUND, REFUSED
from gateway.demo.outcome import Outcome
from gateway.demo.processes import command


def summary(outcome: Outcome) -> Iterator[Text]:
    """The figures in words."""
    granted, refused, missing = (outcome.count(name) for name in (GRANTED, REFUSED, NOT_FOUND))
    yield Text(
        f"入库 {outcome.ingested} 条;植入恶意消息 {outcome.planted_messages} 条,退回 {outcome.messages_rejected} 条",
        f"Ingested {outcome.ingested} records; {outcome.planted_messages} hostile messages planted, "
        f"{outcome.messages_rejected} rejected",
    )
    yield Text(
        f"窗口:{granted} 次调取,{refused} 次拒绝,{missing} 次查无;{outcome.receipts_verified} 份存证凭证核验通过",
        f"At the window: {granted} granted, {refused} refused, {missing} not found; "
        f"{outcome.receipts_verified} receipts verified",
    )
    whole = outcome.audit.difference is None
    yield Text(
        f"审计日志 {outcome.audit.size} 条(含查验凭证的请求),{'完整' if whole else '不完整'};"
        f"改动一个字节:{'核验失败,已复原' if outcome.tamper_detected else '未被发现'}",
        f"Audit log: {outcome.audit.size} entries (fetching a receipt is one, too), "
        f"{'whole' if whole else 'NOT WHOLE'}; one byte changed: "
        f"{'verification failed, byte put back' if outcome.tamper_detected else 'NOT NOTICED'}",
    )
    yield Text(f"共 {outcome.seconds:.1f} 秒", f"{outcome.seconds:.1f} s in all")


def next_steps(outcome: Outcome, layout: Layout) -> Iterator[Text]:
    """Commands to paste into another terminal."""
    audit, gate = shlex.quote(command("oncegate-audit")), shlex.quote(command("oncegate"))
    log, vkey = shlex.quote(str(layout.audit_dir)), shlex.quote(layout.vkey.read_text("ascii").strip())
    auditor = shlex.quote(str(layout.private("auditor")))
    config = shlex.quote(str(layout.node_config))
    first = outcome.visits[0].receipt.index
    rows = (
        (Text("核验审计日志", "verify the audit log"), f"{audit} verify {log} --vkey {vkey}"),
        (
            Text(
                f"以审计员身份查看第 {first} 条:谁、为哪件事、查了谁",
                f"entry {first} as the auditor: who asked about whom, and why",
            ),
            f"{audit} show {log} --vkey {vkey} --index {first} --openings --auditor-key {auditor}",
        ),
        (Text("查看数据流状态", "see the state of the streams"), f"{gate} status --config {config}"),
    )
    yield Text(f"网关在 {layout.base_url} 服务;试试:", f"The gateway serves at {layout.base_url}. Try:")
    for what, line in rows:
        yield Text(f"  # {what.zh}\n  {line}", f"  # {what.en}\n  {line}")
    handover = layout.root / "demo.json"
    yield Text(
        f"自己的客户端所需的一切在 {handover};接口文档 {layout.base_url}/docs",
        f"All that a client of your own needs is in {handover}; the API is described at {layout.base_url}/docs",
    )
    yield Text("按 Ctrl-C 结束。", "Ctrl-C ends it.")
