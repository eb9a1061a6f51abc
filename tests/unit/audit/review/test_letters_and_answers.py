"""What goes to a unit, and what comes back."""

import csv
import io

import pytest

from audit.review import letters
from audit.review.answers import read
from audit.review.events import Place, Whom
from audit.review.ledger import Due
from audit.review.letters import Question
from contracts.errors import UserError

PLACE = Place("sha-256:ab", "gov.example/a", 59)
DUE = Due(Whom("housing", "window-1"), "2026-12-04", 0, 3)
RECORD = {"time": 1_763_741_600_000, "transaction": "tx-1", "app": "app-1", "service_item": "buy-home",
          "evidence_types": ["cn.home"], "action": "lookup", "decision": "granted", "clerk": "SECRET"}  # fmt: skip
QUESTION = Question(PLACE, DUE, RECORD, overdue=False)
HEADER = "sample,log,position,organisation,unit,explained_by,explanation\n"
GOOD = "sha-256:ab,gov.example/a,59,housing,window-1,王,办件\n"


def test_by_unit() -> None:
    other = QUESTION._replace(due=DUE._replace(whom=Whom("housing", None)))
    assert {whom.text(): len(some) for whom, some in letters.grouped([QUESTION, other, QUESTION]).items()} == {
        "housing": 1,
        "housing/window-1": 2,
    }


def test_a_letter_names_the_access_and_nobody() -> None:
    text = letters.letter(DUE.whom, [QUESTION, QUESTION._replace(overdue=True)], "2026-12-01", "t.csv")
    for part in (
        "housing/window-1:",
        "gov.example/a#59",
        "2025-11-22 00:13:20",
        "tx-1",
        "buy-home",
        "2026-12-04",
        "t.csv",
    ):
        assert part in text, part
    assert "其中 1 条已逾期" in text
    assert "SECRET" not in text


def test_file_names_differ_and_stay_inside() -> None:
    names = [
        letters.file_name(whom) for whom in (Whom("a", "b"), Whom("a=b", None), Whom("..", "/x"), Whom("窗", None))
    ]
    assert len(set(names)) == 4
    assert not any("/" in name or name.startswith(".") for name in names)


def test_long_names_of_units_have_files_too() -> None:
    """A Chinese character is nine of a quoted name, and a file's name has 255 bytes."""
    long = Whom("长沙市天心区市场监督管理局行政审批科", "政务服务中心综合受理窗口第一组十二号")
    names = [letters.file_name(whom) for whom in (long, long._replace(unit=f"{long.unit}甲"))]
    assert len(set(names)) == 2
    assert all(len(name) <= letters.MAX_FILE_NAME for name in names)


@pytest.mark.parametrize(
    ("whom", "written"),
    [
        (Whom("+housing", "-1"), ["'+housing", "'-1"]),
        (Whom("2026-11", "0012"), ["'2026-11", "'0012"]),
        (Whom("2026-11", "0012"), ["2026-11", "0012"]),
    ],
)
def test_a_unit_that_a_spreadsheet_would_misread_is_the_same_unit(whom: Whom, written: list[str]) -> None:
    """With the mark, and without it, as from a cell that was edited."""
    question = QUESTION._replace(due=DUE._replace(whom=whom))
    rows = list(csv.reader(io.StringIO(letters.table([question]).removeprefix("\ufeff"), newline="")))
    assert rows[1][3] == "2025-11-22 00:13:20"
    assert rows[1][7:10] == [*(f"'{name}" for name in whom), "2026-12-04"]
    rows[1][7:9] = written
    rows[1][-1] = "办件"
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    (answer,) = read(file.getvalue(), "back.csv").answers
    assert answer.whom == question.due.whom


def test_the_table_comes_back_as_it_went() -> None:
    rows = list(csv.reader(io.StringIO(letters.table([QUESTION]).removeprefix("\ufeff"), newline="")))
    rows[1][-2:] = ["王主任", "办件\n第二行"]
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    found = read(file.getvalue(), "back.csv")
    assert (found.bad, found.empty) == ([], 0)
    (answer,) = found.answers
    assert (answer.subject, answer.whom, answer.explained_by) == (PLACE, DUE.whom, "王主任")
    assert answer.explanation == "办件\n第二行"


def test_bad_rows_are_named_and_good_ones_kept() -> None:
    bad = (
        "sha-256:ab,gov.example/a,x,housing,,王,办件\n",
        "sha-256:ab,,59,housing,,王,办件\n",
        "sha-256:ab,gov.example/a,59,,,王,办件\n",
        "sha-256:ab,gov.example/a,59,housing,,王,a\x1bb\n",
        f"sha-256:ab,gov.example/a,59,housing,,王,{'x' * 8001}\n",
        "sha-256:ab\n",
        ",,,,,,\n",
    )
    found = read(HEADER + GOOD + "".join(bad) + GOOD, "back.csv")
    assert [one.line for one in found.bad] == [3, 4, 5, 6, 7]
    assert [one.line for one in found.answers] == [2, 10]
    assert found.empty == 1


def test_findings_may_be_answered_too() -> None:
    found = read("finding,organisation,explanation\n0123456789abcdef,housing,值班\n", "back.csv")
    assert [(one.subject, one.whom) for one in found.answers] == [("0123456789abcdef", Whom("housing", None))]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", HEADER.replace("unit", "x").replace("organisation", "y"), HEADER + '"']
)
def test_no_table(text: str) -> None:
    with pytest.raises(UserError):
        read(text, "back.csv")
