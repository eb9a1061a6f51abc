"""What the command-line library says about a wrong command line, in both languages.

The library speaks English only. Each row is its sentence as a pattern and ours in Chinese; what no row knows stays
English, so that a new release of the library costs a translation, never a message.
"""

import re
from collections.abc import Sequence

from contracts.text import Text

_SENTENCES: Sequence[tuple[str, str]] = (
    (r"No such option: (?P<name>\S+)(?P<hint>.*)", "没有选项 {name}{hint}"),
    (r"No such command '(?P<name>.+?)'\.?(?P<hint>.*)", "没有命令 {name}{hint}"),
    (r"Missing command\.?", "缺少命令"),
    (r"Missing argument '(?P<name>.+)'\.?", "缺少参数 {name}"),
    (r"Missing option '(?P<name>.+)'\.?", "缺少选项 {name}"),
    (r"Option '(?P<name>.+)' requires an argument\.?", "选项 {name} 需要一个值"),
    (r"Option '(?P<name>.+)' does not take a value\.?", "选项 {name} 不带值"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((?P<name>.*)\)", "多余的参数 {name}"),
    (r"Invalid value for '(?P<name>.+?)': (?P<reason>.*)", "{name} 的值无效:{reason}"),
)
_REASONS: Sequence[tuple[str, str]] = (
    (r".*valid integer.*", "应为整数"),
    (r".*valid number.*", "应为数字"),
    (r".*greater than or equal to (?P<low>\S+)", "不得小于 {low}"),
    (r".*less than or equal to (?P<high>\S+)", "不得大于 {high}"),
    (r".*(?:finite number|finite)", "应为有限的数字"),
)
_HINTS: Sequence[tuple[str, str]] = (
    (r"\s*\(Possible options: (?P<names>.*)\)", ",可选:{names}"),
    (r"\s*Did you mean (?P<names>.*)\?", ",是否想写 {names}?"),
)


def translated(message: str) -> Text:
    """The library's `message`, with ours beside it."""
    english = message.rstrip(".")
    return Text(_chinese(english), english)


def _chinese(message: str) -> str:
    found = _match(message, _SENTENCES)
    if found is None:
        return message
    words, facts = found
    for part, rows in (("reason", _REASONS), ("hint", _HINTS)):
        inner = _match(facts.get(part, ""), rows)
        facts = facts if inner is None else {**facts, part: inner[0].format(**inner[1])}
    return words.format(**facts)


def _match(text: str, rows: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]] | None:
    for pattern, words in rows:
        if match := re.fullmatch(pattern, text):
            return words, match.groupdict()
    return None
