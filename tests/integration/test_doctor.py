"""`oncegate doctor` over a real node: healthy, and broken in each way in turn; nothing else may change then."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from audit.orders import files
from contracts.edge import keys
from contracts.edge.files import write_atomic
from contracts.streams import Position
from gateway.certificates import self_signed
from gateway.demo.layout import Layout
from gateway.doctor.run import CHECKS, doctor
from gateway.ingest.state import StreamState
from gateway.node import opened
from gateway.store.stores import Stores
from tests.integration.doctor_world import (
    ADAPTER,
    ADAPTER_COMMAND,
    copy_of,
    found_by,
    lay_out,
    log_of,
    now_ms,
    republish,
    run_adapter,
    running,
    write_entries,
)
from tests.integration.witness_world import COSIGNER
from tests.waiting import until

DAY_MS = 86_400_000
Findings = dict[str, list[tuple[str, str, str]]]
Break = Callable[[Layout, ExitStack], None]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """An installation that ran: ingest filled its store, serve made its audit log; now it stands still."""
    layout = lay_out(tmp_path_factory.mktemp("doctor"))
    run_adapter(layout)
    with running(layout) as process:
        until(lambda: "complete." in _of(layout, "streams"), what="complete streams")
        until(lambda: "serve is ready" in _of(layout, "serve"), what="serve")
        live = examined(layout)
        assert process.poll() is None
    assert [one for one in live["store"] + live["serve"] if one[0] != "ok"] == []
    write_entries(layout)
    shutil.copytree(layout.audit_dir, layout.root / "audit-before")
    write_entries(layout, 5)
    return layout


def _of(layout: Layout, check: str) -> str:
    return "".join(f"{what}." for _, what, _ in examined(layout)[check])


def examined(layout: Layout) -> Findings:
    return found_by(doctor(layout.node_config))


@pytest.fixture(scope="module")
def healthy(city: Layout) -> Findings:
    return examined(city)


# --- healthy -----------------------------------------------------------------------------------------------------

# Of a node that was never started, stands on one disk, or whose machine nobody synchronises.
EXPLAINED = {
    "No ingest is running",
    "No serve is running, the port is free",
    "No full feed statement of the stream has matched yet",
    "head_dir is on the same disk as the audit log",
    "Nothing keeps the system clock synchronised",
    "Whether the system clock is synchronised cannot be found out",
}


def test_a_healthy_node_has_only_warnings_that_are_explained(healthy: Findings) -> None:
    found = [one for rows in healthy.values() for one in rows]
    assert [one for one in found if one[0] == "failed"] == []
    warned = {what for level, what, _ in found if level == "warning"}
    assert {what for what in warned if not re.match(r"This session may|.* has only .* left", what)} <= EXPLAINED
    assert all(remedy for level, _, remedy in found if level != "ok")


def test_every_check_says_something(healthy: Findings) -> None:
    # An embedded log has no rights, and no witness is configured.
    assert set(healthy) == {check.name for check in CHECKS} - {"rights", "witnesses", "mirror"}


def test_nothing_is_changed(city: Layout, tmp_path: Path) -> None:
    copy = copy_of(city, tmp_path)
    before = _contents(copy.root)
    examined(copy)
    assert _contents(copy.root) == before


def _contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_node_that_reads_some_types_is_not_asked_for_others(city: Layout, tmp_path: Path) -> None:
    layout = copy_of(city, tmp_path)
    with layout.node_config.open("a", encoding="utf-8") as file:
        file.write('[ingest]\nevidence_types = ["cn.business-licence"]\n')
    assert [what for _, what, _ in examined(layout)["streams"]] == ["1 streams are complete"]
    with opened(layout.node_config) as node:  # nor are they late for it
        assert {stream.evidence_type for stream in node.streams()} == {"cn.business-licence"}


def test_who_only_looks_makes_nothing(tmp_path: Path) -> None:
    layout = lay_out(tmp_path)
    shutil.rmtree(layout.log)
    shutil.rmtree(layout.root / "node" / "data")
    examined(layout)
    assert not layout.log.exists()
    assert not (layout.root / "node" / "data").exists()


# --- broken ------------------------------------------------------------------------------------------------------


def edit(old: str, new: str) -> Break:
    """The configuration, with one line changed."""

    def do(layout: Layout, _: ExitStack) -> None:
        text = layout.node_config.read_text("utf-8")
        assert old in text
        layout.node_config.write_text(text.replace(old, new, 1), "utf-8")

    return do


def key_mode(name: str, mode: int) -> Break:
    return lambda layout, _: (layout.keys / name).chmod(mode)


def gone(path: Callable[[Layout], Path]) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        target = path(layout)
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return do


def another_key(name: str, alg: str) -> Break:
    """Another key of JOSE `alg` ("X25519": of a zone, "secret": bytes) in the place of this one."""
    makers: dict[str, Callable[[Path], object]] = {"X25519": keys.create_hpke_key, "secret": keys.create_secret}

    def do(layout: Layout, _: ExitStack) -> None:
        path = layout.keys / name
        path.unlink()
        maker = makers.get(alg)
        if maker is None:
            keys.create_signing_key(path, alg)
        else:
            maker(path)

    return do


def certificate(made_at: Callable[[int], int], host: str = "127.0.0.1") -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        key = keys.load_signing_key(layout.private("tls"), "ES256").key
        write_atomic(layout.certificate("tls"), self_signed(key, "ES256", "x", made_at(now_ms()), (host,)))

    return do


def built_days_ago(days: int) -> Break:
    return lambda layout, _: republish(layout, layout.root.parent / "registry-root.pem", now_ms() - days * DAY_MS)


def write(path: Callable[[Layout], Path], data: bytes) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        path(layout).write_bytes(data)

    return do


def flip(pattern: str) -> Break:
    """One byte in the middle of the last such file of the audit log."""

    def do(layout: Layout, _: ExitStack) -> None:
        path = max(layout.audit_dir.glob(pattern), key=lambda one: int(one.name) if one.name.isdigit() else 0)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return do


def sql(statement: str) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        with closing(apsw.Connection(str(store(layout)))) as db:
            db.execute(statement).fetchall()

    return do


def store(layout: Layout) -> Path:
    return layout.root / "node" / "data" / "stores" / "1.sqlite"


def store_beside(layout: Layout, _: ExitStack) -> None:
    Stores(store(layout).parent, layout.keys / "store.key").new()


def data(name: str) -> Callable[[Layout], Path]:
    return lambda layout: layout.root / "node" / "data" / name


def without(topic: str) -> Break:
    def do(layout: Layout, _: ExitStack) -> None:
        with log_of(layout).admin() as admin:
            admin.delete_topic(topic)

    return do


def root_on_node(layout: Layout, _: ExitStack) -> None:
    shutil.copy2(layout.root.parent / "registry-root.pem", layout.private("registry-root"))


def older_audit_log(layout: Layout, _: ExitStack) -> None:
    shutil.rmtree(layout.audit_dir)
    shutil.copytree(layout.root / "audit-before", layout.audit_dir)


def port_taken(layout: Layout, stack: ExitStack) -> None:
    """By a program that closes what connects, as one without TLS would."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", layout.port)))

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"220 mail.example\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    stack.callback(thread.join)


