"""The tables of fields of a type: the own ones, and the members that all types have. Pure.

A mask is shown at work: on the value of the first valid example that has the field.
"""

from collections.abc import Iterator

from contracts.evidence_fields import Field
from contracts.evidence_types import EvidenceType
from contracts.life_cycle import REQUIRED, VISIBLE
from contracts.pages import values, words
from contracts.pages.markup import Html, code, join, table, tag
from contracts.pages.shelf import Entry
from contracts.text import Text

_FIELD = Text("字段", "Field")
_VALUE = Text("取值", "Value")
_SENSITIVITY = Text("敏感程度", "Sensitivity")
_RULES = Text("规则", "Rules")
_OWN = Text("该证照的字段", "Fields of this evidence type")
_COMMON = Text("各类证照的公共成员", "Members common to all evidence types")
_REQUIRED = Text("必填", "Required")
_OPTIONAL = Text("选填", "Optional")
_ALWAYS = Text("始终可见", "Always visible")
_KEY = Text("查询键", "Key for look-up")
_MASK = Text("脱敏显示, 保留{kept}", "Masked, but for the {kept} characters")
_FIRST = Text("前 {n} 位", "first {n}")
_LAST = Text("后 {n} 位", "last {n}")
_WHOLE = Text("全部脱敏显示", "Masked whole")
_AND = Text("、", " and the ")
_EXAMPLE = Text("例如", "for example")


def own_table(entry: Entry, language: str) -> Html:
    """The type's own fields, in the author's order."""
    heads = [head.pick(language) for head in (_FIELD, _VALUE, _SENSITIVITY, _RULES)]
    rows = (_own(entry, name, field, heads, language) for name, field in entry.type.fields.items())
    return table(heads, rows, _OWN.pick(language))


def _own(entry: Entry, name: str, field: Field, heads: list[str], language: str) -> Html:
    one = entry.type
    sensitivity = tag(
        "span", words.SENSITIVITIES[field.sensitivity].pick(language), class_=f"sensitivity {field.sensitivity}"
    )
    cells = (
        values.value(one.schema["properties"][name], one.schema.get("$defs", {}), field.codes, language),
        sensitivity,
        join((_badges(one, name, language), _mask(entry, name, field, language))),
    )
    return _row(name, one.label(name), heads, cells, language)


def common_table(one: EvidenceType, language: str) -> Html:
    """The members that the model defines, as this type's schema has them."""
    heads = [head.pick(language) for head in (_FIELD, _VALUE, _RULES)]
    rows = (
        _row(
            name,
            one.label(name),
            heads,
            (values.value(own, {}, {}, language), _badges(one, name, language)),
            language,
        )
        for name, own in one.schema["properties"].items()
        if name not in one.fields
    )
    return table(heads, rows, _COMMON.pick(language))


def _row(name: str, label: Text, heads: list[str], cells: tuple[Html, ...], language: str) -> Html:
    head = tag("th", label.pick(language), " ", code(name), scope="row", id=f"field-{name}")
    return tag("tr", head, join(tag("td", cell, data_head=title) for title, cell in zip(heads[1:], cells, strict=True)))


def _badges(one: EvidenceType, name: str, language: str) -> Html:
    return tag("ul", join(tag("li", text.pick(language)) for text in _rules(one, name)), class_="badges")


def _rules(one: EvidenceType, name: str) -> Iterator[Text]:
    yield _REQUIRED if name in (*REQUIRED, *one.schema.get("required", ())) else _OPTIONAL
    if name in (*VISIBLE, *one.always):
        yield _ALWAYS
    if name in one.key_fields:
        yield _KEY


def _mask(entry: Entry, name: str, field: Field, language: str) -> Html:
    mask = field.mask
    if mask is None:
        return Html()
    ends = [text.fill(n=n).pick(language) for text, n in ((_FIRST, mask.first), (_LAST, mask.last)) if n]
    said = (_MASK.fill(kept=_AND.pick(language).join(ends)) if ends else _WHOLE).pick(language)
    shown = next((document[name] for document in entry.examples.get("valid", ()) if name in document), None)
    if not isinstance(shown, str):
        return tag("p", said)
    return tag("p", said, " · ", _EXAMPLE.pick(language), " ", code(mask(shown)))
