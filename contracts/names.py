"""Names of people and organisations as registers write them: one normal form, flags, and a careful comparison. Pure.

1. `normalise` changes only how a name is written, never which characters it has: compatibility forms (full and half
   width, Kangxi radicals) become the ordinary ones (NFKC), every dot that registers use between the parts of a
   minority's name becomes U+00B7, white space goes where a Chinese character or a dot stands beside it and is single
   elsewhere, Latin letters are upper case, variation selectors go.
2. `flags` names what a reader should know: characters of private use, which mean something else on every system;
   replacement marks; characters outside GBK, which systems still lose or rewrite. Nothing is ever dropped for that.
3. `compare` says match only for equal normal forms without doubtful characters, and mismatch only where the difference
   cannot come from what systems do to names. Everything between is `not_sure`, for a person to look at: a doubtful or
   rare character against any other, a dot or an ending lost, Latin parts in another order.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

MATCH, MISMATCH, NOT_SURE = "match", "mismatch", "not_sure"
PRIVATE_USE, REPLACED, RARE, VARIATION = "private_use", "replaced", "rare", "variation_selector"
MIN_CUT: Final = 8  # characters: registers cut long names, none cuts at fewer

_DOT = "\u00b7"
# What fonts and keyboards offer for U+00B7; NFKC has made U+FF65 a U+30FB and U+2024 a full stop before.
_DOTS = re.compile(r"\s*[\u00b7\u0387\u0701\u16eb\u2022\u2027\u2219\u22c5\u25cf\u2e31\u2e33\u30fb\ua78f]\s*")
_STOP_INSIDE = re.compile(r"(?<=[^\W\d_a-zA-Z])\s*[.．。]\s*(?=[^\W\d_a-zA-Z])")  # a full stop between other letters
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_REPLACEMENT = re.compile("[\ufffd\u3013\u25a1\u25a0?*＊？]")
_HAN = r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
_LOOSE_SPACE = re.compile(rf"(?<={_HAN})\s+|\s+(?={_HAN})")
_SPACES = re.compile(r"\s+")


def normalise(name: str) -> str:
    """The normal form (rule 1). Never fails; normalising twice changes nothing."""
    name = _SELECTORS.sub("", unicodedata.normalize("NFKC", name))
    name = _STOP_INSIDE.sub(_DOT, _DOTS.sub(_DOT, name))
    return _SPACES.sub(" ", _LOOSE_SPACE.sub("", name)).strip().upper()


def flags(name: str) -> tuple[str, ...]:
    """What is doubtful in a name (rule 2), in the order of the table below; empty for nearly all."""
    return tuple(flag for flag, found in _FLAGS if found(name))


def _rare(character: str) -> bool:
    return character > "\u2e7f" and not _encodable(character)


def _encodable(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


_FLAGS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (PRIVATE_USE, lambda name: _PRIVATE.search(name) is not None),
    (REPLACED, lambda name: _REPLACEMENT.search(name) is not None),
    (VARIATION, lambda name: _SELECTORS.search(name) is not None),
    (RARE, lambda name: any(_rare(one) and not _PRIVATE.match(one) for one in _DOTS.sub(_DOT, name))),
)


def compare(one: str, other: str) -> str:
    """MATCH, MISMATCH or NOT_SURE (rule 3)."""
    left, right = normalise(one), normalise(other)
    if not left or not right:
        return NOT_SURE
    if left == right:
        return NOT_SURE if any(map(_doubtful, left)) else MATCH
    return NOT_SURE if any(test(left, right) for test in _EXCUSES) else MISMATCH


def _doubtful(character: str) -> bool:
    """Whether nobody can say which character is meant."""
    return _PRIVATE.match(character) is not None or _REPLACEMENT.match(character) is not None


def _doubtful_or_rare(character: str) -> bool:
    return _doubtful(character) or _rare(character)


def _same_but_for_doubtful(left: str, right: str) -> bool:
    return len(left) == len(right) and all(
        a == b or _doubtful_or_rare(a) or _doubtful_or_rare(b) for a, b in zip(left, right, strict=True)
    )


def _rare_written_in_parts(left: str, right: str) -> bool:
    """One rare character written as two or more ordinary ones (䶮 as 龙天): all else is equal."""
    shorter, longer = sorted((left, right), key=len)
    for at, character in enumerate(shorter):
        rest = len(shorter) - at - 1
        if _doubtful_or_rare(character) and longer.startswith(shorter[:at]) and longer.endswith(shorter[at + 1 :]):
            return at + rest < len(longer)
    return False


def _dots_lost(left: str, right: str) -> bool:
    return _bare(left) == _bare(right)


def _bare(name: str) -> str:
    return name.replace(_DOT, "").replace(" ", "")


def _cut(left: str, right: str) -> bool:
    shorter, longer = sorted((_bare(left), _bare(right)), key=len)
    return len(shorter) >= MIN_CUT and longer.startswith(shorter)


def _other_order(left: str, right: str) -> bool:
    return left.isascii() and sorted(_parts(left)) == sorted(_parts(right))


def _parts(name: str) -> list[str]:
    return name.replace(",", " ").split()


_EXCUSES = (_same_but_for_doubtful, _rare_written_in_parts, _dots_lost, _cut, _other_order)
