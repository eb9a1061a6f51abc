"""`oncegate-audit verify FILE`: an evidence package, checked again; told with what it says of itself."""

from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.edge.output import emit_json, progress, say, warn
from contracts.encoding import Json
from contracts.text import Text

if TYPE_CHECKING:
    from audit.package.check import Checked
    from audit.package.digests import Digest

EXIT_FAILED = 1

_BAR = Text("验证", "Verifying")
_WHOLE = Text(
    "完整:证据文件包,{records} 条记录,提取时间 {time}(北京时间),提取人 {extractors}",
    "Whole: evidence package, {records} records, extracted {time} (Beijing time) by {extractors}",
)
_LOG = Text(
    "  日志 {origin}:{records} 条,检查点 {size} 条,其中查询了前 {indexed} 条,见证方共同签名 {cosigned} 个",
    "  log {origin}: {records} records, searched up to {indexed} of {size} entries, cosigned by {cosigned} witnesses",
)
_ASKED = Text("  查询条件:{filters}", "  question: {filters}")
_EVERYTHING = Text("无,即全部访问记录", "none, so every access record")
_DIGESTS = Text("  与提取笔录核对:SHA-256 {sha256},SM3 {sm3}", "  compare with paper: SHA-256 {sha256}, SM3 {sm3}")
_OWN_KEYS = Text(
    "注意:以下公钥取自文件包本身,不能证明来源,请用 --vkey 给出从注册库、见证方或提取人处取得的公钥:{names}",
    "NOTE: these keys were taken from the package itself and prove nothing about who made it; give those that you have "
    "from the registry, the witness or the extractors with --vkey: {names}",
)
_OWN_LOGS = Text(
    "注意:未给出以下日志的公钥,其记录是否属实只有文件包自己的说法:{names}",
    "NOTE: no key of these logs was given; for their records only the package itself vouches: {names}",
)
_UNSIGNED = Text(
    "注意:提取人未作电子签名,文件包的出处以笔录为准。",
    "NOTE: the extractors did not sign; where the package comes from, only paper says.",
)
_FAILED = Text("验证失败:{file}{record}:{what} {detail}", "FAILED: {file}{record}: {what} {detail}")
_RECORD = Text(",第 {number} 条", ", record {number}")
_NOTHING = Text("", "")


def verify_package(path: Path, vkeys: Sequence[str], as_json: bool) -> int:
    """Check the package at `path`, say what was found; the exit code. Raises `UserError` for a key, OSError."""
    from audit.package.check import check
    from audit.package.export_command import vkey_of
    from audit.package.files import digest_of

    pinned = [vkey_of(text) for text in vkeys]
    with path.open("rb") as file, progress(_BAR, None) as advance:
        found = check(file, pinned, advance)
        digest = digest_of(file)  # of this file, not of another one that has its name by now
    given = {key.vkey for key in pinned}
    if as_json:
        emit_json(_as_json(found, digest, given))
    elif found.difference is None:
        _say(found, digest)
    else:
        wrong = found.difference
        record = _RECORD.fill(number=wrong.record) if wrong.record else _NOTHING
        say(
            _FAILED.fill(
                file=_shown(wrong.file or path.name), record=record, what=wrong.what, detail=_shown(wrong.detail)
            )
        )
    if found.difference is not None:
        return EXIT_FAILED
    _warn(found, given)
    return 0


def _shown(text: str) -> str:
    """Of a stranger's file: nothing that moves a terminal's cursor."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _say(found: "Checked", digest: "Digest") -> None:
    from audit.package.table import beijing

    made = found.manifest
    if made is None:
        raise ValueError("a package without a manifest is not whole")
    people = _shown(", ".join(one.name for one in made.extractors))
    say(_WHOLE.fill(records=made.records, time=beijing(made.time), extractors=people))
    for log in made.logs:
        head, cosigned = found.heads[log.origin], found.cosigned[log.origin]
        facts = {"records": log.records, "indexed": log.indexed, "size": head.size, "cosigned": cosigned}
        say(_LOG.fill(origin=_shown(log.origin), **facts))
    say(_ASKED.fill(filters=_question(made.filters)))
    say(_DIGESTS.fill(sha256=digest.sha256, sm3=digest.sm3))


def _warn(found: "Checked", given: Set[str]) -> None:
    """What a whole package does not show, also beside JSON."""
    logs = [] if found.manifest is None else [log.origin for log in found.manifest.logs if log.vkey not in given]
    if found.unpinned:
        warn(_OWN_KEYS.fill(names=_shown(", ".join(found.unpinned))))
    if given and logs:
        warn(_OWN_LOGS.fill(names=_shown(", ".join(logs))))
    if found.manifest is not None and found.manifest.extractors[0].vkey is None:
        warn(_UNSIGNED)


def _question(filters: Json) -> Text:
    from audit.package.scope import FILTERS
    from audit.package.table import beijing

    if not filters:
        return _EVERYTHING
    told = {
        name: beijing(value) if name in ("from", "to") else _shown(" | ".join(value) if type(value) is list else value)
        for name, value in filters.items()
    }
    names = [name for name in FILTERS if name in told]
    return Text(
        ";".join(f"{FILTERS[name].zh} {told[name]}" for name in names),
        "; ".join(f"{FILTERS[name].en} {told[name]}" for name in names),
    )


def _as_json(found: "Checked", digest: "Digest", given: Set[str]) -> Json:
    made, wrong = found.manifest, found.difference
    logs = {} if made is None else {log.origin: log for log in made.logs}
    facts: dict[str, Json] = {
        "verified": wrong is None,
        "sha-256": digest.sha256,
        "sm3": digest.sm3,
        "unpinned": list(found.unpinned),
        "logs": [
            {
                "origin": origin,
                "size": head.size,
                "root": head.root.hex(),
                "cosigned": found.cosigned[origin],
                "pinned": logs[origin].vkey in given,
                "indexed": logs[origin].indexed,
                "records": logs[origin].records,
            }
            for origin, head in found.heads.items()
        ],
        "difference": wrong
        and {"file": wrong.file, "record": wrong.record, "what": wrong.what.as_json(), "detail": wrong.detail},
    }
    if made is not None:
        facts |= {
            "records": made.records,
            "time": made.time,
            "extractors": [{"name": one.name, "signed": one.vkey is not None} for one in made.extractors],
            "filters": dict(made.filters),
            "openings": None if made.openings is None else dict(made.openings),
        }
    return facts
