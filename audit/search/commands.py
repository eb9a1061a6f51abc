"""`oncegate-audit index|search|stats`: the auditor's index, from the command line."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.edge.output import emit_json, progress, say, warn
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from apsw import Connection

    from audit.search.follow import Followed, Follower, Source
    from audit.search.query import Hit

EXIT_FAILED = 1

IndexFile = Annotated[Path, typer.Argument(metavar="INDEX", help="An index made by `index`. 索引文件。")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=VALUE]...",
        help="from, to, organisation, unit, app, item, type, decision, reason, action, channel, clerk_assurance, "
        "case_check, log; with --key also clerk, case, and with two keys holder=SCHEME:ID (- reads it from stdin). "
        "筛选条件。",
    ),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="The auditor's private key (X25519, PEM); twice: a second auditor's, too. 审计员私钥。"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON. 输出 JSON。")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV (with byte order mark). 输出 CSV。")]

_BAR = Text("索引", "Indexing")
_FOLLOWED = Text(
    "{origin}:已索引 {size} 条,新增 {new} 条;非访问记录 {other} 条,密封内容已销毁 {erased} 条",
    "{origin}: {size} entries indexed, {new} of them new; {other} no access records, {erased} with an erased opening",
)
_OWN_KEY = Text(
    "注意:{origin} 的公钥取自其目录本身,请用 --vkey 给出注册库中的公钥。",
    "Note: the key of {origin} was taken from its own directory; give the registry's with --vkey.",
)
_DIFFERS = Text(
    "验证失败,索引停止:{origin}:{what} {where}。请保留该目录与索引,并与其他副本或见证方核对。",
    "FAILED, nothing more is indexed: {origin}: {what} {where}. Keep directory and index; compare with other copies "
    "and witnesses.",
)
_OWN_LOG_LATE = Text("查询日志只能在建立索引时指定", "The log of searches is chosen when an index is made")
_NEW_INDEX = Text("请新建索引。", "Make a new index.")
_NEXT = Text("后续结果:--after {cursor}", "More with --after {cursor}")
_NONE = Text("没有符合条件的记录", "Nothing matches")
_TOTAL = Text("共 {total} 条", "{total} records")
_BAD_CURSOR = Text("--after 的值无效", "Not a value for --after")
_COPY_CURSOR = Text("请使用上一页给出的值。", "Give the one that the page before ended with.")
ONE_FORM = Text("--json 与 --csv 只能选一个", "Choose one of --json and --csv")
_BAD_BY = Text("--by 的值无效", "Not a value for --by")
_BY_FORM = Text("可选:day(按日)、hour(按小时)。", "One of day, hour.")
_PROOF_FORM = Text("--proof 需要 --json 或文本输出", "--proof needs --json or text output")


def add(app: typer.Typer) -> None:
    """Put the commands of this room into the program."""
    app.command("index")(index_command)
    app.command("search")(search_command)
    app.command("stats")(stats_command)


def index_command(
    directories: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Directories of logs. 日志目录。")],
    into: Annotated[
        Path, typer.Option("--into", metavar="INDEX", help="The index file, made or continued. 索引文件。")
    ],
    vkeys: Annotated[
        list[str] | None, typer.Option("--vkey", metavar="KEY", help="A log's verifier key; repeatable. 验证公钥。")
    ] = None,
    keys: Keys = None,
    own_log: Annotated[
        Path | None, typer.Option(help="Record each search in this log of yours (TOML). 查询日志配置。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Index logs, verifying every entry; run again to follow them. 建立或更新审计索引。"""
    from audit.search.database import writing
    from audit.search.sources import logs_in

    sources = [_source(directory, vkeys or []) for directory in logs_in(directories)]
    with writing(into) as db:
        follower = _follower(db, keys or [], own_log)
        with progress(_BAR, _to_do(db, sources)) as advance:
            done = [_followed(follower, source, advance) for source in sources]
    if as_json:
        emit_json([_followed_json(one) for one in done])
        return
    for one in done:
        say(_FOLLOWED.fill(origin=one.origin, size=one.size, new=one.new, other=one.other, erased=one.erased))


