import pytest

from contracts.edge.i18n import language


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh-CN"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh-CN"),
        ({"ONCEGATE_LANG": "en", "LC_ALL": "zh_CN"}, "en"),
        ({"ONCEGATE_LANG": "ZH-cn", "LC_ALL": "en_GB"}, "zh-CN"),
    ],
)
def test_the_first_variable_that_is_set_decides(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected
