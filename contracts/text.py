"""Sentences for people: every one exists in Chinese and in English, side by side.

The two stand together so that nobody can change one and forget the other. The edge picks; the core carries both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("zh-CN", "en")


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in both languages. `{name}` places are filled by `fill`."""

    zh: str
    en: str

    def pick(self, language: str) -> str:
        """The sentence in `language`: `zh…` gives Chinese, everything else English."""
        return self.zh if language.lower().startswith("zh") else self.en

    def fill(self, **facts: object) -> "Text":
        """The same sentence with its places filled; a fact that is a `Text` is told in each language's own words."""
        return Text(*(words.format(**_facts(facts, lang)) for words, lang in ((self.zh, "zh"), (self.en, "en"))))

    def as_json(self) -> dict[str, str]:
        """The JSON form, keyed by BCP 47 language tag."""
        return {"zh-CN": self.zh, "en": self.en}


# What a terminal obeys: control characters, and what turns the direction of reading.
_OBEYED = dict.fromkeys((*range(32), *range(127, 160), 1564, 8206, 8207), "�")
_OBEYED |= dict.fromkeys((*range(8232, 8239), *range(8294, 8298)), "�")
_IN_LINES = {code: shown for code, shown in _OBEYED.items() if chr(code) not in "\n\t"}


def harmless(text: str) -> str:
    """`text` for a terminal: what it would obey, but for line ends and tabs, is shown as U+FFFD. Whoever wrote a record
    cannot take away lines that stand above it."""
    return text.translate(_IN_LINES)


def one_line(text: str) -> str:
    """As `harmless`, and in one line: no value can look like a line of ours."""
    return text.translate(_OBEYED)


def _facts(facts: Mapping[str, object], language: str) -> dict[str, object]:
    return {name: fact.pick(language) if isinstance(fact, Text) else fact for name, fact in facts.items()}
