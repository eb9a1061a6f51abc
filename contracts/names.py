"""Names of people and organisations as registers write them: one normal form, flags, and a careful comparison. Pure.

1. `normalise` changes only how a name is written, never which characters it has: compatibility forms (full and half
   width, Kangxi radicals) become the ordinary ones (NFKC), every dot that registers use between the parts of a
   minority's name becomes U+00B7, white space goes where a Chinese character or a dot stands beside it and is single
   elsewhere, Latin letters are upper case, variation selectors go.
2. `flags` names what a reader should know: characters of private use, which mean something else on every system;
   replacement marks; characters outside GBK, which systems still lose or rewrite. Nothing is ever dropped for that.
3. `compare` says match only for equal normal forms without doubtful characters, and mismatch only where the difference
   cannot come from what systems do to names. Everything between is `not_sure`, for a person to look at: an ending
   lost, parts in another order, or names that are equal but for
   a. separators: dots, spaces, hyphens, slashes;
   b. how Latin letters with marks are written: MÜLLER, MUELLER, MULLER; LÜ, LYU, LV;
   c. a doubtful or rare character, which stands for any others or was dropped;
   d. a character that GB 2312 cannot encode: systems dropped it, wrote it in two parts (镕 as 金容), or took another
      for it. Nearly all traditional characters with a simplified form are such: no table of variants is needed.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

MATCH, MISMATCH, NOT_SURE = "match", "mismatch", "not_sure"
PRIVATE_USE, REPLACED, RARE, VARIATION = "private_use", "replaced", "rare", "variation_selector"
MIN_CUT: Final = 8  # characters: registers cut long names, none cuts at fewer

_DOT = "\u00b7"
# What fonts and keyboards offer for U+00B7; NFKC has made U+FF65 a U+30FB, U+318D a U+119E, U+2024 a full stop before.
_DOTS = re.compile(
    r"\s*[\u00b7\u0387\u0701\u119e\u16eb\u2022\u2027\u2218\u2219\u22c5\u25cf\u25e6\u2e31\u2e33\u30fb\ua78f]\s*"
)
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_REPLACEMENT = re.compile("[\ufffd\u3013\u25a1\u25a0?*＊？]")
_HAN = r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
_LETTER, _OTHER_LETTER = r"[^\W\d_]", r"[^\W\d_a-zA-Z]"
_STOP_INSIDE = re.compile(  # a full stop between letters that are not ASCII, or a Chinese character and any letter
    rf"(?<={_OTHER_LETTER})\s*[.。]\s*(?={_OTHER_LETTER})"
    rf"|(?<={_HAN})\s*[.。]\s*(?={_LETTER})|(?<={_LETTER})\s*[.。]\s*(?={_HAN})"
)
_LOOSE_SPACE = re.compile(rf"(?<={_HAN})\s+|\s+(?={_HAN})")
_SPACES = re.compile(r"\s+")
_CIRCLES = frozenset("\u25cb\u25ef")  # written for \u3007 and for a character that is hidden or not known

_SEPARATORS = re.compile(r"[\s\u00b7.。,、\u4e36'\u2018\u2019/\\_\-\u2010-\u2015\u2212]")
_MARKS = re.compile("[\u0300-\u036f]")
_PLAIN_LETTERS = str.maketrans({"Æ": "A", "Œ": "O", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ẞ": "SS"})
_TWO_VOWELS = re.compile(r"([AOU])E|A(A)")  # how systems write Ä, Ö, Ü and Å without their marks
_PINYIN_U = re.compile(r"\b([LN])(?:YU|V)(?=E|\b)")  # Ü on passports, and as input methods have it
_LONGEST: Final = 200  # characters: a longer name with a doubtful one is left to a person, for the work is quadratic


def normalise(name: str) -> str:
    """The normal form (rule 1). Never fails; normalising twice changes nothing."""
    name = _nfkc(_nfkc(_SELECTORS.sub("", name)).upper())  # again: capitals of some Greek letters come in parts
    name = _STOP_INSIDE.sub(_DOT, _DOTS.sub(_DOT, name))
    return _SPACES.sub(" ", _LOOSE_SPACE.sub("", name)).strip()


def _nfkc(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def flags(name: str) -> tuple[str, ...]:
    """What is doubtful in a name (rule 2), in the order of the table below; empty for nearly all."""
    return tuple(flag for flag, found in _FLAGS if found(name))


def _rare(character: str) -> bool:
    return _lacks("gbk", character)


def _lacks(encoding: str, character: str) -> bool:
    return character > "\u2e7f" and not _encodable(encoding, character)


def _encodable(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
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
    return character in _CIRCLES or _PRIVATE.match(character) is not None or _REPLACEMENT.match(character) is not None


def _same_but_for_doubtful(left: str, right: str) -> bool:
    """Whether the two can be read as one name (rules 3a to 3d)."""
    left, right = _bare(left), _bare(right)
    if left == right:
        return True
    if not any(_reach(character) for character in left + right):
        return False
    return max(len(left), len(right)) > _LONGEST or _aligned(left, right)


def _aligned(left: str, right: str) -> bool:
    """Whether some walk through both reaches both ends: by equal characters, or by one in doubt and what it covers."""
    doubts = tuple(map(_reach, left)), tuple(map(_reach, right))
    seen, todo = {(0, 0)}, [(0, 0)]
    while todo:
        at, to = todo.pop()
        steps = {(at + 1, to + 1)} if left[at : at + 1] == right[to : to + 1] else set()
        if at < len(left):
            steps |= {(at + 1, to + covered) for covered in range(doubts[0][at])}
        if to < len(right):
            steps |= {(at + covered, to + 1) for covered in range(doubts[1][to])}
        new = {(i, j) for i, j in steps if i <= len(left) and j <= len(right)} - seen
        seen |= new
        todo.extend(new)
    return (len(left), len(right)) in seen


def _reach(character: str) -> int:
    """How many characters this one may stand for, and one: 0 for an ordinary one, which stands for itself only."""
    if _doubtful(character) or _rare(character):
        return _COVERS_RARE
    return _COVERS_VARIANT if _lacks("gb2312", character) else 0


_COVERS_RARE: Final = 9  # none to eight: systems spell such characters out, (上龙下天) and the like
_COVERS_VARIANT: Final = 3  # none, another, or its two parts


def _bare(name: str) -> str:
    return _SEPARATORS.sub("", _without_marks(name))


def _without_marks(name: str) -> str:
    """Latin letters as systems without marks write them, all ways as one (rule 3b)."""
    plain = unicodedata.normalize("NFD", name).translate(_PLAIN_LETTERS)
    plain = _PINYIN_U.sub(r"\1U", unicodedata.normalize("NFC", _MARKS.sub("", plain)))
    return _TWO_VOWELS.sub(r"\1\2", plain)


def _cut(left: str, right: str) -> bool:
    shorter, longer = sorted((_bare(left), _bare(right)), key=len)
    return len(shorter) >= MIN_CUT and longer.startswith(shorter)


def _other_order(left: str, right: str) -> bool:
    return sorted(_parts(left)) == sorted(_parts(right))


def _parts(name: str) -> list[str]:
    return _without_marks(name).replace(",", " ").split()


_EXCUSES = (_same_but_for_doubtful, _cut, _other_order)
