"""Sentences for people: every one exists in Chinese and in English, side by side.

The two stand together so that nobody can change one and forget the other. The edge picks; the core carries both.
"""

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
        """The same sentence with its places filled."""
        return Text(self.zh.format(**facts), self.en.format(**facts))

    def as_json(self) -> dict[str, str]:
        """The JSON form, keyed by BCP 47 language tag."""
        return {"zh-CN": self.zh, "en": self.en}
