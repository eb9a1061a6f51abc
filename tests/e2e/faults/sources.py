"""A department's own table, as a CSV export that is replaced whole, and the history of every row: the truth.

1. A row is about one person and has a version, a number that rises through the whole table and is never used twice.
   It stands in the name, in Chinese numerals, so that every message and answer says which state it shows.
2. The export is replaced by renaming: an adapter never sees half of one.
3. `mark` changes the row of person 0, which is never removed: whoever sees that version has everything before it.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from contracts.identifiers import resident_check_digit

PERSONS = 160
_DIGITS = "零一二三四五六七八九"
_SURNAME = "周"


def person(number: int) -> str:
    """The resident number of a person."""
    first17 = f"43010219870316{number:03d}"
    return first17 + resident_check_digit(first17)


def name_of(version: int) -> str:
    """The name that says the version."""
    return _SURNAME + "".join(_DIGITS[int(digit)] for digit in str(version))


def version_of(name: str) -> int:
    """Inverse of `name_of`; -1 for a name that is none of ours."""
    digits = [_DIGITS.find(letter) for letter in name.removeprefix(_SURNAME)]
    return int("".join(map(str, digits))) if digits and min(digits) >= 0 else -1


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of export: evidence type, header line, cells of a row, and the mapping that its department wrote."""

    evidence_type: str
    header: str
    cells: Callable[[int, int], Sequence[str]]
    mapping: str


def _health_cells(number: int, version: int) -> Sequence[str]:
    who = (f"{number:014}", name_of(version), "女", person(number))
    return (*who, "餐饮服务", "2025/10/2", "2025年10月07日", "20261006", "合格", "云州市疾病预防控制中心", "有效")


HEALTH = Table(
    "cn.food-handler-health",
    "证书编号,姓名,性别,身份证号,从业类别,体检日期,发证日期,有效期至,结论,机构,状态",
    _health_cells,
    """
key = ["证书编号"]
holders = [{ column = "身份证号", scheme = "cn.ric" }]
status = { column = "状态", codes = { "有效" = "valid" } }
validity = { from = "发证日期", until = "有效期至" }
[streams.mapping.fields]
certificate_number = "证书编号"
name = "姓名"
sex = { column = "性别", codes = { "女" = "female" } }
work_category = { column = "从业类别", codes = { "餐饮服务" = "catering" } }
examined_on = "体检日期"
issued_on = "发证日期"
conclusion = { column = "结论", codes = { "合格" = "fit" } }
examining_institution = "机构"
""",
)


def _identity_cells(number: int, version: int) -> Sequence[str]:
    who = (person(number), name_of(version), "女", "汉族", "1987-03-16")
    return (*who, "云州市芙蓉路88号3栋502室", "云州市公安局芙蓉分局", "2015-01-01", "长期", "有效", "否")


IDENTITY = Table(
    "cn.identity-card",
    "公民身份号码,姓名,性别,民族,出生日期,住址,签发机关,有效期起,有效期止,证件状态,挂失",
    _identity_cells,
    """
key = ["公民身份号码"]
holders = [{ column = "公民身份号码", scheme = "cn.ric" }]
status = { column = "证件状态", codes = { "有效" = "valid" } }
validity = { from = "有效期起", until = "有效期止" }
[streams.mapping.fields]
resident_number = "公民身份号码"
name = "姓名"
sex = { column = "性别", codes = { "女" = "female" } }
ethnic_group = "民族"
born_on = "出生日期"
address = "住址"
issuing_authority = "签发机关"
reported_lost = { column = "挂失", codes = { "是" = true, "否" = false } }
""",
)


@dataclass(slots=True)
class Source:
    """One department's table. `rows`: person → version now. `removed`: person → versions that were removed.

    Safe from several threads.
    """

    path: Path
    table: Table
    rows: dict[int, int] = field(default_factory=dict)
    removed: dict[int, list[int]] = field(default_factory=dict)
    versions: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fill(self) -> None:
        """The first export: three quarters of the persons."""
        with self._editing():
            for number in range(PERSONS):
                if number % 4 != 1:
                    self._put(number)

    def churn(self, chance: Random, changes: int) -> None:
        """Some rows come, change and go; one export."""
        with self._editing():
            for _ in range(changes):
                self._change(chance)

    def mark(self) -> int:
        """Change the row of person 0; its new version (rule 3)."""
        with self._editing():
            self._put(0)
        return self.rows[0]

    def now(self) -> Mapping[int, int]:
        """A copy of the rows."""
        with self._lock:
            return dict(self.rows)

    def _change(self, chance: Random) -> None:
        number = chance.randrange(1, PERSONS)
        if number in self.rows and chance.random() < 0.3:
            self.removed.setdefault(number, []).append(self.rows.pop(number))
        else:
            self._put(number)

    def _put(self, number: int) -> None:
        self.versions += 1
        self.rows[number] = self.versions

    @contextmanager
    def _editing(self) -> Iterator[None]:
        with self._lock:
            yield
            written = self.path.with_name(self.path.name + ".new")
            written.write_text("".join(self._lines()), "utf-8")
            written.rename(self.path)

    def _lines(self) -> Iterator[str]:
        yield self.table.header + "\r\n"
        for number, version in sorted(self.rows.items()):
            yield ",".join(self.table.cells(number, version)) + "\r\n"