def slot_locked(layout: Layout, stack: ExitStack) -> None:
    descriptor = os.open(layout.audit_dir / "lock", os.O_RDWR)
    stack.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def touched_tomorrow(layout: Layout, _: ExitStack) -> None:
    tomorrow = now_ms() / 1000 + 86_400
    os.utime(data("registry-seen.json")(layout), (tomorrow, tomorrow))


def order_waits(layout: Layout, _: ExitStack) -> None:
    path, then = files.pending_path(layout.audit_dir, "0" * 64), now_ms() / 1000 - 7500
    path.parent.mkdir(parents=True)
    path.write_bytes(b"order")
    os.utime(path, (then, then))


NEEDS_REGISTRY = {
    *("registry_contents", "registered_keys", "topics", "rights", "streams"),
    *("audit_log", "audit_logs", "mirror", "supervision", "corrections"),
}
NEEDS_LOG = {"registry", *NEEDS_REGISTRY}
STOPPED = StreamState(head=Position(1, 1), stopped="equivocation").to_json().decode()


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


BROKEN: list[Case] = [
    Case(
        "an unknown option",
        edit("[node]", "[node]\ncolour = 1"),
        "configuration",
        "failed",
        "colour is not an option",
        "Remove it",
    ),
    Case("not TOML", edit("[node]", "[node"), "configuration", "failed", "Not valid TOML", "Correct", {"*"}),
    Case(
        "no configuration",
        gone(lambda one: one.node_config),
        "configuration",
        "failed",
        "no such",
        "Check the path",
        {"*"},
    ),
    Case(
        "no serving",
        edit("[serve]", "[[other]]\n[not]"),
        "configuration",
        "failed",
        "not an option",
        "Remove",
        {
            "disk",
            "keys",
            "certificate",
            "registered_keys",
            "audit_log",
            "audit_logs",
            "mirror",
            "supervision",
            "serve",
            "corrections",
        },
    ),
    Case(
        "a key that others can read",
        key_mode("node-1.pem", 0o644),
        "keys",
        "failed",
        "its mode is 0644",
        "chmod 600",
        {"registered_keys"},
    ),
    Case(
        "a TLS key that others can read", key_mode("tls.pem", 0o640), "keys", "failed", "its mode is 0640", "chmod 600"
    ),
    Case(
        "keys that others can replace",
        key_mode(".", 0o777),
        "keys",
        "warning",
        "Others can write its directory",
        "chmod go-w",
    ),
    Case(
        "no node key",
        gone(lambda one: one.private("node-1")),
        "keys",
        "failed",
        "No such file",
        "Check the path",
        {"registered_keys"},
    ),
    Case(
        "a key of another kind",
        another_key("node-1.pem", "EdDSA"),
        "keys",
        "failed",
        "Not a key of the kind ES256",
        "PEM",
        {"registered_keys"},
    ),
    Case(
        "an unlisted node key",
        another_key("node-1.pem", "ES256"),
        "registered_keys",
        "failed",
        "does not list this node's key",
        "Register",
        {"keys"},
    ),
    Case(
        "another zone key",
        another_key("zone-gov-extranet.pem", "X25519"),
        "registered_keys",
        "failed",
        "The active key",
        "List all private keys",
        {"keys"},
    ),
    Case(
        "another log key",
        another_key("audit-gov-extranet-1.pem", "EdDSA"),
        "registered_keys",
        "failed",
        "not the key that the registry lists",
        "Compare log_key",
        {"keys"},
    ),
    Case(
        "another store key",
        another_key("store.key", "secret"),
        "store",
        "failed",
        "not the one of this store",
        "Use the key",
    ),
    Case(
        "half a store key",
        write(lambda one: one.keys / "store.key", bytes(17)),
        "keys",
        "failed",
        "must have 32 bytes",
        "Use the file",
        {"store"},
    ),
    Case("the root's private key", root_on_node, "keys", "warning", "root is on this node", "offline"),
    Case(
        "an expired certificate",
        certificate(lambda now: now - 400 * DAY_MS),
        "certificate",
        "failed",
        "expired on",
        "Renew",
    ),
    Case(
        "a certificate that ends soon",
        certificate(lambda now: now - 350 * DAY_MS),
        "certificate",
        "warning",
        "expires on",
        "Renew",
    ),
    Case(
        "a certificate for later",
        certificate(lambda now: now + 2 * DAY_MS),
        "certificate",
        "failed",
        "valid from",
        "clock",
    ),
    Case(
        "another host's certificate",
        certificate(lambda now: now, "city.example"),
        "certificate",
        "failed",
        "does not name 127.0.0.1",
        "base_url",
    ),
    Case(
        "another certificate's key",
        another_key("tls.pem", "ES256"),
        "certificate",
        "failed",
        "not the certificate's",
        "private_key",
    ),
    Case("no log", gone(lambda one: one.log), "log", "failed", "directory of the embedded log", "[log]", NEEDS_LOG),
    Case(
        "no registry topic",
        without("registry"),
        "registry",
        "failed",
        "There is no topic registry",
        "topics apply",
        {"log", *NEEDS_REGISTRY},
    ),
    Case(
        "another root", another_key("registry-root.pub.pem", "EdDSA"), "keys", "failed", "Not a key", "PEM", NEEDS_LOG
    ),
    Case("a registry past its renewal", built_days_ago(8), "registry", "warning", "past fresh_until", "control build"),
    Case(
        "a registry to be renewed soon", built_days_ago(5), "registry", "warning", "wants a successor", "control build"
    ),
    Case("an expired registry", built_days_ago(60), "registry", "failed", "past its validity", "control build"),
    Case(
        "an older registry",
        write(data("registry-seen.json"), b'{"digest":"sha-256:00","version":99}'),
        "registry",
        "failed",
        "this node has accepted 99",
        "find out why",
        NEEDS_REGISTRY,
    ),
    Case(
        "a damaged mark",
        write(data("registry-seen.json"), b"{"),
        "registry",
        "failed",
        "does not say which registry",
        "restore",
        NEEDS_REGISTRY,
    ),
    Case(
        "a missing topic",
        without("rejects.unverified"),
        "topics",
        "failed",
        "no topic rejects.unverified",
        "topics apply",
        {"log"},
    ),
    Case("a damaged store", write(store, b"x" * 65536), "store", "failed", "damaged", "restore", {"streams"}),
    Case("a newer store", sql("PRAGMA user_version = 99"), "store", "failed", "format 99, newer", "Upgrade"),
    Case("an older store", sql("PRAGMA user_version = 1"), "store", "failed", "old format 1", "store build"),
    Case("a store from before", store_beside, "store", "warning", "erased content stays", "store remove 2"),
    Case(
        "a stopped stream",
        sql(f"UPDATE streams SET state = CAST('{STOPPED}' AS BLOB)"),
        "streams",
        "failed",
        "stopped: equivocation",
        "operator's guide",
    ),
    Case(
        "a changed checkpoint", flip("checkpoint"), "audit_log", "failed", "does not verify", "restore", {"supervision"}
    ),
    Case("a changed entry", flip("tile/entries/001.p/*"), "audit_log", "failed", "", "restore"),
    Case("a changed tile", flip("tile/0/001.p/*"), "audit_log", "failed", "do not have the root", "restore"),
    Case(
        "no frames", gone(lambda one: one.audit_dir / "frames"), "audit_log", "failed", "frames are missing", "restore"
    ),
    Case("an older audit log", older_audit_log, "audit_log", "failed", "305 were published: an old copy", "restore"),
    Case(
        "an empty audit log",
        gone(lambda one: one.audit_dir),
        "audit_log",
        "failed",
        "305 entries were published",
        "restore",
    ),
    Case(
        "storage not mounted",
        gone(lambda one: one.root / "heads"),
        "audit_log",
        "failed",
        "head_dir is not a directory",
        "Mount",
    ),
    Case(
        "no head elsewhere",
        edit('head_dir = "../heads"\n', ""),
        "audit_log",
        "warning",
        "a rollback of the audit log would go unnoticed",
        "Set head_dir",
        {"disk"},
    ),
    Case(
        "a witness that is away",
        edit(
            'head_dir = "../heads"\n',
            'head_dir = "../heads"\n[[serve.witnesses]]\nurl = "http://127.0.0.1:1"\n'
            f'vkey = "{COSIGNER.public.vkey}"\n',
        ),
        "witnesses",
        "warning",
        "gives no answer that verifies",
        "Look at the network",
    ),
    Case(
        "a mirror that was never heard, instead of other storage",
        edit('head_dir = "../heads"\n', f'[serve.mirror]\nvkey = "{COSIGNER.public.vkey}"\n'),
        "mirror",
        "warning",
        "has not said yet which head it holds",
        "name and key in mirror.toml",
        {"disk", "audit_log"},
    ),
    Case(
        "answers that wait for no mirror",
        edit('head_dir = "../heads"\n', 'head_dir = "../heads"\ndurable = "mirrored"\n'),
        "configuration",
        "failed",
        "durable = mirrored needs [serve.mirror]",
        "keygen mirror",
        {"*"},
    ),
    Case(
        "a mirror's key that is none",
        edit('head_dir = "../heads"\n', 'head_dir = "../heads"\n[serve.mirror]\nvkey = "x"\n'),
        "configuration",
        "failed",
        "Not the verifier key of a mirror",
        "keygen mirror",
        {"*"},
    ),
    Case(
        "a mirror with a witness's key",
        edit(
            'head_dir = "../heads"\n',
            f'head_dir = "../heads"\n[serve.mirror]\nvkey = "{COSIGNER.public.vkey}"\n'
            f'[[serve.witnesses]]\nurl = "http://127.0.0.1:1"\nvkey = "{COSIGNER.public.vkey}"\n',
        ),
        "configuration",
        "failed",
        "The mirror's key is a witness's",
        "keygen mirror",
        {"*"},
    ),
    Case("a port that is taken", port_taken, "serve", "failed", "Another program has the port", "another port"),
    Case("a serve that does not listen", slot_locked, "serve", "failed", "nothing answers", "see its log"),
    Case(
        "an address of another machine",
        edit('host = "127.0.0.1"', 'host = "192.0.2.1"'),
        "serve",
        "failed",
        "Cannot listen",
        "another port",
    ),
    Case(
        "an order that waits", order_waits, "audit_logs", "warning", "wait to be carried out: 1, for 2 h", "serve runs"
    ),
    Case("a clock that went back", touched_tomorrow, "clock", "failed", "This file is 23 h later", "chrony"),
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
    assert all(remedy for rows in found.values() for level, _, remedy in rows if level != "ok")
    changed = {name for name in healthy.keys() | found.keys() if _lines(healthy, name) != _lines(found, name)}
    assert changed - {case.check} <= set(case.others) or "*" in case.others, changed


def _lines(found: Findings, check: str) -> set[tuple[str, str]]:
    """Numbers vary: bytes left, seconds since."""
    return {(level, re.sub(r"[\d.]+", "#", what)) for level, what, _ in found.get(check, [])}


# --- beside running processes ------------------------------------------------------------------------------------


def test_processes_start_and_run_while_doctors_look(city: Layout, tmp_path: Path) -> None:
    layout = copy_of(city, tmp_path)
    for path in (layout.audit_dir, *(layout.root / "heads").iterdir()):  # its entries are no access records
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            examined(layout)

    doctors = [threading.Thread(target=look) for _ in range(2)]
    for thread in doctors:
        thread.start()
    try:
        with running(layout) as process:
            until(lambda: "serve is ready" in _of(layout, "serve"), what="serve")
            assert "An ingest is writing it" in _of(layout, "store")
            assert process.poll() is None, (layout.root / "up.log").read_text("utf-8")
    finally:
        stop.set()
        for thread in doctors:
            thread.join()


# --- the command -------------------------------------------------------------------------------------------------


def command(*arguments: str, lang: str = "en") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "ONCEGATE_LANG": lang, "PYTHONUTF8": "1"}
    return subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)


