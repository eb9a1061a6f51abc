"""Market regulation: an export in GB 18030 and an old one in GBK, lines with CR LF.

`business-licences.csv` → cn.business-licence. Key: 统一社会信用代码
| column | field | form |
|---|---|---|
| 统一社会信用代码 | unified_social_credit_code, holder (cn.uscc) | 18 characters |
| 名称 / 住所 / 经营范围 / 登记机关 | name / premises / business_scope / registration_authority | text |
| 主体类型 | entity_type | 个体工商户 individual_business, 有限责任公司 limited_company, \
有限责任公司(自然人独资) sole_owner_company, 个人独资企业 sole_proprietorship |
| 法定代表人 | legal_representative | text |
| 法定代表人证件号码 | legal_representative_id, holder (cn.ric) | 18 characters |
| 注册资本(万元) | registered_capital_yuan, times 10000 | 100.00; empty for individual businesses |
| 成立日期 / 核准日期 | established_on / registered_on | 2021年03月05日 / 2021/3/5 |
| 经营期限自 / 经营期限至 | validity | 2021年03月05日 / also 长期 |
| 经营异常 | abnormal_operation | 是 否 |
| 登记状态 | status | 存续 valid, 注销 cancelled, 吊销 revoked, 撤销 rescinded |
| 更新时间 | source time | 2021-03-05 14:02:11 |

`health-certificates.csv` → cn.food-handler-health. Key: 证书编号
| column | field | form |
|---|---|---|
| 证书编号 | certificate_number | 14 digits |
| 姓名 / 从业单位 / 体检机构 | name / employer / examining_institution | text |
| 性别 | sex | 男 女 |
| 身份证号 | holder (cn.ric) | 18 characters |
| 出生日期 | born_on | 20210305 |
| 从业类别 | work_category | 餐饮服务 catering, 食品生产 food_production, 食品销售 food_sales, \
集体食堂 collective_canteen |
| 体检日期 / 发证日期 | examined_on / issued_on, validity from | 2021/3/5 |
| 体检结论 | conclusion | 合格 fit, 不合格 unfit |
| 有效期至 | validity until | 2021/3/5 |
| 证书状态 | status | 有效 valid, 过期 expired, 作废 void |
| 更新时间 | source time | 2021-03-05 14:02:11 |
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from gateway.demo.data.bad_rows import Weak
from gateway.demo.data.people import CAST, CastMember, Person, credit_code, organisation_code
from gateway.demo.data.source_file import SourceFile, before, chinese, plain, slashed, stamp, years_after
from gateway.demo.data.vocabulary import BIRTHPLACES, CITY, DISTRICTS, FANCY, TRADES

BUSINESS_LICENCES = SourceFile(
    "market-regulation-1/business-licences.csv",
    "cn.business-licence",
    "gb18030",
    "\r\n",
    (
        *("统一社会信用代码", "名称", "主体类型", "法定代表人", "法定代表人证件号码", "注册资本(万元)", "成立日期"),
        *("经营期限自", "经营期限至", "住所", "经营范围", "登记机关", "核准日期", "经营异常", "登记状态", "更新时间"),
    ),
    Weak("统一社会信用代码", "法定代表人", "成立日期", "名称", "登记状态"),
)
HEALTH_CERTIFICATES = SourceFile(
    "market-regulation-1/health-certificates.csv",
    "cn.food-handler-health",
    "gbk",
    "\r\n",
    (
        *("证书编号", "姓名", "性别", "身份证号", "出生日期", "从业类别", "从业单位", "体检日期", "体检结论"),
        *("体检机构", "发证日期", "有效期至", "证书状态", "更新时间"),
    ),
    Weak("身份证号", "姓名", "体检日期", "姓名", "证书状态"),
)
_COMPANY_KINDS = ("有限责任公司", "有限责任公司(自然人独资)")
_STATES = ("存续",) * 90 + ("注销", "吊销", "撤销")
_WORK = ("餐饮服务",) * 6 + ("食品销售", "食品销售", "食品生产", "集体食堂")
_CAPITAL = ("10.00", "50.00", "100.00", "200.50", "500.00", "1000.00", "3000.00")
_CAST = frozenset(member.person for member in CAST)


@dataclass(frozen=True, slots=True)
class Business:
    """A registered business and who stands for it."""

    code: str
    name: str
    scope: str
    company: bool
    person: Person
    premises: str


def business(rng: Random, person: Person, taken: set[str], premises: str) -> Business:
    """A new business of `person`, with a code that is not `taken` yet."""
    ending, scope = rng.choice(TRADES)
    company = ending.endswith("公司")
    code = ""
    while not code or code in taken:
        code = credit_code("91" if company else "92", rng.choice(BIRTHPLACES), organisation_code(rng))
    taken.add(code)
    name = f"{CITY}{DISTRICTS[person.district][1]}{''.join(rng.choices(FANCY, k=rng.choice((2, 3))))}{ending}"
    return Business(code, name, scope, company, person, premises)


def business_of(member: CastMember) -> Business:
    """The eating house of a cast member."""
    person = member.person
    name = f"{CITY}{DISTRICTS[person.district][1]}{person.name}家常菜馆"
    return Business(member.credit_code, name, "餐饮服务;食品销售", False, person, f"{person.address}一层")


def business_licence(rng: Random, subject: Business, today: date) -> list[str]:
    """One row of `BUSINESS_LICENCES`."""
    known = subject.person in _CAST
    established = before(rng, today, 14)
    kind = (
        rng.choice(_COMPANY_KINDS)
        if subject.company
        else "个体工商户"
        if known or rng.random() < 0.95
        else "个人独资企业"
    )
    return [
        subject.code,
        subject.name,
        kind,
        subject.person.name,
        subject.person.resident_number,
        rng.choice(_CAPITAL) if subject.company else "",
        chinese(established),
        chinese(established),
        chinese(years_after(established, 30)) if subject.company and rng.random() < 0.4 else "长期",
        subject.premises,
        subject.scope,
        f"{CITY}{DISTRICTS[subject.person.district][1]}市场监督管理局",
        slashed(established if rng.random() < 0.6 else before(rng, today, max(0.01, (today - established).days / 365))),
        "否" if known or rng.random() > 0.03 else "是",
        "存续" if known else rng.choice(_STATES),
        stamp(rng, today),
    ]


def health_certificate(rng: Random, index: int, person: Person, employer: str, today: date) -> list[str]:
    """One row of `HEALTH_CERTIFICATES`; `index` makes the certificate number."""
    lapsed = person == CAST.lapsed_cook.person
    known = person in _CAST
    issued = years_after(before(rng, today, 0.6), -2 if lapsed else 0)
    if not known and rng.random() < 0.06:
        issued = years_after(issued, -1)
    until = years_after(issued, 1) - timedelta(days=1)
    fit = known or rng.random() > 0.01
    state = "过期" if until < today else "有效" if fit else "作废"
    return [
        f"439901{issued:%y}{index:06}",
        person.name,
        person.sex,
        person.resident_number,
        plain(person.born),
        "餐饮服务" if known else rng.choice(_WORK),
        employer,
        slashed(issued - timedelta(days=rng.randrange(1, 9))),
        "合格" if fit else "不合格",
        f"{CITY}{DISTRICTS[person.district][1]}疾病预防控制中心",
        slashed(issued),
        slashed(until),
        state,
        stamp(rng, today),
    ]
