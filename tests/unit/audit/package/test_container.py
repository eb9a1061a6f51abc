"""The container: read by any unzip, and only one spelling of it is read by us."""

import io
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.package.container import BOMB, MAX_MEMBERS, TOO_MANY, Container, Malformed, stamp, when_of, write

TIME = 1_763_741_601_000
FILES = {"提取说明.txt": b"\xef\xbb\xbfx", "a/b.txt": b"line\n" * 1000, "empty": b""}


def packed(files: dict[str, bytes], time: int = TIME) -> bytes:
    target = io.BytesIO()
    write(target, {name: io.BytesIO(data) for name, data in files.items()}, time)
    return target.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    found = Container(io.BytesIO(data))
    return {name: b"".join(found.pieces(name)) for name in found.members}


@settings(max_examples=40)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9), st.binary()))
def test_there_and_back(files: dict[str, bytes]) -> None:
    names = [name for name in files if zipfile.ZipInfo(name).filename == name]
    kept = {name: files[name] for name in names}
    assert unpacked(packed(kept)) == kept


def test_any_other_program_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(packed(FILES))) as file:
        assert file.testzip() is None
        assert {name: file.read(name) for name in file.namelist()} == FILES
        assert {info.date_time for info in file.infolist()} == {(2025, 11, 22, 0, 13, 20)}


def test_time_and_bytes_are_the_same_each_time() -> None:
    assert packed(FILES) == packed(FILES, TIME + 999)  # ZIP knows two seconds
    assert Container(io.BytesIO(packed(FILES))).when == when_of(TIME)
    assert stamp(TIME) == (2025, 11, 22, 0, 13, 20)
    with pytest.raises(ValueError, match="no such time"):
        stamp(0)


def test_every_byte_has_one_value() -> None:
    data = packed(FILES)
    when = when_of(TIME)
    for at in range(len(data)):
        spoilt = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            found = Container(io.BytesIO(spoilt))
            same = {name: b"".join(found.pieces(name)) for name in found.members} == FILES and found.when == when
        except Malformed:
            continue
        assert not same, at


def test_cut_anywhere() -> None:
    data = packed(FILES)
    for length in range(len(data)):
        with pytest.raises(Malformed):
            unpacked(data[:length])


def _with_comment(file: zipfile.ZipFile) -> None:
    file.comment = b"more"


def _stored(file: zipfile.ZipFile) -> None:
    file.writestr("stored", b"x", zipfile.ZIP_STORED)


def _doubled(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("empty", stamp(TIME))
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
    with pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(info, b"")


def _other_mode(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link", stamp(TIME))
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o120777 << 16
    file.writestr(info, b"/etc/passwd")


def _extra(file: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("extra", stamp(TIME))
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
    info.extra = struct.pack("<HH4s", 0xCAFE, 4, b"more")
    file.writestr(info, b"x")


@pytest.mark.parametrize("change", [_with_comment, _stored, _doubled, _other_mode, _extra])
def test_what_zip_allows_and_we_do_not(change: Callable[[zipfile.ZipFile], None]) -> None:
    target = io.BytesIO(packed(FILES))
    with zipfile.ZipFile(target, "a") as file:
        change(file)
    with pytest.raises(Malformed):
        unpacked(target.getvalue())


def test_bytes_before_between_and_after() -> None:
    data = packed(FILES)
    directory = data.index(b"PK\1\2")
    for spoilt in (b"MZ" + data, data + b"\0", data[:directory] + b"hidden" + data[directory:]):
        with pytest.raises(Malformed):
            unpacked(spoilt)


def test_bombs() -> None:
    with pytest.raises(Malformed) as found:
        unpacked(packed({"bomb": b"\0" * (2 << 20)}))
    assert found.value.what is BOMB
    with pytest.raises(Malformed) as found:
        Container(io.BytesIO(packed(FILES))).content("a/b.txt", 100)
    assert found.value.what is BOMB
    with pytest.raises(Malformed) as found:
        Container(io.BytesIO(packed({str(number): b"" for number in range(MAX_MEMBERS + 1)})))
    assert found.value.what is TOO_MANY
    with pytest.raises(Malformed) as found:
        list(Container(io.BytesIO(packed({"x": b"abc" * 100_000}))).lines("x", 1000))
    assert found.value.what is BOMB


@given(st.lists(st.binary(max_size=9).map(lambda one: one.replace(b"\n", b""))))
def test_lines(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    found = list(Container(io.BytesIO(packed({"x": data}))).lines("x", 100))
    assert found == [line + b"\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
