"""Every mistake ends in one clear line: what, where, how to mend, in the reader's language; exit code not 0.

One table: what is spoiled in a small installation, which command is run, and what must be told. Each row runs in both
languages. The commands run in this process, by the very function that ends the console scripts (`output.execute`).
"""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
import typer

import adapters.cli
import audit.cli
import gateway.cli
from contracts.edge import keys
from contracts.edge.output import execute
from contracts.edge.transport import open_transport
from gateway.config import load
from gateway.control.build import publish
from gateway.demo import departments
from gateway.demo.data import generate
from gateway.demo.layout import Layout, prepare
from gateway.store.stores import Stores
from tests.integration.audit_support import append_all, open_log
from tests.integration.spoil import (
    ADAPTER,
    NODE,
    SLOT,
    Spoil,
    a_directory,
    a_file,
    altered_parts,
    anothers_outbox,
    busy_port,
    exposed,
    fine,
    gone,
    holds,
    release,
    replaced,
    says,
    second_adapter,
    second_ingest,
    second_writer,
    torn_topic,
)

APPS: dict[str, typer.Typer] = {
    "oncegate": gateway.cli.app,
    "oncegate-adapter": adapters.cli.app,
    "oncegate-audit": audit.cli.app,
}
BUILD = "oncegate control build @registry --root-key @keys/registry-root.pem"
PUBLISH = "oncegate control publish @registry -c @node/oncegate.toml"
STATUS, INGEST, SERVE = (f"oncegate {role} -c @{NODE}" for role in ("status", "ingest", "serve"))
RUN, CHECK = (f"oncegate-adapter {command} @{ADAPTER}/adapter.toml" for command in ("run", "check"))
GARBAGE = b"garbage\n" * 2000


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city with a published registry, a store, one department's exports, and a log of 300 entries in `log-copy`."""
    root = tmp_path_factory.mktemp("city") / "it"
    layout = prepare(root)
    generate(root / "departments", 1, 0.02)
    departments.write_configurations(layout)
    pin = keys.load_public_key(layout.public("registry-root"), "EdDSA")
    publish(layout.registry, pin, open_transport(load(layout.node_config).log))
    Stores(root / "node/data/stores", root / "keys/store.key").first()
    _audit_log(root / "log-copy", layout)
    return root


def _audit_log(directory: Path, layout: Layout) -> None:
    log = open_log(directory)
    asyncio.run(append_all(log, 0, 299))
    log.append_blocking(b'{"commit":"sha-256:00"}', b"{}")  # only such a record has an opening to show
    log.close()
    shutil.copy(layout.vkey, directory / "other.vkey")


