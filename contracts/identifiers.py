"""Identifiers of people, organisations and things: one normal form, and a check by format. Pure.

1. Both sides of a lookup compare normal forms: half width, upper case, no white space; a plate has no separator, a
   15-digit resident number becomes its 18 digits. `normalise` never fails; what it cannot mend, `check` refuses.
2. `check` accepts the normal form only, so that valid data needs no second look.
3. `FORMATS` is the table of all formats; `HOLDER_SCHEMES` those of them that can name a holder.
4. Form, date and check digit are asserted. Registers that grow are not: no region code is refused, and numbers of
   residence permits (81, 82, 83: Hong Kong, Macao, Taiwan) and of foreigners (9…) are resident numbers.
5. What real feeds get wrong although the certificate is good is no reason to refuse it: `warnings` says it, and the
   department hears of it.
6. Names have rules of their own (`contracts.names`).

Own code because every document passes here several times: python-stdnum is right but ten times slower; the tests hold
both against each other (ISO 7064 MOD 37,36 too).
"""

import re
from collections.abc import Callable, Mapping
from operator import mul

from contracts import names
from contracts.text import Text

_WIDE = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: " "}
_SEPARATORS = re.compile(r"[\s·•‧・.\-]")  # between the letter and the number of a plate
_SPACE = re.compile(r"\s")

_RIC = re.compile(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9X]")
_OLD_RIC = re.compile(r"[1-9][0-9]{5}[0-9]{9}")
_RIC_CHECK = "0123456789X"
_DAYS = frozenset(
    f"{month:02}{day:02}"
    for month, days in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1)
    for day in range(1, days + 1)
)

