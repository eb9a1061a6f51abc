"""CSV files as departments export them: encodings, broken bytes, long lines, and memory that does not grow."""

import tracemalloc
from pathlib import Path

import pytest

from adapters.rows import Row
from adapters.sources.csv import MAX_LINE, CsvFile, CsvSource
from adapters.sources.encodings import GB18030, UTF_8, detect
from contracts.errors import UserError

HEADER = "号码,姓名"
GOOD = ["1,张三", "2,李四", "3,王五"]
BOM = b"\xef\xbb\xbf"


def _write(path: Path, *lines: bytes, end: bytes = b"\r\n") -> Path:
    path.write_bytes(b"".join(line + end for line in lines))
    return path


def _encoded(encoding: str) -> list[bytes]:
    return [line.encode(encoding) for line in (HEADER, *GOOD)]


def _rows(path: Path, delimiter: str = ",") -> list[Row]:
    return list(CsvFile(path, delimiter).rows())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (_encoded("utf-8"), UTF_8),
        ([BOM + _encoded("utf-8")[0], *_encoded("utf-8")[1:]], UTF_8),
        (_encoded("gbk"), GB18030),
        (_encoded("gb18030"), GB18030),
        (["号码,姓名".encode("gb18030"), "1,䶮㛃".encode("gb18030")], GB18030),
        ([b"id,name", b"1,x"], UTF_8),
        ([], UTF_8),
        ([*_encoded("utf-8"), b"4,\xff\xfe"], UTF_8),  # one broken line does not make mojibake of the rest
        ([*_encoded("utf-8"), "4,张三".encode("gbk")], UTF_8),
        ([*_encoded("gbk"), b"4,\xff\xfe"], GB18030),
        ([*_encoded("gbk"), "4,联通".encode("gbk")], GB18030),  # 联通 in GBK is valid UTF-8
        ([BOM + _encoded("utf-8")[0], b"1,\xff", b"2,\xff", b"3,\xff"], UTF_8),
    ],
)
def test_detection(tmp_path: Path, lines: list[bytes], expected: str) -> None:
    path = _write(tmp_path / "a.csv", *lines)
    assert detect(path) == expected
    assert detect(path) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_wide_encodings_are_a_mistake(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(("\ufeff" + HEADER).encode(encoding))
    with pytest.raises(UserError) as caught:
        detect(path)
    assert "UTF-16" in caught.value.what.en


def test_an_encoding_nobody_can_guess_is_a_mistake_with_a_hint(tmp_path: Path) -> None:
    text = "L'Haÿ-les-Roses, Louÿs, Croÿ, Faÿ-aux-Loges"
    path = _write(tmp_path / "a.csv", *[text.encode("cp1252")] * 20)
    with pytest.raises(UserError) as caught:
        detect(path)
    assert "perhaps" in caught.value.what.en


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_rows(tmp_path: Path, encoding: str, end: bytes) -> None:
    path = _write(tmp_path / "a.csv", *[line.encode(encoding) for line in (HEADER, *GOOD)][:1], end=end)
    with path.open("ab") as file:
        file.write(end.join(line.encode(encoding.removesuffix("-sig")) for line in GOOD))
    found = _rows(path)
    assert [(row.line, row.cells["号码"], row.cells["姓名"], row.broken) for row in found] == [
        (2, "1", "张三", None),
        (3, "2", "李四", None),
        (4, "3", "王五", None),
    ]


def test_trail_bytes_of_gb18030_split_nothing(tmp_path: Path) -> None:
    # Second bytes may be ASCII: backslash, bar, letters; and digits in characters of four bytes.
    names = [bytes((0x90, trail)).decode("gb18030") for trail in b"\\|@A~"] + ["𬱖", "䶮"]
    path = _write(tmp_path / "a.csv", HEADER.encode("gb18030"), *[f'1,"{name}"'.encode("gb18030") for name in names])
    assert [row.cells["姓名"] for row in _rows(path)] == names
    path = _write(tmp_path / "b.csv", "号码|姓名".encode("gb18030"), *[f"1|{n}".encode("gb18030") for n in names])
    assert [row.cells["姓名"] for row in _rows(path, delimiter="|")] == names


def test_broken_bytes_name_their_column(tmp_path: Path) -> None:
    lines = _encoded("gb18030")
    path = _write(tmp_path / "a.csv", *lines[:2], b"\xff," + "李四".encode("gb18030"), lines[3] + b"\x81")
    found = _rows(path)
    assert [(row.broken.code, row.broken.column) if row.broken else None for row in found] == [
        None,
        ("row_undecodable", "号码"),
        ("row_undecodable", "姓名"),
    ]


def test_a_line_without_end_costs_one_row(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", HEADER.encode(), b"1," + b"x" * (3 * MAX_LINE), b"2,b")
    found = _rows(path)
    assert [row.broken.code if row.broken else row.cells["号码"] for row in found] == ["row_too_long", "2"]


def test_a_header_that_cannot_be_trusted_is_a_mistake(tmp_path: Path) -> None:
    for header in (b"a,b,a", b"a,\xff", b'a,"b'):
        with pytest.raises(UserError):
            list(CsvFile(_write(tmp_path / "a.csv", header, "1,张".encode(), "2,李".encode())).rows())


def test_files_without_a_header(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.csv", b"1,b")
    (row,) = CsvFile(path, columns=("x", "y")).rows()
    assert (row.line, row.cells) == (1, {"x": "1", "y": "b"})


def _source(*patterns: Path) -> CsvSource:
    return CsvSource(patterns, ",", "auto", (), "here")


def test_several_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        _write(tmp_path / f"part-{name}.csv", b"id", name.encode())
    source = _source(tmp_path / "part-*.csv", tmp_path / "part-a.csv")
    headers: list[tuple[str, ...]] = []
    found = [(row.file, row.cells["id"]) for row in source.rows(lambda _, header: headers.append(header))]
    assert found == [("part-a.csv", "a"), ("part-b.csv", "b")]
    assert headers == [("id",), ("id",)]
    before = source.stamp()
    _write(tmp_path / "part-b.csv", b"id", b"changed")
    assert source.stamp() != before


@pytest.mark.parametrize("name", ["missing.csv", "missing-*.csv"])
def test_a_missing_file_is_a_mistake_not_an_empty_source(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        list(_source(tmp_path / name).rows(lambda *_: None))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" * 100_000)  # 5 MB
    tracemalloc.start()
    try:
        assert sum(1 for _ in CsvFile(path, encoding="utf-8").rows()) == 100_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
