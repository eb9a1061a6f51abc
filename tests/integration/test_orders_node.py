"""Restriction and erasure through the console programs, at a node with a real serving process."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.log import AuditLog, LogSettings
from audit.notes import parse_vkey
from audit.orders import files
from audit.orders.order import Order, sign
from audit.ranges import parse
from audit.reader import LogReader
from audit.record import record
from audit.witness.keygen import orders_signer
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import open_transport
from gateway.config import load
from gateway.control.build import build, publish
from gateway.demo.layout import ORIGIN, Layout, only_demo, prepare
from gateway.demo.processes import Processes, command
from tests.integration.audit_support import no_fatal
from tests.integration.orders_world import anywhere, facts
from tests.waiting import until

DAY_MS = 86_400_000
BASIS = "个人信息保护法第四十七条"


@dataclass
class Desk:
    """An auditor's desk beside a node. What runs says English."""

    root: Path
    layout: Layout
    processes: Processes

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it printed."""
        return self._run(arguments, code).decode()

    def _run(self, arguments: Sequence[str], code: int) -> bytes:
        called, words = [command(arguments[0]), *arguments[1:]], {**os.environ, "ONCEGATE_LANG": "en"}
        done = subprocess.run(called, capture_output=True, timeout=60, check=False, env=words)
        assert done.returncode == code, done.stderr.decode()
        return done.stdout + done.stderr if code else done.stdout

    def keygen(self, name: str) -> None:
        path = str(self.root / f"{name}.pem")
        self.run("oncegate-audit", "keygen", "orders", path, "--name", "audit.example/orders")

    def audit(self, name: str, *options: str, code: int = 0) -> str:
        """A command of the auditor's over the log."""
        vkey = ("--vkey", self.layout.vkey.read_text("ascii").strip())
        where = name.split()
        return self.run("oncegate-audit", *where, str(self.layout.audit_dir), *vkey, *options, code=code)

    def options(self, action: str, positions: str, reason: str, key: str = "orders") -> tuple[str, ...]:
        words = ("--position", positions, "--reason", reason, "--basis", BASIS, "--key", str(self.root / f"{key}.pem"))
        return (f"order {action}", *words)

    def order(self, action: str, positions: str, reason: str, key: str = "orders") -> Path:
        """Signed by the auditor."""
        path = self.root / f"{action}.note"
        path.write_text(self.audit(*self.options(action, positions, reason, key)), "utf-8")
        return path

    def shown(self, index: int) -> str:
        key = str(self.layout.private("auditor"))
        return self.audit("show", "--index", str(index), "--openings", "--auditor-key", key)

    def apply(self, note: Path, code: int = 0) -> str:
        config = str(self.layout.node_config)
        return self.run("oncegate", "audit", "order", "apply", str(note), "--config", config, code=code)

    def carried_out(self, note: Path) -> None:
        self.apply(note)
        until(lambda: not files.pending(self.layout.audit_dir))

    def rows(self, positions: str) -> list[bytes]:
        reader = LogReader(self.layout.audit_dir, parse_vkey(self.layout.vkey.read_text().strip()))
        size = reader.checkpoint().size
        found = [reader.rows(index // 256, size)[index % 256] for index in parse(positions)]
        return [row for row in found if row]


def _fill(layout: Layout, times: list[int]) -> None:
    """As if the gateway had run for long: access records of these times (Unix ms)."""
    log_key = keys.load_signing_key(layout.private("audit-gov-extranet-1"), "EdDSA")
    auditor = keys.load_hpke_public(layout.public("auditor"))
    heads = layout.root / "heads"
    log = AuditLog.open(LogSettings(layout.audit_dir, ORIGIN, log_key, auditor, heads), no_fatal)
    for index, time in enumerate(times):
        log.append_blocking(*record(facts(index, time), [b"x"], index.to_bytes(16, "big")))
    log.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Entries 0–3 are older than retention, 4 is older than the law's minimum, 5 is new."""
    root = tmp_path / "city"
    with only_demo(root) as held, Processes(tmp_path / "logs", held) as processes:
        made = Desk(tmp_path, prepare(root), processes)
        made.keygen("orders")
        _list_key(made.layout, tmp_path / "orders.vkey")
        days = (1200, 1200, 1200, 1200, 400, 100)
        _fill(made.layout, [now_ms() - ago * DAY_MS for ago in days])
        processes.start("serve", [command("oncegate"), "serve", "--config", str(made.layout.node_config)])
        yield made


def _list_key(layout: Layout, vkey: Path) -> None:
    """The next version of the registry lists the auditor's key for orders."""
    registry, key = layout.registry / "registry.toml", 'public_key = "../keys/auditor.pub.pem"'
    registry.write_text(registry.read_text("utf-8").replace(key, f'{key}\nvkey_file = "{vkey}"'), "utf-8")
    root = keys.load_signing_key(layout.private("registry-root"), "EdDSA")
    build(layout.registry, root, now_ms())
    publish(layout.registry, root.public, open_transport(load(layout.node_config).log))


def test_an_order_goes_its_way_through_both_hands(desk: Desk) -> None:
    gone = desk.rows("1-2")
    erasing = desk.order("erase", "1-2", "retention_expired")
    desk.carried_out(erasing)
    assert anywhere(desk.layout.audit_dir, *gone) == []
    orders_vkey = (desk.root / "orders.vkey").read_text().strip()
    checked = desk.audit("verify", "--openings", "--orders-vkey", orders_vkey)
    assert "Openings: 2 erased by orders of both parties" in checked
    assert "not checked" not in checked
    assert "not checked" in desk.audit("verify", "--openings")
    assert "[opening erased]" in desk.shown(1)
    assert "carried out already (entry 6)" in desk.apply(erasing, code=2)


def test_restricted_now_erased_later(desk: Desk) -> None:
    """The auditor cannot sign what the law forbids, the gateway does not do what the registry's retention forbids."""
    refused = "Restrict now, erase after "
    assert refused in desk.audit(*desk.options("erase", "5", "unlawful"), code=2)
    assert refused in desk.apply(desk.order("erase", "4", "unlawful"), code=2)
    desk.carried_out(desk.order("restrict", "4", "accuracy_disputed"))
    assert "[opening restricted]" in desk.shown(4)
    assert "clerk-0003" in desk.shown(3)
    assert "Openings: restricted at 4" in desk.audit("verify", "--openings")
    desk.carried_out(desk.order("lift", "4", "ground_ended"))
    assert "clerk-0004" in desk.shown(4)


def test_a_key_that_the_registry_does_not_list_orders_nothing(desk: Desk) -> None:
    desk.keygen("stranger")
    note = desk.order("erase", "3", "retention_expired", key="stranger")
    assert "not signed by the auditor" in desk.apply(note, code=2)
    told = desk.run("oncegate", "audit", "order", "show", str(note))
    assert "Entries 3 (1)" in told
    assert "Signature not checked (its key was not given): audit.example/orders" in told
    assert len(desk.rows("3")) == 1


NEXT_SLOT, NEXT_ORIGIN = "gov-extranet-1-2027", "oncegate.example/gov-extranet-1-2027"


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Desk]:
    """The log of `desk` is closed, its key is gone, and another one goes on from it."""
    root = tmp_path / "city"
    with only_demo(root) as held, Processes(tmp_path / "logs", held) as processes:
        made = Desk(tmp_path, prepare(root), processes)
        made.keygen("orders")
        _fill(made.layout, [now_ms() - 1200 * DAY_MS] * 4 + [now_ms() - 400 * DAY_MS])
        _go_on(made)
        _list_key(made.layout, tmp_path / "orders.vkey")
        serve = [command("oncegate"), "serve", "--config", str(made.layout.node_config)]
        processes.start("serve", serve)
        successor = made.layout.audit_dir.with_name(NEXT_SLOT)
        until((successor / "tile/entries/000.p/1").exists)
        made.layout.private("audit-gov-extranet-1").unlink()
        yield made


def _go_on(desk: Desk) -> None:
    layout, slot = desk.layout, desk.layout.audit_dir.name
    key = layout.private(f"audit-{NEXT_SLOT}")
    desk.run("oncegate", "keygen", "audit-log", str(key), "--origin", NEXT_ORIGIN)
    with (layout.registry / "registry.toml").open("a") as file:
        file.write(
            f'\n[[audit_slots]]\nslot = "{NEXT_SLOT}"\norigin = "{NEXT_ORIGIN}"\n'
            f'vkey_file = "../keys/audit-{NEXT_SLOT}.vkey"\nauditor = "city-audit-office"\npredecessor = "{slot}"\n'
        )
    text = layout.node_config.read_text("utf-8")
    old_key = next(line for line in text.splitlines() if line.startswith("log_key"))
    new_key = f"{old_key.replace(slot, NEXT_SLOT)}\n{old_key.replace('log_key', 'predecessor_key')}"
    text = text.replace(old_key, new_key).replace(f'slot = "{slot}"', f'slot = "{NEXT_SLOT}"')
    layout.node_config.write_text(text, "utf-8")


def test_an_order_about_a_closed_log_goes_its_way(closed: Desk) -> None:
    gone, orders_vkey = closed.rows("1-2"), (closed.root / "orders.vkey").read_text().strip()
    assert "until 2" in closed.apply(closed.order("erase", "4", "unlawful"), code=2)  # the closed slot's retention
    erasing = closed.order("erase", "1-2", "retention_expired")
    closed.carried_out(erasing)
    assert anywhere(closed.layout.root, *gone) == []
    checked = closed.audit("verify", "--openings", "--orders-vkey", orders_vkey)
    assert "Openings: 2 erased by orders of both parties" in checked
    assert f"The notices of {NEXT_ORIGIN}" in checked
    assert "[opening erased]" in closed.shown(1)
    assert "carried out already" in closed.apply(erasing, code=2)
    closed.carried_out(closed.order("restrict", "3-4", "accuracy_disputed"))
    assert "[opening restricted]" in closed.shown(4)
    closed.carried_out(closed.order("lift", "4", "ground_ended"))
    assert "clerk-0004" in closed.shown(4)
    assert "[opening restricted]" in closed.shown(3)
    assert "about the log nowhere" in closed.apply(_about(closed, "nowhere"), code=2)


def _about(desk: Desk, origin: str) -> Path:
    """An order that the auditor signed about a log of another name."""
    signer = orders_signer(desk.root / "orders.pem")
    made = Order(origin, "restrict", 9, now_ms() // 1000, parse("1"), "accuracy_disputed", BASIS)
    path = desk.root / "other.note"
    path.write_bytes(sign(made, signer))
    return path
