"""Whom a question or a list names: a holder by scheme and number, or the value of a key field. Pure.

1. `HOLDER_SCHEMES` are all the schemes there are. The gateway grants nothing for a number that is no number of its
   scheme, but it records the question that it refused: so such a number may be searched for, and the program says what
   it is. In a list, and in what a citizen is told, it is a mistake: comparing with it would accuse, or calm, wrongly.
2. Every other name is taken for that of a key field (a licence number, say); the index knows no fields, so this is
   said. A name with a dot, or in capitals, is none.
3. Numbers are compared and checked in their normal form. No message has a number in it.
"""

import re
from collections.abc import Iterable

from contracts.errors import UserError
from contracts.identifiers import HOLDER_SCHEMES, check, normalise
from contracts.text import Text

SHOWN = 4  # of a number, its end

_FIELD = re.compile(r"[a-z][a-z0-9_-]*")

_BAD_HOLDER = Text("持证主体的写法不对", "Not a holder")
_HOLDER_FORM = Text("写作 holder=类型:号码,例如 cn.uscc:…。", "Write holder=SCHEME:ID, such as cn.uscc:….")
_NO_SCHEME = Text("不是持证主体类型", "Not a holder scheme")
_SCHEMES = Text(
    f"可选:{'、'.join(HOLDER_SCHEMES)};按证照号等查询时写该字段名。",
    f"One of {', '.join(HOLDER_SCHEMES)}; for questions by key field, such as a licence number, that field's name.",
)
_BAD_NUMBER = Text(
    "号码不合 {scheme} 的格式或校验", "Not a number of the scheme {scheme}: its form or check digit is wrong"
)
_LOOK = Text("请核对号码。", "Look at the number again.")
_NEVER = Text(
    "注意:号码不合 {scheme} 的格式或校验。网关从不以此号码提供数据,只可能查到被拒绝的请求;请核对号码",
    "Note: this is not a number of the scheme {scheme}: its form or check digit is wrong. The gateway gives out "
    "nothing for it; only questions that it refused can be found. Look at the number again",
)
_TAKEN_AS_FIELD = Text(
    "注意:{names} 不是持证主体类型,按字段名查找;持证主体类型有:{schemes}",
    "Note: {names}: no holder scheme, taken for the name of a key field; holder schemes are {schemes}",
)


def holder_of(text: str) -> tuple[str, str]:
    """Scheme (or key field) and number of `SCHEME:ID`; raises `UserError`."""
    scheme, _, identifier = text.partition(":")
    if not identifier.strip() or not scheme:
        raise UserError(_BAD_HOLDER, "", _HOLDER_FORM)
    if scheme not in HOLDER_SCHEMES and _FIELD.fullmatch(scheme) is None:
        # The other way round (ID:SCHEME) finds nobody either; the number is not repeated.
        raise UserError(_NO_SCHEME, "", _SCHEMES)
    return scheme, identifier


def doubts(scheme: str, identifier: str) -> list[Text]:
    """What an auditor should hear who searches for this (rules 1 and 2)."""
    if scheme not in HOLDER_SCHEMES:
        return fields_named([scheme])
    return [] if _is_number(scheme, identifier) else [_NEVER.fill(scheme=scheme)]


def fields_named(schemes: Iterable[str]) -> list[Text]:
    """Rule 2, for the schemes of a list."""
    names = sorted(set(schemes) - {*HOLDER_SCHEMES, ""})
    if not names:
        return []
    return [_TAKEN_AS_FIELD.fill(names=", ".join(names), schemes=", ".join(HOLDER_SCHEMES))]


def require_sound(scheme: str, identifier: str) -> None:
    """Refuse what names nobody; raises `UserError` (rule 1). A key field passes."""
    holder_of(f"{scheme}:{identifier}")
    if scheme in HOLDER_SCHEMES and not _is_number(scheme, identifier):
        raise UserError(_BAD_NUMBER.fill(scheme=scheme), "", _LOOK)


def require_holder(scheme: str, identifier: str) -> None:
    """As `require_sound`, where a key field names nobody either; raises `UserError`."""
    if scheme not in HOLDER_SCHEMES:
        raise UserError(_NO_SCHEME, "", _SCHEMES)
    require_sound(scheme, identifier)


def ending(scheme: str, identifier: str) -> str:
    """The last characters of a number, in its normal form."""
    return normalise(scheme, identifier)[-SHOWN:]


def _is_number(scheme: str, identifier: str) -> bool:
    return check(scheme, normalise(scheme, identifier))
