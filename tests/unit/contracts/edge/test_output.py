import pytest

from contracts.edge.output import error_line
from contracts.text import Text

WHAT = Text("找不到文件", "No such file")
REMEDY = Text("请核对路径。", "Check the path.")


@pytest.mark.parametrize(
    ("what", "where", "remedy", "lang", "line"),
    [
        (WHAT, "a.toml:3", REMEDY, "en", "No such file (a.toml:3). Check the path."),
        (WHAT, "a.toml:3", REMEDY, "zh-CN", "找不到文件 (a.toml:3)。请核对路径。"),
        (WHAT, "", None, "en", "No such file."),
        (Text("坏\n了", "Bad\n\tthing."), "x\ny", None, "en", "Bad thing (x y)."),
    ],
)
def test_an_error_is_one_line(what: Text, where: str, remedy: Text | None, lang: str, line: str) -> None:
    assert error_line(what, where, remedy, lang) == line
