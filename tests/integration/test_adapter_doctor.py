"""`oncegate-adapter doctor` over a department that published, broken in each way in turn; nothing else may change."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from adapters.doctor import CHECKS, doctor
from contracts.edge import keys
from gateway.demo.layout import Layout
from tests.integration.doctor_world import ADAPTER, copy_of, found_by, lay_out, run_adapter

Findings = dict[str, list[tuple[str, str, str]]]
Break = Callable[[Layout, ExitStack], None]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A department that published once."""
    layout = lay_out(tmp_path_factory.mktemp("department"))
    run_adapter(layout)
    return layout


def examined(layout: Layout) -> Findings:
    return found_by(doctor(layout.adapter_config(ADAPTER)))


@pytest.fixture(scope="module")
def healthy(city: Layout) -> Findings:
    return examined(city)


def test_a_healthy_department(healthy: Findings) -> None:
    assert set(healthy) == {check.name for check in CHECKS} - {"rights", "corrections"}  # of Kafka; with pinned nodes
    rows = [one for check, found in healthy.items() if check not in {"clock", "disk"} for one in found]
    assert {level for level, _, _ in rows} == {"ok"}


def test_nothing_is_changed(city: Layout, tmp_path: Path) -> None:
    copy = copy_of(city, tmp_path)
    before = _contents(copy.root)
    examined(copy)
    assert _contents(copy.root) == before


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def edit(old: str, new: str) -> Break:
    """The configuration, with one line changed."""

    def do(layout: Layout, _: ExitStack) -> None:
        path = layout.adapter_config(ADAPTER)
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")

    return do


def sql(statement: str) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        with closing(apsw.Connection(str(outbox(layout)))) as db:
            db.execute(statement).fetchall()

    return do


def outbox(layout: Layout) -> Path:
    return layout.department(ADAPTER) / "outbox.db"


def gone(path: Callable[[Layout], Path]) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        target = path(layout)
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return do


def key(layout: Layout) -> Path:
    return layout.private(f"adapter-{ADAPTER}")


def other_columns(layout: Layout, _: ExitStack) -> None:
    for path in layout.department(ADAPTER).glob("*.csv"):
        path.write_text("a,b\n1,2\n", "utf-8")


def another_kind(layout: Layout, _: ExitStack) -> None:
    key(layout).unlink()
    keys.create_signing_key(key(layout), "EdDSA")


def not_an_outbox(layout: Layout, _: ExitStack) -> None:
    outbox(layout).write_bytes(b"x" * 8192)


WAITS = "INSERT INTO pending (stream, key, value) VALUES (1, x'00', x'00')"


def at_work(layout: Layout, stack: ExitStack) -> None:
    """Entries wait, and an adapter is writing them."""
    sql(WAITS)(layout, stack)
    descriptor = os.open(outbox(layout).with_name("outbox.db.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    stack.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


@dataclass(frozen=True, slots=True)
class Case:
    """What is broken and how; the check that says so, its level, what and remedy; checks that then have less to say."""

    why: str
    break_it: Break
    check: str
    level: str
    what: str
    remedy: str
    others: Collection[str] = ()


NEEDS = ("sources", "topics", "rights", "corrections")
BROKEN = [
    Case("no file", gone(lambda one: one.adapter_config(ADAPTER)), "configuration", "failed", "no such", "path", "*"),
    Case("an unknown option", edit("[adapter]", "[adapter]\nx = 1"), "configuration", "failed", "x is not", "", NEEDS),
    Case("no key", gone(key), "keys", "failed", "No such file", "path", ("configuration", *NEEDS)),
    Case(
        "an open key",
        lambda one, _: key(one).chmod(0o644),
        "keys",
        "failed",
        "0644",
        "chmod 600",
        ("configuration", *NEEDS),
    ),
    Case("another kind of key", another_kind, "keys", "failed", "Not a key", "PEM", ("configuration", *NEEDS)),
    Case("an open outbox", lambda one, _: outbox(one).chmod(0o644), "keys", "failed", "0644", "chmod 600"),
    Case("other columns", other_columns, "sources", "failed", "has no column", "Its columns"),
    Case("no outbox", gone(outbox), "outbox", "warning", "no outbox yet", "backup", ("keys", "clock")),
    Case(
        "no outbox at all",
        not_an_outbox,
        "outbox",
        "failed",
        "damaged",
        "restore",
    ),
    Case(
        "another's outbox",
        sql("UPDATE owner SET adapter = 'x'"),
        "outbox",
        "failed",
        "market-regulation/x",
        "of its own",
    ),
    Case("entries wait", sql(WAITS), "outbox", "warning", "1 entries wait", "Look at the log"),
    Case("entries are written", at_work, "outbox", "ok", "Nothing waits", ""),
    Case("a braked run", sql("UPDATE runs SET state = 'braked'"), "outbox", "failed", "is braked", "approve-run"),
    Case("an overdue statement", sql("UPDATE streams SET next_at = 1"), "outbox", "warning", "overdue", "timer"),
    Case("no log", gone(lambda one: one.log), "log", "failed", "is not there", "[log]", ("configuration", *NEEDS)),
    Case(
        "no topics",
        gone(lambda one: one.log / "evidence.cn.business-licence.market-regulation-1.t"),
        "topics",
        "failed",
        "not there",
        "topics apply",
        ("log",),
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.why)
def test_what_is_broken_is_named_and_nothing_else_changes(
    city: Layout, healthy: Findings, tmp_path: Path, case: Case
) -> None:
    layout = copy_of(city, tmp_path)
    with ExitStack() as stack:
        case.break_it(layout, stack)
        found = examined(layout)
    said = found[case.check]
    assert any(level == case.level and case.what in what and case.remedy in remedy for level, what, remedy in said), (
        said
    )
    changed = {name for name in healthy.keys() | found.keys() if _lines(healthy, name) != _lines(found, name)}
    assert changed - {case.check} <= set(case.others) or case.others == "*", changed


def _lines(found: Findings, check: str) -> set[tuple[str, str]]:
    return {(level, re.sub(r"[\d.]+", "#", what)) for level, what, _ in found.get(check, [])}