_USCC = re.compile(r"[1-9ANY][0-9A-HJ-NPQRTUWXY][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = tuple(pow(3, position, 31) for position in range(17))
_MOD_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_USCC_VALUES = bytes(_USCC_ALPHABET.find(chr(code)) % 256 for code in range(256))

# Control and format characters and lone surrogates: invisible, so that two names could look alike and differ.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"

_PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"


def normalise(scheme: str, identifier: str) -> str:
    """The normal form of `identifier` under `scheme` (a format; "" and unknown ones get the general rules)."""
    if scheme == NAME:
        return names.normalise(identifier)
    if not (identifier.isascii() and identifier.isalnum()):
        identifier = _SPACE.sub("", identifier.translate(_WIDE))
    identifier = identifier.upper()
    return _OWN_RULES[scheme](identifier) if scheme in _OWN_RULES else identifier


def check(format_name: str, value: str) -> bool:
    """Whether `value` is a normal form of this format; `KeyError` for an unknown format."""
    return FORMATS[format_name](value)


def warnings(format_name: str, value: str) -> tuple[str, ...]:
    """What is doubtful in a value that `check` accepts (rule 5): codes of `WARNINGS`, mostly none."""
    doubts = _DOUBTS.get(format_name)
    return () if doubts is None else doubts(value)


def resident_number(value: str) -> bool:
    """GB 11643-1999: region, date of birth, sequence, ISO 7064 MOD 11-2 check character."""
    if _RIC.fullmatch(value) is None or value[10:14] not in _DAYS:
        return False
    if value[10:14] == "0229" and not _leap(int(value[6:10])):
        return False
    return resident_check_digit(value[:17]) == value[17]


def resident_check_digit(first17: str) -> str:
    """The check character of the first 17 digits (ISO 7064 MOD 11-2)."""
    return _RIC_CHECK[(1 - 2 * int(first17, 13)) % 11]  # 13 is 2 modulo 11: base 13 weighs each digit by its power of 2


def credit_code(value: str) -> bool:
    """GB 32100-2015: the unified social credit code with its check character."""
    return _USCC.fullmatch(value) is not None and credit_check_character(value[:17]) == value[17]


def credit_check_character(first17: str) -> str:
    """The check character of the first 17 characters."""
    values = first17.encode().translate(_USCC_VALUES)
    return _USCC_ALPHABET[-sum(map(mul, _USCC_WEIGHTS, values)) % 31]


def licence_check_character(identifier: str) -> str:
    """The check character of a licence identifier (GB/T 36904): ISO 7064 MOD 37,36 over type, issuer, serial number and
    version, without root and dots."""
    rest = 36
    for character in "".join(identifier.split(".")[5:9]):
        rest = (rest + _MOD_36.index(character)) % 36 or 36
        rest = rest * 2 % 37
    return _MOD_36[(1 - rest) % 36]


def _licence_doubts(value: str) -> tuple[str, ...]:
    return () if licence_check_character(value) == value[-1] else ("check_character",)


def plate_with_kind(value: str) -> bool:
    """Kind of plate (GA/T 16.7) and plate, `02-京A12345`: the same number exists on plates of several kinds."""
    kind, _, plate = value.partition("-")
    return kind in PLATE_KINDS and FORMATS["cn.plate"](plate)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _pattern(pattern: str) -> Callable[[str], bool]:
    fullmatch = re.compile(pattern).fullmatch
    return lambda value: fullmatch(value) is not None


def _resident_from_15(identifier: str) -> str:
    if _OLD_RIC.fullmatch(identifier) is None:
        return identifier
    first17 = identifier[:6] + "19" + identifier[6:]
    return first17 + resident_check_digit(first17)


def _plate_with_kind(identifier: str) -> str:
    plain = _SEPARATORS.sub("", identifier)
    return f"{plain[:2]}-{plain[2:]}" if plain[:2].isdecimal() else plain


NAME = "cn.name"
# GA/T 16.7: large and small cars, embassies, consulates, … , new energy (51, 52), others.
PLATE_KINDS = frozenset(f"{kind:02}" for kind in (*range(1, 28), 31, 32, 41, 42, 43, 51, 52, 99))
FORMATS: Mapping[str, Callable[[str], bool]] = {
    "cn.ric": resident_number,
    "cn.uscc": credit_code,
    # Mainland plates of GA 36-2018: five characters, six for new energy, or four or five and a suffix (领: consulates).
    # No I and no O. Embassies: 使, three digits for the country, three for the car.
    "cn.plate": _pattern(
        f"[{_PROVINCES}][A-HJ-NP-Z](?:[0-9A-HJ-NP-Z]{{5,6}}|[0-9A-HJ-NP-Z]{{4,5}}[学警港澳挂领试超])|使[0-9]{{6}}"
    ),
    "cn.plate-kind": PLATE_KINDS.__contains__,
    "cn.plate-with-kind": plate_with_kind,
    "cn.licence-id": _pattern(  # GB/T 36904: root, type, issuer, serial number, version, check character
        r"1\.2\.156\.3005\.2\.[0-9A-Z]{21}\.[0-9A-Z]{6,18}\.[0-9A-Z]{1,64}\.[0-9]{3}\.[0-9A-Z]"
    ),
    "cn.hk-mo-permit": _pattern(r"[HM](?:[0-9]{8}|[0-9]{10})"),  # 港澳居民来往内地通行证
    "cn.tw-permit": _pattern(r"[0-9]{8}(?:[0-9]{2})?"),  # 台湾居民来往大陆通行证
    # Passports: ordinary E, G; diplomatic D, DE; service and public affairs S, SE, P, PE (older ones: seven digits);
    # and permits.
    "cn.travel-document": _pattern(r"(?:[EGCLTW][0-9]{8}|[DPS][0-9]{7,8}|[ECL][A-HJ-NP-Z][0-9]{7}|[DPS]E[0-9]{7})"),
    "cn.real-estate-unit": _pattern(r"[0-9]{12}[A-Z]{2}[0-9]{5}[FLQW][0-9]{8}"),  # GB/T 37346-2019
    "cn.region": _pattern(r"[1-9][0-9]{5}(?:[0-9]{6})?"),  # GB/T 2260, GB/T 10114
    NAME: _pattern(rf"[^\s{_UNSEEN}](?:[^{_UNSEEN}]*[^\s{_UNSEEN}])?"),
    "passport": _pattern(r"[A-Z0-9]{5,15}"),
    "vin": _pattern(r"[0-9A-HJ-NPR-Z]{17}"),  # ISO 3779; its check digit is not used in China
}
HOLDER_SCHEMES = ("cn.ric", "cn.uscc", "cn.travel-document", "cn.hk-mo-permit", "cn.tw-permit", "passport")
WARNINGS: Mapping[str, Text] = {
    "check_character": Text("校验位不符", "its check character does not fit"),
    names.PRIVATE_USE: Text("含自造字(专用区字符)", "it has a character of private use"),
    names.REPLACED: Text("含替代符号, 疑有字未录入", "it has a replacement mark: a character may be missing"),
    names.VARIATION: Text("含异体选择符", "it has a variation selector"),
    names.RARE: Text("含生僻字, 部分系统可能无法显示", "it has a rare character that some systems cannot show"),
}
_DOUBTS: Mapping[str, Callable[[str], tuple[str, ...]]] = {"cn.licence-id": _licence_doubts, NAME: names.flags}
DOUBTFUL = frozenset(_DOUBTS)

_OWN_RULES: Mapping[str, Callable[[str], str]] = {
    "cn.ric": _resident_from_15,
    "cn.plate": lambda identifier: _SEPARATORS.sub("", identifier),
    "cn.plate-with-kind": _plate_with_kind,
}
