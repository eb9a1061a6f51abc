"""How departments write dates, numbers and lists."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import values
from adapters.values import CellFault

CHINA = timedelta(hours=8)


@pytest.mark.parametrize(
    "cell",
    [
        "2021-03-05",
        "20210305",
        "2021/3/5",
        "2021/03/05",
        "2021.3.5",
        "2021年03月05日",
        "2021年3月5日",
        "2021 年 3 月 5 日",
        "２０２１年３月５日",
        "２０２１－０３－０５",
        " 2021-03-05\u3000",
        "\ufeff2021-03-05",
        "2021-03-05 00:00:00",
        "2021/3/5 0:00",
        "2021-03-05T00:00:00.000",
    ],
)
def test_dates(cell: str) -> None:
    assert values.read_date(cell) == "2021-03-05"


@pytest.mark.parametrize(
    "cell",
    [
        *("", "2021", "2021-03", "2021年3月", "21-03-05", "2021-3/5", "2021.3-5", "2021-02-29", "2021-13-01"),
        *("2021年02月30日", "1799-12-31", "05/03/2021", "2021-03-05 12:30:00", "长期", "2021305", "2021-03-05x"),
    ],
)
def test_no_dates(cell: str) -> None:
    with pytest.raises(CellFault) as caught:
        values.read_date(cell)
    assert caught.value.code == "row_date_invalid"


@given(st.dates(min_value=date(1800, 1, 1)))
def test_every_form_of_a_day_is_that_day(day: date) -> None:
    forms = (f"{day:%Y%m%d}", f"{day:%Y年%m月%d日}", f"{day.year}/{day.month}/{day.day}", day.isoformat())
    assert {values.read_date(form) for form in forms} == {day.isoformat()}


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1970-01-01 08:00:00", 0),
        ("2021-03-05 14:02:11", 1614924131),
        ("2021/3/5 14:02", 1614924120),
        ("2021年03月05日", 1614873600),
        ("20210305", 1614873600),
        ("1950-01-01", 0),
    ],
)
def test_instants(cell: str, seconds: int) -> None:
    assert values.read_instant(cell, CHINA) == seconds


@pytest.mark.parametrize("cell", ["", "14:02:11", "2021-03-05 25:00:00", "2021-03-05 14:60:00", "2021-03-05 14"])
def test_no_instants(cell: str) -> None:
    with pytest.raises(CellFault):
        values.read_instant(cell, CHINA)


@pytest.mark.parametrize(("cell", "number"), [("12", 12), ("-3", -3), ("００７", 7), ("100.00", 100), (" 5 ", 5)])
def test_integers(cell: str, number: int) -> None:
    assert values.read_integer(cell) == number


@pytest.mark.parametrize("cell", ["", "1.5", "1,000", "1e3", "十", "9007199254740992", "--1"])
def test_no_integers(cell: str) -> None:
    with pytest.raises(CellFault) as caught:
        values.read_integer(cell)
    assert caught.value.code == "row_number_invalid"


@pytest.mark.parametrize(
    ("cell", "times", "number"),
    [("50.5", 10000, 505000), ("100.00", 10000, 1000000), ("0.0001", 10000, 1), ("-2", 3, -6)],
)
def test_scaled(cell: str, times: int, number: int) -> None:
    assert values.read_scaled(cell, times) == number


def test_what_does_not_come_out_whole_is_refused() -> None:
    with pytest.raises(CellFault):
        values.read_scaled("0.00005", 10000)


@pytest.mark.parametrize(
    ("cell", "text"), [("0012.50", "12.50"), ("0", "0"), ("-0.5", "-0.5"), ("８９．３０", "89.30")]
)
def test_decimals_keep_their_digits(cell: str, text: str) -> None:
    assert values.read_decimal(cell) == text


@pytest.mark.parametrize("cell", ["", ".", "1.", ".5", "1,5", "abc", "1.2.3"])
def test_no_decimals(cell: str) -> None:
    with pytest.raises(CellFault):
        values.read_decimal(cell)


def test_split() -> None:
    assert values.split("张三、李四 ;王五；", "、;；") == ["张三", "李四", "王五"]
    assert values.split("", "、") == []


def test_chinese_punctuation_stays_in_text() -> None:
    cell = "\u3000云州（云溪）\u3000"
    assert values.strip(cell) == "云州（云溪）"
    assert values.clean("Ａ１（甲）") == "A1(甲)"
