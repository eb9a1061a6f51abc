"""What the members of an access record and of its opening are called, and what a decision is. Pure.

1. In Chinese a heading names the member, too (`单位 organisation`): it is what filters and programs call it, and a
   table is read beside the records that it was made from. So is a decision (`拒绝 refused`).
2. What is not in the table is a name of somebody else's and is shown as it is.
3. The Chinese names are headings of evidence packages: they change only together with `package.manifest.VERSION`.
"""

from collections.abc import Mapping
from typing import Final

from contracts.text import Text

_NAMES: Final[Mapping[str, str]] = {
    "number": "序号",
    "time": "时间",
    "beijing_time": "北京时间",
    "organisation": "单位",
    "unit": "处室/窗口",
    "app": "审批系统",
    "channel": "渠道",
    "service_item": "事项",
    "action": "操作",
    "evidence_types": "证照类型",
    "evidence_type": "证照类型",
    "fields": "提供的字段",
    "counts": "提供的记录数",
    "decision": "结论",
    "reason": "原因",
    "clerk_assurance": "人员身份核验",
    "case_check": "办件核验",
    "policy_version": "注册库版本",
    "transaction": "流水号",
    "log": "日志",
    "position": "日志位置",
    "leaf_hash": "叶哈希",
    "opening": "密封内容",
    "holder_scheme": "持证主体类型",
    "holder": "持证主体",
    "clerk": "窗口人员",
    "terminal": "终端",
    "case": "办件号",
    "records": "记录号",
    "facts": "申请人声明",
    "reference": "编号",
    "day": "按日(北京时间)",
    "hour": "按小时(北京时间)",
}
_DECISIONS: Final[Mapping[str, str]] = {"granted": "准予", "refused": "拒绝"}


def name_of(member: str) -> Text:
    """What a member is called."""
    return Text(_NAMES.get(member, member), member)


def heading(member: str) -> Text:
    """The same as a heading (rule 1)."""
    return Text(f"{_NAMES[member]} {member}", member) if member in _NAMES else Text(member, member)


def value_of(member: str, value: str | None) -> Text:
    """A value of a member that has one value; `-` for none."""
    if value is None:
        return Text("-", "-")
    known = _DECISIONS.get(value) if member == "decision" else None
    return Text(value if known is None else f"{known} {value}", value)
