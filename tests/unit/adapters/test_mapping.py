"""Mappings: how a table becomes rules, how a row becomes a document, and whose fault it is if it does not."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.mapping import Document, Prepared, apply
from adapters.mapping_table import prepare
from adapters.rows import Broken, Row, RowFault
from contracts import catalogue
from contracts.errors import ERRORS, UserError
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import OPEN_ENDED, common_members

BUSINESS = next(one for one in catalogue.evidence_types() if one.id == "cn.business-licence")
ESTATE = next(one for one in catalogue.evidence_types() if one.id == "cn.real-estate-certificate")
PERMIT = next(one for one in catalogue.evidence_types() if one.id == "cn.exit-entry-permit")

TABLE = """
key = ["代码"]
source_time = "更新时间"
holders = [{ column = "代码", scheme = "cn.uscc" }, { column = "负责人号码", scheme = "cn.ric", optional = true }]
[status]
column = "状态"
codes = { "存续" = "valid", "吊销" = "revoked" }
[validity]
from = "成立"
until = "期限至"
[fields]
unified_social_credit_code = "代码"
name = "名称"
legal_representative = "负责人"
legal_representative_id = "负责人号码"
registered_capital_yuan = { column = "资本", times = 10000, empty = ["无"] }
established_on = "成立"
premises = { columns = ["区", "街道"] }
business_scope = "范围"
registration_authority = { constant = "云州市市场监督管理局" }
registered_on = "成立"
entity_type = { column = "类型", codes = { "公司" = "limited_company" }, otherwise = "individual_business" }
abnormal_operation = { column = "异常", codes = { "是" = true, "否" = false } }
"""
CELLS = {
    "代码": "92430102MA4QX7K12R",
    "名称": " 周晓兰家常菜馆 ",
    "负责人": "周晓兰",
    "负责人号码": "430102198703162829",
    "资本": "50.5",
    "成立": "2021年03月05日",
    "期限至": "长期",
    "区": "云溪区",
    "街道": "芙蓉路88号",
    "范围": "餐饮服务",
    "类型": "个体",
    "异常": "否",
    "状态": "存续",
    "更新时间": "2021-03-05 14:02:11",
}


def _prepared(text: str = TABLE, evidence_type: EvidenceType = BUSINESS) -> Prepared:
    return prepare(tomllib.loads(text), evidence_type, "m.toml")


def _apply(cells: Mapping[str, str], broken: Broken | None = None) -> Document | RowFault:
    return apply(_prepared(), Row("a.csv", 7, {**CELLS, **cells}, broken), "/".join)


def _body(cells: Mapping[str, str]) -> Mapping[str, Any]:
    outcome = _apply(cells)
    assert isinstance(outcome, Document), outcome
    return outcome.body


def test_a_whole_row() -> None:
    outcome = _apply({})
    assert outcome == Document(
        "a.csv",
        7,
        "92430102MA4QX7K12R",
        {
            "status": "valid",
            "validity": {"from": "2021-03-05", "until": None},
            "unified_social_credit_code": "92430102MA4QX7K12R",
            "name": "周晓兰家常菜馆",
            "entity_type": "individual_business",
            "legal_representative": "周晓兰",
            "legal_representative_id": "430102198703162829",
            "registered_capital_yuan": 505000,
            "established_on": "2021-03-05",
            "premises": "云溪区芙蓉路88号",
            "business_scope": "餐饮服务",
            "registration_authority": "云州市市场监督管理局",
            "registered_on": "2021-03-05",
            "abnormal_operation": False,
            "holders": [
                {"scheme": "cn.uscc", "id": "92430102MA4QX7K12R"},
                {"scheme": "cn.ric", "id": "430102198703162829"},
            ],
        },
        1614924131,
    )


@pytest.mark.parametrize("cell", ["", " ", "无", "\u3000"])
def test_an_empty_optional_field_is_absent(cell: str) -> None:
    assert "registered_capital_yuan" not in _body({"资本": cell})


def test_an_optional_holder_may_be_absent() -> None:
    assert len(_body({"负责人号码": ""})["holders"]) == 1


def test_identifiers_get_their_normal_form() -> None:
    body = _body({"代码": "９２４３０１０２ma4qx7k12r"})
    assert body["unified_social_credit_code"] == "92430102MA4QX7K12R"
    assert body["holders"][0]["id"] == "92430102MA4QX7K12R"


def test_a_spelling_of_the_key_makes_no_other_record() -> None:
    outcome = _apply({"代码": " ９２４３０１０２ma4qx7k12r"})
    assert isinstance(outcome, Document)
    assert outcome.record == "92430102MA4QX7K12R"


def test_the_end_of_validity() -> None:
    assert _body({"期限至": "2041/3/4"})["validity"] == {"from": "2021-03-05", "until": "2041-03-04"}


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"名称": ""}, "名称", "row_value_missing"),
        ({"成立": "2021年02月30日"}, "成立", "row_date_invalid"),
        ({"期限至": ""}, "期限至", "row_value_missing"),
        ({"期限至": "很久"}, "期限至", "row_date_invalid"),
        ({"状态": "状态不明"}, "状态", "row_code_unknown"),
        ({"异常": "也许"}, "异常", "row_code_unknown"),
        ({"资本": "很多"}, "资本", "row_number_invalid"),
        ({"更新时间": "昨天"}, "更新时间", "row_date_invalid"),
        ({"名称": "名" * 101}, "名称", "document_invalid"),
        ({"负责人号码": "430102198703162820"}, "负责人号码", "document_invalid"),
        ({"区": "", "街道": ""}, "区", "row_value_missing"),
        ({"期限至": "1999-01-01"}, "期限至", "document_invalid"),
    ],
)
def test_faults_name_column_and_reason_and_no_value(cells: dict[str, str], column: str, code: str) -> None:
    fault = _apply(cells)
    assert isinstance(fault, RowFault)
    assert (fault.file, fault.line, fault.column, fault.code) == ("a.csv", 7, column, code)
    assert (fault.record, fault.certain) == (CELLS["代码"], True)
    shown = str(fault.to_json())
    assert not any(value in shown for value in cells.values() if value)
    assert fault.code in ERRORS


def test_a_fault_in_the_key_itself_leaves_the_record_in_doubt() -> None:
    fault = _apply({"代码": "92430102MA4QX7K12X"})
    assert isinstance(fault, RowFault)
    assert (fault.column, fault.certain) == ("代码", False)


@pytest.mark.parametrize("key", ["", "  ", "92\udcff"])
def test_without_a_key_there_is_no_record(key: str) -> None:
    fault = _apply({"代码": key}, Broken("row_undecodable", "代码") if "\udcff" in key else None)
    assert isinstance(fault, RowFault)
    assert fault.record is None


@pytest.mark.parametrize(("code", "certain"), [("row_undecodable", True), ("row_columns", False)])
def test_a_broken_row_keeps_its_key(code: str, certain: bool) -> None:
    fault = _apply({}, Broken(code, ""))
    assert isinstance(fault, RowFault)
    assert (fault.code, fault.record, fault.certain) == (code, CELLS["代码"], certain)


ESTATE_TABLE = """
key = ["证号"]
[[holders]]
column = "权利人证件号"
scheme = { column = "证件类型", codes = { "身份证" = "cn.ric", "营业执照" = "cn.uscc" } }
separator = "、"
[status]
constant = "valid"
[validity]
from = "登记日期"
until = { constant = "长期" }
[fields]
certificate_number = "证号"
unit_number = "单元号"
right_holders = { column = "权利人", separator = "、" }
ownership_kind = { constant = "joint" }
location = "坐落"
right_type = { constant = "other" }
use = { constant = "residential" }
floor_area_m2 = { column = "面积", kind = "decimal" }
registration_authority = "机构"
registered_on = "登记日期"
mortgaged = { constant = false }
seized = { constant = false }
"""


def test_co_owners_separate_and_areas_keep_their_digits() -> None:
    cells = {
        "证号": "湘(2021)云州市不动产权第0000001号",
        "权利人": "张三、李四",
        "权利人证件号": "430102198703162829、430103199011072647、430102198703162829",
        "证件类型": "身份证",
        "单元号": "430102001001GB00001F00010001",
        "坐落": "云溪区芙蓉路88号",
        "面积": "089.30",
        "机构": "云州市自然资源局",
        "登记日期": "20210305",
    }
    outcome = apply(_prepared(ESTATE_TABLE, ESTATE), Row("e.csv", 2, cells), "/".join)
    assert isinstance(outcome, Document), outcome
    assert outcome.source_time is None
    assert outcome.body["right_holders"] == ["张三", "李四"]
    assert outcome.body["floor_area_m2"] == "89.30"
    assert outcome.body["holders"] == [
        {"scheme": "cn.ric", "id": "430102198703162829"},
        {"scheme": "cn.ric", "id": "430103199011072647"},
    ]


LIST = """
[members]
destination = { column = "地区", codes = { "香港" = "hong_kong", "澳门" = "macao" } }
kind = { column = "种类", codes = { "个人旅游" = "personal_visit" } }
"""


def _endorsements(cells: Mapping[str, str]) -> Any:
    from adapters.mapping_table import _entry
    from contracts.authoring import Place

    rule = _entry(tomllib.loads(LIST), PERMIT.schema["properties"]["endorsements"], False, Place("m.toml"))
    return rule.read(cells)


def test_lists_of_objects_come_from_parallel_lists() -> None:
    from adapters.mapping import ABSENT, ColumnFault

    assert _endorsements({"地区": "香港;澳门", "种类": "个人旅游;个人旅游"}) == [
        {"destination": "hong_kong", "kind": "personal_visit"},
        {"destination": "macao", "kind": "personal_visit"},
    ]
    assert _endorsements({"地区": "", "种类": " "}) is ABSENT
    with pytest.raises(ColumnFault) as caught:
        _endorsements({"地区": "香港;澳门", "种类": "个人旅游"})
    assert (caught.value.column, caught.value.fault.code) == ("种类", "row_list_invalid")


def test_the_columns_of_a_mapping() -> None:
    assert set(_prepared().columns) == set(CELLS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('key = ["代码"]', "", "key"),
        ("source_time", "sourcetime", "unknown key sourcetime"),
        ('name = "名称"', "", "fields.name"),
        ('name = "名称"', 'nam = "名称"', "unknown key nam"),
        ('name = "名称"', "name = 3", "fields.name"),
        ('name = "名称"', 'name = { colum = "名称" }', "unknown key colum"),
        ('"valid"', '"good"', "not a value of this field"),
        ("times = 10000", "times = 0", "whole number"),
        ('scheme = "cn.uscc"', 'scheme = "cn.plate"', "choices"),
        ('until = "期限至"', "", "validity.until"),
        ('{ column = "异常", codes = { "是" = true, "否" = false } }', '"异常"', "needs codes"),
        ('{ columns = ["区", "街道"] }', '{ column = "区", kind = "dat" }', "choices"),
    ],
)
def test_mistakes_in_a_table_are_told(old: str, new: str, words: str) -> None:
    assert old in TABLE
    with pytest.raises(UserError) as caught:
        _prepared(TABLE.replace(old, new, 1))
    error = caught.value
    assert error.where.startswith("m.toml")
    assert error.remedy is not None
    assert words in f"{error.where} {error.what.en} {error.remedy.en}"


LIFE = """
supersedes = ["原代码"]
[source_status]
members = { code = "状态码", label = "状态" }
[restrictions]
members = { kind = { column = "限制", codes = { "查封" = "seizure", "抵押" = "mortgage" } } }
"""
CHAINED = replace(
    BUSINESS,
    supersession=True,
    schema={
        **BUSINESS.schema,
        "properties": {**BUSINESS.schema["properties"], **common_members(BUSINESS.holder_schemes, OPEN_ENDED, True)},
    },
)


def _alive(cells: Mapping[str, str]) -> Document | RowFault:
    head, rest = TABLE.split("[status]")
    mapping = prepare(tomllib.loads(head + LIFE + "[status]" + rest), CHAINED, "m.toml")
    more = {"原代码": "", "状态码": "1", "限制": "", **cells}
    return apply(mapping, Row("a.csv", 7, {**CELLS, **more}), "/".join)


def test_the_departments_own_words_and_restrictions() -> None:
    outcome = _alive({"状态码": "1、7", "状态": "存续、异常", "限制": "查封;抵押"})
    assert isinstance(outcome, RowFault)  # "存续、异常" is no status of the model: the columns differ in a real source
    outcome = _alive({"状态码": "1", "限制": "查封;抵押"})
    assert isinstance(outcome, Document)
    assert outcome.body["source_status"] == [{"code": "1", "label": "存续"}]
    assert outcome.body["restrictions"] == [{"kind": "seizure"}, {"kind": "mortgage"}]
    bare = _alive({"状态码": "", "状态": "存续"})
    assert isinstance(bare, RowFault)  # a label without its code
    assert bare.code == "row_value_missing"


@pytest.mark.parametrize(
    ("former", "named"), [("", None), ("91110000600037341L", ["91110000600037341L"]), ("92430102MA4QX7K12R", None)]
)
def test_a_row_may_replace_another_record(former: str, named: list[str] | None) -> None:
    outcome = _alive({"原代码": former})
    assert isinstance(outcome, Document)
    assert outcome.body.get("supersedes") == named


def test_succession_needs_a_type_that_has_it_and_as_many_columns_as_the_key() -> None:
    single = replace(BUSINESS, supersession=False)
    for evidence_type, columns in ((single, '["原代码"]'), (CHAINED, '["原代码", "区"]')):
        with pytest.raises(UserError) as told:
            _prepared(
                f"supersedes = {columns}\n" + TABLE, replace(evidence_type, supersession=evidence_type is CHAINED)
            )
        assert told.value.where == "m.toml: supersedes"


def test_what_is_doubtful_is_told_and_the_document_stays() -> None:
    outcome = _apply({"负责人": "周\ue123"})
    assert isinstance(outcome, Document)
    (doubt,) = outcome.doubts
    assert (doubt.column, doubt.code) == ("负责人", "document_doubtful")
    assert "private use" in doubt.reason.en
    assert "周" not in f"{doubt.to_json()}"
    clean = _apply({})
    assert isinstance(clean, Document)
    assert clean.doubts == ()
