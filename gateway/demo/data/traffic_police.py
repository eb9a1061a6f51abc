"""Traffic police: two exports of their business system, GB 18030, lines with CR LF.

`driving-licences.csv` → cn.driving-licence. Key: 证号, 档案编号
| column | field | form |
|---|---|---|
| 证号 | licence_number, holder (cn.ric) | 18 characters |
| 档案编号 | file_number | 12 digits |
| 姓名 / 国籍 / 住址 / 发证机关 | name / nationality / address / issuing_authority | text |
| 性别 | sex | 男 女 |
| 出生日期 | born_on | 20210305 |
| 初次领证日期 | first_issued_on | 2021年03月05日 |
| 准驾车型 | permitted_vehicles | list, "C1,E" |
| 有效期始 / 有效期止 | validity | 2021年03月05日 / also 长期 |
| 累积记分 | penalty_points | integer |
| 提交身体条件证明日期 | medical_due_on | 20210305, often empty |
| 状态 | status | 正常 valid, 逾期未换证 expired, 暂扣 suspended, 吊销 revoked, 注销 cancelled, 转出 transferred_out |
| 更新时间 | source time | 2021-03-05 14:02:11 |

`vehicles.csv` → cn.vehicle-registration. Key: 号牌种类, 号牌号码. Valid from 初次登记日期, without end.
| column | field | form |
|---|---|---|
| 号牌种类 | plate_kind | 大型汽车 large, 小型汽车 small, 小型新能源汽车 small_new_energy |
| 号牌号码 | plate_number | 湘Z12345 |
| 车辆识别代号 / 发动机号 | vin / engine_number | |
| 车辆类型 / 品牌型号 | vehicle_type / brand_model | text |
| 使用性质 | use | 非营运 non_commercial, 货运 freight, 预约出租客运 ride_hailing |
| 所有人 / 住址 | owner_name / owner_address | text |
| 证件种类 | scheme of the holder | 居民身份证 cn.ric, 营业执照 cn.uscc |
| 证件号码 | holder | |
| 初次登记日期 | registered_on, validity from | 2021-03-05 |
| 核定载客 | seats | integer |
| 检验有效期止 | inspection_until | 20210305 |
| 抵押 / 查封 | mortgaged / seized | 是 否 |
| 机动车状态 | status | 正常 valid, 逾期未检验 other, 注销 cancelled, 转出 transferred_out |
| 更新时间 | source time | 2021-03-05 14:02:11 |
"""

from dataclasses import dataclass
from datetime import date
from random import Random

from gateway.demo.data.bad_rows import Weak
from gateway.demo.data.people import CAST, Person
from gateway.demo.data.source_file import SourceFile, before, chinese, plain, stamp, years_after
from gateway.demo.data.vocabulary import CARS, CITY, PLATE_PREFIX

DRIVING_LICENCES = SourceFile(
    "traffic-police-1/driving-licences.csv",
    "cn.driving-licence",
    "gb18030",
    "\r\n",
    (
        *("证号", "档案编号", "姓名", "性别", "国籍", "出生日期", "住址", "初次领证日期", "准驾车型", "有效期始"),
        *("有效期止", "累积记分", "提交身体条件证明日期", "发证机关", "状态", "更新时间"),
    ),
    Weak("证号", "姓名", "初次领证日期", "姓名", "状态"),
)
VEHICLES = SourceFile(
    "traffic-police-1/vehicles.csv",
    "cn.vehicle-registration",
    "gb18030",
    "\r\n",
    (
        *("号牌种类", "号牌号码", "车辆识别代号", "发动机号", "车辆类型", "品牌型号", "使用性质", "所有人", "证件种类"),
        *("证件号码", "住址", "初次登记日期", "核定载客", "检验有效期止", "抵押", "查封", "机动车状态", "更新时间"),
    ),
    Weak("证件号码", "车辆识别代号", "检验有效期止", "所有人", "机动车状态"),
)
_AUTHORITY = f"{CITY}公安局交通警察支队"
_CLASSES = ("C1",) * 10 + ("C2",) * 4 + ("C1,E", "C1,D", "B2", "A2", "A1,A2", "B1,E")
_LICENCE_STATES = ("正常",) * 120 + ("暂扣", "注销", "转出", "吊销")
_VEHICLE_STATES = ("正常",) * 60 + ("注销", "转出")
_VIN = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_PLATE = "0123456789" * 3 + "ABCDEFGHJKLMNPQRSTUVWXYZ"


