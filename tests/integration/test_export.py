"""`oncegate-audit export` as tables, and what a citizen is told: of real logs, read back by other software."""

import csv
import json
import shutil
import stat
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from python_calamine import CalamineWorkbook

from audit.cli import app
from audit.log import AuditLog
from audit.merkle import leaf_hash
from audit.notes import NoteSigner, parse_vkey
from audit.orders.order import RESTRICT, Order
from audit.orders.state import notice_of
from audit.package.citizen import ORDINARY
from audit.package.flat import write_xlsx
from audit.ranges import parse as positions
from audit.reader import LogReader
from audit.record import digest_text
from contracts.edge.keys import create_signing_key, write_hpke_public
from contracts.edge.output import execute
from gateway.web.calls import VISIBILITY
from tests.integration.audit_support import AUDITOR, no_fatal
from tests.integration.package_world import content, export, manifest_of
from tests.integration.search_world import SECOND, A, B, Out, build_town, facts, index, key_file, keys, settings, write
from tests.unit.audit.package.items import item

OTHER_KEY = NoteSigner.of(A, Ed25519PrivateKey.from_private_bytes(b"\7" * 32)).public.vkey
WHO = ("holder=passport:SECRETHOLDER3", "log=gov.example/b")
MISREAD = (
    "=1+1",
    "+1",
    "-1",
    "@sum",
    "\u003dA1",
    "\uff1dA1",
    "430102198703162829",
    "0012",
    "2026-11",
    "9143010012345678E9",
)


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCEGATE_LANG", "en")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Records whose texts a spreadsheet would take for formulas, numbers, dates."""
    records = [facts(n, unit=text, clerk=text) for n, text in enumerate(MISREAD)]
    write(tmp_path / "a", A, records)
    key_file(tmp_path / "one.pem", AUDITOR)
    assert index(tmp_path, str(tmp_path / "a"), *keys(tmp_path, "one")) == 0
    return tmp_path


def _csv(path: Path) -> list[dict[str, str]]:
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n")
    return list(csv.DictReader(data.decode("utf-8-sig").splitlines()))


def _xlsx(path: Path) -> list[Sequence[object]]:
    book = CalamineWorkbook.from_path(str(path))
    return [row for name in book.sheet_names for row in book.get_sheet_by_name(name).to_python()]


# --- tables ------------------------------------------------------------------------------------------------------


def test_three_forms_say_the_same(town: Path) -> None:
    words = ("organisation=housing", "decision=granted", "log=gov.example/b")
    rows = _csv(export(town, "t.csv", *words))
    lines = [json.loads(line) for line in export(town, "t.ndjson", *words).read_bytes().splitlines()]
    sheet = _xlsx(export(town, "t.xlsx", *words))
    assert sheet[0][:4] == ["序号", "时间", "北京时间", "单位"]
    assert sheet[1][:4] == ["number", "time", "beijing_time", "organisation"]
    assert [row["日志位置 position"] for row in rows] == [str(line["position"]) for line in lines]
    assert [str(line["position"]) for line in lines] == ["0", "3", "6", "12", "15", "18"]
    names = [str(name) for name in sheet[1]]
    for row, line, cells in zip(rows, lines, sheet[2:], strict=True):
        in_sheet = dict(zip(names, cells, strict=True))
        assert {name.rpartition(" ")[2]: value for name, value in row.items()} == {
            name: str(int(value)) if isinstance(value, float) else value for name, value in in_sheet.items()
        }
        assert (in_sheet["transaction"], in_sheet["service_item"]) == (
            line["record"]["transaction"],
            line["record"]["service_item"],
        )


def test_a_record_is_the_logs_own(town: Path) -> None:
    words = ("case=SECRET-CASE-1", "log=gov.example/b", "item=open-restaurant", *keys(town, "one"))
    (line,) = export(town, "one.ndjson", *words).read_text().splitlines()
    found = json.loads(line)
    leaf = LogReader(town / "b", parse_vkey((town / "b/vkey").read_text().strip())).entry(3, 22)
    assert (found["log"], found["position"], found["leaf_hash"]) == (B, 3, digest_text(leaf_hash(leaf)))
    assert found["record"] == json.loads(leaf)
    assert "opening" not in found


@pytest.mark.parametrize("form", ["csv", "xlsx", "ndjson"])
def test_openings_are_in_it_only_when_asked_for(town: Path, form: str) -> None:
    words = ("log=gov.example/b", "unit=none")
    without = export(town, f"without.{form}", *words)
    opened = export(town, f"with.{form}", *words, "--openings", *keys(town, "one"))
    told = {"csv": _told_csv, "xlsx": _told_xlsx, "ndjson": _told_ndjson}[form]
    assert "SECRET" not in told(without)
    assert "SECRETHOLDER5" in told(opened)
    assert "clerk-secret-3" in told(opened)


