"""Identifiers: a table of examples for each format, and python-stdnum as the oracle for check digits."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric as stdnum_ric
from stdnum.cn import uscc as stdnum_uscc

from contracts.identifiers import (
    FORMATS,
    HOLDER_SCHEMES,
    check,
    credit_check_character,
    normalise,
    resident_check_digit,
)

GOOD = {
    "cn.ric": (
        "11010519491231002X",
        "430102198703162829",
        "440524188001010014",
        "110101200002290018",
        "810000199408230021",
    ),
    "cn.uscc": ("91110000600037341L", "92430102MA4QX7K12R"),
    "cn.plate": ("京A12345", "湘ZD10523", "粤BD1234F", "苏A1234学", "粤Z1234港", "京A12345挂", "使014578", "沪A1234领"),
    "cn.plate-kind": ("01", "52"),
    "cn.plate-with-kind": ("02-京A12345", "52-粤BD1234F", "03-使014578", "04-沪A1234领"),
    "cn.licence-id": ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",),
    "cn.hk-mo-permit": ("H12345678", "M1234567801"),
    "cn.tw-permit": ("01234567",),
    "cn.travel-document": (
        *("E12345678", "EA1234567", "G12345678", "C12345678", "CA1234567", "L12345678", "W12345678"),
        *("D12345678", "DE1234567", "P12345678", "P1234567", "PE1234567", "S12345678", "S1234567", "SE1234567"),
    ),
    "cn.real-estate-unit": ("110105003002GB00012F00030042", "430102001001JC00001W00000000"),
    "cn.region": ("110105", "110105001001"),
    "cn.name": ("李媛", "阿依古丽·买买提", "欧阳䶮", "Anna Schmidt", "𠮷田"),
    "passport": ("C01X00T47", "12345"),
    "vin": ("LSVNV2182E2100001", "1HGCM82633A004352"),
}
BAD = {
    "cn.ric": (
        *("11010519491231002x", "110105194912310021", "110105194902310029", "110105190002290010", "11010519491231002"),
        *(
            "01010519491231002X",
            "11010517491231002X",
            "１10105194912310021",
            "",
            "11010519491231002X\n",
            "١١010519491231002X",
        ),
    ),
    "cn.uscc": (
        *("91110000600037341A", "91110000600037341l", "9111000060003734", "91110000600037341L ", "91110000I00037341L"),
        *("01110000600037341L", "9111000O600037341L", ""),
    ),
    "cn.plate": (
        *("京A1234", "京I12345", "京A1O345", "京a12345", "A12345", "京A·12345", "京A1234567", "港A12345"),
        *("使01457", "使0145789", "使A12345", "京014578"),
    ),
    "cn.plate-kind": ("60", "2", "京"),
    "cn.plate-with-kind": ("京A12345", "60-京A12345", "02京A12345"),
    "cn.licence-id": ("1.2.156.3005.2", "1.2.156.3005.2.A.B.C.001.U"),
    "cn.hk-mo-permit": ("A12345678", "H123456789"),
    "cn.tw-permit": ("T1234567", "0123456"),
    "cn.travel-document": (
        *("X12345678", "E1234567", "EI1234567", "e12345678", "E123456789"),
        *("D123456", "DA1234567", "PE12345678", "SE123456", "S123456789", "ED12345678"),
    ),
    "cn.real-estate-unit": (
        "110105003002GB00012X00030042",
        "110105003002GB00012F0003004",
        "1101050030020000012F00030042",
    ),
    "cn.region": ("010105", "11010", "1101050010"),
    "cn.name": ("", " 李媛", "李媛 ", "李\u200b媛", "李\n媛", "李\u202e媛", "\ufeff李媛", "\ud800李"),
    "passport": ("c01X00T47", "1234", "C01 X00T47"),
    "vin": ("LSVNV2182E210000", "LSVNV2182E21O0001", "LSVNV2182I2100001", "LSVNV2182Q2100001", "lsvnv2182e2100001"),
}
NORMAL = (
    ("cn.ric", "11010519491231002x", "11010519491231002X"),
    ("cn.ric", " 110105 19491231 002x ", "11010519491231002X"),
    ("cn.ric", "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X"),
    ("cn.ric", "110105491231002", "11010519491231002X"),
    ("cn.ric", "110105\u3000491231002", "11010519491231002X"),
    ("cn.ric", "not a number", "NOTANUMBER"),
    ("cn.uscc", "91110000600037341l", "91110000600037341L"),
    ("cn.plate", "京a·12345", "京A12345"),
    ("cn.plate", "京A-12345", "京A12345"),
    ("cn.plate", "使014·578", "使014578"),
    ("cn.plate-with-kind", "03 使014·578", "03-使014578"),
    ("vin", "lsvnv2182e2100001", "LSVNV2182E2100001"),
    ("passport", " c01x00t47", "C01X00T47"),
    ("", "ab c", "ABC"),
)
REGIONS = st.sampled_from(("110101", "110105", "310101"))  # districts older than any number, for stdnum
BIRTHS = st.dates(min_value=date(1900, 1, 1), max_value=date(2024, 12, 31))
FIRST_17 = st.builds(lambda region, born, n: f"{region}{born:%Y%m%d}{n:03}", REGIONS, BIRTHS, st.integers(0, 999))
USCC_17 = st.builds(
    lambda head, tail: "9" + head + tail,
    st.text("123456789", min_size=1, max_size=1).flatmap(
        lambda kind: st.text("0123456789", min_size=6, max_size=6).map(kind.__add__)
    ),
    st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=9, max_size=9),
)


def test_every_format_has_examples() -> None:
    assert GOOD.keys() == BAD.keys() == FORMATS.keys()
    assert set(HOLDER_SCHEMES) <= FORMATS.keys()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_good(name: str, value: str) -> None:
    assert check(name, value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad(name: str, value: str) -> None:
    assert not check(name, value)


@pytest.mark.parametrize(("scheme", "written", "expected"), NORMAL)
def test_normalise(scheme: str, written: str, expected: str) -> None:
    assert normalise(scheme, written) == expected
    assert normalise(scheme, expected) == expected


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(KeyError):
        check("cn.nonsense", "1")


@pytest.mark.parametrize("name", [name for name in GOOD if name != "cn.name"])
def test_a_valid_identifier_is_its_own_normal_form(name: str) -> None:
    assert [normalise(name, value) for value in GOOD[name]] == list(GOOD[name])


@given(FIRST_17)
def test_resident_numbers_as_stdnum(first17: str) -> None:
    number = first17 + resident_check_digit(first17)
    assert resident_check_digit(first17) == stdnum_ric.calc_check_digit(number)
    assert check("cn.ric", number)
    assert stdnum_ric.is_valid(number)


@given(FIRST_17, st.integers(0, 16), st.sampled_from("0123456789"))
def test_a_changed_digit_shows(first17: str, at: int, digit: str) -> None:
    number = first17 + resident_check_digit(first17)
    changed = number[:at] + digit + number[at + 1 :]
    assert check("cn.ric", changed) == (changed == number)


@given(USCC_17)
def test_credit_codes_as_stdnum(first17: str) -> None:
    code = first17 + credit_check_character(first17)
    assert credit_check_character(first17) == stdnum_uscc.calc_check_digit(first17)
    assert check("cn.uscc", code)
    assert stdnum_uscc.is_valid(code)


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18))
def test_a_credit_code_that_we_accept_is_one_for_stdnum(code: str) -> None:
    code = "91110000" + code[8:]
    assert check("cn.uscc", code) == stdnum_uscc.is_valid(code)


@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=40))
def test_any_text_is_checked_and_normalised(name: str, value: str) -> None:
    assert check(name, value) in (True, False)
    once = normalise(name, value)
    assert normalise(name, once) == once
