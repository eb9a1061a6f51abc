"""The demo's source files: what is planted is there, what is not planted is sound, and the same seed gives the same."""

import csv
import io
from collections import Counter
from datetime import date
from pathlib import Path
from random import Random

import pytest
from stdnum.cn import ric as stdnum_ric
from stdnum.cn import uscc as stdnum_uscc

from contracts.catalogue import evidence_types
from contracts.identifiers import check, normalise
from gateway.demo.data import CAST, FILES, Planted, PlantedFile, generate
from gateway.demo.data.bad_rows import KINDS
from gateway.demo.data.source_file import before, years_after

TODAY = date(2026, 3, 2)
SCALE = 0.05
IDENTIFIERS = {
    "证号": "cn.ric",
    "公民身份号码": "cn.ric",
    "户主身份号码": "cn.ric",
    "法定代表人证件号码": "cn.ric",
    "身份证号": "cn.ric",
    "统一社会信用代码": "cn.uscc",
    "号牌号码": "cn.plate",
    "车辆识别代号": "vin",
}
KEYS = {
    "driving-licences.csv": ("证号", "档案编号"),
    "vehicles.csv": ("号牌种类", "号牌号码"),
    "identity-cards.csv": ("公民身份号码",),
    "households.csv": ("户号",),
    "business-licences.csv": ("统一社会信用代码",),
    "health-certificates.csv": ("证书编号",),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    directory = tmp_path_factory.mktemp("sources")
    return directory, generate(directory, seed=7, scale=SCALE, today=TODAY)


def lines_of(directory: Path, file: PlantedFile) -> list[list[str]]:
    """All rows, header first; what is no text becomes U+FFFD."""
    text = (directory / file.source.path).read_bytes().decode(file.source.encoding, "replace")
    return list(csv.reader(io.StringIO(text, newline="")))


def good_rows(directory: Path, file: PlantedFile) -> list[dict[str, str]]:
    bad = {one.line for one in file.bad}
    header, *rows = lines_of(directory, file)
    return [dict(zip(header, row, strict=True)) for line, row in enumerate(rows, start=2) if line not in bad]


def rows_of(made: tuple[Path, Planted], name: str) -> list[dict[str, str]]:
    directory, planted = made
    return good_rows(directory, next(file for file in planted.files if file.source.path.endswith(name)))


def test_the_whole_demo_has_enough_rows() -> None:
    assert sum(rows for _, rows in FILES) == 27_000


def test_what_is_counted_is_there(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    for (source, rows), file in zip(FILES, planted.files, strict=True):
        header, *written = lines_of(directory, file)
        assert file.source == source
        assert tuple(cell.removeprefix("\ufeff") for cell in header) == source.columns
        assert len(written) == file.rows == round(rows * SCALE)
        assert len(good_rows(directory, file)) == file.good
    assert planted.rows == sum(file.rows for file in planted.files)
    assert planted.bad_rows == sum(len(file.bad) for file in planted.files)


def test_every_kind_is_planted_in_every_file(made: tuple[Path, Planted]) -> None:
    for file in made[1].files:
        assert Counter(one.kind for one in file.bad) == dict.fromkeys(KINDS, 1)
        assert len({one.line for one in file.bad}) == len(file.bad)


def test_bad_rows_are_what_they_say(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    for file in planted.files:
        written = lines_of(directory, file)
        for one in file.bad:
            cells = written[one.line - 1]
            cell = cells[file.source.columns.index(one.column)] if one.column else ""
            assert _spoilt(one.kind, cell, cells, file.source.columns), (file.source.path, one)


def _spoilt(kind: str, cell: str, cells: list[str], columns: tuple[str, ...]) -> bool:
    return {
        "check_digit": len(cell) == 18 and not check("cn.ric", cell) and not check("cn.uscc", cell),
        "missing_value": cell == "",
        "impossible_date": cell.endswith("02月30日"),
        "too_long": len(cell) > 100,
        "undecodable": "\ufffd" in cell,
        "unknown_code": cell == "状态不明",
        "column_missing": len(cells) == len(columns) - 1,
        "column_extra": len(cells) == len(columns) + 1,
    }[kind]


def test_all_identifiers_of_good_rows_are_valid(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    seen = Counter[str]()
    for file in planted.files:
        for row in good_rows(directory, file):
            for column, name in IDENTIFIERS.items():
                if column in row:
                    assert check(name, normalise(name, row[column])), (column, row)
                    seen[name] += 1
    assert set(seen) == {"cn.ric", "cn.uscc", "cn.plate", "vin"}


def test_identifiers_are_what_stdnum_takes(made: tuple[Path, Planted]) -> None:
    for row in rows_of(made, "households.csv"):
        for number in row["成员身份号码"].split("、"):
            assert stdnum_ric.calc_check_digit(number) == number[-1]
            assert stdnum_ric.get_birth_date(number) <= TODAY
    assert all(stdnum_uscc.is_valid(row["统一社会信用代码"]) for row in rows_of(made, "business-licences.csv"))


def test_keys_are_distinct_bad_rows_included(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    for file in planted.files:
        at = [file.source.columns.index(column) for column in KEYS[Path(file.source.path).name]]
        keys = [tuple(row[index] for index in at) for row in lines_of(directory, file)[1:]]
        assert len(set(keys)) == len(keys)
        assert all(all(key) for key in keys)


def test_people_say_the_same_everywhere(made: tuple[Path, Planted]) -> None:
    cards = {normalise("cn.ric", row["公民身份号码"]): row for row in rows_of(made, "identity-cards.csv")}
    drivers = {row["证号"]: row for row in rows_of(made, "driving-licences.csv")}
    both = cards.keys() & drivers.keys()
    assert len(both) > 50
    for number in both:
        assert cards[number]["姓名"] == drivers[number]["姓名"]
        born = stdnum_ric.get_birth_date(number)
        assert cards[number]["出生日期"] == born.isoformat()
        assert drivers[number]["出生日期"] == f"{born:%Y%m%d}"


def test_the_cast_has_what_its_stories_say(made: tuple[Path, Planted]) -> None:
    cook, lapsed = CAST.restaurateur, CAST.lapsed_cook
    certificates = {row["身份证号"]: row for row in rows_of(made, "health-certificates.csv")}
    licences = {row["统一社会信用代码"]: row for row in rows_of(made, "business-licences.csv")}
    vehicles = {row["号牌号码"]: row for row in rows_of(made, "vehicles.csv")}
    drivers = {row["证号"]: row for row in rows_of(made, "driving-licences.csv")}
    assert certificates[cook.person.resident_number]["证书状态"] == "有效"
    assert certificates[lapsed.person.resident_number]["证书状态"] == "过期"
    assert {licences[one.credit_code]["登记状态"] for one in (cook, lapsed)} == {"存续"}
    assert licences[cook.credit_code]["法定代表人证件号码"] == cook.person.resident_number
    assert vehicles[CAST.seller.plate]["抵押"] == vehicles[CAST.seller.plate]["查封"] == "否"
    assert vehicles[CAST.revoked_driver.plate]["查封"] == "是"
    assert drivers[CAST.revoked_driver.person.resident_number]["状态"] == "吊销"


def test_the_known_have_cards_and_households_and_the_stranger_nothing(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    cards = {row["公民身份号码"]: row["姓名"] for row in rows_of(made, "identity-cards.csv")}
    heads = {row["户主身份号码"] for row in rows_of(made, "households.csv")}
    for member in CAST.known:
        assert cards[member.person.resident_number] == member.person.name
        assert member.person.resident_number in heads
    for file in planted.files:
        assert CAST.stranger.person.resident_number.encode() not in (directory / file.source.path).read_bytes()


def test_cast_identifiers_are_valid() -> None:
    for member in CAST:
        assert stdnum_ric.calc_check_digit(member.person.resident_number) == member.person.resident_number[-1]
        assert not member.credit_code or stdnum_uscc.is_valid(member.credit_code)
        assert not member.plate or check("cn.plate", member.plate)
        assert not member.vin or check("vin", member.vin)


def test_files_need_the_encodings_that_they_have(made: tuple[Path, Planted]) -> None:
    directory, planted = made
    encodings = {file.source.encoding for file in planted.files}
    assert encodings == {"gb18030", "gbk", "utf-8-sig"}
    raw = (directory / "traffic-police-1/driving-licences.csv").read_bytes()
    with pytest.raises(UnicodeEncodeError):
        CAST.settler.person.name.encode("gbk")
    assert CAST.settler.person.name.encode("gb18030") in raw
    assert (directory / "household-bureau-1/households.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_every_file_is_of_a_type_in_the_catalogue(made: tuple[Path, Planted]) -> None:
    known = {one.id for one in evidence_types()}
    assert {file.source.evidence_type for file in made[1].files} <= known


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    one = generate(tmp_path / "a", seed=3, scale=0.02, today=TODAY)
    two = generate(tmp_path / "b", seed=3, scale=0.02, today=TODAY)
    other = generate(tmp_path / "c", seed=4, scale=0.02, today=TODAY)
    assert one == two != other
    for file in one.files:
        first, second, third = ((tmp_path / name / file.source.path).read_bytes() for name in "abc")
        assert first == second != third


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 12, 31), date(2028, 1, 1)])
def test_any_day_will_do(tmp_path: Path, today: date) -> None:
    planted = generate(tmp_path, seed=5, scale=0.02, today=today)
    for row in rows_of((tmp_path, planted), "identity-cards.csv"):
        assert (row["有效期止"] < f"{today:%Y.%m.%d}") == (row["证件状态"] == "过期")


def test_a_scale_without_room_for_the_cast_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least"):
        generate(tmp_path, scale=0.001)


def test_years_after_a_leap_day() -> None:
    assert years_after(date(2024, 2, 29), 1) == date(2025, 2, 28)
    assert years_after(date(2024, 2, 29), 4) == date(2028, 2, 29)


def test_before_is_before() -> None:
    rng = Random(1)
    assert all(date(2025, 3, 2) <= before(rng, TODAY, 1) < TODAY for _ in range(1000))
