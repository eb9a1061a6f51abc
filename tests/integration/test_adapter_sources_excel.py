"""Excel workbooks as people make them, and as nobody should: each is read, or refused in one line.

`vectors/excel` holds what XlsxWriter cannot write: an .xls (made with xlwt 1.3.0) and a workbook with an opening
password (msoffcrypto-tool 6.1.0).
"""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from xlsxwriter import Workbook

from adapters.rows import Row
from adapters.sources import workbook
from adapters.sources.csv import CsvFile
from adapters.sources.excel import ExcelSource
from contracts.errors import Unavailable, UserError
from tests.integration.adapter_city import HEADER, STREAM, department, row

VECTORS = Path(__file__).parents[1] / "vectors" / "excel"
ID = 430102198703162829


def _write(path: Path, fill: Callable[[Any, Any], None], **options: object) -> Path:
    """A workbook with the sheet 数据, filled with `fill(book, sheet)`."""
    with Workbook(str(path), options) as book:
        fill(book, book.add_worksheet("数据"))
    return path


def _table(*lines: tuple[object, ...]) -> Callable[[Any, Any], None]:
    def fill(_: Any, sheet: Any) -> None:
        for number, cells in enumerate(lines):
            sheet.write_row(number, 0, cells)

    return fill


def _rows(path: Path, sheet: str | None = None, header_row: int = 1) -> list[Row]:
    return list(ExcelSource((path,), sheet, header_row, "here").rows())


def _refusal(path: Path, **how: Any) -> UserError:
    with pytest.raises(UserError) as told:
        _rows(path, **how)
    assert told.value.remedy is not None
    assert str(path) in told.value.where
    return told.value


def test_cells(tmp_path: Path) -> None:
    def fill(book: Any, sheet: Any) -> None:
        formats = ("yyyy-mm-dd", 'yyyy"年"m"月"d"日"', "yyyy-mm-dd hh:mm:ss", "hh:mm:ss", "0.00%", "@")
        values = (45937, 45937, 45937.5, 0.5, 0.25, 20260101.0)
        sheet.write_row(0, 0, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
        for column, (number, look) in enumerate(zip(values, formats, strict=True)):
            sheet.write_number(1, column, number, book.add_format({"num_format": look}))
        sheet.write_boolean(1, 6, True)
        sheet.write_string(1, 7, f" {ID} ")
        sheet.write_formula(1, 8, "=1+1", None, 2)
        sheet.write_number(1, 9, 45937)  # a serial without a date format stays a number

    (found,) = _rows(_write(tmp_path / "a.xlsx", fill))
    assert list(found.cells.values()) == [
        "2025-10-07",
        "2025-10-07",
        "2025-10-07 12:00:00",
        "12:00:00",
        "0.25",
        "20260101",
        "TRUE",
        f" {ID} ",
        "2",
        "45937",
    ]
    assert (found.file, found.line, found.bad, found.broken) == ("a.xlsx[数据]", 2, {}, None)


def test_dates_of_the_1904_system(tmp_path: Path) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write(0, 0, "a")
        sheet.write_number(1, 0, 45937 - 1462, book.add_format({"num_format": "yyyy/m/d"}))

    (found,) = _rows(_write(tmp_path / "a.xlsx", fill, date_1904=True))
    assert found.cells == {"a": "2025-10-07"}


def test_cells_that_cannot_be_trusted_are_bad(tmp_path: Path) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["id", "error", "empty", "merged", "text"])
        sheet.write_row(1, 0, [ID, "", "", "上", "#N/A"])
        sheet.write_formula(1, 1, "=NA()", None, "#N/A")
        sheet.write_row(2, 0, ["1", "", "", "", ""])
        sheet.merge_range(1, 3, 2, 3, "上")

    first, second = _rows(_write(tmp_path / "a.xlsx", fill))
    assert first.bad == {"id": "row_digits_lost", "error": "row_cell_error"}
    assert (first.cells["id"], first.cells["merged"], first.cells["text"]) == ("", "上", "#N/A")
    assert second.bad == {"merged": "row_cell_merged"}


def test_a_formula_that_was_never_calculated_is_bad(tmp_path: Path) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write(0, 0, "a")
        sheet.write_formula(1, 0, "=1+1")

    path = _write(tmp_path / "a.xlsx", fill)
    _edit(path, "xl/worksheets/sheet1.xml", b"</f><v>0</v>", b"</f>")
    (found,) = _rows(path)
    assert found.bad == {"a": "row_cell_error"}


def _edit(path: Path, part: str, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in parts.items():
            target.writestr(name, data)


def test_title_lines_and_a_table_away_from_the_corner(tmp_path: Path) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.merge_range(2, 2, 2, 4, "证照数据表")
        sheet.write_row(3, 2, [" 号码 ", "姓名", ""])
        sheet.write_row(4, 2, ["1", "张三", "no column"])
        sheet.write_row(9, 2, ["2", "李四"])
        sheet.write_blank(30, 2, None, book.add_format({"bold": True}))

    found = _rows(_write(tmp_path / "a.xlsx", fill), header_row=4)
    assert [(one.line, one.cells) for one in found] == [
        (5, {"号码": "1", "姓名": "张三"}),
        (10, {"号码": "2", "姓名": "李四"}),
    ]


def test_a_header_of_two_lines(tmp_path: Path) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 1, 0, "证书编号")
        sheet.merge_range(0, 1, 0, 2, "持证人")
        sheet.write_row(1, 1, ["姓名", "身份证号"])
        sheet.write_row(2, 0, ["1", "张三", str(ID)])

    path = _write(tmp_path / "a.xlsx", fill)
    (found,) = _rows(path, header_row=2)
    assert (found.cells, found.bad) == ({"证书编号": "1", "姓名": "张三", "身份证号": str(ID)}, {})