def driving_licence(rng: Random, person: Person, today: date) -> list[str]:
    """One row of `DRIVING_LICENCES`."""
    revoked = person == CAST.revoked_driver.person
    first = _first_issued(rng, person, today)
    start, until = _period(first, today)
    state = "吊销" if revoked else rng.choice(_LICENCE_STATES)
    if state == "正常" and person not in _CAST and rng.random() < 0.01:
        start, until, state = years_after(first, 0), years_after(first, 6), "逾期未换证"
    if state == "逾期未换证" and until is not None and until >= today:
        state = "正常"
    return [
        person.resident_number,
        f"4399{rng.randrange(10**8):08}",
        person.name,
        person.sex,
        "中国",
        plain(person.born),
        person.address,
        chinese(first),
        "C1" if person in _CAST else rng.choice(_CLASSES),
        chinese(start),
        chinese(until) if until else "长期",
        "12" if revoked else str(min(rng.randrange(24), 11) if rng.random() < 0.3 else 0),
        plain(years_after(today, 1)) if today.year - person.born.year > 70 else "",
        _AUTHORITY,
        state,
        stamp(rng, today),
    ]


def _first_issued(rng: Random, person: Person, today: date) -> date:
    possible = (today - person.born).days / 365 - 18.2
    return before(rng, today, max(0.3, min(possible, 22)))


def _period(first: date, today: date) -> tuple[date, date | None]:
    """The running period: six years, then ten, then without end."""
    for start, length in ((0, 6), (6, 10)):
        if today <= years_after(first, start + length):
            return years_after(first, start), years_after(first, start + length)
    return years_after(first, 16), None


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a vehicle: a person, or an organisation by its credit code."""

    name: str
    kind: str
    number: str
    address: str


def vehicle(rng: Random, owner: Owner, plates: "Plates", today: date) -> list[str]:
    """One row of `VEHICLES`."""
    given = _CARS_OF_CAST.get(owner.number)
    model, kind, maker = (
        rng.choice(CARS) if given is None else next(car for car in CARS if given.vin.startswith(car[2]))
    )
    plate_kind, use = _kind_and_use(rng, kind, maker)
    registered = before(rng, today, 12)
    inspected = years_after(registered, today.year - registered.year + 1)
    state = "正常" if given else rng.choice(_VEHICLE_STATES)
    if state == "正常" and not given and rng.random() < 0.02:
        inspected, state = before(rng, today, 1), "逾期未检验"
    seized = given is not None and given is CAST.revoked_driver
    return [
        plate_kind,
        given.plate if given else plates.new(rng, plate_kind),
        given.vin if given else maker + "".join(rng.choices(_VIN, k=14)),
        "".join(rng.choices(_PLATE, k=8)),
        kind,
        model,
        use,
        owner.name,
        owner.kind,
        owner.number,
        owner.address,
        registered.isoformat(),
        "2" if "货车" in kind or "牵引车" in kind else "7" if "客车" in kind else "5",
        plain(inspected),
        "否" if given else rng.choice(("否",) * 9 + ("是",)),
        "是" if seized or (not given and rng.random() < 0.005) else "否",
        state,
        stamp(rng, today),
    ]


def _kind_and_use(rng: Random, kind: str, maker: str) -> tuple[str, str]:
    if kind.endswith(("货车", "牵引车")):
        return "大型汽车", "货运"
    use = "非营运" if rng.random() < 0.95 else "预约出租客运"
    return ("小型新能源汽车" if maker == "LGX" else "小型汽车"), use


class Plates:
    """Gives each plate number once."""

    def __init__(self) -> None:
        self._taken = {member.plate for member in CAST}

    def new(self, rng: Random, kind: str) -> str:
        """A plate that nobody has."""
        while True:
            number = f"D{rng.randrange(10**5):05}" if "新能源" in kind else "".join(rng.choices(_PLATE, k=5))
            plate = PLATE_PREFIX + number
            if plate not in self._taken:
                self._taken.add(plate)
                return plate


_CAST = frozenset(member.person for member in CAST)
_CARS_OF_CAST = {member.person.resident_number: member for member in CAST if member.plate}
