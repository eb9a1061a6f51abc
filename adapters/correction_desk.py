"""The commands of `oncegate-adapter` about correction requests."""

from datetime import UTC, datetime
from pathlib import Path

from adapters import correction_list
from adapters.config import AdapterConfig, load
from adapters.correction_list import Asked
from adapters.opening import look
from contracts.edge.clock import now_ms
from contracts.edge.output import emit_json, say
from contracts.errors import UserError
from contracts.text import Text

EXIT_OK = 0
_NO_NODES = Text(
    "配置中没有 [[nodes]],无法核验纠错申请", "The configuration has no [[nodes]]: no request can be verified"
)
_PIN = Text("请加上节点公钥(向安全管理员索取)。", "Add the nodes' public keys (from the security officer).")
_NO_REASON = Text("请写明理由", "A reason is needed")
_SAY_WHY = Text("例如 --reason '已与档案核对'。", "For example --reason 'compared with the file'.")
_COUNTS = Text(
    "待处理 {open} 条,已答复 {answered} 条,无法核验 {unverified} 条",
    "{open} open, {answered} answered, {unverified} not verified",
)
_ONE = Text(
    "{id}\n  {stream} {record}{place}\n  {why};字段:{fields};提出 {asked},期限 {due}{answered}",
    "{id}\n  {stream} {record}{place}\n  {why}; fields: {fields}; asked {asked}, due {due}{answered}",
)
_PLACE = Text("({file} 第 {line} 行)", " ({file}, row at line {line})")
_ANSWERED = Text(";已答复:{how}", "; answered: {how}")
_HOW = {"kept": Text("数据无误", "the data is right"), "published": Text("已重新发布", "published anew")}
_NOTHING = Text("", "")
_WHOLE = Text("整条记录", "the whole record")
_NEXT = Text(
    "请在源系统中改正后照常运行;若数据无误:oncegate-adapter answer-correction ID --reason ...",
    "Correct the source and run as usual; if the data is right: oncegate-adapter answer-correction ID --reason ...",
)
_DONE = Text("已答复 {id}:数据无误", "{id} is answered: the data is right")


def show(path: Path, everything: bool, json: bool) -> int:
    """What is open; with `everything` what is answered, too."""
    config = _config(path)
    with look(config) as outbox:
        requests = correction_list.read_requests(config, outbox)
    shown = requests.found if everything else requests.open
    counts = {"open": len(requests.open), "answered": len(requests.found) - len(requests.open)}
    if json:
        listed = [one.to_json() for one in shown]
        emit_json({"adapter": config.adapter, **counts, "unverified": requests.unverified, "corrections": listed})
        return EXIT_OK
    say(_COUNTS.fill(**counts, unverified=requests.unverified))
    for one in shown:
        say(_line(one))
    if requests.open:
        say(_NEXT)
    return EXIT_OK


def answer(path: Path, identifier: str, reason: str, json: bool) -> int:
    """Say that the data is right."""
    if not reason.strip():
        raise UserError(_NO_REASON, "--reason", _SAY_WHY)
    config = _config(path)
    with look(config) as outbox:
        request = correction_list.answer(config, outbox, identifier, reason, now_ms())
    if json:
        emit_json({"adapter": config.adapter, "correction": request.id, "answer": "kept"})
    else:
        say(_DONE.fill(id=request.id))
    return EXIT_OK


def _config(path: Path) -> AdapterConfig:
    config = load(path)
    if not config.nodes:
        raise UserError(_NO_NODES, str(path), _PIN)
    return config


def _line(one: Asked) -> Text:
    request, fields = one.request, ", ".join(one.request.fields)
    return _ONE.fill(
        id=request.id,
        stream=request.evidence_type,
        record=request.record,
        place=_PLACE.fill(file=one.file, line=one.line) if one.file else _NOTHING,
        why=one.why,
        fields=Text(fields, fields) if fields else _WHOLE,
        asked=_day(request.asked_at),
        due=_day(request.due_at),
        answered=_ANSWERED.fill(how=_HOW[one.answered]) if one.answered else _NOTHING,
    )


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).astimezone().date().isoformat()