def test_which_sheet(tmp_path: Path) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_column(0, 0, ["a", "1"])
        hidden = book.add_worksheet("codes")
        hidden.write_column(0, 0, ["a", "2"])
        hidden.hide()

    path = _write(tmp_path / "a.xlsx", fill)
    assert [one.cells["a"] for one in _rows(path)] == ["1"]
    assert [one.cells["a"] for one in _rows(path, sheet="codes")] == ["2"]
    assert "codes" in str(_refusal(path, sheet="nowhere").remedy)
    two = _write(tmp_path / "b.xlsx", lambda book, _: book.add_worksheet("旧"))
    assert "旧" in str(_refusal(two).remedy)


def test_headers_that_are_none(tmp_path: Path) -> None:
    assert _rows(_write(tmp_path / "a.xlsx", _table())) == []
    _refusal(_write(tmp_path / "b.xlsx", _table(("a",), ("1",))), header_row=3)
    _refusal(_write(tmp_path / "c.xlsx", _table(("", ""), ("a", "b"))))
    _refusal(_write(tmp_path / "d.xlsx", _table(("a", "a"), ("1", "2"))))


def test_files_that_are_no_workbook_or_a_locked_one(tmp_path: Path) -> None:
    whole = _write(tmp_path / "whole.xlsx", _table(("a",), ("1",))).read_bytes()
    words = {
        "text.xlsx": (b"a,b\n1,2\n", "damaged"),
        "empty.xlsx": (b"", "damaged"),
        "cut.xlsx": (whole[: len(whole) // 2], "damaged"),
        "flipped.xlsx": (bytes(one ^ 255 if 600 < at < 900 else one for at, one in enumerate(whole)), "damaged"),
        "zip.xlsx": (_zip({"a.xml": b"<a/>"}), "Not an .xlsx"),
        "table.html.xls": (b"<table><tr><td>1</td></tr></table>", "Not an .xlsx"),
        "old-format.xls": ((VECTORS / "old-format.xls").read_bytes(), "Not an .xlsx"),
        "password.xlsx": ((VECTORS / "password.xlsx").read_bytes(), "password"),
    }
    for name, (data, expected) in words.items():
        (tmp_path / name).write_bytes(data)
        assert expected in _refusal(tmp_path / name).what.en, name


def _zip(parts: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in parts.items():
            target.writestr(name, data)
    return made.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_UNCOMPRESSED", 4 << 20)
    path = _write(tmp_path / "a.xlsx", _table(("a",), ("1",)))
    _edit(path, "xl/styles.xml", b"</styleSheet>", b" " * (5 << 20) + b"</styleSheet>")
    assert path.stat().st_size < 100_000
    assert "MiB" in _refusal(path).what.en


def test_an_understated_size_hides_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xlsx", _table(("a",), ("1",)))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the last entry of the directory
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    assert "damaged" in _refusal(path).what.en


def test_entities_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xlsx", _table(("a",), ("1",)))
    _edit(path, "xl/worksheets/sheet1.xml", b"<worksheet", b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet')
    assert "damaged" in _refusal(path).what.en


def test_one_stray_cell_does_not_end_the_process(tmp_path: Path) -> None:
    def fill(_: Any, sheet: Any) -> None:
        sheet.write(0, 0, "a")
        sheet.write(1_048_575, 16_383, "x")

    path = _write(tmp_path / "a.xlsx", fill)
    assert "1048576 rows × 16384 columns" in _refusal(path).what.en


def test_a_file_that_changes_while_it_is_read_fails_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n" + b"1\n" * 1000)
    rows = CsvFile(path).rows()
    next(rows)
    path.write_bytes(b"a\n1\n")  # a second export begins to overwrite the first
    with pytest.raises(Unavailable):
        list(rows)


def test_a_workbook_that_changes_while_it_is_read_fails_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(tmp_path / "a.xlsx", _table(("a",), ("1",)))
    copied = workbook._copied

    def copied_then_overwritten(path: Path, file: BinaryIO) -> io.BytesIO:
        copy = copied(path, file)
        shutil.copyfile(VECTORS / "password.xlsx", path)
        return copy

    monkeypatch.setattr(workbook, "_copied", copied_then_overwritten)
    with pytest.raises(Unavailable):
        _rows(path)


def test_the_operator_learns_where_digits_were_lost(tmp_path: Path) -> None:
    office = department(tmp_path)
    names = ("周晓兰", "陈建军")

    def fill(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, (*HEADER, "银行卡号"))
        for number, name in enumerate(names, 1):
            sheet.write_row(number, 0, (*row(number, name), ""))
        sheet.write_number(1, len(HEADER), 6222021234567890123)  # long too, but nothing that the mapping needs
        sheet.write_number(2, HEADER.index("身份证号"), ID)

    _write(tmp_path / "export.xlsx", fill)
    text = office.config.read_text("utf-8")
    office.config.write_text(text.replace('files = ["certificates.csv"]', 'kind = "excel"\nfiles = ["export*.xlsx"]'))
    told = office.adapter("check", "adapter.toml")
    assert "export.xlsx[数据], row at line 3, 身份证号: A number of more than 15 digits has lost" in told.out
    assert "make the column text" in told.out
    assert str(ID)[:15] not in told.out
    done = office.run()
    assert (done.stream["published"], done.stream["refused"], len(office.live())) == (1, 1, 1)
    assert done.stream["stream"] == STREAM.evidence_type
    (tmp_path / "export.xlsx").write_bytes(b"PK, but cut off")
    broken = office.run()
    assert (broken.code, broken.stream["state"], len(office.live())) == (2, "failed", 1)