def search_command(
    index: IndexFile,
    words: Words = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Hits on a page. 每页条数。")] = 50,
    after: Annotated[str, typer.Option(metavar="CURSOR", help="The page after this one. 下一页。")] = "",
    proof: Annotated[
        bool, typer.Option("--proof", help="With each hit a fresh proof (c2sp.org/tlog-proof). 附存证证明。")
    ] = False,
    keys: Keys = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Find access records, newest first. 查询访问记录。"""
    from audit.search.filters import parse_cursor
    from audit.search.session import session

    cursor = parse_cursor(after) if after else None
    if after and cursor is None:
        raise UserError(_BAD_CURSOR, after, _COPY_CURSOR)
    if as_csv and (as_json or proof):
        raise UserError(ONE_FORM if as_json else _PROOF_FORM)
    with session(index, words or [], keys or []) as asked:
        hits = asked.index.page(asked.filters, limit + 1, cursor)
        shown, more = hits[:limit], len(hits) > limit
        proofs = [asked.index.proof(hit).encode().decode() for hit in shown] if proof else []
        asked.record("search", len(shown))
    _print_hits(shown, proofs, more, [doubt.as_json() for doubt in asked.doubts] if as_json else None, as_csv)


def stats_command(
    index: IndexFile,
    words: Words = None,
    by: Annotated[str, typer.Option(metavar="day|hour", help="Width of the histogram. 直方图粒度。")] = "day",
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Count access records: facets and a histogram over time. 统计访问记录。"""
    from audit.search.output import stats_json, stats_lines
    from audit.search.session import session

    if by not in ("day", "hour"):
        raise UserError(_BAD_BY, by, _BY_FORM)
    with session(index, words or [], keys or []) as asked:
        stats = asked.index.stats(asked.filters)
        asked.record("stats", stats.total)
    if as_json:
        emit_json({**stats_json(stats, by), "warnings": [doubt.as_json() for doubt in asked.doubts]})
        return
    say(_TOTAL.fill(total=stats.total))
    for line in stats_lines(stats, by) if stats.total else ():
        say(line)


def _source(directory: Path, vkeys: list[str]) -> "Source":
    from audit.search.sources import source_of

    found = source_of(directory, vkeys)
    if found.beside:
        warn(_OWN_KEY.fill(origin=found.source.key.name))
    return found.source


def _follower(db: "Connection", key_paths: list[Path], own_log: Path | None) -> "Follower":
    from audit.search.database import keep_checks, meta, transaction
    from audit.search.follow import Follower
    from audit.search.session import load_keys
    from contracts.edge.keys import load_hpke_private

    token_keys, _ = load_keys(meta(db)["salt"], key_paths)
    with transaction(db):
        _keep_own_log(db, own_log)
        keep_checks(db, token_keys)
    return Follower(db, load_hpke_private(key_paths[0]) if key_paths else None, token_keys)


def _keep_own_log(db: "Connection", config: Path | None) -> None:
    from audit.search import own_log
    from audit.search.database import is_built, meta
    from audit.search.session import OWN_LOG, OWN_LOG_CONFIG

    if config is None:
        return
    origin = own_log.load(config).origin
    if is_built(db) and meta(db).get(OWN_LOG) != origin:
        raise UserError(_OWN_LOG_LATE, origin, _NEW_INDEX)
    facts = ((OWN_LOG, origin), (OWN_LOG_CONFIG, str(config.resolve())))
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts)


def _to_do(db: "Connection", sources: "list[Source]") -> int:
    """For the bar only: the head is verified later."""
    known = dict(db.execute("SELECT origin, size FROM logs"))
    heads = ((source.key.name, (source.directory / "checkpoint").read_bytes().split(b"\n")) for source in sources)
    sizes = ((origin, int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0) for origin, lines in heads)
    return sum(max(0, size - known.get(origin, 0)) for origin, size in sizes)


def _followed(follower: "Follower", source: "Source", advance: "Callable[[int], None]") -> "Followed":
    from audit.search.follow import Differs

    try:
        return follower.follow(source, advance)
    except Differs as found:
        warn(_DIFFERS.fill(origin=source.key.name, what=found.what, where=found.where))
        raise typer.Exit(EXIT_FAILED) from None


def _followed_json(one: "Followed") -> Json:
    return {
        "origin": one.origin,
        "size": one.size,
        "root": one.root.hex(),
        "new": one.new,
        "other": one.other,
        "erased": one.erased,
    }


def _print_hits(
    hits: "Sequence[Hit]", proofs: "Sequence[str]", more: bool, warnings: "list[Json] | None", as_csv: bool
) -> None:
    """As JSON if there are `warnings` for it (empty: none to tell)."""
    from audit.search.output import COLUMNS, csv_text, hit_json, hit_line, hit_rows

    last = hits[-1].cursor.text() if more else None
    if warnings is not None:
        texts: Sequence[str | None] = proofs or [None] * len(hits)
        told = [hit_json(hit, text) for hit, text in zip(hits, texts, strict=True)]
        emit_json({"hits": told, "next": last, "warnings": warnings})
    elif as_csv:
        sys.stdout.write(csv_text(COLUMNS, hit_rows(hits)))
    else:
        for number, hit in enumerate(hits):
            say(hit_line(hit))
            for proof in proofs[number : number + 1]:
                say(Text(proof, proof))
        if not hits:
            say(_NONE)
    if last is not None and warnings is None:
        warn(_NEXT.fill(cursor=last))
