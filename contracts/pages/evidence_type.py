"""The page of one version of an evidence type. Pure.

It says everything that the contract says, in words: what it is, who may have it, from when to when; each field; which
items need it; examples; the schema.
"""

from collections.abc import Iterator

from contracts.evidence_types import SHARING, EvidenceType
from contracts.life_cycle import VALIDITY_RULES
from contracts.pages import words
from contracts.pages.examples import examples
from contracts.pages.fields import common_table, own_table
from contracts.pages.frame import both, page, phase, phase_words
from contracts.pages.json_block import folded
from contracts.pages.markup import Html, code, join, link, tag, terms
from contracts.pages.shelf import Entry, Shelf, index_path, item_path, label, type_path
from contracts.pages.words import COMMA, STOP
from contracts.text import Text

_ID = Text("标识", "Id")
_VERSION = Text("版本", "Version")
_OTHERS = Text("其他版本", "Other versions")
_DEPARTMENT = Text("提供部门", "Department")
_SHARING = Text("共享属性", "Sharing")
_BASIS = Text("共享条件或依据", "Condition or law")
_SCHEMES = Text("持证主体标识", "Holders are named by")
_KEYS = Text("可查询的字段", "Can be looked up by")
_VALIDITY = Text("有效期", "Validity")
_DAYS = Text(
    "{rule}; 日期为{zone}的法定日, 含首日与末日",
    "{rule}; days are legal days of {zone}, the first and the last included",
)
_HOME = Text("北京时间(UTC+08:00)", "Beijing time (UTC+08:00)")
_CHAIN = Text("换发、补发", "Renewal")
_HAS_CHAIN = Text("新证注明它替代的记录", "A new one names the records that it replaces")
_FRESHNESS = Text("数据时效承诺", "Freshness promised")
_HOURS = Text("{hours} 小时以内", "At most {hours} hours old")
_RETENTION = Text("保存期限", "Retention")
_YEARS = Text("失效后 {years} 年内可供调取", "Supplied until {years} years after its validity ended")
_NO_LIMIT = Text("不设期限", "No limit")
_IN_FORCE = Text("施行日期", "In force from")
_DEPRECATED = Text("停止推荐日期", "Deprecated from")
_SUNSET = Text("停用日期", "Ends on")
_COMPATIBILITY = Text("兼容方式", "Compatibility")
_FIELDS = Text("字段", "Fields")
_COMMON = Text("公共成员", "Common members")
_COMMON_ABOUT = Text(
    "每一种证照都有这些成员, 由系统统一定义。", "Every evidence type has these; the model defines them."
)
_USES = Text("需要该证照的事项", "Service items that need it")
_NO_USES = Text("目录中没有事项需要它。", "No service item of this catalogue needs it.")
_SEES = Text("可见字段:{fields}", "They see: {fields}")
_REPLACES = Text("替代纸质材料:{paper}", "Replaces: {paper}")
_SCHEMA = Text("JSON Schema(整份数据)", "JSON Schema of the whole document")
_SHOW = Text("展开", "Show")


def type_page(shelf: Shelf, entry: Entry, language: str) -> tuple[str, bytes]:
    """The page's path and bytes."""
    one = entry.type
    here = type_path(language, one)
    body = (
        tag("p", link(here, index_path(language) + "#types", words.TYPES.pick(language)), class_="trail"),
        tag("h1", both(one.names, language)),
        tag("p", code(one.id), f" · {_VERSION.pick(language)} {one.version} ", phase(one), class_="lead"),
        phase_words(language),
        terms(_facts(shelf, one, here, language)),
        _section("fields", _FIELDS.pick(language), own_table(entry, language)),
        _section("items", _USES.pick(language), _uses(shelf, one, here, language)),
        examples(entry, language),
        _section(
            "common",
            _COMMON.pick(language),
            tag("p", _COMMON_ABOUT.pick(language)),
            common_table(one, language),
        ),
        _section("schema", _SCHEMA.pick(language), folded(_SHOW.pick(language), dict(one.schema))),
    )
    return here, page(here, language, f"{one.names.pick(language)} · {words.SITE.pick(language)}", *body)


def _section(name: str, title: str, *content: str) -> Html:
    return tag("section", tag("h2", title, id=name), *content)


def _facts(shelf: Shelf, one: EvidenceType, here: str, language: str) -> Iterator[tuple[str, str]]:
    for term, what in (*_identity(shelf, one, here, language), *_sharing(one, language), *_life(one)):
        yield term.pick(language), what.pick(language) if isinstance(what, Text) else what


def _identity(shelf: Shelf, one: EvidenceType, here: str, language: str) -> Iterator[tuple[Text, str | Text]]:
    others = (
        link(here, type_path(language, version), f"{_VERSION.pick(language)} {version.version}")
        for version in shelf.versions(one.id)
        if version.version != one.version
    )
    yield Text("vct", "vct"), code(one.vct)
    yield _OTHERS, join(others, " ")
    yield _DEPARTMENT, one.department
    keys = (join((one.label(name).pick(language), code(name)), " ") for name in one.key_fields)
    schemes = (join((words.FORMATS[name].pick(language), code(name)), " ") for name in one.holder_schemes)
    yield _SCHEMES, join(schemes, STOP.pick(language))
    yield _KEYS, join(keys, STOP.pick(language))


def _sharing(one: EvidenceType, language: str) -> Iterator[tuple[Text, str | Text]]:
    yield _SHARING, tag("span", SHARING[one.sharing].pick(language), class_=f"sharing {one.sharing}")
    yield _BASIS, one.sharing_basis or ""


def _life(one: EvidenceType) -> Iterator[tuple[Text, str | Text]]:
    zone = _HOME if one.utc_offset == "+08:00" else Text(*(f"UTC{one.utc_offset}",) * 2)
    yield _VALIDITY, _DAYS.fill(rule=VALIDITY_RULES[one.validity_rule], zone=zone)
    yield _CHAIN, _HAS_CHAIN if one.supersession else ""
    yield _FRESHNESS, _HOURS.fill(hours=one.freshness_hours)
    yield _RETENTION, _YEARS.fill(years=one.retention_years) if one.retention_years else _NO_LIMIT
    yield _IN_FORCE, one.in_force
    yield _DEPRECATED, one.deprecated_on
    yield _SUNSET, one.sunset_on
    mode = words.COMPATIBILITIES[one.compatibility]
    yield _COMPATIBILITY, Text(f"{one.compatibility}:{mode.zh}", f"{one.compatibility}: {mode.en}")


def _uses(shelf: Shelf, one: EvidenceType, here: str, language: str) -> Html:
    rows = [
        tag(
            "li",
            link(here, f"{item_path(language, item)}#proof-{proof.id}", item.names.pick(language)),
            tag("p", _REPLACES.fill(paper=proof.replaces_paper).pick(language)),
            tag(
                "p",
                _SEES.pick(language).format(
                    fields=COMMA.pick(language).join(label(one, name).pick(language) for name in proof.fields)
                ),
            ),
        )
        for item, proof in shelf.uses(one)
    ]
    return tag("ul", join(rows), class_="uses") if rows else tag("p", _NO_USES.pick(language))