@pytest.fixture
def city(installation: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy to spoil."""
    yield shutil.copytree(installation, tmp_path / "city")
    structlog.reset_defaults()


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What is spoiled, the command (`@` is the installation), and what the line must hold."""

    spoil: Spoil
    command: str
    en: str
    zh: str
    where: str = ""
    code: int = 2


_CSV = f"{ADAPTER}/business-licences.csv"
_TOML = f"{ADAPTER}/adapter.toml"

ROWS: dict[str, Row] = {
    # the command line
    "unknown command": Row(fine, "oncegate nonsense", "No such command", "没有命令 nonsense", "oncegate --help"),
    "unknown option": Row(fine, f"{STATUS} --colour", "No such option: --colour", "没有选项 --colour", "status --help"),
    "missing argument": Row(fine, "oncegate control new-root", "Missing argument", "缺少参数", "new-root --help"),
    "missing option": Row(fine, "oncegate control build @registry", "Missing option", "缺少选项 --root-key"),
    "option without value": Row(fine, "oncegate status -c", "requires an argument", "选项 -c 需要一个值"),
    "too many arguments": Row(fine, "oncegate-audit verify a b", "unexpected extra", "多余的参数 b", "verify --help"),
    "not a number": Row(fine, "oncegate-adapter approve-run x", "Invalid value", "ID 的值无效:应为整数"),
    "number too small": Row(fine, "oncegate-audit show @ --last 0", "greater than or equal", "不得小于 1", "--last"),
    "number too big": Row(fine, f"oncegate-adapter approve-run {2**70}", "less than or equal", "不得大于"),
    "not finite": Row(fine, f"{RUN} --watch inf", "less than or equal", "不得大于 86400", "--watch"),
    "two modes": Row(fine, f"{RUN} --watch 5 --dry-run", "cannot be used together", "不能同时使用", "run"),
    "unknown run": Row(fine, f"oncegate-adapter approve-run 7 @{_TOML}", "There is no run 7", "没有待批准的运行 7"),
    "algorithm": Row(
        fine, "oncegate-adapter keygen @k.pem --alg RSA", "Unknown algorithm RSA", "未知算法 RSA", "k.pem"
    ),
    "key exists": Row(fine, "oncegate-adapter keygen @keys/tls.pem", "exists already", "已存在", "keys/tls.pem"),
    "no directory for a key": Row(fine, "oncegate-adapter keygen @no/k.pem", "No such file", "不存在", "no/k.pem"),
    # configuration files, the same reader for all programs
    "no configuration": Row(gone(NODE), STATUS, "There is no such configuration", "找不到配置文件", NODE),
    "configuration is a directory": Row(a_directory(NODE), STATUS, "It is a directory", "这是目录", NODE),
    "configuration is empty": Row(holds(NODE, b""), STATUS, "node is missing", "缺少配置项 node", NODE),
    "configuration in GBK": Row(holds(NODE, "名".encode("gbk")), STATUS, "not UTF-8", "不是 UTF-8", NODE),
    "configuration is no TOML": Row(holds(NODE, b"[node\n"), STATUS, "Not valid TOML", "TOML 语法错误", f"{NODE}:1"),
    "misspelt option": Row(says(NODE, "zone =", "zome ="), STATUS, "zone is missing", "缺少配置项 zone", "node.zone"),
    "unknown setting": Row(says(NODE, "[serve]", "[serve]\nhots = 1"), STATUS, "Did you mean host", "是否想写 host"),
    "wrong type": Row(
        says(NODE, "port = ", "port = '1' #"), STATUS, "must be a whole number", "应为整数", "serve.port"
    ),
    "out of bounds": Row(says(NODE, "port = ", "port = 99"), STATUS, "out of bounds", "超出范围", "serve.port"),
    "unknown log": Row(says(NODE, '"embedded"', '"x"'), STATUS, "One of: embedded", "可选:embedded", "log.kind"),
    "adapter configuration": Row(gone(_TOML), RUN, "There is no such configuration", "找不到配置文件", _TOML),
    # the registry's directory and root
    "no registry directory": Row(gone("registry"), BUILD, "no TOML files", "没有 TOML 文件", "registry"),
    "registry says nothing": Row(
        holds("registry/registry.toml", b""), BUILD, "[registry] must stand", "[registry] 须恰好"
    ),
    "registry option": Row(
        says("registry/registry.toml", "valid_for_days", "valid_days"), BUILD, "valid_for_days", "valid_for_days", ":4"
    ),
    "unknown organisation": Row(
        says("registry/departments.toml", 'organisation = "traffic-police"', 'organisation = "x"'),
        BUILD,
        "which is not in organisations",
        "organisations",
        "registry",
    ),
    "no certificate": Row(
        holds("keys/app-approval-windows.crt.pem", b"x"), BUILD, "not a certificate", "不是 PEM 格式的证书"
    ),
    "certificate gone": Row(gone("keys/app-approval-windows.crt.pem"), BUILD, "No such file", "不存在", "apps.toml:"),
    "another log's vkey": Row(holds("keys/audit-gov-extranet-1.vkey", b"x"), BUILD, "Not the verifier key", "验证公钥"),
    "type without schema": Row(
        holds("registry/evidence-types/a.toml", b"id='a'"), BUILD, "is missing", "缺少", "a.schema.json"
    ),
    "root key of another kind": Row(
        replaced("keys/registry-root.pem", "keys/node-1.pem"), BUILD, "Not a key of the kind EdDSA", "不是 EdDSA 密钥"
    ),
    "root key exposed": Row(exposed("keys/registry-root.pem"), BUILD, "chmod 600", "chmod 600", "registry-root.pem"),
    "root key is a directory": Row(a_directory("keys/registry-root.pem"), BUILD, "It is a directory", "这是目录"),
    "another root key": Row(
        replaced("keys/registry-root.pem", "keys/audit-gov-extranet-1.pem"), BUILD, "not signed by the", "根密钥"
    ),
    "manifest damaged": Row(
        holds("registry/build/manifest.jws", b"x"), BUILD, "from a backup", "从备份恢复", "manifest"
    ),
    "nothing built": Row(gone("registry/build"), PUBLISH, "control build first", "请先运行 oncegate control build"),
    "part altered": Row(altered_parts, PUBLISH, "does not match its digest", "与摘要不符", "build/parts"),
    # the log and the registry as nodes see them
    "log is a file": Row(a_file("log"), STATUS, "The log directory cannot be made", "无法创建日志目录", "log"),
    "no registry on the log": Row(gone("log"), STATUS, "has no registry yet", "尚无注册库", "oncegate.toml"),
    "topic is garbage": Row(holds("log/registry.t", GARBAGE), STATUS, "is damaged", "已损坏", "registry", 3),
    "topic is torn": Row(torn_topic, INGEST, "is damaged", "已损坏", "registry", 3),
    "topic is a directory": Row(
        a_directory("log/registry.t"), PUBLISH, "Not available now", "暂时不可用", "registry", 4
    ),
    "wrong pin": Row(
        replaced("keys/registry-root.pub.pem", "keys/tls.pub.pem"), STATUS, "Not a key of the kind", "不是 EdDSA 密钥"
    ),
    "another pin": Row(
        replaced("keys/registry-root.pub.pem", "keys/audit-gov-extranet-1.pub.pem"),
        STATUS,
        "not signed by the pinned root",
        "不是由固定的根密钥签名",
        "registry_root_unknown",
    ),
    "seen version damaged": Row(
        holds("node/data/registry-seen.json", b"{"), STATUS, "is damaged", "已损坏", "registry-seen.json", 3
    ),
    "data is a file": Row(a_file("node/data"), STATUS, "exists already", "已存在", "node/data"),
    # a node's keys and store
    "more days than a request is kept": Row(
        says(NODE, "[serve]", "[serve]\ncorrection_days = 61"),
        STATUS,
        "Allowed: 1 to 60",
        "允许 1 到 60",
        "serve.correction_days",
    ),
    "unknown type for a node": Row(
        says(NODE, "[serve]", '[ingest]\nevidence_types = ["cn.x"]\n[serve]'),
        INGEST,
        "The registry has no evidence type cn.x",
        "注册库中没有证照类型 cn.x",
        "ingest.evidence_types",
    ),
    "unknown zone": Row(says(NODE, 'zone = "gov', 'zone = "x'), STATUS, "The registry has no zone", "注册库中没有区域"),
    "zone key of another": Row(
        replaced("keys/zone-gov-extranet.pem", "keys/auditor.pem"),
        INGEST,
        "A private key of zone",
        "缺少区域",
        "keys.zone",
    ),
    "node key unlisted": Row(
        replaced("keys/node-1.pem", "keys/app-city-mobile.pem"),
        INGEST,
        "does not list this node's key",
        "没有本节点的密钥",
    ),
    "another node's name": Row(
        says(NODE, '"node-1"', '"node-2"'), INGEST, "belongs to node-1", "属于 gov-extranet 的 node-1"
    ),
    "store key gone": Row(gone("keys/store.key"), STATUS, "No such file", "不存在", "store.key"),
    "store key too long": Row(
        holds("keys/store.key", b"k" * 33), INGEST, "must have 32 bytes", "应为 32 字节", "store.key"
    ),
    "store of another key": Row(holds("keys/store.key", b"k" * 32), SERVE, "not the one of this store", "与该存储不符"),
    "store damaged": Row(holds("node/data/stores/1.sqlite", GARBAGE), SERVE, "is damaged", "已损坏", "1.sqlite", 3),
    "no store": Row(gone("node/data/stores/1.sqlite"), STATUS, "Start ingest first", "请先启动 ingest", "1.sqlite"),
    "second ingest": Row(second_ingest, INGEST, "Another ingest", "另一个 ingest", "1.sqlite"),
    # serving
    "no [serve]": Row(
        says(NODE, "[serve]", "[node.serve]"), STATUS, "not an option here", "未知配置项 serve", "node.serve"
    ),
    "unknown slot": Row(
        says(NODE, 'slot = "gov', 'slot = "x'), SERVE, "lists no audit log", "没有审计日志", "serve.slot"
    ),
    "another log key": Row(
        replaced("keys/audit-gov-extranet-1.pem", "keys/registry-root.pem"), SERVE, "Compare log_key", "请核对 log_key"
    ),
    "head_dir not mounted": Row(gone("heads"), SERVE, "is the storage mounted?", "存储未挂载", "heads"),
    "checkpoint damaged": Row(holds(f"{SLOT}/checkpoint", b"x"), SERVE, "is damaged", "已损坏", "checkpoint", 3),
    "second serve": Row(second_writer, SERVE, "Another process is writing", "另一进程写入", SLOT),
    "certificate of the server": Row(
        holds("keys/tls.crt.pem", b"x"), SERVE, "cannot be used", "无法使用", "tls.crt.pem"
    ),
    "key of the server exposed": Row(exposed("keys/tls.pem"), SERVE, "chmod 600", "chmod 600", "tls.pem"),
    "port in use": Row(busy_port, SERVE, "The port is in use", "端口已被占用", "127.0.0.1:"),
    "no such address": Row(
        says(NODE, 'host = "127.0.0.1"', 'host = "203.0.113.7"'), SERVE, "does not have that address", "本机没有该地址"
    ),
    "up": Row(gone(NODE), f"oncegate up -c @{NODE}", "There is no such configuration", "找不到配置文件", NODE),
    # a department
    "adapter key gone": Row(
        gone("keys/adapter-market-regulation-1.pem"), RUN, "No such file", "不存在", "adapter-market"
    ),
    "zone key of another kind": Row(
        replaced("keys/zone-gov-extranet.pub.pem", "keys/tls.pub.pem"), RUN, "Not a key of the kind X25519", "X25519"
    ),
    "unknown evidence type": Row(
        says(_TOML, "cn.business-licence", "cn.business"), CHECK, "has no evidence type cn.business", "证照目录中没有"
    ),
    "mapping misspelt": Row(says(_TOML, "source_time", "sauce_time"), CHECK, "sauce_time", "sauce_time", "streams[0]"),
    "brake out of bounds": Row(
        says(_TOML, "complete = true", "complete = true\nbrake.withdraw_percent = 200"),
        CHECK,
        "0 to 100",
        "允许 0 到 100",
    ),
    "source gone": Row(gone(_CSV), CHECK, "No source file matches", "没有匹配的源文件", "business-licences.csv"),
    "source of other columns": Row(
        holds(_CSV, b"a,b\n1,2\n"), CHECK, "has no column", "中没有列", "business-licences.csv"
    ),
    "source in UTF-16": Row(holds(_CSV, "a,b\n".encode("utf-16")), CHECK, "UTF-16", "UTF-16", "business-licences.csv"),
    "outbox is garbage": Row(holds(f"{ADAPTER}/outbox.db", GARBAGE), RUN, "is damaged", "已损坏", "outbox", 5),
    "outbox is a directory": Row(
        a_directory(f"{ADAPTER}/outbox.db"), RUN, "It is a directory", "这是目录", "outbox.db"
    ),
    "outbox of another": Row(anothers_outbox, RUN, "belongs to another adapter", "属于另一适配器", "outbox"),
    "outbox below a file": Row(
        says(_TOML, '"outbox.db"', '"adapter.toml/outbox.db"'), RUN, "exists already", "已存在", "adapter.toml"
    ),
    "outbox in use": Row(second_adapter, RUN, "Another adapter process", "另一个适配器进程", "outbox.db"),
    # the audit log
    "no audit log": Row(
        fine, "oncegate-audit verify @keys", "Not the directory of an audit log", "该目录不是审计日志", "keys"
    ),
    "no vkey": Row(gone("log-copy/vkey"), "oncegate-audit verify @log-copy", "Give it with --vkey", "请用 --vkey"),
    "vkey is binary": Row(holds("log-copy/vkey", b"\xff"), "oncegate-audit show @log-copy", "Not a valid", "验证公钥"),
    "vkey is a directory": Row(
        a_directory("log-copy/vkey"), "oncegate-audit show @log-copy", "It is a directory", "这是目录"
    ),
    "head gone": Row(fine, "oncegate-audit verify @log-copy --head @none", "No such file", "不存在", "none"),
    "head is no checkpoint": Row(
        fine, "oncegate-audit verify @log-copy --head @keys/tls.pem", "Not a valid checkpoint", "不是此日志的有效检查点"
    ),
    "no such entry": Row(
        fine, "oncegate-audit show @log-copy --index 5000", "has no entry of this index", "entry_unknown"
    ),
    "entries gone": Row(
        gone("log-copy/tile"), "oncegate-audit show @log-copy", "is damaged", "已损坏", "tile/entries", 3
    ),
    "openings without a key": Row(fine, "oncegate-audit show @log-copy --openings", "--auditor-key", "--auditor-key"),
    "another auditor's key": Row(
        fine,
        "oncegate-audit show @log-copy --openings --auditor-key @keys/auditor.pem",
        "cannot be opened with this key",
        "opening_unreadable",
    ),
    # the demo
    "demo over something else": Row(fine, "oncegate demo --data-dir @keys", "not empty", "目录非空", "keys"),
    "demo in a file": Row(a_file("x"), "oncegate demo --data-dir @x", "not a directory", "不是目录", "x"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ROWS)
def test_one_clear_line(
    name: str, lang: str, city: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ROWS[name]
    monkeypatch.setenv("ONCEGATE_LANG", lang)
    held = row.spoil(city)
    capsys.readouterr()
    program, *arguments = row.command.replace("@", f"{city}/").split(" ")
    code = execute(APPS[program], arguments)
    release(held)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]  # roles log in JSON
    assert (code, len(lines)) == (row.code, 1), lines
    label, told = ("Error: ", row.en) if lang == "en" else ("错误: ", row.zh)
    assert lines[0].startswith(label)
    assert told in lines[0]
    assert row.where in lines[0]
    assert has_remedy(lines[0], lang), lines[0]


def has_remedy(line: str, lang: str) -> bool:
    """Whether something follows the full stop after what and where."""
    _, stop, remedy = line.partition(". " if lang == "en" else "。")
    return bool(stop and remedy.strip())


@pytest.mark.parametrize("program", APPS)
def test_no_command_at_all_shows_the_help(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(APPS[program], []) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"Usage: {program} ")
    assert "..." not in shown.err.partition("Commands:")[2]
