"""What stands in a field, in words."""

from typing import Any

import pytest

from contracts.pages.values import kind, value
from contracts.text import Text

KINDS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "string", "minLength": 2, "maxLength": 60}, "文字, 2 至 60 个字符", "text, 2 to 60 characters"),
    ({"type": "string", "maxLength": 9}, "文字, 至多 9 个字符", "text, at most 9 characters"),
    ({"type": "string", "minLength": 9, "maxLength": 9}, "文字, 9 个字符", "text, 9 characters"),
    ({"type": "string", "format": "date", "maxLength": 10}, "日期 YYYY-MM-DD", "date YYYY-MM-DD"),
    (
        {"type": ["string", "null"], "format": "date", "maxLength": 10},
        "日期 YYYY-MM-DD, 可为空(null)",
        "date YYYY-MM-DD, may be empty (null)",
    ),
    ({"type": "null"}, "空(null)", "empty (null)"),
    ({"type": "integer", "minimum": 0, "maximum": 99}, "整数, 0 至 99", "whole number, 0 to 99"),
    ({"type": "integer", "minimum": -5}, "整数, 至少 -5", "whole number, at least -5"),
    ({"type": "integer", "maximum": 5}, "整数, 至多 5", "whole number, at most 5"),
    ({"type": "boolean"}, "是或否(true / false)", "yes or no (true / false)"),
    ({"type": "boolean", "const": True}, "固定为 True", "always True"),
    ({"type": "string", "enum": ["a", "b"]}, "代码", "code"),
    (
        {"type": "array", "minItems": 1, "maxItems": 8, "uniqueItems": True},
        "列表, 1 至 8 项, 不得重复",
        "list, 1 to 8 items, nothing twice",
    ),
    ({"type": "object", "allOf": []}, "组合, 另有规则见 JSON Schema", "group, further rules: see the JSON Schema"),
]


@pytest.mark.parametrize(("schema", "zh", "en"), KINDS)
def test_kinds(schema: dict[str, Any], zh: str, en: str) -> None:
    assert (kind(schema, "zh-CN"), kind(schema, "en")) == (zh, en)


def test_members_and_items_are_told() -> None:
    floor = {"type": "object", "properties": {"area": {"type": "integer"}}, "required": ["area"]}
    told = value({"type": "array", "maxItems": 3, "items": floor}, {}, {}, "en")
    assert told == (
        '<p>list, at most 3 items</p><div class="inner">each item: <p>group</p>'
        '<ul class="inner"><li><code translate="no">area</code>: <p>whole number</p></li></ul></div>'
    )
    assert "(optional)" in value({**floor, "required": []}, {}, {}, "en")


def test_codes_have_the_labels_of_the_field_or_of_the_model() -> None:
    sex = {"type": "string", "enum": ["male", "female"]}
    codes = {"male": Text("男", "Male"), "female": Text("女", "Female")}
    assert '<code translate="no">male</code> 男' in value(sex, {}, codes, "zh-CN")
    listed = value({"type": "array", "items": sex}, {}, codes, "zh-CN")
    assert listed.count("男") == 1
    scheme = value({"type": "string", "enum": ["passport"]}, {}, {}, "zh-CN")
    assert "外国护照" in scheme


def test_references_are_followed_and_circles_end() -> None:
    definitions = {"part": {"type": "object", "properties": {"parts": {"$ref": "#/$defs/part"}}}}
    told = value({"$ref": "#/$defs/part"}, definitions, {}, "en")
    assert told.count("parts") == 1
    assert told.count("see the JSON Schema") == 1
