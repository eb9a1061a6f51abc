"""What every certificate has in common: its status, validity, restrictions and succession, and who holds it. Pure.

1. `status` is one word of `STATUSES`. Departments have words of their own, and several may hold at once: they stand in
   `source_status`, codes and labels as the department writes them, beside the one word that all agree on.
2. `validity` is in local legal days, both inclusive: `until` is the last day, null where it never lapses. The type
   says whose days (`utc_offset`): a certificate lapses at the end of that day there, wherever it is asked for.
3. `restrictions` limit what the holder may do with a valid right: seizure, mortgage, lock. No entry means none known to
   the department.
4. `supersedes` names the records that this one replaces, by record id, for types that have such a chain.
5. What would mislead when hidden is never droppable: `VISIBLE` stays in the open in every message.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from contracts.encoding import Json
from contracts.text import Text

STATUSES: Final[Mapping[str, Text]] = {
    "valid": Text("有效", "Valid"),
    "not_yet_valid": Text("未生效", "Not yet valid"),
    "expired": Text("过期", "Expired"),
    "suspended": Text("暂扣", "Suspended"),
    "withdrawn": Text("撤回", "Withdrawn"),
    "rescinded": Text("撤销", "Rescinded"),
    "revoked": Text("吊销", "Revoked"),
    "cancelled": Text("注销", "Cancelled"),
    "transferred_out": Text("转出", "Transferred out"),
    "void": Text("作废", "Void"),
    "other": Text("其他", "Other"),
}
RESTRICTIONS: Final[Mapping[str, Text]] = {
    "seizure": Text("查封", "Seizure"),
    "freeze": Text("冻结", "Freeze"),
    "mortgage": Text("抵押", "Mortgage"),
    "pledge": Text("质押", "Pledge"),
    "lock": Text("锁定", "Lock"),
    "advance_notice": Text("预告", "Advance notice"),
    "objection": Text("异议", "Objection"),
    "other": Text("其他", "Other"),
}
COMMON_LABELS: Final[Mapping[str, Text]] = {
    "status": Text("状态", "Status"),
    "validity": Text("有效期", "Validity"),
    "holders": Text("持证主体", "Holders"),
    "source_status": Text("部门原始状态", "Status in the department's words"),
    "restrictions": Text("权利限制", "Restrictions"),
    "supersedes": Text("替代的记录", "Records that it replaces"),
}
REQUIRED: Final = ("status", "validity", "holders")
VISIBLE: Final = ("status", "validity", "source_status", "restrictions", "supersedes")
INTERVAL, OPEN_ENDED, PERMANENT = "interval", "open_ended", "permanent"
VALIDITY_RULES: Final[Mapping[str, Text]] = {
    INTERVAL: Text("有起止日期", "From one day to another"),
    OPEN_ENDED: Text("有截止日期或长期有效", "To a day, or without an end"),
    PERMANENT: Text("长期有效", "Without an end"),
}
UPCOMING, CURRENT, LAPSED = "upcoming", "current", "lapsed"
MAX_HOLDERS: Final = 32
MAX_SOURCE_STATUS: Final = 8
MAX_RESTRICTIONS: Final = 16
MAX_SUPERSEDED: Final = 8

_DATE: Mapping[str, Json] = {"type": "string", "format": "date", "maxLength": 10}
_UNTIL: Mapping[str, Mapping[str, Json]] = {
    INTERVAL: _DATE,
    OPEN_ENDED: {**_DATE, "type": ["string", "null"]},
    PERMANENT: {"type": "null"},
}
_EPOCH = date(1970, 1, 1).toordinal()
_PLAIN = "cn.name"  # printable, without control characters and spaces at the ends


def common_members(holder_schemes: tuple[str, ...], validity_rule: str, supersession: bool) -> dict[str, Json]:
    """The subschemas of the members that the model defines; `supersedes` only where the type has a chain."""
    members: dict[str, Json] = {
        "status": {"type": "string", "enum": list(STATUSES)},
        "validity": _closed({"from": dict(_DATE), "until": dict(_UNTIL[validity_rule])}),
        "holders": _list(_holder(holder_schemes), MAX_HOLDERS),
        "source_status": _list(_closed({"code": _text(32), "label": _text(64)}), MAX_SOURCE_STATUS),
        "restrictions": _list(
            _closed(
                {"kind": {"type": "string", "enum": list(RESTRICTIONS)}},
                {"label": _text(64), "from": dict(_DATE), "until": dict(_DATE)},
            ),
            MAX_RESTRICTIONS,
        ),
    }
    if supersession:
        record = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:\\-]+$"}
        members["supersedes"] = _list(record, MAX_SUPERSEDED)
    return members


def local_day(now_ms: int, utc_offset: str) -> str:
    """The day (`YYYY-MM-DD`) at a Unix time in ms, `utc_offset` (`+08:00`) east of Greenwich."""
    minutes = int(utc_offset[1:3]) * 60 + int(utc_offset[4:])
    east = -minutes if utc_offset[0] == "-" else minutes
    return _day((now_ms // 60_000 + east) // 1440)


@lru_cache(maxsize=8)
def _day(since_1970: int) -> str:
    return date.fromordinal(_EPOCH + since_1970).isoformat()


def validity_state(validity: Mapping[str, Json], day: str) -> str:
    """UPCOMING, CURRENT or LAPSED on a local `day` (rule 2)."""
    if day < validity["from"]:
        return UPCOMING
    until = validity["until"]
    return LAPSED if until is not None and until < day else CURRENT


def _closed(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Json, most: int) -> dict[str, Json]:
    return {"type": "array", "minItems": 1, "maxItems": most, "uniqueItems": True, "items": items}


def _text(most: int) -> dict[str, Json]:
    return {"type": "string", "minLength": 1, "maxLength": most, "format": _PLAIN}


def _holder(schemes: tuple[str, ...]) -> dict[str, Json]:
    identifier: dict[str, Json] = {"type": "string", "minLength": 1, "maxLength": 64}
    holder = _closed({"scheme": {"type": "string", "enum": list(schemes)}, "id": identifier})
    if len(schemes) == 1:
        identifier["format"] = schemes[0]
    else:  # if/then, not oneOf: a fault then points at the id
        holder["allOf"] = [
            {"if": {"properties": {"scheme": {"const": name}}}, "then": {"properties": {"id": {"format": name}}}}
            for name in schemes
        ]
    return holder
