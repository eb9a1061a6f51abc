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


def _facts(facts: Mapping[str, object], language: str) -> dict[str, object]:
    return {name: fact.pick(language) if isinstance(fact, Text) else fact for name, fact in facts.items()}
