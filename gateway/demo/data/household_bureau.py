"""Household register bureau: two exports, UTF-8 with byte order mark, lines with LF.

`identity-cards.csv` → cn.identity-card. Key: 公民身份号码
| column | field | form |
|---|---|---|
| 公民身份号码 | resident_number, holder (cn.ric) | 18 characters; a few with a small x or in full width |
| 姓名 / 民族 / 住址 / 签发机关 | name / ethnic_group / address / issuing_authority | text |
| 性别 | sex | 男 女 |
| 出生日期 | born_on | 2021-03-05 |
| 户籍地区划 | household_region | 6 digits |
| 有效期起 / 有效期止 | validity | 2021.03.05 / also 长期 |
| 领证次数 | issue_count | integer |
| 挂失 | reported_lost | 是 否 |
| 证件状态 | status | 有效 valid, 过期 expired, 作废 void, 注销 cancelled |
| 更新时间 | source time | 2021-03-05 14:02:11 |

`households.csv` → cn.household-register. Key: 户号. Valid from 立户日期, without end.
| column | field | form |
|---|---|---|
| 户号 | household_number | 9 digits |
| 户别 | household_kind | 家庭户 family, 集体户 collective |
| 户主姓名 / 户主身份号码 | head_name / head_id | |
| 成员姓名 | member_names | list, separated by 、 |
| 成员身份号码 | holders (cn.ric), one each | list, separated by 、 |
| 在册人数 | member_count | integer |
| 住址 / 派出所 | address / police_station | text |
| 区划代码 | region | 6 digits |
| 立户日期 / 签发日期 | established_on, validity from / book_issued_on | 2021年03月05日 / 20210305 |
| 冻结 | frozen | 是 否 |
| 户口状态 | status | 正常 valid, 注销 cancelled, 迁出 transferred_out |
| 更新时间 | source time | 2021-03-05 14:02:11 |
"""

from datetime import date
from random import Random

from gateway.demo.data.bad_rows import Weak
from gateway.demo.data.people import CAST, Household, Person
from gateway.demo.data.source_file import SourceFile, before, chinese, plain, stamp, years_after
from gateway.demo.data.vocabulary import CITY, DISTRICTS, STATIONS

IDENTITY_CARDS = SourceFile(
    "household-bureau-1/identity-cards.csv",
    "cn.identity-card",
    "utf-8-sig",
    "\n",
    (
        *("公民身份号码", "姓名", "性别", "民族", "出生日期", "住址", "户籍地区划", "签发机关", "有效期起"),
        *("有效期止", "领证次数", "挂失", "证件状态", "更新时间"),
    ),
    Weak("公民身份号码", "姓名", "出生日期", "姓名", "证件状态"),
)
HOUSEHOLDS = SourceFile(
    "household-bureau-1/households.csv",
    "cn.household-register",
    "utf-8-sig",
    "\n",
    (
        *("户号", "户别", "户主姓名", "户主身份号码", "成员姓名", "成员身份号码", "在册人数", "住址", "区划代码"),
        *("派出所", "立户日期", "签发日期", "冻结", "户口状态", "更新时间"),
    ),
    Weak("户主身份号码", "户主姓名", "立户日期", "户主姓名", "户口状态"),
)
_FULL_WIDTH = {code: 0xFF10 + code - 0x30 for code in range(0x30, 0x3A)}
_CAST = frozenset(member.person for member in CAST)


def identity_card(rng: Random, person: Person, today: date) -> list[str]:
    """One row of `IDENTITY_CARDS`."""
    start, until, state = _period(rng, person, today)
    lost = person not in _CAST and rng.random() < 0.01
    return [
        _as_typed(rng, person),
        person.name,
        person.sex,
        person.ethnic_group,
        person.born.isoformat(),
        person.address,
        DISTRICTS[person.district][0],
        f"{CITY}公安局{DISTRICTS[person.district][1]}分局",
        f"{start:%Y.%m.%d}",
        f"{until:%Y.%m.%d}" if until else "长期",
        str(rng.randrange(1, 5)),
        "是" if lost else "否",
        state,
        stamp(rng, today),
    ]


def _as_typed(rng: Random, person: Person) -> str:
    """Some clerks type a small x, some have the input method in full width."""
    draw = rng.random()
    if person in _CAST or draw > 0.02:
        return person.resident_number
    return person.resident_number.lower() if draw > 0.01 else person.resident_number.translate(_FULL_WIDTH)


def _period(rng: Random, person: Person, today: date) -> tuple[date, date | None, str]:
    """Resident Identity Card Law art. 5: five, ten, twenty years by age, without end from 46."""
    age = (today - person.born).days // 365
    start = before(rng, today, min(4.5, max(0.2, age - 0.5)))
    if age >= 46:
        return start, None, "有效"
    if person not in _CAST and rng.random() < 0.02:
        return years_after(start, -12), years_after(start, -2), "过期"
    state = "有效" if person in _CAST or rng.random() > 0.01 else rng.choice(("作废", "注销"))
    return start, years_after(start, 5 if age < 16 else 10 if age < 26 else 20), state


def household(rng: Random, index: int, members: Household, today: date) -> list[str]:
    """One row of `HOUSEHOLDS`; `index` makes the household number."""
    head = members[0]
    known = head in _CAST
    established = before(rng, today, 15)
    return [
        f"{DISTRICTS[head.district][0][:4]}{index:05}",
        "家庭户" if known or len(members) > 1 or rng.random() < 0.7 else "集体户",
        head.name,
        head.resident_number,
        "、".join(member.name for member in members),
        "、".join(member.resident_number for member in members),
        str(len(members)),
        head.address,
        DISTRICTS[head.district][0],
        f"{DISTRICTS[head.district][1]}{rng.choice(STATIONS)}",
        chinese(established),
        plain(before(rng, today, 3)) if rng.random() < 0.8 else "",
        "否" if known or rng.random() > 0.003 else "是",
        "正常" if known or rng.random() > 0.02 else rng.choice(("注销", "迁出")),
        stamp(rng, today),
    ]
