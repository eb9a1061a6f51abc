"""Tables: the columns that a package's format fixes, cells, CSV."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.package.table import STATES, Item, columns, csv_head, csv_line, row
from audit.search.cells import cell
from tests.unit.audit.package.items import item

# Part of format version 2: whoever changes these changes `manifest.VERSION`, or older packages do not verify any more.
RECORD = (
    "序号 number,时间 time,北京时间 beijing_time,单位 organisation,处室/窗口 unit,审批系统 app,渠道 channel,"
    "事项 service_item,操作 action,证照类型 evidence_types,提供的字段 fields,提供的记录数 counts,结论 decision,"
    "原因 reason,人员身份核验 clerk_assurance,办件核验 case_check,注册库版本 policy_version,流水号 transaction,"
    "日志 log,日志位置 position,叶哈希 leaf_hash"
)
OPENING = (
    "密封内容 opening,持证主体类型 holder_scheme,持证主体 holder,窗口人员 clerk,终端 terminal,办件号 case,"
    "记录号 records"
)


@pytest.mark.parametrize(("openings", "wanted"), [(False, RECORD), (True, f"{RECORD},{OPENING}")])
def test_the_headings_of_format_version_2(openings: bool, wanted: str) -> None:
    assert csv_head(columns(openings)).decode() == f"\ufeff{wanted}\r\n"


def test_a_row_of_format_version_2() -> None:
    one = item(number=3, opened=True, time=1_763_741_600_123, unit=None, case="2026-11", terminal="0012")
    line = csv_line(one, columns(openings=True)).decode()
    assert line == (
        "3,2025-11-21T16:13:20.123Z,2025-11-22 00:13:20,admin-approval,,approval-window,window,open-restaurant,lookup,"
        'cn.business-licence,"cn.business-licence: name, address",cn.business-licence: 1,granted,,claimed,format_only,'
        f"12,018f3b1e-7c2a-7abc-9def-0123456789ab,gov.example/a,7,{one.leaf_hash.hex()},"
        "已附 granted,cn.uscc,91350211M000100Y43,clerk-1023,'0012,'2026-11,rec-abcdefgh\r\n"
    )
    assert [state.zh for state in STATES.values()] == ["已附", "已销毁", "限制查阅"]


@pytest.mark.parametrize("time", [-1, 1 << 60, "x", None, True, 253_402_214_400_000])
def test_a_time_that_cannot_be_written_is_left_empty(time: object) -> None:
    one = item()
    strange = Item(1, "a", 0, one.leaf, one.leaf_hash, {**one.members, "time": time})
    assert row(strange, columns(openings=False))[1:3] == [None, None]


def test_a_member_of_another_kind_is_told_as_it_is() -> None:
    one = item()
    members = {"unit": ["a", 1], "app": {"x": [1, 2]}, "channel": 1.5, "fields": "x"}
    cells = row(Item(1, "a", 0, one.leaf, one.leaf_hash, members), columns(openings=False))
    assert (cells[4], cells[5], cells[6], cells[10]) == ("a 1", "x: 1, 2", "1.5", "x")


@given(st.text())
def test_a_line_is_read_back_by_any_csv_reader(text: str) -> None:
    line = csv_line(item(unit=text), columns(openings=False)).decode()
    (cells,) = csv.reader(io.StringIO(line, newline=""))
    assert cells[4] == cell(text)
    assert line.endswith("\r\n")
