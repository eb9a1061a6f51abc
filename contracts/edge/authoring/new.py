"""A new evidence type that passes the checks as it stands: three files to change, not an empty page."""

import json
from pathlib import Path

from contracts.edge.authoring.files import TYPE_FOLDERS, examples_file, schema_file
from contracts.errors import UserError
from contracts.evidence_types import type_id
from contracts.identifiers import HOLDER_SCHEMES
from contracts.schema_lint import DIALECT
from contracts.text import Text

_TABLE = """\
# {id}: 请写明依据的法律或标准。 The law or standard that it follows.
id = "{id}"
version = 1
in_force = {day}
names = {{ zh-CN = "(证照名称)", en = "(name)" }}
department = {{ zh-CN = "(提供部门)", en = "(department)" }}
sharing = "conditional" # unconditional 无条件共享, conditional 有条件共享, none 不予共享
sharing_basis = {{ zh-CN = "(共享条件或依据)", en = "(the condition, or the law)" }}
secrecy = "none" # 国家秘密、工作秘密不得登记 secrets may not be registered
validity_rule = "open_ended" # interval 有起止, open_ended 可长期, permanent 长期
freshness_hours = 24 # 部门承诺的数据时效 how old data may be
holder_schemes = ["{scheme}"]
key_fields = ["certificate_number"]
always = []

[fields]
certificate_number.label = {{ zh-CN = "证号", en = "Certificate number" }}
certificate_number.sensitivity = "personal" # public, personal 个人信息, sensitive 敏感个人信息
certificate_number.mask = {{ first = 2, last = 2 }}
category.label = {{ zh-CN = "类别", en = "Category" }}
category.sensitivity = "public"
category.codes.ordinary = {{ zh-CN = "普通", en = "Ordinary" }}
category.codes.special = {{ zh-CN = "特殊", en = "Special" }}
issued_on.label = {{ zh-CN = "发证日期", en = "Issued on" }}
issued_on.sensitivity = "public"
"""
_SCHEMA = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "certificate_number": {"type": "string", "pattern": "^[0-9]{8}$", "maxLength": 8},
        "category": {"type": "string", "enum": ["ordinary", "special"]},
        "issued_on": {"type": "string", "format": "date", "maxLength": 10},
    },
    "required": ["certificate_number", "category"],
    "additionalProperties": False,
}
_HOLDERS = {
    "cn.ric": "11010519491231002X",
    "cn.uscc": "91110000600037341L",
    "cn.travel-document": "E12345678",
    "cn.hk-mo-permit": "H12345678",
    "cn.tw-permit": "01234567",
    "passport": "C01X00T47",
}
_THERE = Text("文件已存在", "The file is there already")
_OTHER_ID = Text("请换一个标识, 或编辑现有文件。", "Choose another id, or edit what is there.")
_ID_FORM = Text("标识的形式不对", "Not the form of an id")
_ID_EXAMPLE = Text("例如 cn.dog-licence。", "For example cn.dog-licence.")
_SCHEME = Text("没有这种持证主体标识方案", "There is no such holder scheme")


def create(directory: Path, identifier: str, scheme: str, day: str) -> tuple[Path, ...]:
    """Write the three files of a new type, in force from `day`; raises `UserError`. Nothing is overwritten."""
    if not type_id(identifier):
        raise UserError(_ID_FORM, identifier, _ID_EXAMPLE)
    if scheme not in HOLDER_SCHEMES:
        raise UserError(
            _SCHEME, scheme, Text(f"可选:{', '.join(HOLDER_SCHEMES)}。", f"One of: {', '.join(HOLDER_SCHEMES)}.")
        )
    path = directory / TYPE_FOLDERS[0] / f"{identifier}.toml"
    contents = {
        path: _TABLE.format(id=identifier, day=day, scheme=scheme),
        schema_file(path): _json(_SCHEMA),
        examples_file(path): _json(_examples(scheme, day)),
    }
    for file in contents:
        if file.exists():
            raise UserError(_THERE, str(file), _OTHER_ID)
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, text in contents.items():
        file.write_text(text, "utf-8")
    return tuple(contents)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _examples(scheme: str, day: str) -> dict[str, object]:
    document = {
        "status": "valid",
        "validity": {"from": day, "until": None},
        "holders": [{"scheme": scheme, "id": _HOLDERS[scheme]}],
        "certificate_number": "00012345",
        "category": "ordinary",
        "issued_on": day,
    }
    number = {"why": "a number with letters", "pointer": "/certificate_number", "keyword": "pattern"}
    category = {"why": "an unknown category", "pointer": "/category", "keyword": "enum"}
    return {
        "valid": [document],
        "invalid": [
            {**number, "set": {"certificate_number": "A0012345"}, "remove": []},
            {**category, "set": {"category": "other"}, "remove": []},
        ],
    }
