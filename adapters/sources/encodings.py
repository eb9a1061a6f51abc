"""Which encoding a text file has, decided the same way every time.

1. A byte order mark decides: UTF-8. One of UTF-16 or UTF-32 is a mistake of whoever exported the file.
2. A file that is valid UTF-8 is UTF-8.
3. Otherwise lines vote: a broken line must not turn a UTF-8 file into mojibake. More lines with foreign characters
   that are valid UTF-8 than lines that are not: UTF-8. Else GB18030, of which GBK and GB2312 are parts.
4. If more than half of those lines are no GB18030 either, nobody can guess: a mistake, with charset-normalizer's
   opinion as a hint. `encoding` in the configuration settles it.

Lines may be split before they are decoded: in all of these, 0x0A and 0x22 are never part of another character.
"""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from contracts.errors import UserError
from contracts.text import Text

UTF_8, GB18030 = "utf-8", "gb18030"
ENCODINGS = ("auto", UTF_8, "gb18030", "gbk", "gb2312")
_CHUNK = 1 << 20
_MAX_LINE = 1 << 20
_HINT_LINES = 200
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_EXPORT = Text(
    "请导出为 UTF-8 或 GB18030 的 CSV，或设置 encoding。", "Export CSV in UTF-8 or GB18030, or set `encoding`."
)


@dataclass(slots=True)
class _Votes:
    utf8: int = 0
    gb18030: int = 0
    neither: int = 0


def detect(path: Path) -> str:
    """The encoding of the file; raises `UserError` (rules 1 and 4) and OSError."""
    with path.open("rb") as file:
        mark = file.read(4)
    if mark.startswith(_WIDE_MARKS):
        raise UserError(Text("文件为 UTF-16 或 UTF-32 编码", "The file is UTF-16 or UTF-32"), str(path), _EXPORT)
    if mark.startswith(codecs.BOM_UTF8) or _is_utf8(path):
        return UTF_8
    with path.open("rb") as file:
        votes = _count(iter(lambda: file.readline(_MAX_LINE), b""))
    if votes.neither > votes.utf8 + votes.gb18030:
        raise _undecidable(path)
    return UTF_8 if votes.utf8 > votes.gb18030 + votes.neither else GB18030


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _count(lines: Iterable[bytes]) -> _Votes:
    votes = _Votes()
    for line in lines:
        if line.isascii():
            continue
        if decodes(line, UTF_8):
            votes.utf8 += 1
        elif decodes(line, GB18030):
            votes.gb18030 += 1
        else:
            votes.neither += 1
    return votes


def decodes(data: bytes, encoding: str) -> bool:
    """Whether `data` is text in `encoding`."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _undecidable(path: Path) -> UserError:
    from charset_normalizer import from_bytes  # a slow import, for a rare case

    with path.open("rb") as file:
        sample = b"".join(islice(iter(lambda: file.readline(_MAX_LINE), b""), _HINT_LINES))
    best = from_bytes(sample).best()
    guess = best.encoding if best is not None else "?"
    what = Text(f"无法确定文件编码(可能是 {guess})", f"The encoding of the file is unclear (perhaps {guess})")
    return UserError(what, str(path), _EXPORT)
