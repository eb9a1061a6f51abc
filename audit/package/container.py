"""The file around a package: an ordinary ZIP (PKWARE APPNOTE), with one spelling for the same compressed contents.

1. Written: members in a given order, one after the other from the first byte on, deflated, one time for all (Beijing
   time of the extraction), no extra fields, no comments. Names are UTF-8. Any unzip program reads it.
2. Read: nothing else is taken. Local headers, directory and end record must be those that rule 1 gives for the names
   and sizes, without gaps, so that no program can find other files in it than ours, and nothing can hide between them.
3. Nothing is ever unpacked to a disk here; members are read as a stream, and never beyond the size that they declare.
   Caps: `MAX_MEMBERS` files; a member below 2 GiB, the whole below 4 GiB (no ZIP64); `MAX_RATIO` for large members.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Final

from audit.search.asked import ZONE
from contracts.errors import UserError
from contracts.text import Text

MAX_MEMBERS: Final = 4096
MAX_SIZE: Final = (1 << 31) - 1
MAX_RATIO: Final = 250
PIECE: Final = 1 << 16

_MAX_DIRECTORY = 1 << 20
_SMALL = 1 << 20  # below that no ratio is asked about
_FIRST_YEAR, _LAST_YEAR = 1980, 2107

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _DEFLATED, _UTF8, _MADE_BY = 20, 8, 0x800, 3 << 8 | 20
_ATTRIBUTES = 0o100644 << 16

_TOO_LARGE = Text("文件包超过大小上限", "The package would be larger than it may be")
_NARROWER = Text("请缩小筛选范围,分成几个文件包。", "Ask for less, in several packages: narrower from and to, say.")


class Malformed(Exception):
    """Not a container as rule 2 has it. `member` where it is about one."""

    def __init__(self, what: Text, member: str = "") -> None:
        super().__init__(what.en, member)
        self.what = what
        self.member = member


TRUNCATED = Text("文件不完整,或不是本程序生成的文件包", "cut short, or not a package that this program wrote")
STRANGE = Text("压缩包结构被改动", "the structure of the ZIP file was altered")
TOO_MANY = Text("文件数超过上限", "more files than a package may have")
BOMB = Text("展开后的大小超过上限", "larger than it may be when unpacked")
DAMAGED = Text("压缩数据被改动", "the compressed data was altered")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a container: `start` of its compressed bytes, sizes in bytes."""

    name: str
    start: int
    compressed: int
    size: int
    crc: int


def stamp(milliseconds: int) -> tuple[int, int, int, int, int, int]:
    """The time of every member (rule 1), as ZIP can say it: two seconds fine, from 1980 on."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(ZONE)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError("ZIP has no such time")
    return moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second // 2 * 2


def write(target: IO[bytes], members: Mapping[str, IO[bytes]], time: int) -> None:
    """A container of `members` (read from where they stand), in their order; `time` in Unix ms. Raises `UserError`."""
    try:
        with zipfile.ZipFile(target, "w", allowZip64=False) as file:
            for name, content in members.items():
                _write_member(file, name, content, time)
    except zipfile.LargeZipFile:
        raise UserError(_TOO_LARGE, "", _NARROWER) from None


def _write_member(file: zipfile.ZipFile, name: str, content: IO[bytes], time: int) -> None:
    info = zipfile.ZipInfo(name, stamp(time))
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, _MADE_BY >> 8, _ATTRIBUTES
    with file.open(info, "w") as member:
        while piece := content.read(PIECE):
            member.write(piece)


class Container:
    """A container open for reading (rules 2 and 3); raises `Malformed`. `time` is what all members have, as `stamp`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        count, at, length = self._end()
        directory = self._read(at, length)
        self.members: dict[str, Member] = {}
        self.when: int | None = None
        start = place = 0
        for _ in range(count):
            member, place = self._member(directory, place, start)
            self.members[member.name] = member
            start = member.start + member.compressed
        if start != at or place != length or len(self.members) != count:
            raise Malformed(STRANGE)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a member, in pieces; raises `Malformed` before it gives more than was declared."""
        member = self.members[name]
        inflate, crc, given = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
        for at in range(member.start, member.start + member.compressed, PIECE):
            data = self._read(at, min(PIECE, member.start + member.compressed - at))
            while data:
                piece = self._inflated(inflate, data, name)
                given, crc = given + len(piece), zlib.crc32(piece, crc)
                if given > member.size or inflate.unused_data:
                    raise Malformed(DAMAGED, name)
                yield piece
                data = inflate.unconsumed_tail
        if not inflate.eof or given != member.size or crc != member.crc:
            raise Malformed(DAMAGED, name)

    def content(self, name: str, most: int) -> bytes:
        """A small member, whole; raises `Malformed` above `most` bytes."""
        if self.members[name].size > most:
            raise Malformed(BOMB, name)
        return b"".join(self.pieces(name))

    def lines(self, name: str, most: int) -> Iterator[bytes]:
        """The lines of a member, each with its newline, perhaps but the last; raises `Malformed` above `most` bytes."""
        rest = b""
        for piece in self.pieces(name):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line + b"\n"
            if len(rest) > most:
                raise Malformed(BOMB, name)
        if rest:
            yield rest

    def _inflated(self, inflate: "zlib._Decompress", data: bytes, name: str) -> bytes:
        try:
            return inflate.decompress(data, PIECE)
        except zlib.error:
            raise Malformed(DAMAGED, name) from None

    def _read(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(length)
        if len(data) != length:
            raise Malformed(TRUNCATED)
        return data

    def _end(self) -> tuple[int, int, int]:
        """How many members, where the directory is, and how long."""
        size = self._file.seek(0, 2)
        if size < _END.size:
            raise Malformed(TRUNCATED)
        mark, disk, first, here, count, length, at, comment = _END.unpack(self._read(size - _END.size, _END.size))
        if mark != b"PK\5\6" or at + length + _END.size != size:
            raise Malformed(TRUNCATED)
        if (disk, first, comment) != (0, 0, 0) or here != count:
            raise Malformed(STRANGE)
        if count > MAX_MEMBERS or length > _MAX_DIRECTORY:
            raise Malformed(TOO_MANY)
        return count, at, length

    def _member(self, directory: bytes, place: int, start: int) -> tuple[Member, int]:
        """The member whose directory entry is at `place`, and the next place; its local header must be at `start`."""
        if place + _CENTRAL.size > len(directory):
            raise Malformed(STRANGE)
        fields = _CENTRAL.unpack_from(directory, place)
        flags, moment, crc, compressed, size, length = fields[3], fields[5] | fields[6] << 16, *fields[7:11]
        end = place + _CENTRAL.size + length
        raw = directory[place + _CENTRAL.size : end]
        name = _name(raw, flags)
        self.when = moment if self.when is None else self.when
        facts = (flags, _DEFLATED, self.when & 0xFFFF, self.when >> 16, crc, compressed, size, len(raw), 0)
        central = (b"PK\1\2", _MADE_BY, _VERSION, *facts, 0, 0, 0, _ATTRIBUTES, start)
        local = _LOCAL.pack(b"PK\3\4", _VERSION, *facts) + raw
        if fields != central or self._read(start, len(local)) != local:
            raise Malformed(STRANGE, name)
        if size > MAX_SIZE or (size > _SMALL and size > compressed * MAX_RATIO):
            raise Malformed(BOMB, name)
        return Member(name, start + len(local), compressed, size, crc), end


def when_of(milliseconds: int) -> int:
    """`Container.when` of a container written at this time; raises ValueError."""
    year, month, day, hour, minute, second = stamp(milliseconds)
    return ((year - _FIRST_YEAR) << 9 | month << 5 | day) << 16 | (hour << 11 | minute << 5 | second // 2)


def _name(raw: bytes, flags: int) -> str:
    """A name with the one flag that it must have; which names a package may have, is decided by who reads it."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise Malformed(STRANGE) from None
    if flags != (0 if name.isascii() else _UTF8):
        raise Malformed(STRANGE, name)
    return name