def test_the_command_prints_a_line_each_and_ends_with_0_or_1(city: Layout, tmp_path: Path) -> None:
    layout = copy_of(city, tmp_path)
    arguments = [sys.executable, "-m", "gateway.cli", "doctor", "--config", str(layout.node_config)]
    fine = command(*arguments)
    assert (fine.returncode, fine.stderr) == (0, "")
    *lines, summary = fine.stdout.splitlines()
    assert {line[0] for line in lines} == {"✔", "⚠"}
    assert summary.startswith("It works; mind the lines with ⚠ (")
    layout.private("tls").chmod(0o644)
    chinese = command(*arguments, lang="zh")
    assert chinese.returncode == 1
    assert any(line.startswith("✘ 密钥文件:文件权限 0644 使他人可读写") for line in chinese.stdout.splitlines())
    document = json.loads(command(*arguments, "--json").stdout)
    assert (document["schema"], document["verdict"]) == ("oncegate-doctor/1", "failed")
    assert document["counts"]["failed"] == 1
    [failed] = [one for one in document["findings"] if one["level"] == "failed"]
    assert set(failed) == {"check", "level", "title", "what", "where", "remedy"}
    assert (
        failed["remedy"]["en"]
        == f"If it has not leaked, chmod 600 {layout.root}/node/../keys/tls.pem; else replace it."
    )


def test_an_adapter_that_ran_is_healthy(city: Layout) -> None:
    done = command(*ADAPTER_COMMAND, "doctor", str(city.adapter_config(ADAPTER)), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["counts"]["failed"]) == (0, 0), document
