"""Sentences in two languages."""

from contracts.text import Text


def test_a_text_within_a_text_is_told_in_each_language() -> None:
    outer = Text("无法读取:{why}({n})", "Cannot be read: {why} ({n})")
    assert outer.fill(why=Text("不存在", "no such file"), n=2) == Text(
        "无法读取:不存在(2)", "Cannot be read: no such file (2)"
    )


def test_braces_in_a_fact_stay() -> None:
    assert Text("{a}", "{a}").fill(a="{b}") == Text("{b}", "{b}")
