"""What auditors read in Chinese: no names of members alone, in searches, counts, reconciliations and reviews."""

import re
from pathlib import Path

import pytest

from audit.cli import app
from contracts.edge.output import execute
from tests.integration.review_world import REVIEWERS, build_office, draw, review
from tests.integration.search_world import Out, keys

BOTH = (
    "单位 organisation", "处室/窗口 unit", "审批系统 app", "事项 service_item", "结论 decision", "原因 reason",
    "操作 action", "渠道 channel", "人员身份核验 clerk_assurance", "办件核验 case_check", "证照类型 evidence_type",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "zh-CN")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_office(tmp_path_factory.mktemp("office"))


def shown(capsys: Out, office: Path, command: str, *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert execute(app, [command, str(office / "index"), *words]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_counts(office: Path, capsys: Out) -> None:
    lines = shown(capsys, office, "stats").splitlines()
    assert [line for line in lines if not line.startswith("  ")] == ["共 80 条", *BOTH, "按日(北京时间) day"]
    assert {"         72  准予 granted", "          8  拒绝 refused"} <= {*lines}
    assert "按小时(北京时间) hour" in shown(capsys, office, "stats", "--by", "hour")
    wrong = shown(capsys, office, "stats", "--by", "week", code=2)
    assert wrong == "错误: --by 的值无效 (week)。可选:day(按日)、hour(按小时)。\n"


def test_hits_and_their_proofs(office: Path, capsys: Out) -> None:
    lines = shown(capsys, office, "search", "decision=refused", "--limit", "1", "--proof").splitlines()
    assert "  拒绝 refused  item_not_granted  " in lines[0]
    assert lines[1] == "c2sp.org/tlog-proof@v1"


def test_a_record_to_be_judged(office: Path, capsys: Out) -> None:
    draw(office, capsys)
    assert review(office, "start") == 0
    capsys.readouterr()
    assert review(office, "next", "--reviewer", REVIEWERS[0], *keys(office, "one")) == 0
    told = capsys.readouterr().out
    names = re.findall(r"^  (\S+?):", told, re.MULTILINE)
    assert names[:2] == ["时间", "单位"]
    assert names[-5:] == ["办件号", "窗口人员", "持证主体", "记录号", "终端"]
    assert not [name for name in names if name.isascii()]
    assert re.search(r"^  结论:(准予 granted|拒绝 refused)$", told, re.MULTILINE)