def _told_csv(path: Path) -> str:
    return path.read_text("utf-8-sig")


def _told_ndjson(path: Path) -> str:
    return path.read_text()


def _told_xlsx(path: Path) -> str:
    return repr(_xlsx(path))


def test_what_a_spreadsheet_would_misread_is_text(hostile: Path) -> None:
    opened = ("--openings", *keys(hostile, "one"))
    rows = _csv(export(hostile, "h.csv", *opened))
    for column in ("处室/窗口 unit", "窗口人员 clerk"):
        assert [row[column] for row in rows] == [f"'{text}" for text in MISREAD]
    path = export(hostile, "h.xlsx", *opened)
    sheet = _xlsx(path)
    assert [row[list(sheet[1]).index("unit")] for row in sheet[2:]] == list(MISREAD)
    with zipfile.ZipFile(path) as book:
        cells, styles = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/styles.xml").decode()
    assert "<f>" not in cells
    assert 'quotePrefix="1"' in styles
    assert [row["序号 number"] for row in rows] == [str(n) for n in range(1, 11)]
    assert [row[0] for row in sheet[2:]] == list(range(1, 11))


def test_more_records_than_a_sheet_takes(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").touch()
    write_xlsx(tmp_path / "x.xlsx", (item(number) for number in range(1, 8)), openings=False, rows=3)
    book = CalamineWorkbook.from_path(str(tmp_path / "x.xlsx"))
    numbers = [[row[0] for row in book.get_sheet_by_name(name).to_python()[2:]] for name in book.sheet_names]
    assert numbers == [[1, 2, 3], [4, 5, 6], [7]]


# --- files -------------------------------------------------------------------------------------------------------


def test_an_export_replaces_nothing_and_is_its_owners_alone(town: Path, capsys: Out) -> None:
    path = export(town, "kept.csv", "log=gov.example/b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    export(town, "kept.csv", code=2)
    assert "The file exists already" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", ["csv", "xlsx", "ndjson", "zip"])
def test_a_log_that_was_altered_leaves_no_file(tmp_path: Path, capsys: Out, ending: str) -> None:
    write(tmp_path / "a", A, [facts(n) for n in range(5)])
    assert index(tmp_path, str(tmp_path / "a")) == 0
    bundle = tmp_path / "a/tile/entries/000.p/5"
    data = bytearray(bundle.read_bytes())
    data[-20] ^= 1
    bundle.write_bytes(data)
    people = ["--extractor", "Wang", "--extractor", "Li"] if ending == "zip" else []
    before = sorted(tmp_path.iterdir())
    export(tmp_path, f"x.{ending}", *people, code=3)
    assert "entry 4 is not the one in the signed tree" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_an_index_that_was_altered_does_not_choose(tmp_path: Path, capsys: Out) -> None:
    write(tmp_path / "a", A, [facts(n) for n in range(5)])
    assert index(tmp_path, str(tmp_path / "a")) == 0
    with closing(apsw.Connection(str(tmp_path / "index"))) as db:
        db.execute("UPDATE entries SET shape = (SELECT min(shape) FROM entries)")
    export(tmp_path, "x.csv", "organisation=housing", code=3)
    assert "is not what the index says of it" in capsys.readouterr().err


def test_a_log_cut_shorter_than_the_index_is_refused(town: Path, tmp_path: Path, capsys: Out) -> None:
    shutil.copytree(town / "b", tmp_path / "b")
    assert index(tmp_path, str(tmp_path / "b")) == 0
    shutil.rmtree(tmp_path / "b")
    write(tmp_path / "b", B, [facts(n) for n in range(20)])
    export(tmp_path, "x.csv", code=3)
    assert "does not reach the 22 entries" in capsys.readouterr().err


# --- the auditors' own log ---------------------------------------------------------------------------------------


def test_an_export_is_recorded_before_it_is_written(town: Path, tmp_path: Path) -> None:
    create_signing_key(tmp_path / "own.pem", "EdDSA")
    write_hpke_public(tmp_path / "auditor.public.pem", AUDITOR.public_key())
    (tmp_path / "own.toml").write_text(
        '[own_log]\ndirectory = "own"\norigin = "office.example/own"\nkey = "own.pem"\nauditor = "auditor.public.pem"\n'
    )
    shutil.copytree(town / "b", tmp_path / "b")
    key_file(tmp_path / "one.pem", AUDITOR)
    assert index(tmp_path, str(tmp_path / "b"), *keys(tmp_path, "one"), "--own-log", str(tmp_path / "own.toml")) == 0
    export(tmp_path, "x.csv", "unit=none")
    opened = ("--extractor", "Wang", "--extractor", "Li", "--openings", *keys(tmp_path, "one"))
    made = manifest_of(content(export(tmp_path, "x.zip", "clerk=clerk-secret-3", *opened)))
    reader = LogReader(tmp_path / "own", parse_vkey((tmp_path / "own/vkey").read_text().strip()))
    entries = [json.loads(entry) for entry in reader.entries(0, reader.checkpoint().size)]
    assert [(entry["command"], entry["count"]) for entry in entries] == [
        ("export csv", 4),
        ("export package openings", 3),
    ]
    assert made.recorded == ("office.example/own", 1)
    assert made.filters == entries[1]["filters"]
    (tmp_path / "own.pem").rename(tmp_path / "gone.pem")
    export(tmp_path, "y.csv", code=2)
    assert not (tmp_path / "y.csv").exists()


# --- openings that do not go out ---------------------------------------------------------------------------------


def _restrict(directory: Path, origin: str, where: str) -> None:
    """A notice that these openings are restricted: one suffices."""
    order = Order(origin, RESTRICT, 1, 1_800_000_000, positions(where), "accuracy_disputed", "个人信息保护法")
    log = AuditLog.open(settings(directory, origin), no_fatal)
    log.append_blocking(notice_of(order, 1_800_000_000_000).encode(), b"{}")
    log.close()


@pytest.fixture
def part_closed(tmp_path: Path) -> Path:
    """Log b, an opening erased (0), two restricted (3, 5)."""
    write(tmp_path / "b", B, [facts(n, visibility=ORDINARY) for n in range(20)])
    _restrict(tmp_path / "b", B, "3,5")
    rows = tmp_path / "b/openings/000.p/21"
    data = rows.read_bytes()
    rows.write_bytes(b"\0\0" + data[2 + int.from_bytes(data[:2], "big") :])
    key_file(tmp_path / "one.pem", AUDITOR)
    key_file(tmp_path / "two.pem", SECOND)
    assert index(tmp_path, str(tmp_path / "b"), *keys(tmp_path, "one", "two")) == 0
    return tmp_path


def test_erased_and_restricted_openings_stay_inside(part_closed: Path) -> None:
    people = ("--extractor", "Wang", "--extractor", "Li", "--openings", *keys(part_closed, "one"))
    members = content(export(part_closed, "x.zip", *people))
    assert manifest_of(members).openings == {"granted": 17, "erased": 1, "restricted": 2}
    lines = [json.loads(line) for line in members["openings.ndjson"].splitlines()]
    assert [line["number"] - 1 for line in lines if line["state"] == "erased"] == [0]
    assert [line["number"] - 1 for line in lines if line["state"] == "restricted"] == [3, 5]
    assert b"SECRET-CASE-2" in members["openings.ndjson"]  # of record 4
    assert all(b"clerk-secret-3" not in line for line in members["openings.ndjson"].splitlines()[3:4])
    assert execute(app, ["verify", str(part_closed / "x.zip")]) == 0
    states = [
        row["密封内容 opening"] for row in _csv(export(part_closed, "x.csv", "--openings", *keys(part_closed, "one")))
    ]
    assert [state.rpartition(" ")[2] for state in states[:6]] == [
        "erased", "granted", "granted", "restricted", "granted", "restricted",
    ]  # fmt: skip


def test_openings_of_another_auditor_are_not_readable(town: Path, tmp_path: Path, capsys: Out) -> None:
    other = key_file(tmp_path / "other.pem", X25519PrivateKey.generate())
    export(tmp_path, "x.csv", code=2)
    capsys.readouterr()
    shutil.copytree(town / "b", tmp_path / "b")
    assert index(tmp_path, str(tmp_path / "b")) == 0
    export(tmp_path, "x.csv", "--openings", "--key", str(other), code=2)
    assert "opening_unreadable" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()


def test_a_copy_without_openings_says_so(town: Path, tmp_path: Path, capsys: Out) -> None:
    shutil.copytree(town / "b", tmp_path / "b", ignore=shutil.ignore_patterns("openings"))
    assert index(tmp_path, str(tmp_path / "b")) == 0
    export(tmp_path, "x.csv", "--openings", *keys(town, "one"), code=2)
    assert "This copy lacks openings" in capsys.readouterr().err


# --- a citizen ---------------------------------------------------------------------------------------------------


def test_a_citizen_is_told_who_looked(part_closed: Path) -> None:
    path = export(part_closed, "told.txt", *WHO, "--format", "citizen", *keys(part_closed, "one", "two"))
    text = path.read_text("utf-8-sig")
    assert text.split("\n")[2] == "持证主体：外国护照，尾号 DER3"
    assert "编号：gov.example/b#14" in text  # 3 is restricted
    assert "共 1 次。" in text
    assert "2025-11-22 00:27:20" in text
    assert "单位：transport" in text
    assert "结果：已提供" in text
    assert "提供的内容：cn.business-licence: name, uscc, address, legal_representative" in text
    assert "SECRET" not in text
    assert "clerk" not in text


def test_a_citizens_workbook(part_closed: Path) -> None:
    path = export(part_closed, "told.xlsx", *WHO, "--format", "citizen", *keys(part_closed, "one", "two"))
    with path.open("rb") as file:
        assert CalamineWorkbook.from_filelike(file).sheet_names == ["访问情况 尾号DER3"]
    rows = _xlsx(path)
    assert rows[0] == ["北京时间", "单位", "处室/窗口", "事项", "操作", "结论", "提供的字段", "编号"]
    assert [row[-1] for row in rows[2:]] == ["gov.example/b#14"]


def test_accesses_that_are_not_ordinary_are_not_told(tmp_path: Path) -> None:
    write(tmp_path / "a", A, [facts(3, visibility=ORDINARY), facts(14, visibility="sealed"), facts(25, visibility="")])
    for name, key in (("one", AUDITOR), ("two", SECOND)):
        key_file(tmp_path / f"{name}.pem", key)
    assert index(tmp_path, str(tmp_path / "a"), *keys(tmp_path, "one", "two")) == 0
    words = ("holder=passport:SECRETHOLDER3", "--format", "citizen", *keys(tmp_path, "one", "two"))
    assert "共 1 次。" in export(tmp_path, "told.txt", *words).read_text("utf-8-sig")


def test_what_the_gateway_records_is_ordinary() -> None:
    assert ORDINARY == VISIBILITY


# --- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("into", "words", "what"),
    [
        ("x.doc", [], "does not say which format"),
        ("x.csv", ["--format", "pdf"], "does not say which format"),
        ("x.csv", ["--openings"], "Openings need the auditor's private key"),
        ("x.zip", [], "names two extractors"),
        ("x.zip", ["--extractor", "Wang"], "names two extractors"),
        ("x.zip", ["--extractor", "Wang", "--extractor", "Wang"], "names two extractors"),
        ("x.zip", ["--extractor", "Wang\n", "--extractor", "Li"], "Not a name for an extractor"),
        (
            "x.zip",
            ["--extractor", "W W=TOWN/sign.pem", "--extractor", "Li=TOWN/sign.pem"],
            "Not a name for an extractor",
        ),
        ("x.zip", ["--extractor", "Wang=TOWN/sign.pem", "--extractor", "Li"], "Both extractors sign"),
        ("x.zip", ["--extractor", "Wang=TOWN/sign.pem", "--extractor", "Li=TOWN/sign.pem"], "Both extractors sign"),
        ("x.zip", ["--extractor", "Wang", "--extractor", "Li", "--vkey", "x"], "Not a valid verifier key"),
        (
            "x.zip",
            ["--extractor", "Wang", "--extractor", "Li", "--vkey", OTHER_KEY],
            "The keys given are not this log's",
        ),
        ("x.csv", ["--extractor", "Wang"], "for evidence packages only"),
        ("x.txt", ["--format", "citizen"], "about one holder"),
        (
            "x.csv",
            ["--format", "citizen", *WHO, "--key", "TOWN/one.pem", "--key", "TOWN/two.pem"],
            "ending does not say",
        ),
        ("x.csv", ["colour=red"], "Not a filter"),
        *(
            ("x.txt", ["--format", "citizen", who, "--key", "TOWN/one.pem", "--key", "TOWN/two.pem"], what)
            for who, what in (
                ("holder=cn.ric:43010219870316282", "Not a number of the scheme cn.ric"),
                ("holder=cn.uscc:91430100MA4L0X3Q6E", "Not a number of the scheme cn.uscc"),
                ("holder=cn.usc:91430100MA4L0X3Q6D", "Not a holder scheme"),
                ("holder=licence_number:9", "Not a holder scheme"),
            )
        ),
    ],
)
def test_mistakes_are_one_line(town: Path, capsys: Out, into: str, words: Sequence[str], what: str) -> None:
    if not (town / "sign.pem").exists():
        create_signing_key(town / "sign.pem", "EdDSA")
    export(town, into, *(word.replace("TOWN", str(town)) for word in words), code=2)
    said = capsys.readouterr().err
    assert what in said
    assert said.count("\n") == 1
    assert not (town / into).exists()
