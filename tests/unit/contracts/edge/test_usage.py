"""Every sentence of the command-line library that a person can meet has its Chinese."""

import pytest

from contracts.edge.usage import translated

CASES = {
    "No such option: --nope": "没有选项 --nope",
    "No such option: --nope (Possible options: --once)": "没有选项 --nope,可选:--once",
    "No such option: --onc Did you mean --once?": "没有选项 --onc,是否想写 --once?",
    "No such command 'x'.": "没有命令 x",
    "Missing command.": "缺少命令",
    "Missing argument 'DIR'.": "缺少参数 DIR",
    "Missing option '--root-key'.": "缺少选项 --root-key",
    "Option '-c' requires an argument.": "选项 -c 需要一个值",
    "Option '--json' does not take a value.": "选项 --json 不带值",
    "Got unexpected extra argument(s) (b c)": "多余的参数 b c",
    "Got unexpected extra argument (b)": "多余的参数 b",
    "Invalid value for 'ID': Input should be a valid integer, unable to parse": "ID 的值无效:应为整数",
    "Invalid value for '--watch': Input should be a valid number": "--watch 的值无效:应为数字",
    "Invalid value for '--last': Input should be greater than or equal to 1": "--last 的值无效:不得小于 1",
    "Invalid value for 'ID': Input should be less than or equal to 9": "ID 的值无效:不得大于 9",
    "Invalid value for 'ID': something new": "ID 的值无效:something new",
    "Something new.": "Something new",
}


@pytest.mark.parametrize("message", CASES)
def test_translated(message: str) -> None:
    found = translated(message)
    assert found.zh == CASES[message]
    assert found.en == message.rstrip(".")
